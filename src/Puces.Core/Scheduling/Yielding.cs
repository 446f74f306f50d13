using Puces.Core.Queues;

namespace Puces.Core.Scheduling;

/// <summary>
/// Those of one project that hold devices and may be stopped, those first whose stop costs least: a clearing costs no less than any who leaves for it,
/// so that most nodes need no look.
/// </summary>
/// <param name="account">The project; null where nobody has one.</param>
internal sealed class Yielders(Account? account)
{
    private readonly List<Claim> _claims = [];
    private readonly List<Yielding> _order = [];
    private readonly List<Claim> _fresh = [];
    private long _ordered = -1, _counted = -1, _highest;
    private int _fewest;

    public Account? Account => account;

    public int Count => _claims.Count;

    /// <summary>Those that have begun since the others were put in order.</summary>
    public IReadOnlyList<Claim> Fresh => _fresh;

    /// <summary>The last question in which they were not ruled out.</summary>
    public long Asked { get; set; }

    public void Add(Claim claim)
    {
        (claim.Yielders, claim.YieldsAt) = (this, _claims.Count);
        _claims.Add(claim);
        if (_ordered >= 0) _fresh.Add(claim);
        _fewest = Math.Min(_fewest, claim.Take.Milli);
    }

    public void Remove(Claim claim)
    {
        var last = _claims[^1];
        _claims[claim.YieldsAt] = last;
        last.YieldsAt = claim.YieldsAt;
        _claims.RemoveAt(_claims.Count - 1);
        claim.Yielders = null;
        // Only within a pass is the order of use, and within a pass nobody leaves.
        _ordered = -1;
        _fresh.Clear();
    }

    /// <summary>The least that one of them holds, in thousandths of a device, or held when the pass began.</summary>
    public int FewestMilli(long pass)
    {
        if (_counted == pass) return _fewest;
        (_counted, _fewest) = (pass, int.MaxValue);
        foreach (var claim in _claims) _fewest = Math.Min(_fewest, claim.Take.Milli);
        return _fewest;
    }

    /// <summary>The highest rank among them when the pass began; null where none of them stays.</summary>
    public long? Highest(Scheduler scheduler, TimeSpan now, long pass) => Order(scheduler, now, pass).Count > 0 ? _highest : null;

    /// <summary>The nodes that they hold something of with what their stops cost, the least first. Costs do not change within a pass; whoever begins in it is fresh.</summary>
    public List<Yielding> Order(Scheduler scheduler, TimeSpan now, long pass)
    {
        if (_ordered == pass) return _order;
        (_ordered, _highest) = (pass, long.MinValue);
        _order.Clear();
        _fresh.Clear();
        foreach (var claim in _claims)
        {
            if (claim.IsLeaving) continue;
            var cost = scheduler.CostOf(claim, now);
            _highest = Math.Max(_highest, cost.Rank);
            for (var i = 0; i < claim.Parts.Count; i++) _order.Add(new(cost, claim.Parts[i].Node, 0));
        }
        _order.Sort(Cheapest);
        for (var (i, end) = (_order.Count - 1, _order.Count); i >= 0; i--)
        {
            if (i + 1 < _order.Count && (_order[i].Cost with { Rank = 0 }) != (_order[i + 1].Cost with { Rank = 0 })) end = i + 1;
            _order[i] = _order[i] with { LowerRanks = end };
        }
        return _order;
    }

    private static readonly Comparison<Yielding> Cheapest = (a, b) => a.Cost.CompareTo(b.Cost) is var order and not 0 ? order : a.Node.CompareTo(b.Node);
}

/// <summary>A node that one holds something of who may be stopped.</summary>
/// <param name="LowerRanks">Where those end that follow and differ in rank alone.</param>
internal readonly record struct Yielding(StopCost Cost, int Node, int LowerRanks);

/// <summary>The nodes on which some of these may be stopped, in the order of what the cheapest stop on each costs.</summary>
internal sealed class YieldOrder
{
    private readonly PriorityQueue<(List<Yielding> Order, int Next), StopCost> _orders = new();

    public void Clear() => _orders.Clear();

    public void Add(List<Yielding> order)
    {
        if (order.Count > 0) _orders.Enqueue((order, 0), order[0].Cost);
    }

    /// <summary>The next node, perhaps one that came before; false where there is none that costs no more than this.</summary>
    public bool TryPeek(StopCost most, out Yielding next)
    {
        next = default;
        if (!_orders.TryPeek(out var first, out var cost) || cost.CompareTo(most) > 0) return false;
        next = first.Order[first.Next];
        return true;
    }

    /// <summary>Done with the node that was peeked at.</summary>
    public void Advance() => MoveTo(_orders.Peek().Next + 1);

    /// <summary>Done with it and with those after it that differ in rank alone.</summary>
    public void PassLowerRanks() => MoveTo(_orders.Peek() is var (order, next) ? order[next].LowerRanks : 0);

    private void MoveTo(int next)
    {
        var order = _orders.Peek().Order;
        if (next < order.Count) _orders.DequeueEnqueue((order, next), order[next].Cost);
        else _orders.Dequeue();
    }
}
