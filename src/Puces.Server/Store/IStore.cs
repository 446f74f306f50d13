using Puces.Core.Engine;
using Puces.Core.Fleet;
using Puces.Core.Jobs;

namespace Puces.Server.Store;

/// <summary>
/// Where the engine's records are kept. One writer commits, one transaction at a time; reads may come from any thread
/// and see only what is committed. Anything that fails outside is a <see cref="StoreException"/>.
/// </summary>
public interface IStore : IAsyncDisposable
{
    /// <summary>For people: the engine, its version and where, without a password.</summary>
    string Description { get; }

    /// <summary>Signalled when this daemon is known to lead no more. Take it after <see cref="LeadAsync"/>. No commit of a deposed leader passes, signal or not.</summary>
    CancellationToken Deposed { get; }

    /// <summary>Brings the schema up to date; refuses one that is newer than this program.</summary>
    Task MigrateAsync(CancellationToken ct);

    /// <summary>Waits until this daemon leads, and fences every earlier leader: a commit of theirs fails from now on.</summary>
    Task LeadAsync(CancellationToken ct);

    /// <summary>What the engine starts from: live jobs, pools, recent idempotency keys, next numbers.</summary>
    /// <param name="keysSince">Keys of jobs submitted before this are forgotten.</param>
    Task<Stored> LoadAsync(DateTimeOffset keysSince, CancellationToken ct);

    /// <summary>
    /// Stores everything in one transaction, on disk before it returns. After an exception it is unknown whether the
    /// transaction is stored: the caller must start again from <see cref="LoadAsync"/>.
    /// </summary>
    Task CommitAsync(IReadOnlyList<Change> changes, IReadOnlyList<FeedEvent> events, CancellationToken ct);

    /// <summary>A job, live or ended; null if there is none.</summary>
    Task<Job?> JobAsync(JobId id, CancellationToken ct);

    /// <summary>Ended jobs, the newest id first, with ids below <paramref name="before"/>.</summary>
    Task<IReadOnlyList<Job>> EndedAsync(JobId before, int limit, EndedFilter filter, CancellationToken ct);

    /// <summary>The spec as submitted, in UTF-8 JSON; null if there is no such job.</summary>
    Task<byte[]?> SpecAsync(JobId id, CancellationToken ct);

    /// <summary>A job's attempts, the first first.</summary>
    Task<IReadOnlyList<AttemptRecord>> AttemptsAsync(JobId id, CancellationToken ct);

    /// <summary>Jobs of every state with ids above <paramref name="after"/>, the lowest first, each with its attempts and its spec.</summary>
    Task<IReadOnlyList<Remembered>> HistoryAsync(JobId after, int limit, CancellationToken ct);

    /// <summary>Feed events with a number above <paramref name="after"/>, in order.</summary>
    Task<IReadOnlyList<FeedEvent>> EventsAsync(long after, int limit, CancellationToken ct);

    /// <summary>A secret, encrypted; null if it is not set.</summary>
    Task<byte[]?> SecretAsync(string name, CancellationToken ct);

    /// <summary>Names of all secrets, with the time of their last change, by name.</summary>
    Task<IReadOnlyList<(string Name, DateTimeOffset Changed)>> SecretsAsync(CancellationToken ct);
}

/// <summary>Everything that is kept of one job.</summary>
/// <param name="Attempts">The first first.</param>
/// <param name="Spec">As submitted, in UTF-8 JSON.</param>
public sealed record Remembered(Job Job, IReadOnlyList<AttemptRecord> Attempts, byte[] Spec);

/// <summary>Null fields match everything.</summary>
public sealed record EndedFilter(string? Project = null, string? Owner = null, JobResult? Result = null)
{
    public static readonly EndedFilter All = new();
}

/// <summary>What the engine starts from.</summary>
/// <param name="LastJob">The greatest job number ever given.</param>
/// <param name="LastEvent">The greatest feed number ever given.</param>
/// <param name="Notes">What the engine wrote down, by key.</param>
/// <param name="LiveAttempts">The current attempt of each live job that has one.</param>
public sealed record Stored(
    IReadOnlyList<Job> LiveJobs, IReadOnlyList<AttemptRecord> LiveAttempts, IReadOnlyList<Pool> Pools,
    IReadOnlyList<(IdempotencyKey Key, JobId Job)> Keys, long LastJob, long LastEvent,
    IReadOnlyList<KeyValuePair<string, string>> Notes);

/// <summary>The store cannot be reached, refuses, or is no longer ours.</summary>
public sealed class StoreException(string message, Exception? cause = null, bool isFenced = false) : Exception(message, cause)
{
    /// <summary>Another daemon leads.</summary>
    public bool IsFenced { get; } = isFenced;
}
