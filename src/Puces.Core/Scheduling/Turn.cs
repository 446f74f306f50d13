using Puces.Core.Jobs;

namespace Puces.Core.Scheduling;

/// <summary>A waiting job's place: the higher priority first, then the lower number.</summary>
public readonly record struct Turn(int Priority, JobId Job) : IComparable<Turn>
{
    public static Turn Of(Job job) => new(job.Priority, job.Id);

    public int CompareTo(Turn other) => Priority != other.Priority ? other.Priority.CompareTo(Priority) : Job.CompareTo(other.Job);

    public static bool operator <(Turn a, Turn b) => a.CompareTo(b) < 0;
    public static bool operator >(Turn a, Turn b) => a.CompareTo(b) > 0;
    public static bool operator <=(Turn a, Turn b) => a.CompareTo(b) <= 0;
    public static bool operator >=(Turn a, Turn b) => a.CompareTo(b) >= 0;
}
