namespace Puces.Core.Scheduling;

/// <summary>
/// The order that makes the mean time in the system least when only the distribution of run times is known (Gittins 1979; Aalto, Ayesta,
/// Righter, "On the Gittins index in the M/G/1 queue", Queueing Systems 2009): who is likeliest to end soon for the time it would take.
/// </summary>
internal static class Gittins
{
    /// <summary>
    /// The inverse of the index: the least, over all times to give up at, of the time to be spent per job ended. In seconds.
    /// </summary>
    /// <param name="times">What jobs of the class ran.</param>
    /// <param name="attained">What this one has run.</param>
    public static double Inverse(RunTimes times, TimeSpan attained)
    {
        var from = attained <= TimeSpan.Zero ? 0 : RunTimes.BucketOf(attained);
        var a = attained.TotalSeconds;
        var left = 1.0;   // one that ran longer than all seen so far
        for (var b = from; b < RunTimes.Buckets; b++)
            if (times.SecondsOf(b) > a) left += times.CountIn(b);
        var (best, spent, ended) = (double.MaxValue, 0.0, 0.0);
        for (var b = from; b < RunTimes.Buckets; b++)
        {
            var count = times.CountIn(b);
            var at = times.SecondsOf(b) - a;
            if (count == 0 || at <= 0) continue;
            ended += count;
            spent += count * at;
            best = Math.Min(best, (spent + (left - ended) * at) / ended);
        }
        // Longer than anything seen: as much again as it has run.
        return best < double.MaxValue ? best : Math.Max(a, 600);
    }
}
