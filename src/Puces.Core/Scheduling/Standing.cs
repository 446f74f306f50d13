using Puces.Core.Queues;

namespace Puces.Core.Scheduling;

/// <summary>
/// A place in the order: what is within its project's quota, then the higher priority, then the project that has used least for its weight,
/// level by level from the top, then the policy's rank, then the lower number.
/// </summary>
internal readonly record struct Standing(bool IsBeyond, int Priority, Account.Step[] Path, long Rank, long Number) : IComparable<Standing>
{
    public int CompareTo(Standing other)
    {
        if (IsBeyond != other.IsBeyond) return IsBeyond ? 1 : -1;
        if (Priority != other.Priority) return other.Priority.CompareTo(Priority);
        if (Compare(Path, other.Path) is var order and not 0) return order;
        return Rank != other.Rank ? Rank.CompareTo(other.Rank) : Number.CompareTo(other.Number);
    }

    private static int Compare(Account.Step[] one, Account.Step[] other)
    {
        if (ReferenceEquals(one, other)) return 0;
        for (var i = 0; i < one.Length && i < other.Length; i++)
        {
            if (one[i].Standing != other[i].Standing) return one[i].Standing.CompareTo(other[i].Standing);
            if (string.CompareOrdinal(one[i].Name, other[i].Name) is var order and not 0) return order;
        }
        return 0;
    }
}

/// <summary>The same among those of one project: small, since a pass compares many.</summary>
internal readonly record struct Rung(long Tier, long Rank, long Number) : IComparable<Rung>
{
    public Rung(Standing standing)
        : this((standing.IsBeyond ? 1L << 33 : 0) - standing.Priority, standing.Rank, standing.Number)
    {
    }

    public bool IsBeyond => Tier > 1L << 32;

    public int CompareTo(Rung other)
    {
        if (Tier != other.Tier) return Tier < other.Tier ? -1 : 1;
        if (Rank != other.Rank) return Rank < other.Rank ? -1 : 1;
        return Number.CompareTo(other.Number);
    }
}

/// <summary>
/// The groups of one pass. Those of one project are in a queue of their own, and the queues in another, so that a start, after which its
/// project stands further back, moves one queue and not all groups in it. A standing only ever gets worse within a pass: one that is out
/// of date is found when it comes to the front.
/// </summary>
internal sealed class Order
{
    private readonly Dictionary<object, Queue> _queues = [];
    private readonly PriorityQueue<Queue, Standing> _first = new();
    private Queue? _taken;

    // Ranks and numbers decide here; where the project stands is the same for all.
    private sealed class Queue
    {
        public PriorityQueue<Group, Rung> Groups { get; } = new();
        public bool IsListed { get; set; }
    }

    public void Clear()
    {
        foreach (var queue in _queues.Values)
        {
            queue.Groups.Clear();
            queue.IsListed = false;
        }
        _first.Clear();
        _taken = null;
    }

    public void Enqueue(Group group, Standing standing)
    {
        var of = (object?)group.Head!.Account ?? this;
        if (!_queues.TryGetValue(of, out var queue)) _queues[of] = queue = new();
        queue.Groups.Enqueue(group, new(standing));
        if (queue == _taken) return;
        // Listed again, rather than moved: what is listed twice is passed over once.
        if (!queue.IsListed || queue.Groups.Peek() == group) _first.Enqueue(queue, standing);
        queue.IsListed = true;
    }

    /// <summary>The next group; null where there is none.</summary>
    public Group? TryDequeue(Scheduler scheduler, TimeSpan now)
    {
        if (_taken is { } last)
        {
            _taken = null;
            List(last, scheduler, now);
        }
        while (_first.TryDequeue(out var queue, out var listed))
        {
            if (!queue.IsListed || !queue.Groups.TryPeek(out var group, out var own)) continue;
            if (group.Head is not { } head)
            {
                queue.Groups.Dequeue();
                List(queue, scheduler, now);
                continue;
            }
            var current = Of(head, own, scheduler, now) with { IsBeyond = scheduler.IsBeyond(head) };
            if (new Rung(current) is var rung && rung.CompareTo(own) > 0)
            {
                queue.Groups.DequeueEnqueue(group, rung);
                List(queue, scheduler, now);
                continue;
            }
            if (current.CompareTo(listed) > 0)
            {
                _first.Enqueue(queue, current);
                continue;
            }
            queue.Groups.Dequeue();
            queue.IsListed = false;
            _taken = queue;
            return group;
        }
        return null;
    }

    private void List(Queue queue, Scheduler scheduler, TimeSpan now)
    {
        queue.IsListed = queue.Groups.TryPeek(out var group, out var rung);
        if (!queue.IsListed) return;
        // One that is empty is to be taken away.
        var first = group!.Head is { } head ? Of(head, rung, scheduler, now) : default(Standing) with { Priority = int.MaxValue, Path = [] };
        _first.Enqueue(queue, first);
    }

    private static Standing Of(Claim head, Rung rung, Scheduler scheduler, TimeSpan now) =>
        new(rung.IsBeyond, head.Priority, scheduler.PathOf(head, now), rung.Rank, rung.Number);
}
