namespace Puces.Core.Scheduling;

/// <summary>
/// What strict arrival order would have made everybody wait, on the same nodes: run beside the true line over all jobs that came, with the
/// run times of those that ended, and for the others what is expected of them.
/// </summary>
internal sealed class ArrivalOrder
{
    /// <summary>Jobs that it goes by: the latest, at least so many. What was long before says little.</summary>
    public const int Most = 20_000;

    private readonly List<Visit> _visits = [];
    // The first so many have ended, and nothing will change what they waited: the grid is as it was when the last of them had been placed.
    private readonly PriorityQueue<Stay, (TimeSpan At, int Visit)> _settledEnds = new();
    private readonly List<TimeSpan> _settledWaits = [];
    private TimeSpan _settledClock = TimeSpan.MinValue;
    private int _settled;
    // What is foretold from there on, and taken back afterwards.
    private readonly PriorityQueue<Stay, (TimeSpan At, int Visit)> _ends = new();
    private readonly List<TimeSpan> _waits = [];
    private readonly List<IReadOnlyList<Part>> _left = [];
    // Those before the first that is still here.
    private int _dropped;
    private Grid? _grid;
    private long _gridVersion = -1;

    private readonly record struct Stay(int Visit, IReadOnlyList<Part> Parts);

    /// <summary>One job: when it came, what it needs, and how long it holds it; null where it has not ended.</summary>
    private sealed class Visit(Claim claim)
    {
        public TimeSpan Came { get; } = claim.Submitted;
        public Shape Shape { get; } = claim.Shape;
        public Claim? Claim { get; set; } = claim;
        public TimeSpan Held { get; set; }
    }

    public void Arrive(Claim claim)
    {
        if (_visits.Count == 2 * Most)
        {
            _visits.RemoveRange(0, Most);
            _dropped += Most;
            // From the new first on, as if nothing had been before.
            _gridVersion = -1;
        }
        claim.Visit = _dropped + _visits.Count;
        _visits.Add(new(claim));
    }

    public void End(Claim claim, TimeSpan? worked)
    {
        if (claim.Visit < _dropped) return;
        var visit = _visits[claim.Visit - _dropped];
        (visit.Held, visit.Claim) = (worked ?? TimeSpan.Zero, null);
    }

    /// <summary>The wait that all but one in a thousand would not have exceeded, those foretold who would wait still.</summary>
    /// <param name="expect">How long one that has not ended is expected to hold its devices in all.</param>
    public TimeSpan Longest(Grid grid, Func<Claim, TimeSpan> expect)
    {
        if (_gridVersion != grid.Layout)
        {
            (_grid, _gridVersion, _settled, _settledClock) = (grid.Emptied(), grid.Layout, 0, TimeSpan.MinValue);
            _settledEnds.Clear();
            _settledWaits.Clear();
        }
        Settle();
        _waits.Clear();
        _left.Clear();
        _ends.EnqueueRange(_settledEnds.UnorderedItems);
        var clock = _settledClock;
        for (var i = _settled; i < _visits.Count; i++)
            if (Place(i, _ends, ref clock, _visits[i].Claim is { } claim ? expect(claim) : _visits[i].Held) is { } wait) _waits.Add(wait);
        while (_ends.TryDequeue(out var stay, out _))
            if (stay.Visit >= _settled) _grid!.Release(stay.Parts);
        foreach (var parts in _left) _grid!.Hold(parts);
        _waits.Sort();
        return AllButOneInAThousand();
    }

    private void Settle()
    {
        _waits.Clear();
        for (; _settled < _visits.Count && _visits[_settled].Claim is null; _settled++)
            if (Place(_settled, _settledEnds, ref _settledClock, _visits[_settled].Held) is { } wait) _waits.Add(wait);
        _settledWaits.AddRange(_waits);
        _settledWaits.Sort();
    }

    /// <summary>How long the visit waits for its devices; null where nothing could ever carry it: it would have been passed over.</summary>
    private TimeSpan? Place(int visit, PriorityQueue<Stay, (TimeSpan At, int Visit)> ends, ref TimeSpan clock, TimeSpan held)
    {
        var (came, shape) = (_visits[visit].Came, _visits[visit].Shape);
        if (came > clock) clock = came;
        Leave(ends, clock);
        var parts = _grid!.Place(shape, restOnFreest: true);
        while (parts is null && ends.TryPeek(out _, out var next))
        {
            clock = next.At;
            Leave(ends, clock);
            parts = _grid.Place(shape, restOnFreest: true);
        }
        if (parts is null) return null;
        _grid.Hold(parts);
        ends.Enqueue(new(visit, parts), (clock + held, visit));
        return clock - came;
    }

    private void Leave(PriorityQueue<Stay, (TimeSpan At, int Visit)> ends, TimeSpan clock)
    {
        while (ends.TryPeek(out var stay, out var end) && end.At <= clock)
        {
            ends.Dequeue();
            _grid!.Release(stay.Parts);
            if (stay.Visit < _settled) _left.Add(stay.Parts);
        }
    }

    private TimeSpan AllButOneInAThousand()
    {
        var count = _settledWaits.Count + _waits.Count;
        if (count == 0) return TimeSpan.Zero;
        var beyond = count - 1 - Math.Min((int)(count * 0.999), count - 1);
        for (var (i, j) = (_settledWaits.Count - 1, _waits.Count - 1); ; beyond--)
        {
            var isSettled = j < 0 || i >= 0 && _settledWaits[i] > _waits[j];
            if (beyond == 0) return isSettled ? _settledWaits[i] : _waits[j];
            if (isSettled) i--;
            else j--;
        }
    }
}
