namespace Puces.Core.Scheduling;

/// <summary>
/// The lanes of one pass. Those of one project are in a queue of their own, and the queues in another, so that a start, after which its
/// project stands further back, moves one queue and not all lanes in it. A standing only ever gets worse within a pass: one that is out
/// of date is found when it comes to the front. A lane whose first got nothing rests: those behind it are passed over without a look, until
/// something changes that could let them have something.
/// </summary>
internal sealed class Order
{
    private readonly Dictionary<object, Queue> _queues = [];
    private readonly PriorityQueue<Queue, Standing> _first = new();
    private readonly List<Lane> _resting = [], _dozing = [];
    private (Queue Queue, Turn Turn, Mark Mark)? _taken;
    private long _pass;

    /// <summary>The lanes of one project.</summary>
    internal sealed class Queue
    {
        // Ranks and numbers decide here; where the project stands is the same for all.
        public PriorityQueue<Turn, Rung> Turns { get; } = new();
        public bool IsListed { get; set; }
        /// <summary>The last that was taken.</summary>
        public Rung Passed { get; set; }
    }

    /// <summary>When a lane is to be looked at again.</summary>
    /// <param name="Group">Whose look it is; null for the end of a lane that rests.</param>
    /// <param name="Number">It is valid as long as this is the lane's; -1 for a group out of turn.</param>
    internal readonly record struct Turn(Lane Lane, Group? Group, int Number);

    /// <summary>Everybody is to be looked at.</summary>
    public void Begin(long pass, IReadOnlyList<Lane> lanes, Scheduler scheduler, TimeSpan now)
    {
        _pass = pass;
        foreach (var queue in _queues.Values)
        {
            queue.Turns.Clear();
            queue.IsListed = false;
            queue.Passed = Rung.First;
        }
        _first.Clear();
        _resting.Clear();
        _dozing.Clear();
        _taken = null;
        for (var i = 0; i < lanes.Count; i++)
        {
            var lane = lanes[i];
            if (lane.Count == 0) continue;
            lane.Queue ??= QueueOf(lane);
            (lane.IsBeyond, lane.Passed) = (IsBeyond(lane, scheduler), Mark.First);
            lane.Queue.Turns.Enqueue(new(lane, lane.First, ++lane.Turn), RungOf(lane, lane.First.Mark));
        }
        foreach (var queue in _queues.Values) List(queue, scheduler, now);
    }

    /// <summary>The next group; null where there is none.</summary>
    public Group? TryTake(Scheduler scheduler, TimeSpan now)
    {
        if (_taken is var (last, taken, mark))
        {
            _taken = null;
            if (taken.Number == taken.Lane.Turn) Continue(taken.Lane, mark);
            List(last, scheduler, now);
        }
        while (_first.TryDequeue(out var queue, out var listed))
        {
            if (!queue.IsListed || !queue.Turns.TryPeek(out var turn, out var own)) continue;
            var lane = turn.Lane;
            var head = turn.Group?.Head;
            if (turn.Number >= 0 && turn.Number != lane.Turn || turn.Group is not null && (head is null || head.LookedAt == _pass))
            {
                queue.Turns.Dequeue();
                if (turn.Number == lane.Turn) Continue(lane, turn.Group!.Mark);
                List(queue, scheduler, now);
                continue;
            }
            if (head is not null && !own.IsBeyond && IsBeyond(lane, scheduler))
            {
                lane.IsBeyond = true;
                queue.Turns.DequeueEnqueue(turn, own with { Tier = Rung.TierOf(true, lane.Key.Priority) });
                List(queue, scheduler, now);
                continue;
            }
            var current = Of(lane, own, scheduler, now);
            if (current.CompareTo(listed) > 0)
            {
                _first.Enqueue(queue, current);
                continue;
            }
            queue.Turns.Dequeue();
            if (own.CompareTo(queue.Passed) > 0) queue.Passed = own;
            if (head is null)
            {
                lane.Passed = Mark.Last;
                List(queue, scheduler, now);
                continue;
            }
            head.LookedAt = _pass;
            queue.IsListed = false;
            _taken = (queue, turn, own.Mark);
            return turn.Group!;
        }
        return null;
    }

    /// <summary>The group is to be looked at once more, or its next: where it stands now.</summary>
    public void Again(Group group, Scheduler scheduler)
    {
        var lane = group.Lane!;
        // It is found behind the one that was taken.
        if (_taken is var (_, turn, mark) && turn.Lane == lane && turn.Number == lane.Turn && group.Mark.CompareTo(mark) > 0) return;
        lane.Queue ??= QueueOf(lane);
        if (lane.Count == 1) lane.IsBeyond = IsBeyond(lane, scheduler);
        lane.Queue.Turns.Enqueue(new(lane, group, -1), RungOf(lane, group.Mark));
    }

    /// <summary>The lane of the group that was taken last gets nothing for now.</summary>
    /// <param name="untilReserved">Not before more is reserved; else not before anything changes.</param>
    public void Rest(bool untilReserved)
    {
        var (queue, turn, mark) = _taken!.Value;
        var lane = turn.Lane;
        if (turn.Number != lane.Turn) return;
        (untilReserved ? _resting : _dozing).Add(lane);
        lane.Passed = mark;
        queue.Turns.Enqueue(new(lane, null, ++lane.Turn), RungOf(lane, lane.LastMark));
    }

    /// <summary>Something has changed: who could have something now is looked at in its turn.</summary>
    public void Wake(bool isReserved, Scheduler scheduler, TimeSpan now)
    {
        Wake(_dozing, scheduler, now);
        if (isReserved) Wake(_resting, scheduler, now);
    }

    private void Wake(List<Lane> lanes, Scheduler scheduler, TimeSpan now)
    {
        foreach (var lane in lanes)
        {
            var (queue, passed) = (lane.Queue!, lane.Queue!.Passed);
            if (lane.Passed == Mark.Last) continue;
            Continue(lane, passed.Tier == Rung.TierOf(lane.IsBeyond, lane.Key.Priority) && passed.Mark.CompareTo(lane.Passed) > 0 ? passed.Mark : lane.Passed);
            if (_taken?.Queue != queue) List(queue, scheduler, now);
        }
        lanes.Clear();
    }

    private static void Continue(Lane lane, Mark passed)
    {
        lane.Passed = passed;
        lane.Turn++;
        if (lane.NextAfter(passed) is { } group) lane.Queue!.Turns.Enqueue(new(lane, group, lane.Turn), RungOf(lane, group.Mark));
    }

    private Queue QueueOf(Lane lane)
    {
        var of = (object?)lane.Key.Account ?? this;
        if (!_queues.TryGetValue(of, out var queue)) _queues[of] = queue = new();
        return queue;
    }

    // Listed again, rather than moved: what is listed twice is passed over once.
    private void List(Queue queue, Scheduler scheduler, TimeSpan now)
    {
        queue.IsListed = queue.Turns.TryPeek(out var turn, out var rung);
        if (queue.IsListed) _first.Enqueue(queue, Of(turn.Lane, rung, scheduler, now));
    }

    private static bool IsBeyond(Lane lane, Scheduler scheduler) => scheduler.IsBeyond(lane.Key.Account, lane.Key.Shape);

    private static Rung RungOf(Lane lane, Mark mark) => new(Rung.TierOf(lane.IsBeyond, lane.Key.Priority), mark.Rank, mark.Number);

    private static Standing Of(Lane lane, Rung rung, Scheduler scheduler, TimeSpan now) =>
        new(rung.IsBeyond, lane.Key.Priority, scheduler.PathOf(lane.Key.Account, now), rung.Rank, rung.Number);
}
