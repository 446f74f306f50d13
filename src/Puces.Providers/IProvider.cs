using Puces.Core.Market;

namespace Puces.Providers;

/// <summary>
/// The code that speaks to one kind of place, for one pool. Its verbs may each be called again without harm, and hold nothing that a restart of
/// the daemon would miss. It neither repeats nor waits nor keeps time: the loop around it comes round again.
/// </summary>
public interface IProvider : IAsyncDisposable
{
    /// <summary>As it stands in a pool's declaration.</summary>
    string Name { get; }

    /// <summary>What there is, free or not.</summary>
    /// <exception cref="ProviderException">The place cannot be asked now.</exception>
    Task<IReadOnlyList<Offer>> OffersAsync(CancellationToken ct);

    /// <summary>Takes nodes, all or none. The same id again gives the same lease, whatever became of the first call.</summary>
    /// <exception cref="ProviderException">It gives none, and says what to do about it.</exception>
    Task<Lease> AcquireAsync(LeaseRequest request, CancellationToken ct);

    /// <summary>All leases of ours, in one call. One that is not among them is over, and nothing of it runs.</summary>
    /// <exception cref="ProviderException">The place cannot be asked now, which says nothing of the leases.</exception>
    Task<IReadOnlyList<Lease>> ObserveAsync(CancellationToken ct);

    /// <summary>Gives a lease back, waiting or ready. One that is gone already is no error.</summary>
    Task ReleaseAsync(LeaseId id, CancellationToken ct);

    /// <summary>The way to a machine of a lease.</summary>
    INodeShell ShellTo(Lease lease, LeaseNode node);

    /// <summary>Goes the way that a job would go, step by step as a person would who looks for a fault, and ends with the first that fails for good.</summary>
    IAsyncEnumerable<CheckStep> CheckAsync(CancellationToken ct);
}

/// <summary>One thing that was tried.</summary>
/// <param name="What">Such as <c>gpu1: log in</c>.</param>
/// <param name="IsGood">Null for something that works, and that a person should know of.</param>
/// <param name="Found">What was seen.</param>
/// <param name="Hint">What to do about it.</param>
public sealed record CheckStep(string What, bool? IsGood, string Found, string? Hint = null);

/// <summary>What is to be done about a failure outside.</summary>
public enum Remedy
{
    /// <summary>The same again, later.</summary>
    Retry,
    /// <summary>The next offer.</summary>
    Elsewhere,
    /// <summary>A person has to see to it.</summary>
    Ask,
}

/// <summary>A place outside did not do what it was asked for.</summary>
public sealed class ProviderException(Remedy remedy, string message, string? hint = null, Exception? cause = null) : Exception(message, cause)
{
    public Remedy Remedy => remedy;

    /// <summary>What a person can do about it.</summary>
    public string? Hint => hint;
}
