using System.Numerics;

namespace Puces.Core.Scheduling;

/// <summary>What ran before, as far as it tells what will run: learned as jobs end, small enough to be stored.</summary>
public sealed class History
{
    private readonly Dictionary<int, RunTimes> _byDevices = [];
    private readonly RunTimes _all = new();

    /// <summary>Changes with everything learned.</summary>
    public int Version { get; private set; }

    public void Learn(Claim claim, TimeSpan worked)
    {
        if (!_byDevices.TryGetValue(ClassOf(claim), out var times)) _byDevices[ClassOf(claim)] = times = new();
        times.Add(worked);
        _all.Add(worked);
        Version++;
    }

    public static int ClassOf(Claim claim) => BitOperations.Log2((uint)claim.Shape.Devices);

    internal RunTimes TimesFor(int cls) => _byDevices.TryGetValue(cls, out var times) && times.Count >= 30 ? times : _all;

    /// <summary>How long one that holds is likely to go on: half of its kind that came this far ended within that.</summary>
    public TimeSpan Remaining(Claim claim, TimeSpan now)
    {
        var attained = claim.Attained(now);
        var left = TimesFor(ClassOf(claim)).Quantile(0.5, attained) - attained;
        if (claim.Limit is { } limit) left = left < claim.Since + limit - now ? left : claim.Since + limit - now;
        return left > TimeSpan.FromSeconds(1) ? left : TimeSpan.FromSeconds(1);
    }
}
