using System.Text.Json.Serialization;

namespace Puces.Core.Jobs;

/// <summary>A job as the engine holds it: only what decisions need. The spec stays in the store.</summary>
/// <param name="Attempts">Attempts decided so far; the last one's number.</param>
/// <param name="Failures">Attempts that ended badly and cost a retry.</param>
/// <param name="Limit">The longest that one attempt may run; null for ever.</param>
/// <param name="CanYield">It saves itself, and may be stopped for another.</param>
/// <param name="Worked">Work of earlier attempts that was saved.</param>
/// <param name="Gained">What that would have been longer on an H100; zero where it takes one model only.</param>
/// <param name="Kin">The number of the first of the jobs that it came together with.</param>
/// <param name="Preemptions">Attempts that were stopped for another job, or because a node closed.</param>
/// <param name="Image">What it runs in, where that is a container; null for what its pool has.</param>
/// <param name="Faulty">Nodes that failed it, each once, in the order in which they did; null for none.</param>
/// <param name="Refusals">The last attempts, as many as were refused one after the other.</param>
public sealed record Job(
    JobId Id, string Name, string Project, string Owner, int Priority, Request Request, Retry Retry,
    DateTimeOffset Submitted, JobState State, TimeSpan? Expected = null, int Attempts = 0, int Failures = 0,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)] int Refusals = 0,
    TimeSpan? Limit = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)] bool CanYield = false,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)] TimeSpan Worked = default,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)] int Preemptions = 0,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)] long Kin = 0,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)] TimeSpan Gained = default,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)] Preference Prefer = Preference.Soonest,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] IReadOnlyList<string>? Faulty = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)] string? Image = null)
{
    public AttemptId Attempt => new(Id, Attempts);
}

/// <summary>The retry rules of a spec, with their defaults filled in.</summary>
public sealed record Retry(int Count, TimeSpan Backoff, IReadOnlyList<int> RestartCodes)
{
    public static readonly Retry None = new(0, RetrySpec.DefaultBackoff, RetrySpec.DefaultRestartCodes);
    private static readonly TimeSpan Longest = TimeSpan.FromHours(1);

    public static Retry Of(RetrySpec? spec) => spec is null
        ? None
        : new(spec.Count, spec.Backoff ?? RetrySpec.DefaultBackoff, spec.RestartCodes ?? RetrySpec.DefaultRestartCodes);

    /// <summary>The wait after the given number of attempts: doubles with each, at most an hour.</summary>
    public TimeSpan After(int attempts)
    {
        var wait = Backoff;
        for (var i = 1; i < attempts && wait < Longest; i++) wait += wait;
        return wait < Longest ? wait : Longest;
    }

    public bool Equals(Retry? other) =>
        other is not null && Count == other.Count && Backoff == other.Backoff && RestartCodes.SequenceEqual(other.RestartCodes);

    public override int GetHashCode() => HashCode.Combine(Count, Backoff, RestartCodes.Count);
}

/// <summary>One attempt, as kept for history.</summary>
/// <param name="Cpu">CPU time of all ranks, where the nodes could say.</param>
/// <param name="PeakMemory">Bytes of the rank that used most, where the nodes could say.</param>
/// <param name="Checkpoint">The newest whole checkpoint that it wrote.</param>
/// <param name="Devices">What it was given by model, such as <c>H100:8</c>; null for no devices.</param>
/// <param name="Saved">When that was heard of.</param>
/// <param name="Saves">How many it wrote.</param>
/// <param name="Speed">How fast it works on them, in thousandths of an H100; null where that makes no difference.</param>
/// <param name="GuestOf">The job whose reservation it uses until that one can start.</param>
/// <param name="Preempted">When it was told to leave its devices, to another job or because a node closed; null where it never was.</param>
public sealed record AttemptRecord(
    AttemptId Id, IReadOnlyList<string> Nodes, DateTimeOffset Decided, DateTimeOffset? Started = null, DateTimeOffset? Ended = null,
    int? ExitCode = null, string? Reason = null, TimeSpan? Cpu = null, long? PeakMemory = null, string? Checkpoint = null, JobId? GuestOf = null,
    string? Devices = null, DateTimeOffset? Preempted = null, DateTimeOffset? Saved = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)] int Saves = 0, int? Speed = null)
{
    /// <summary>Of what it worked, what its newest checkpoint keeps for the next attempt.</summary>
    public TimeSpan Kept(TimeSpan worked)
    {
        if (Checkpoint is null) return TimeSpan.Zero;
        var saved = Saved - Started ?? worked;
        return saved < TimeSpan.Zero ? TimeSpan.Zero : saved < worked ? saved : worked;
    }
}
