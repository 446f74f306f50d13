namespace Puces.Core.Scheduling;

/// <summary>
/// Ours: fair between projects; inside a project whoever is likeliest to end soon for the devices that it takes, by what ran before
/// (the Gittins index: Aalto, Ayesta, Righter, "On the Gittins index in the M/G/1 queue", Queueing Systems 63, 2009).
/// </summary>
public sealed class PucesPolicy(bool isBounded = true) : IPolicy
{
    /// <summary>Nobody is stopped before it has had its devices so long; who was stopped before, twice as long as then, up to eight times.</summary>
    public static readonly TimeSpan Quantum = TimeSpan.FromMinutes(5);

    /// <summary>What one that was stopped needs to go on, and what stopping it must be worth.</summary>
    public static readonly TimeSpan Restart = TimeSpan.FromMinutes(1);

    public string Name => isBounded ? "puces" : "gittins";
    public bool IsSteady => false;
    public bool RanksByHistory => true;
    public bool Reserves => true;
    public bool Stops => true;
    public bool SharesByProject => true;
    public TimeSpan? Tick => TimeSpan.FromMinutes(5);

    /// <summary>Who must go first, so that nobody waits for ever; null where nothing is promised, for comparison.</summary>
    public Ageing? Ageing { get; } = isBounded ? new() : null;

    public void Look(Scheduler scheduler, TimeSpan now) => Ageing?.Look(scheduler, now);
    public void Arrived(Claim claim) => Ageing?.Arrived(claim);
    public void Ended(Claim claim, TimeSpan? worked, TimeSpan now) => Ageing?.Ended(claim, worked, now);

    public string? TakeKept() => Ageing?.TakeKept();
    public void Load(string kept) => Ageing?.Load(kept);

    public long Rank(Claim claim, TimeSpan now)
    {
        if (claim.IsDue) return long.MinValue / 2 + claim.Due.Ticks;
        // One claim is ranked many times until there is anything new.
        var (reached, stamp) = (Buckets.Of(claim.Attained(now)), claim.Batch!.Times.Stamp());
        if (claim.RankedAt != reached || claim.RankedBy != stamp) (claim.LastRank, claim.RankedAt, claim.RankedBy) = (RankAnew(claim, reached), reached, stamp);
        return claim.LastRank;
    }

    private static long RankAnew(Claim claim, int reached)
    {
        var seconds = claim.Batch!.Times.At(reached).Index;
        if (!claim.IsHolding && claim.Worked > TimeSpan.Zero) seconds += Restart.TotalSeconds;
        return (long)(Math.Min(seconds, 1e9) * 1000) * claim.Shape.Devices;
    }

    public long GroupOf(Claim claim) => claim is { Attempts: 0, IsExempt: false } ? claim.Batch!.Number : -1 - claim.Number;

    public bool MayStop(Claim holding, Claim waiting, TimeSpan now) =>
        now - holding.Since >= Quantum * (1 << Math.Min(holding.Attempts - 1, 3)) && !holding.IsCommitted
        && (waiting.IsDue ? !holding.IsDue || holding.Due > waiting.Due : !holding.IsDue && Rank(holding, now) / 3 * 2 > Rank(waiting, now));

    public bool Reaches(long rank, Claim waiting, TimeSpan now) => waiting.IsDue || rank / 3 * 2 > Rank(waiting, now);
}
