using System.Text.Json.Serialization;
using Puces.Core.Fleet;

namespace Puces.Core.Jobs;

/// <summary>Where a job stands, with only the facts that are true there.</summary>
[JsonDerivedType(typeof(Queued), "queued")]
[JsonDerivedType(typeof(Starting), "starting")]
[JsonDerivedType(typeof(Running), "running")]
[JsonDerivedType(typeof(Stopping), "stopping")]
[JsonDerivedType(typeof(Ended), "ended")]
public abstract record JobState
{
    private JobState() { }

    /// <summary>In line. <paramref name="NotBefore"/> holds it back after a failure.</summary>
    /// <param name="Reserved">What is kept for it, being one of the first; null where nothing is.</param>
    /// <param name="LeftTo">The job that it left its devices to, where that is why it waits again.</param>
    public sealed record Queued(DateTimeOffset Since, DateTimeOffset? NotBefore = null, Reservation? Reserved = null, JobId? LeftTo = null) : JobState;

    /// <summary>An attempt has been decided and stored; its nodes have not all said that it runs.</summary>
    public sealed record Starting(Allocation Allocation, DateTimeOffset Since) : JobState;

    /// <summary>All ranks of the attempt run.</summary>
    public sealed record Running(Allocation Allocation, DateTimeOffset Since) : JobState;

    /// <summary>The attempt has been told to end; its devices are held until every rank is known to be gone.</summary>
    /// <param name="For">The job that gets the devices, where <paramref name="Reason"/> is that.</param>
    /// <param name="Why">Why that job, in words that follow its number; where a node closes, which and until when.</param>
    public sealed record Stopping(Allocation Allocation, DateTimeOffset Since, DateTimeOffset? Started, StopReason Reason, JobId? For = null, string? Why = null) : JobState;

    /// <summary>Nothing more will happen. <paramref name="Started"/> is the last attempt's; null if none ever ran.</summary>
    public sealed record Ended(JobResult Result, int ExitCode, DateTimeOffset At, DateTimeOffset? Started = null, string? Reason = null) : JobState;

    /// <summary>The devices held now; null where none are.</summary>
    [JsonIgnore]
    public Allocation? Held => this switch
    {
        Starting s => s.Allocation,
        Running r => r.Allocation,
        Stopping s => s.Allocation,
        _ => null,
    };

    /// <summary>One word for people and for JSON: queued, starting, running, stopping, succeeded, failed, cancelled.</summary>
    [JsonIgnore]
    public string Word => this switch
    {
        Queued => "queued",
        Starting => "starting",
        Running => "running",
        Stopping => "stopping",
        Ended { Result: JobResult.Succeeded } => "succeeded",
        Ended { Result: JobResult.Cancelled } => "cancelled",
        _ => "failed",
    };
}

/// <summary>How a job ended.</summary>
public enum JobResult { Succeeded, Failed, Cancelled }

/// <summary>Why an attempt is being stopped.</summary>
public enum StopReason
{
    /// <summary>A user asked.</summary>
    Cancelled,
    /// <summary>A rank of the gang ended badly or vanished: the others cannot go on.</summary>
    RankLost,
    /// <summary>Another job gets its devices; it goes on later from its checkpoint.</summary>
    Preempted,
    /// <summary>A node that it holds has closed; it goes on later from its checkpoint.</summary>
    Closed,
}

/// <summary>What is kept for a job that cannot start yet.</summary>
/// <param name="Nodes">Where; names of nodes.</param>
/// <param name="At">When all of it is expected to be free.</param>
public sealed record Reservation(IReadOnlyList<string> Nodes, DateTimeOffset At);
