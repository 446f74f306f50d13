using Puces.Core.Contract;
using Puces.Core.Fleet;
using Puces.Core.Jobs;
using Puces.Core.Market;
using Puces.Core.Queues;

namespace Puces.Core.Engine;

/// <summary>What happened, or is asked. Each is answered, in order, by an <see cref="Answer"/>.</summary>
public abstract record Command
{
    private Command() { }

    /// <summary>A new job. <paramref name="Key"/> makes it idempotent: the same key again gives the first job.</summary>
    /// <param name="Spec">The spec in UTF-8 JSON: passed through to the store untouched.</param>
    /// <param name="Batch">The key of the first job that was submitted with this one: where that was used for another request, none is taken.</param>
    /// <param name="Together">All jobs of the request, the same list in each of its commands: where limits do not leave room for all, none is taken.</param>
    public sealed record Submit(
        NewJob Job, ReadOnlyMemory<byte> Spec, IdempotencyKey? Key = null, UInt128? Batch = null, IReadOnlyList<NewJob>? Together = null) : Command;

    /// <summary>End the job, through its checkpoint if it runs.</summary>
    public sealed record Cancel(JobId Job, string By) : Command;

    /// <summary>A rank of an attempt runs its user's code.</summary>
    public sealed record Started(AttemptId Attempt, int Rank, string Node, DateTimeOffset At) : Command;

    /// <summary>A rank of an attempt is gone, with its verdict.</summary>
    public sealed record Exited(AttemptId Attempt, int Rank, string Node, Verdict Verdict) : Command;

    /// <summary>The node's runner says that a rank ended without a verdict, and that nothing of it runs any more.</summary>
    /// <param name="Began">When it began; null where none of the user's code ran.</param>
    public sealed record Vanished(AttemptId Attempt, int Rank, string Node, string Evidence, DateTimeOffset? Began = null) : Command;

    /// <summary>The node answers and has nothing of a rank: it never arrived there, or is gone.</summary>
    public sealed record Lost(AttemptId Attempt, int Rank, string Node, string Evidence) : Command;

    /// <summary>A rank of an attempt could not be started, and nothing of it is left on the node.</summary>
    public sealed record Refused(AttemptId Attempt, int Rank, string Node, string Reason) : Command;

    /// <summary>A rank of an attempt wrote a whole checkpoint.</summary>
    public sealed record Checkpointed(AttemptId Attempt, string Checkpoint) : Command;

    /// <summary>A node was seen, or can no longer be reached (<see cref="Node.IsUp"/> false).</summary>
    /// <param name="Ranks">Every rank on it that has not been acknowledged; null where it could not be asked.</param>
    public sealed record NodeSeen(Node Node, IReadOnlyList<RankReport>? Ranks = null) : Command;

    /// <summary>A node left its pool for good.</summary>
    public sealed record NodeGone(string Node) : Command;

    /// <summary>
    /// The answer to <see cref="Effect.OpenPool"/>: the nodes of the pool that are declared otherwise now are let go of, and nothing more
    /// comes from them. What was told of those before this is not believed: it may be of nodes that the pool no longer has.
    /// </summary>
    public sealed record PoolOpened(string Pool) : Command;

    /// <summary>A pool was added or changed. Refused where a job is on a node that would be another or gone.</summary>
    public sealed record SetPool(Pool Pool) : Command;

    /// <summary>A pool is no more. Refused where a job is on one of its nodes.</summary>
    public sealed record RemovePool(string Name) : Command;

    /// <summary>
    /// A pool, or a node of it, is closed for a time. The number is the world's, and so is when it was announced: what is given of them is
    /// not looked at.
    /// </summary>
    public sealed record SetWindow(Window Window) : Command;

    /// <summary>A window is not believed any more: what it is about opens at once, if it was closed.</summary>
    public sealed record RemoveWindow(int Number) : Command;

    /// <summary>What a pool with a line of its own could give.</summary>
    public sealed record OffersSeen(string Pool, IReadOnlyList<Offer> Offers) : Command;

    /// <summary>All leases of ours at a pool. What was asked for before the pool was looked at is among them, if it was given.</summary>
    public sealed record LeasesSeen(string Pool, IReadOnlyList<Lease> Leases) : Command;

    /// <summary>A pool did not give what it was asked for, and has nothing of it.</summary>
    public sealed record LeaseRefused(LeaseId Lease, string Reason) : Command;

    /// <summary>A project was added or changed.</summary>
    public sealed record SetProject(Project Project) : Command;

    /// <summary>A project is as if it had never been set; what it has used is kept.</summary>
    public sealed record RemoveProject(string Name) : Command;

    /// <summary>A secret was set, already encrypted, or removed (null).</summary>
    public sealed record SetSecret(string Name, ReadOnlyMemory<byte>? Encrypted) : Command;

    /// <summary>Time has passed: what was held back until now may go.</summary>
    public sealed record Tick : Command;
}

/// <summary>The part of a new job that the engine keeps.</summary>
/// <param name="Limit">The longest that one attempt may run; null for ever.</param>
/// <param name="CanYield">It saves itself, and may be stopped for another.</param>
/// <param name="Image">What it runs in, where that is a container; null for what its pool has.</param>
public sealed record NewJob(
    string Name, string Project, string Owner, int Priority, Request Request, Retry Retry, TimeSpan? Expected = null, TimeSpan? Limit = null,
    bool CanYield = false, Preference Prefer = Preference.Soonest, string? Image = null);

/// <summary>A client's key and a hash of what it asked with it; both are truncated SHA-256.</summary>
public readonly record struct IdempotencyKey(UInt128 Key, long Body);

/// <summary>How a rank ended.</summary>
/// <param name="ExitCode">0 to 255; 128 + signal where a signal ended it, as shells count.</param>
/// <param name="Cause">What ended it.</param>
/// <param name="Phase"><c>setup</c> or <c>run</c>.</param>
/// <param name="Cpu">CPU time of all its processes.</param>
/// <param name="Fault">What was wrong with the node when it ended badly; null where nothing was found.</param>
public sealed record Verdict(
    int ExitCode, ExitCause Cause, string Phase, DateTimeOffset Started, DateTimeOffset Ended, TimeSpan Cpu, long PeakMemory, string? Detail = null,
    NodeFault? Fault = null);

/// <summary>Something wrong with a node, found when a rank on it had ended badly.</summary>
/// <param name="Text">The evidence, such as <c>Xid 79 on GPU-1a2b: GPU has fallen off the bus</c>.</param>
public sealed record NodeFault(FaultKind Kind, string Text);

/// <summary>What is wrong with a node.</summary>
public enum FaultKind
{
    /// <summary>A device reports an error of its hardware, such as uncorrected memory.</summary>
    DeviceError,
    /// <summary>A device is not there any more, or does not answer: certain, and nothing that runs there next can do without it.</summary>
    DeviceLost,
    /// <summary>The node had no memory left, and ended a rank that was within its own.</summary>
    HostMemory,
    /// <summary>The node's disk is full.</summary>
    DiskFull,
}

/// <summary>What ended a rank.</summary>
public enum ExitCause
{
    /// <summary>Its own doing.</summary>
    Exit,
    /// <summary>It was told to stop.</summary>
    Stopped,
    /// <summary>It ran longer than its limit.</summary>
    Limit,
    /// <summary>Its term ended unheard.</summary>
    Term,
    /// <summary>It met a newer attempt of its job.</summary>
    Fenced,
    /// <summary>It used more memory than it had asked for.</summary>
    OutOfMemory,
}
