using Puces.Core.Fleet;
using Puces.Core.Jobs;
using Puces.Core.Market;

namespace Puces.Core.Engine;

/// <summary>What one call of <see cref="World.Apply"/> decided: to be stored whole, then answered, then done.</summary>
/// <param name="Nodes">Nodes that are now used differently, for the views; a node that left has no devices and is not up.</param>
/// <param name="NextTick">When something that is held back may go; null where nothing is.</param>
public sealed record Outcome(
    IReadOnlyList<Answer> Answers, IReadOnlyList<Change> Changes, IReadOnlyList<FeedEvent> Events, IReadOnlyList<Effect> Effects,
    IReadOnlyList<NodeUse> Nodes, DateTimeOffset? NextTick);

/// <summary>The reply to one command, in the order of the commands.</summary>
/// <param name="Job">The job as it stands after the command; null for commands about something else.</param>
/// <param name="Id">The job's number, where the job itself has left memory.</param>
/// <param name="Error">What was wrong with the command; null if it was taken.</param>
/// <param name="IsRepeat">The command had been given before: nothing changed.</param>
/// <param name="Window">The window that was set, with its number.</param>
public sealed record Answer(Job? Job = null, string? Error = null, bool IsRepeat = false, JobId? Id = null, Window? Window = null)
{
    public static readonly Answer Taken = new();
}

/// <summary>A record that is now different.</summary>
public abstract record Change
{
    private Change() { }

    /// <summary>A new or changed job; the spec and the key come with the first.</summary>
    public sealed record JobSet(Job Job, ReadOnlyMemory<byte>? Spec = null, IdempotencyKey? Key = null) : Change;
    public sealed record AttemptSet(AttemptRecord Attempt) : Change;
    /// <param name="IsRemoved">It is no more.</param>
    public sealed record PoolSet(Pool Pool, bool IsRemoved = false) : Change;
    /// <summary>Something that the engine wrote down to go by later; null where it may be forgotten.</summary>
    public sealed record NoteSet(string Key, string? Text) : Change;
    public sealed record SecretSet(string Name, ReadOnlyMemory<byte>? Encrypted, DateTimeOffset At) : Change;
}

/// <summary>One line of the feed: what people want to know. Append-only.</summary>
/// <param name="Seq">Counts from 1 without gaps.</param>
/// <param name="Kind">submitted, started, running, ended, requeued, cancelling, node-up, node-down, node-gone, checkpoint, preempted, project, window, closed, opened, refused, lease-over, fault, drained.</param>
public sealed record FeedEvent(long Seq, DateTimeOffset At, string Kind, string Text, JobId? Job = null, string? Project = null);

/// <summary>What must now be done outside. Each may be done again without harm.</summary>
public abstract record Effect
{
    private Effect() { }

    /// <summary>
    /// Start every rank of the attempt on the nodes of its allocation. Where a node has said hello since this was decided, its rank is
    /// left out: the world answers a hello itself.
    /// </summary>
    /// <param name="Limit">The longest that it may run; null for ever.</param>
    public sealed record Start(AttemptId Attempt, Allocation Allocation, TimeSpan? Limit = null) : Effect;

    /// <summary>Start one rank again: its node has come back and does not have it.</summary>
    /// <param name="Limit">The longest that it may run; null for ever.</param>
    public sealed record StartRank(AttemptId Attempt, int Rank, Allocation Allocation, TimeSpan? Limit = null) : Effect;

    /// <summary>Ask one rank to save and end, and end it after its grace.</summary>
    public sealed record Stop(AttemptId Attempt, int Rank, string Node, string Reason) : Effect;

    /// <summary>The rank's verdict is stored: the node may forget it.</summary>
    public sealed record Acknowledge(AttemptId Attempt, int Rank, string Node) : Effect;

    /// <summary>
    /// Let go of those nodes of the pool that are declared otherwise now or not at all, answer with <see cref="Command.PoolOpened"/>, then
    /// go to those that are new. A node that is declared as before is left as it is.
    /// </summary>
    public sealed record OpenPool(Pool Pool) : Effect;

    /// <summary>Ask a pool for nodes; answered by <see cref="Command.LeasesSeen"/> or <see cref="Command.LeaseRefused"/>.</summary>
    public sealed record Acquire(string Pool, LeaseRequest Request) : Effect;

    /// <summary>Connect with the machines of a lease, as it is now.</summary>
    public sealed record OpenLease(string Pool, Lease Lease, LeaseRequest Request) : Effect;

    /// <summary>Let go of a lease's machines, and give it back.</summary>
    public sealed record Release(string Pool, LeaseId Lease) : Effect;

    /// <summary>Let go of all nodes of a pool that is no more.</summary>
    public sealed record ClosePool(string Pool) : Effect;
}
