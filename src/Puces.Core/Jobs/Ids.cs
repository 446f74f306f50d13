using System.Globalization;

namespace Puces.Core.Jobs;

/// <summary>A job's number: minted by the store, from 1, never given twice. Zero is none.</summary>
public readonly record struct JobId(long Value) : IComparable<JobId>
{
    public int CompareTo(JobId other) => Value.CompareTo(other.Value);

    public static bool operator <(JobId a, JobId b) => a.Value < b.Value;
    public static bool operator >(JobId a, JobId b) => a.Value > b.Value;
    public static bool operator <=(JobId a, JobId b) => a.Value <= b.Value;
    public static bool operator >=(JobId a, JobId b) => a.Value >= b.Value;

    public override string ToString() => Value.ToString(CultureInfo.InvariantCulture);
}

/// <summary>One try at running a job. <paramref name="Number"/> counts from 1 and is the fencing number: a greater one stops a smaller one.</summary>
public readonly record struct AttemptId(JobId Job, int Number)
{
    /// <summary>The tag under which the attempt is known outside, such as <c>42-1</c>.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Job.Value}-{Number}");

    public static bool TryParse(string tag, out AttemptId id)
    {
        id = default;
        var dash = tag.IndexOf('-', StringComparison.Ordinal);
        if (dash < 1
            || !long.TryParse(tag.AsSpan(0, dash), NumberStyles.None, CultureInfo.InvariantCulture, out var job)
            || !int.TryParse(tag.AsSpan(dash + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var number)) return false;
        id = new(new(job), number);
        return true;
    }
}
