namespace Puces.Core.Scheduling;

/// <summary>
/// What strict arrival order would have made everybody wait, on the same nodes: run beside the true line over all jobs that came, with the
/// run times of those that ended, and for the others what is expected of them.
/// </summary>
internal sealed class ArrivalOrder
{
    /// <summary>Jobs that it goes by: the latest, at least so many. What was long before says little, and all of it is gone through each time.</summary>
    public const int Most = 20_000;

    private readonly List<Visit> _visits = [];
    private readonly PriorityQueue<(int Visit, IReadOnlyList<Part> Parts), (TimeSpan At, int Visit)> _ends = new();
    private readonly List<TimeSpan> _waits = [];
    // Those before the first that is still here.
    private int _dropped;
    private Grid? _grid;
    private long _gridVersion = -1;

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
        if (_gridVersion != grid.Layout) (_grid, _gridVersion) = (grid.Emptied(), grid.Layout);
        _waits.Clear();
        _ends.Clear();
        var clock = TimeSpan.MinValue;
        for (var i = 0; i < _visits.Count; i++)
        {
            var visit = _visits[i];
            if (visit.Came > clock) clock = visit.Came;
            while (_ends.TryPeek(out _, out var end) && end.At <= clock) _grid!.Release(_ends.Dequeue().Parts);
            var parts = _grid!.Place(visit.Shape, restOnFreest: true);
            while (parts is null && _ends.TryDequeue(out var ended, out var next))
            {
                clock = next.At;
                _grid.Release(ended.Parts);
                while (_ends.TryPeek(out _, out var same) && same.At == clock) _grid.Release(_ends.Dequeue().Parts);
                parts = _grid.Place(visit.Shape, restOnFreest: true);
            }
            // Nothing could ever carry it: it would have been passed over.
            if (parts is null) continue;
            _grid.Hold(parts);
            _ends.Enqueue((i, parts), (clock + (visit.Claim is { } claim ? expect(claim) : visit.Held), i));
            _waits.Add(clock - visit.Came);
        }
        while (_ends.TryDequeue(out var rest, out _)) _grid!.Release(rest.Parts);
        if (_waits.Count == 0) return TimeSpan.Zero;
        _waits.Sort();
        return _waits[Math.Min((int)(_waits.Count * 0.999), _waits.Count - 1)];
    }
}
