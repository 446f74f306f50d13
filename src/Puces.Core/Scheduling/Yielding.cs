using Puces.Core.Queues;

namespace Puces.Core.Scheduling;

/// <summary>
/// Those of one project that hold devices and may be stopped, those first who stand furthest back in the line: a clearing is no worth more
/// than the rank of the last who leaves, so that most nodes need no look.
/// </summary>
/// <param name="account">The project; null where nobody has one.</param>
internal sealed class Yielders(Account? account)
{
    private readonly List<Claim> _claims = [];
    private readonly List<(long Rank, int Node)> _order = [];
    private readonly List<Claim> _fresh = [];
    private long _ordered = -1, _counted = -1;
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

    /// <summary>The nodes that they hold something of with their ranks, the highest first. Ranks do not change within a pass; whoever begins in it is fresh.</summary>
    public List<(long Rank, int Node)> Order(IPolicy policy, TimeSpan now, long pass)
    {
        if (_ordered == pass) return _order;
        _ordered = pass;
        _order.Clear();
        _fresh.Clear();
        foreach (var claim in _claims)
        {
            if (claim.IsLeaving) continue;
            var rank = policy.Rank(claim, now);
            for (var i = 0; i < claim.Parts.Count; i++) _order.Add((rank, claim.Parts[i].Node));
        }
        _order.Sort(FurthestBack);
        return _order;
    }

    private static readonly Comparison<(long Rank, int Node)> FurthestBack = (a, b) => a.Rank != b.Rank ? b.Rank.CompareTo(a.Rank) : a.Node.CompareTo(b.Node);
}

/// <summary>The nodes on which some of these may be stopped, in falling order of the highest rank among them.</summary>
internal sealed class YieldOrder
{
    private readonly PriorityQueue<(List<(long Rank, int Node)> Order, int Next), long> _orders = new();

    public void Clear() => _orders.Clear();

    public void Add(List<(long Rank, int Node)> order)
    {
        if (order.Count > 0) _orders.Enqueue((order, 0), ~order[0].Rank);
    }

    /// <summary>The next node, perhaps once more; false where there is none of at least this rank.</summary>
    public bool TryTake(long least, out long rank, out int node)
    {
        (rank, node) = (0, -1);
        if (!_orders.TryPeek(out var first, out var key) || ~key < least) return false;
        (rank, node) = first.Order[first.Next];
        if (first.Next + 1 < first.Order.Count) _orders.DequeueEnqueue((first.Order, first.Next + 1), ~first.Order[first.Next + 1].Rank);
        else _orders.Dequeue();
        return true;
    }
}
