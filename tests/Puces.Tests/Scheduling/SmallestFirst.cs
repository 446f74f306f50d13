using Puces.Core.Scheduling;

namespace Puces.Tests.Scheduling;

/// <summary>Fewest devices first; whoever has waited for a day goes before all who have not.</summary>
public sealed class SmallestFirst : IPolicy
{
    private static readonly TimeSpan Day = TimeSpan.FromDays(1);

    public string Name => "smallest-first";

    // Who waits gets older: each pass ranks anew.
    public bool IsSteady => false;

    // The first that do not fit have nodes kept for them, so that small jobs do not pass a large one for ever.
    public bool Reserves => true;

    public long Rank(Claim claim, TimeSpan now) => now - claim.Submitted >= Day ? 0 : claim.Shape.Devices;
}
