using Puces.Core.Units;

namespace Puces.Core.Replay;

/// <summary>Equal nodes of a replayed pool.</summary>
/// <param name="Nodes">How many.</param>
/// <param name="Devices">Devices of each.</param>
/// <param name="Accelerator">Their model; empty for any.</param>
/// <param name="MilliCpus">CPUs of each; zero for as many as are asked for.</param>
/// <param name="Memory">Main memory of each; zero for as much as is asked for.</param>
public sealed record NodeGroup(int Nodes, int Devices, string Accelerator = "", int MilliCpus = 0, Memory Memory = default)
{
    /// <summary>Whether a job that asks for that model, or for several with <c>|</c> between, may run here.</summary>
    public bool Takes(string accelerator)
    {
        if (accelerator.Length == 0 || Accelerator.Length == 0) return true;
        foreach (var one in accelerator.AsSpan().Split('|'))
            if (accelerator.AsSpan(one).Equals(Accelerator, StringComparison.OrdinalIgnoreCase)) return true;
        return false;
    }
}
