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
    // Nothing will change any more what the first so many waited: the grid is as it was when the last of them had been placed. Of those that
    // have not ended it is enough to know that they went on until then.
    private readonly PriorityQueue<Stay, (TimeSpan At, int Visit)> _settledEnds = new();
    private readonly List<(Stay Stay, TimeSpan Start)> _open = [];
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

    /// <summary>Jobs of which it may still change how long they would have waited.</summary>
    public int Unsettled => _visits.Count - _settled;

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
    public TimeSpan Longest(Grid grid, TimeSpan now, Func<Claim, TimeSpan> expect)
    {
        if (_gridVersion != grid.Layout)
        {
            (_grid, _gridVersion, _settled, _settledClock) = (grid.Emptied(), grid.Layout, 0, TimeSpan.MinValue);
            _settledEnds.Clear();
            _settledWaits.Clear();
            _open.Clear();
        }
        Settle(now);
        _waits.Clear();
        _left.Clear();
        _ends.EnqueueRange(_settledEnds.UnorderedItems);
        foreach (var (stay, start) in _open) _ends.Enqueue(stay, (start + expect(_visits[stay.Visit].Claim!), stay.Visit));
        var clock = _settledClock;
        for (var i = _settled; i < _visits.Count; i++)
        {
            var visit = _visits[i];
            if (Place(visit, _ends, ref clock, TimeSpan.MaxValue) is not { } parts) continue;
            _ends.Enqueue(new(i, parts), (clock + (visit.Claim is { } claim ? expect(claim) : visit.Held), i));
            _waits.Add(clock - visit.Came);
        }
        while (_ends.TryDequeue(out var stay, out _))
            if (stay.Visit >= _settled) _grid!.Release(stay.Parts);
        foreach (var parts in _left) _grid!.Hold(parts);
        _waits.Sort();
        return AllButOneInAThousand();
    }

    private void Settle(TimeSpan now)
    {
        var until = TimeSpan.MaxValue;
        for (var i = _open.Count - 1; i >= 0; i--)
        {
            var (stay, start) = _open[i];
            if (_visits[stay.Visit].Claim is { } claim)
            {
                until = Earlier(until, start + claim.Attained(now));
                continue;
            }
            _settledEnds.Enqueue(stay, (start + _visits[stay.Visit].Held, stay.Visit));
            _open.RemoveAt(i);
        }
        _waits.Clear();
        for (; _settled < _visits.Count; _settled++)
        {
            var visit = _visits[_settled];
            if (visit.Came > until) break;
            var parts = Place(visit, _settledEnds, ref _settledClock, until);
            // Where it is not for ever, some that has not ended yet could make room for it.
            if (parts is null && (until < TimeSpan.MaxValue || _open.Count > 0)) break;
            if (parts is null) continue;
            _waits.Add(_settledClock - visit.Came);
            if (visit.Claim is { } claim)
            {
                _open.Add((new(_settled, parts), _settledClock));
                until = Earlier(until, _settledClock + claim.Attained(now));
            }
            else _settledEnds.Enqueue(new(_settled, parts), (_settledClock + visit.Held, _settled));
        }
        _settledWaits.AddRange(_waits);
        _settledWaits.Sort();
    }

    private static TimeSpan Earlier(TimeSpan one, TimeSpan other) => one < other ? one : other;

    /// <summary>What the visit is given, when the clock has come to where there is room; null where there is none until a moment.</summary>
    private IReadOnlyList<Part>? Place(Visit visit, PriorityQueue<Stay, (TimeSpan At, int Visit)> ends, ref TimeSpan clock, TimeSpan until)
    {
        if (visit.Came > clock) clock = visit.Came;
        Leave(ends, clock);
        var parts = _grid!.Place(visit.Shape, restOnFreest: true);
        while (parts is null && ends.TryPeek(out _, out var next) && next.At <= until)
        {
            clock = next.At;
            Leave(ends, clock);
            parts = _grid.Place(visit.Shape, restOnFreest: true);
        }
        if (parts is not null) _grid.Hold(parts);
        return parts;
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
