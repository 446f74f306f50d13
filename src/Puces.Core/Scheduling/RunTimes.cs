using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Numerics;

namespace Puces.Core.Scheduling;

/// <summary>
/// What is known of how long jobs of one kind run: those that ended by where they ended, and those that have not by how far they have
/// come. Where it says little, the wider kind that it belongs to says the rest.
/// </summary>
/// <param name="weight">The wider kind counts for as many jobs.</param>
internal sealed class RunTimes(RunTimes? wider, double weight)
{
    // Nobody has been seen to run so long: of those that come to a time, this share is gone before they come to its double.
    // A tail that falls with the power 1.5 of the time, as run times of batch jobs do (Harchol-Balter, Downey, SIGMETRICS'96: 1 to 2).
    private static readonly double Tail = 1 - Math.Pow(2, -1.5 / 8);
    private static readonly int Shortest = Buckets.Of(TimeSpan.FromMinutes(1));

    // None of these while nothing is known of this kind itself: then it is as the wider one.
    // Of each bucket: how many ended in it, and how many are known to have come to it and to have ended in it or come further.
    private double[]? _ended, _exposed;
    private double[]? _hazards;
    private Kept?[]? _estimates;
    private bool _areHazardsKnown;
    private long _version, _seen = -1, _seenWider = -1, _stamp;
    // The widest kind says what it knew when it was digested last: each end changes it a little, and would change all other kinds.
    private (double[] Ended, double[] Exposed) _noted = (None, None), _digested = (None, None);

    /// <summary>An estimate, and the stamp that it was made under; and the mean within the most that was last asked for.</summary>
    private sealed class Kept
    {
        public long Stamp { get; set; } = -1;
        public Estimate Estimate { get; set; }
        public (long Stamp, double Most, double Mean) Within { get; set; } = (-1, 0, 0);
    }

    /// <summary>Jobs of this kind that ended.</summary>
    public int Count { get; private set; }

    public RunTimes? Wider => wider;

    public int EndedIn(int bucket) => (int)(_ended?[bucket] ?? 0);

    public void End(int bucket, int count = 1)
    {
        Know();
        _ended[bucket] += count;
        foreach (ref var exposed in _exposed.AsSpan(0, bucket + 1)) exposed += count;
        Count += count;
        _version++;
    }

    /// <summary>One that has not ended has come from one bucket to another; zero for one that has not begun, or is gone.</summary>
    public void Reach(int from, int to)
    {
        Know();
        // Those buckets that it has only now left behind, or only now does not any more.
        if (to > from) foreach (ref var exposed in _exposed.AsSpan(from, to - from)) exposed++;
        else foreach (ref var exposed in _exposed.AsSpan(to, from - to)) exposed--;
        _version++;
    }

    [MemberNotNull(nameof(_ended), nameof(_exposed))]
    private void Know()
    {
        _ended ??= new double[Buckets.Count];
        _exposed ??= new double[Buckets.Count];
    }

    /// <summary>What is to be expected of one that has come to a bucket.</summary>
    public Estimate At(int bucket)
    {
        if (IsBlank) return wider!.At(bucket);
        var stamp = Stamp();
        var kept = KeptAt(bucket);
        if (kept.Stamp == stamp) return kept.Estimate;
        kept.Stamp = stamp;
        return kept.Estimate = EstimateAt(bucket);
    }

    /// <summary>Mean time to go of one that has come to a bucket, counting at most so much of it; seconds.</summary>
    public double MeanWithin(int from, double most)
    {
        if (IsBlank) return wider!.MeanWithin(from, most);
        var (stamp, kept) = (Stamp(), KeptAt(from));
        if (kept.Within.Stamp != stamp || kept.Within.Most != most) kept.Within = (stamp, most, MeanAt(from, most));
        return kept.Within.Mean;
    }

    private Kept KeptAt(int bucket) => (_estimates ??= new Kept?[Buckets.Count])[bucket] ??= new();

    private double MeanAt(int from, double most)
    {
        var hazards = Hazards();
        var (alive, spent) = (1.0, 0.0);
        for (var b = from; b < Buckets.Count && alive > 1e-6; b++)
        {
            var width = Buckets.Start(b + 1) - Buckets.Start(b);
            if (Buckets.Start(b + 1) - Buckets.Start(from) >= most) return spent + alive * Math.Max(0, most - (Buckets.Start(b) - Buckets.Start(from)));
            spent += alive * width * (1 - hazards[b] / 2);
            alive *= 1 - hazards[b];
        }
        return spent;
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

    private bool IsBlank => wider is not null && _ended is null;

    /// <summary>Changes whenever an estimate may.</summary>
    public long Stamp()
    {
        if (wider is null) return _stamp;
        var above = wider.Stamp();
        if (_seen == _version && _seenWider == above) return _stamp;
        (_seen, _seenWider, _areHazardsKnown) = (_version, above, false);
        return ++_stamp;
    }

    /// <summary>Notes what the widest kind has seen so far.</summary>
    /// <returns>Whether that is anything new.</returns>
    public bool Note()
    {
        if (_seen == _version || _ended is null) return false;
        (_seen, _noted) = (_version, ([.. _ended], [.. _exposed!]));
        return true;
    }

    /// <summary>What was noted counts from now on.</summary>
    public void Digest()
    {
        if (_digested == _noted) return;
        (_digested, _areHazardsKnown) = (_noted, false);
        _stamp++;
    }

    /// <summary>What was noted, as text to be stored: such as <c>40:3/25</c>, three of the 25 that came to bucket 40 ended in it.</summary>
    public string WriteNoted() => string.Join(' ', Enumerable.Range(0, Buckets.Count).Where(b => _noted.Exposed[b] > 0)
        .Select(b => string.Create(CultureInfo.InvariantCulture, $"{b}:{_noted.Ended[b]}/{_noted.Exposed[b]}")));

    /// <summary>The same that was stored. What cannot be read is left out.</summary>
    public void ReadNoted(string stored)
    {
        var (ended, exposed) = (new double[Buckets.Count], new double[Buckets.Count]);
        foreach (var told in stored.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            var parts = told.Split(':', '/');
            if (parts.Length == 3 && int.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out var bucket) && bucket < Buckets.Count
                && int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out var gone) && int.TryParse(parts[2], NumberStyles.None, CultureInfo.InvariantCulture, out var came))
                (ended[bucket], exposed[bucket]) = (gone, came);
        }
        _noted = (ended, exposed);
        Digest();
    }

    // The inverse of the Gittins index: the least, over all times to give up at, of the time to be spent for each job ended.
    private Estimate EstimateAt(int from)
    {
        var hazards = Hazards();
        var (alive, spent, best, median) = (1.0, 0.0, double.MaxValue, -1.0);
        for (var b = from; b < hazards.Length && alive > 1e-6; b++)
        {
            var width = Buckets.Width(b);
            var ends = alive * hazards[b];
            spent += alive * width - ends * width / 2;
            alive -= ends;
            // A division takes longer than all else here: only where it may give less.
            var gone = 1 - alive;
            if (gone > 1e-9 && spent <= best * gone * (1 + 1e-12) && spent / gone is var each && each < best) best = each;
            if (median < 0 && alive <= 0.5) median = Buckets.Start(b + 1) - Buckets.Start(from);
        }
        return new(best, spent, median < 0 ? spent : median);
    }

    // For each bucket, which share of those that come to it end in it.
    private double[] Hazards()
    {
        if (IsBlank) return wider!.Hazards();
        if (_areHazardsKnown) return _hazards!;
        _areHazardsKnown = true;
        var hazards = _hazards ??= new double[Buckets.Count];
        var above = wider is null ? First : wider.Hazards();
        var (ended, exposed) = wider is null ? _digested : (_ended ?? None, _exposed ?? None);
        var b = 0;
        // The same operations in the same order as one by one: equal to the last digit.
        for (var all = new Vector<double>(weight); b <= hazards.Length - Vector<double>.Count; b += Vector<double>.Count)
            ((new Vector<double>(ended, b) + all * new Vector<double>(above, b)) / (new Vector<double>(exposed, b) + all)).CopyTo(hazards, b);
        for (; b < hazards.Length; b++) hazards[b] = (ended[b] + weight * above[b]) / (exposed[b] + weight);
        return hazards;
    }

    private static readonly double[] None = new double[Buckets.Count];
    private static readonly double[] First = [.. Enumerable.Range(0, Buckets.Count).Select(b => b < Shortest ? 0 : Tail)];

    /// <summary>What is to be expected, in seconds.</summary>
    /// <param name="Index">Time to be spent for each job ended, by the best rule: smaller goes first.</param>
    /// <param name="Mean">Mean time to go.</param>
    /// <param name="Median">Half are gone within that.</param>
    internal readonly record struct Estimate(double Index, double Mean, double Median);
}
