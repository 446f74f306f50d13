namespace Puces.Core.Scheduling;

/// <summary>
/// How long jobs of one class ran: counts in buckets that grow with the time, eight for each doubling, so that a class costs the same
/// whatever it has seen.
/// </summary>
public sealed class RunTimes
{
    /// <summary>Buckets for each doubling of the time.</summary>
    public const int PerDoubling = 8;

    /// <summary>Enough for 2^27 seconds, four years.</summary>
    public const int Buckets = 27 * PerDoubling + 1;

    private static readonly TimeSpan[] Bounds = [.. Enumerable.Range(0, Buckets).Select(b => TimeSpan.FromSeconds(Math.Round(Math.Pow(2, (double)b / PerDoubling), 3)))];
    private readonly int[] _counts = new int[Buckets];
    // For each bucket the sum of what fell into it, in seconds: their mean stands for them.
    private readonly double[] _sums = new double[Buckets];

    public int Count { get; private set; }

    public void Add(TimeSpan time)
    {
        var bucket = BucketOf(time);
        _counts[bucket]++;
        _sums[bucket] += time.TotalSeconds;
        Count++;
    }

    internal int CountIn(int bucket) => _counts[bucket];

    /// <summary>Seconds that stand for a bucket: the mean of what fell into it, its lower bound where nothing did.</summary>
    internal double SecondsOf(int bucket) => _counts[bucket] > 0 ? _sums[bucket] / _counts[bucket] : Bounds[bucket].TotalSeconds;

    /// <summary>The bucket of a time: the last whose lower bound is not above it.</summary>
    public static int BucketOf(TimeSpan time)
    {
        var at = Array.BinarySearch(Bounds, time);
        return at >= 0 ? at : Math.Max(0, ~at - 1);
    }

    /// <summary>The lower bound of a bucket.</summary>
    public static TimeSpan BoundOf(int bucket) => Bounds[bucket];

    /// <summary>The time within which this share ended, of those that ran longer than <paramref name="attained"/>.</summary>
    public TimeSpan Quantile(double share, TimeSpan attained)
    {
        var from = attained <= TimeSpan.Zero ? 0 : BucketOf(attained) + 1;
        var longer = 0;
        for (var b = from; b < Buckets; b++) longer += _counts[b];
        var wanted = share * longer;
        for (var b = from; b < Buckets && longer > 0; b++)
            if ((wanted -= _counts[b]) <= 0 && _counts[b] > 0) return TimeSpan.FromSeconds(SecondsOf(b));
        // Longer than anything seen: as much again.
        return attained + (attained > TimeSpan.FromHours(1) ? attained : TimeSpan.FromHours(1));
    }
}
