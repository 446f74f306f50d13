namespace Puces.Core.Scheduling;

/// <summary>
/// What is known of how long jobs of one kind run: those that ended by where they ended, and those that have not by how far they have
/// come. Where it says little, the wider kind that it belongs to says the rest.
/// </summary>
internal sealed class RunTimes(RunTimes? wider, double weight)
{
    // Nobody has been seen to run so long: of those that come to a time, this share is gone before they come to its double.
    // A tail that falls with the power 1.5 of the time, as run times of batch jobs do (Harchol-Balter, Downey, SIGMETRICS'96: 1 to 2).
    private static readonly double Tail = 1 - Math.Pow(2, -1.5 / 8);
    private static readonly int Shortest = Buckets.Of(TimeSpan.FromMinutes(1));

    // None of these while nothing is known of this kind itself: then it is as the wider one.
    private int[]? _ended, _reached;
    private double[]? _hazards;
    private Estimate?[]? _estimates;
    private long _version, _seen = -1, _seenWider = -1, _stamp;

    /// <summary>Jobs of this kind that ended.</summary>
    public int Count { get; private set; }

    public RunTimes? Wider => wider;

    public int EndedIn(int bucket) => _ended?[bucket] ?? 0;

    public void End(int bucket, int count = 1)
    {
        (_ended ??= new int[Buckets.Count])[bucket] += count;
        Count += count;
        _version++;
    }

    /// <summary>One that has not ended has come from one bucket to another; zero for one that has not begun, or is gone.</summary>
    public void Reach(int from, int to)
    {
        _reached ??= new int[Buckets.Count];
        if (from > 0) _reached[from]--;
        if (to > 0) _reached[to]++;
        _version++;
    }

    /// <summary>What is to be expected of one that has come to a bucket.</summary>
    public Estimate At(int bucket)
    {
        if (IsBlank) return wider!.At(bucket);
        var version = Stamp();
        _estimates ??= new Estimate?[Buckets.Count];
        if (_estimates[bucket] is { } known && known.Version == version) return known;
        return _estimates[bucket] = EstimateAt(bucket, version);
    }

    /// <summary>Of those that have come to a bucket, this share is gone within that many seconds.</summary>
    public double Quantile(int from, double share)
    {
        if (IsBlank) return wider!.Quantile(from, share);
        Stamp();
        var hazards = Hazards();
        var alive = 1.0;
        for (var b = from; b < Buckets.Count; b++)
        {
            var ends = alive * hazards[b];
            if (alive - ends <= 1 - share)
                return Buckets.Start(b) - Buckets.Start(from) + (alive - (1 - share)) / ends * (Buckets.Start(b + 1) - Buckets.Start(b));
            alive -= ends;
        }
        return Buckets.Start(Buckets.Count) - Buckets.Start(from);
    }

    private bool IsBlank => wider is not null && _ended is null && _reached is null;

    /// <summary>Changes whenever an estimate may.</summary>
    private long Stamp()
    {
        var above = wider?.Stamp() ?? 0;
        if (_seen == _version && _seenWider == above) return _stamp;
        (_seen, _seenWider, _hazards) = (_version, above, null);
        return ++_stamp;
    }

    // The inverse of the Gittins index: the least, over all times to give up at, of the time to be spent for each job ended.
    private Estimate EstimateAt(int from, long version)
    {
        var hazards = Hazards();
        var (alive, spent, best, median) = (1.0, 0.0, double.MaxValue, -1.0);
        for (var b = from; b < Buckets.Count && alive > 1e-6; b++)
        {
            var width = Buckets.Start(b + 1) - Buckets.Start(b);
            var ends = alive * hazards[b];
            spent += alive * width - ends * width / 2;
            alive -= ends;
            if (1 - alive > 1e-9) best = Math.Min(best, spent / (1 - alive));
            if (median < 0 && alive <= 0.5) median = Buckets.Start(b + 1) - Buckets.Start(from);
        }
        return new(version, best, spent, median < 0 ? spent : median);
    }

    // For each bucket, which share of those that come to it end in it.
    private double[] Hazards()
    {
        if (IsBlank) return wider!.Hazards();
        if (_hazards is not null) return _hazards;
        _hazards = new double[Buckets.Count];
        var above = wider?.Hazards();
        var beyond = 0;   // those that came to a later bucket
        for (var b = Buckets.Count - 1; b >= 0; b--)
        {
            var prior = above?[b] ?? (b < Shortest ? 0 : Tail);
            var ended = EndedIn(b);
            _hazards[b] = (ended + weight * prior) / (ended + beyond + weight);
            beyond += ended + (_reached?[b] ?? 0);
        }
        return _hazards;
    }

    /// <summary>What is to be expected, in seconds.</summary>
    /// <param name="Index">Time to be spent for each job ended, by the best rule: smaller goes first.</param>
    /// <param name="Mean">Mean time to go.</param>
    /// <param name="Median">Half are gone within that.</param>
    internal sealed record Estimate(long Version, double Index, double Mean, double Median);
}
