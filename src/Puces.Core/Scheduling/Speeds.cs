using Puces.Core.Fleet;

namespace Puces.Core.Scheduling;

// How fast jobs work on what they are given. It matters for those that would take several of the models that there are: of any other the model is
// part of what its kind was seen to do.
public sealed partial class Scheduler
{
    /// <summary>How fast a claim works on these parts, in thousandths of an H100: as fast as the slowest device.</summary>
    private int SpeedOf(Claim claim, IReadOnlyList<Part> parts)
    {
        if (!IsSpanning(claim)) return 1000;
        var slowest = int.MaxValue;
        foreach (var part in parts)
            foreach (var device in grid.NodeAt(part.Node).Devices)
                if ((part.Devices >> device.Index & 1) != 0) slowest = Math.Min(slowest, Accelerators.WeightOf(device.Model));
        return slowest;
    }

    /// <summary>How fast it works at least, whatever it is given.</summary>
    private int SlowestOf(Claim claim) => IsSpanning(claim) ? ModelsOf(claim.Shape).Min(m => Accelerators.WeightOf(m.Model)) : claim.Speed;

    private bool IsSpanning(Claim claim) => claim.GoesByModel && policy.Learns && ModelsOf(claim.Shape) is { Length: > 1 } models && models.Any(m => m.Model != models[0].Model);
}
