namespace Puces.Core.Scheduling;

/// <summary>
/// Ours: fair between projects; inside a project whoever is likeliest to end soon for the devices that it takes, by what ran before
/// (the Gittins index: Aalto, Ayesta, Righter, "On the Gittins index in the M/G/1 queue", Queueing Systems 63, 2009).
/// </summary>
public sealed class PucesPolicy : IPolicy
{
    /// <summary>Nobody is stopped before it has had its devices so long.</summary>
    public static readonly TimeSpan Quantum = TimeSpan.FromMinutes(5);

    /// <summary>What one that was stopped needs to go on, and what stopping it must be worth.</summary>
    public static readonly TimeSpan Restart = TimeSpan.FromMinutes(1);

    public string Name => "puces";
    public bool IsSteady => false;
    public bool Reserves => true;
    public bool Stops => true;
    public TimeSpan? Tick => TimeSpan.FromMinutes(5);

    public long Rank(Claim claim, TimeSpan now)
    {
        // Within a pass one claim is ranked many times.
        var history = claim.Batch!.Times.Changes;
        if (claim.RankedAt != now.Ticks || claim.RankedBy != history) (claim.LastRank, claim.RankedAt, claim.RankedBy) = (RankAnew(claim, now), now.Ticks, history);
        return claim.LastRank;
    }

    private static long RankAnew(Claim claim, TimeSpan now)
    {
        var seconds = History.Expect(claim, now).Index;
        if (!claim.IsHolding && claim.Worked > TimeSpan.Zero) seconds += Restart.TotalSeconds;
        return (long)(Math.Min(seconds, 1e9) * 1000) * claim.Shape.Devices;
    }

    public long GroupOf(Claim claim) => claim.Worked == TimeSpan.Zero ? claim.Batch!.Number : -1 - claim.Number;

    public bool MayStop(Claim holding, Claim waiting, TimeSpan now) =>
        now - holding.Since >= Quantum && Rank(holding, now) / 3 * 2 > Rank(waiting, now);
}
