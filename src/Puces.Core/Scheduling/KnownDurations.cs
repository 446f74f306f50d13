namespace Puces.Core.Scheduling;

/// <summary>Shortest job first, for comparison: it knows how long each job will work.</summary>
public sealed class Sjf : IPolicy
{
    public string Name => "sjf";
    public bool IsStrict => true;
    public long Rank(Claim claim, TimeSpan now) => claim.Duration?.Ticks ?? long.MaxValue;
}

/// <summary>Smallest device time first, for comparison: it knows how long each job will work.</summary>
public sealed class Srsf : IPolicy
{
    public string Name => "srsf";
    public bool IsStrict => true;
    public long Rank(Claim claim, TimeSpan now) => claim.Duration is { } duration ? duration.Ticks * claim.Shape.Devices : long.MaxValue;
}
