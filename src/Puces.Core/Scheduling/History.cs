namespace Puces.Core.Scheduling;

/// <summary>
/// What ran before, as far as it tells how long others will run. Jobs are of ever narrower kinds: all of them; those of a project with as
/// many devices; those of one owner and name among these; and those that came together, which on every public trace run almost equally
/// long. A narrow kind that has seen little goes by the wider one. It counts, and forgets order: small enough to be stored.
/// </summary>
public sealed class History
{
    /// <summary>Jobs of one kind that came no further apart than this came together.</summary>
    public static readonly TimeSpan Together = TimeSpan.FromMinutes(10);

    private readonly RunTimes _all = new(null, 1);
    private readonly Dictionary<(string Project, int Devices), RunTimes> _sizes = [];
    private readonly Dictionary<Kin, RunTimes> _kinds = [];
    private readonly Dictionary<Kin, Batch> _latest = [];

    /// <summary>Jobs that are alike in what their owners say of them.</summary>
    private readonly record struct Kin(string Project, string Owner, string Name, int Devices);

    /// <summary>Jobs of one kind that came together.</summary>
    internal sealed class Batch(long number, RunTimes times)
    {
        /// <summary>The number of the first of them.</summary>
        public long Number { get; } = number;
        public RunTimes Times { get; } = times;
        public TimeSpan Last { get; set; }
        public int Live { get; set; }
    }

    /// <summary>A claim has come.</summary>
    public void Arrive(Claim claim)
    {
        var kin = KinOf(claim);
        if (!_latest.TryGetValue(kin, out var batch) || claim.Submitted - batch.Last > Together)
            _latest[kin] = batch = new(claim.Number, new(TimesOf(kin), 0.5));
        (batch.Last, claim.Batch) = (claim.Submitted, batch);
        batch.Live++;
        claim.Reached = 0;
        Advance(claim, claim.Worked);
    }

    /// <summary>A claim has come so far without having ended.</summary>
    public static void Advance(Claim claim, TimeSpan attained)
    {
        var reached = Buckets.Of(attained);
        if (reached <= claim.Reached) return;
        for (var times = claim.Batch!.Times; times is not null; times = times.Wider) times.Reach(claim.Reached == 0 ? -1 : claim.Reached, reached);
        claim.Reached = reached;
    }

    /// <summary>A claim has ended, having worked this long in all; null where it says nothing, having been cancelled before it began.</summary>
    public static void End(Claim claim, TimeSpan? worked)
    {
        for (var times = claim.Batch!.Times; times is not null; times = times.Wider)
        {
            if (claim.Reached > 0) times.Reach(claim.Reached, -1);
            if (worked is { } time) times.End(Buckets.Of(time));
        }
        claim.Batch.Live--;
    }

    internal static RunTimes.Estimate Expect(Claim claim, TimeSpan now) => claim.Batch!.Times.At(Buckets.Of(claim.Attained(now)));

    /// <summary>How long one that holds is likely to go on: half of its kind that came this far ended within that.</summary>
    public static TimeSpan Remaining(Claim claim, TimeSpan now)
    {
        var left = TimeSpan.FromSeconds(Math.Max(1, Expect(claim, now).Median));
        if (claim.Limit is { } limit && claim.Since + limit - now < left) left = claim.Since + limit - now;
        return left > TimeSpan.FromSeconds(1) ? left : TimeSpan.FromSeconds(1);
    }

    private RunTimes TimesOf(Kin kin)
    {
        if (!_sizes.TryGetValue((kin.Project, kin.Devices), out var size)) _sizes[(kin.Project, kin.Devices)] = size = new(_all, 8);
        if (kin.Owner.Length + kin.Name.Length == 0) return size;
        if (!_kinds.TryGetValue(kin, out var times)) _kinds[kin] = times = new(size, 2);
        return times;
    }

    private static Kin KinOf(Claim claim) => new(claim.Project, claim.Owner, Plain(claim.Name), claim.Shape.Devices);

    /// <summary>A name without its numbers: <c>sweep-lr0.01-3</c> and <c>sweep-lr0.02-4</c> are one.</summary>
    private static string Plain(string name)
    {
        if (!name.Any(char.IsAsciiDigit)) return name;
        return string.Concat(name.Where(c => !char.IsAsciiDigit(c)));
    }
}
