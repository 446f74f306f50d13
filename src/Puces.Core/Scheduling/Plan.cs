namespace Puces.Core.Scheduling;

/// <summary>What one pass decided.</summary>
public sealed class Plan
{
    private readonly List<Claim> _starts = [];
    private readonly List<Stop> _stops = [];
    private readonly List<Claim> _reserved = [];

    /// <summary>Who starts now, in the order in which it was decided; their parts are theirs already.</summary>
    public IReadOnlyList<Claim> Starts => _starts;

    /// <summary>Who shall save and leave.</summary>
    public IReadOnlyList<Stop> Stops => _stops;

    /// <summary>Who waits and has something reserved that it had not, or the other way round.</summary>
    public IReadOnlyCollection<Claim> Reservations => _reserved;

    /// <summary>When time alone may change what was decided; null where it never does.</summary>
    public TimeSpan? Look { get; internal set; }

    internal void Add(Claim start) => _starts.Add(start);

    internal void Reserved(Claim claim)
    {
        if (!_reserved.Contains(claim)) _reserved.Add(claim);
    }

    internal void Add(Stop stop) => _stops.Add(stop);

    internal void Clear()
    {
        _starts.Clear();
        _stops.Clear();
        _reserved.Clear();
        Look = null;
    }
}

/// <summary>A claim that shall leave its devices.</summary>
/// <param name="Victim">Who leaves, and goes on later.</param>
/// <param name="For">Who gets them; null where their node closes.</param>
/// <param name="Cause">Why.</param>
public readonly record struct Stop(Claim Victim, Claim? For, StopCause Cause);

/// <summary>Why one leaves its devices.</summary>
public enum StopCause
{
    /// <summary>Of one project, and likely to end sooner.</summary>
    Sooner,
    /// <summary>It has a higher priority.</summary>
    Priority,
    /// <summary>Its project owns the devices, which were borrowed.</summary>
    Quota,
    /// <summary>Its project has less than its share, and the other's more.</summary>
    Share,
    /// <summary>The devices were reserved for it, and used only until it could start.</summary>
    Reserved,
    /// <summary>A node that it holds has closed: nobody gets them now.</summary>
    Closed,
}

/// <summary>The causes in plain words.</summary>
public static class StopCauses
{
    /// <summary>To be said behind the name of who gets the devices.</summary>
    public static string Words(this StopCause cause, Claim stopped) => cause switch
    {
        StopCause.Priority => "which has a higher priority",
        StopCause.Quota => $"whose project owns what project {stopped.Project} had borrowed",
        StopCause.Share => $"whose project has less than its share, where project {stopped.Project} has more",
        StopCause.Reserved => "for which they were reserved",
        _ => "which is likely to end sooner",
    };
}
