using System.Numerics;

namespace Puces.Core.Scheduling;

/// <summary>Times in buckets that grow with the time, eight for each doubling: 12 % is as near as a run time is known beforehand.</summary>
internal static class Buckets
{
    /// <summary>Enough for 2^27 seconds, four years; what is longer is in the last.</summary>
    public const int Count = 27 * 8;

    private static readonly double[] Starts = [.. Enumerable.Range(0, Count + 1).Select(b => b == 0 ? 0 : (double)(1L << b / 8) * (8 + b % 8) / 8)];

    private static readonly double[] Widths = [.. Enumerable.Range(0, Count).Select(b => Starts[b + 1] - Starts[b])];

    /// <summary>The bucket that a time falls into.</summary>
    public static int Of(TimeSpan time)
    {
        var seconds = time.Ticks / TimeSpan.TicksPerSecond;
        if (seconds < 1) return 0;
        var octave = BitOperations.Log2((ulong)seconds);
        var part = (int)(octave >= 3 ? seconds >> octave - 3 : seconds << 3 - octave) & 7;
        return Math.Min(octave * 8 + part, Count - 1);
    }

    /// <summary>Where a bucket begins, in seconds.</summary>
    public static double Start(int bucket) => Starts[bucket];

    /// <summary>How long a bucket is, in seconds.</summary>
    public static double Width(int bucket) => Widths[bucket];
}
