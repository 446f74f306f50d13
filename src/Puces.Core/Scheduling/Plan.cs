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

/// <summary>A claim that shall leave its devices to another.</summary>
/// <param name="Victim">Who leaves, and goes on later.</param>
/// <param name="For">Who gets them.</param>
public readonly record struct Stop(Claim Victim, Claim For);
