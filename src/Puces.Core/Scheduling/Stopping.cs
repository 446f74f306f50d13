using Puces.Core.Queues;

namespace Puces.Core.Scheduling;

// Who is stopped so that another may start.
public sealed partial class Scheduler
{
    /// <summary>Nodes with free devices that are looked at one by one, at most.</summary>
    private const int MostPartlyFree = 64;

    private readonly List<List<Claim>> _onNode = [];
    // For each shape: the best that was refused victims since the last tick. A worse one need not ask.
    private readonly List<(TimeSpan? Ticked, long Rank)> _refused = [];
    private readonly PriorityQueue<Clearing, (StopCost, int)> _clearings = new(YieldOrder.Cheapest);
    private readonly Yielders _nobodys = new(null, grid);
    private readonly Dictionary<Account, Yielders> _yielders = [];
    private readonly List<Yielders> _asked = [];
    private readonly List<int> _partlyFree = [];
    private long[] _lookedAt = [];
    private readonly List<Clearable[]> _clearables = [];
    private long _question;
    // Nobody that holds has a lower priority.
    private int _leastPriority = int.MaxValue;

    /// <summary>One node, what clearing it costs, and who would have to leave it; where nobody has looked for these, it costs no less.</summary>
    /// <param name="IsNear">That is nearly what it costs.</param>
    private readonly record struct Clearing(int Node, StopCost Cost, List<Claim>? Victims, bool IsNear = true);

    private bool TryStop(Claim claim, TimeSpan now)
    {
        if (ReservationOf(claim) is { } reservation && TryEvict(claim, reservation, now)) return true;
        if (!policy.Stops || !MayHave(claim) || IsBack(claim) && claim.Priority <= _leastPriority && !HasQuotas) return false;
        var shape = claim.Shape;
        while (_refused.Count <= shape.Index) _refused.Add((null, 0));
        var rank = policy.Rank(claim, now);
        if (IsShared ? WasRefused(claim, rank) : _refused[shape.Index] is var refused && refused.Ticked == _ticked && _ticked is not null && rank >= refused.Rank) return false;
        foreach (var way in shape.Ways)
        {
            if (way is { Devices: 0, Share: 0 } || Clear(claim, way, now) is not { } parts) continue;
            Keep(claim, way, parts);
            return true;
        }
        // What was refused to one that may ask for less than others says nothing about them.
        if (IsBack(claim)) return false;
        if (IsShared) Refuse(claim, rank);
        else _refused[shape.Index] = (_ticked, rank);
        return false;
    }

    /// <summary>The parts that stopping others would free; null where that would not do.</summary>
    private Part[]? Clear(Claim claim, Way way, TimeSpan now)
    {
        if (way.Rest > 0 || Choose(claim, way, now) is not { } chosen) return null;
        var parts = new Part[way.Nodes];
        for (var i = 0; i < parts.Length; i++)
        {
            var (node, _, victims, _) = chosen[i];
            parts[i] = grid.PartAfter(way, node, victims!);
            foreach (var victim in victims!)
                if (!victim.IsLeaving && CauseOf(victim, claim, way, now) is { } cause) Dismiss(victim, claim, cause);
        }
        return parts;
    }

    /// <summary>The nodes to be cleared, whose victims may all be stopped together; null where there are not enough, or nobody need be.</summary>
    private List<Clearing>? Choose(Claim claim, Way way, TimeSpan now)
    {
        var clearable = ClearableFor(claim.Shape, way);
        clearable.Update(_onNode);
        // One that a single node has room for needs nobody's leaving.
        if (clearable.Count < way.Nodes || way.Nodes == 1 && grid.CountFitting(way, most: 1, UntilOf(claim, now)) > 0) return null;
        if (!Ask(claim, way, now)) return null;
        var chosen = new List<Clearing>();
        var leaving = new List<Claim>();
        foreach (var clearing in Clearings(clearable, claim, way, leaving, now))
        {
            var before = leaving.Count;
            var isAllowed = true;
            foreach (var victim in IsShared ? clearing.Victims! : [])
            {
                if (leaving.Contains(victim)) continue;
                if (!(isAllowed = CauseOf(victim, claim, way, now) is not null)) break;
                leaving.Add(victim);
                Discount(victim, -1);
            }
            if (isAllowed) chosen.Add(clearing);
            for (var i = leaving.Count - 1; !isAllowed && i >= before; i--)
            {
                Discount(leaving[i], 1);
                leaving.RemoveAt(i);
            }
            if (chosen.Count == way.Nodes) break;
        }
        foreach (var victim in leaving) Discount(victim, 1);
        return chosen.Count < way.Nodes || chosen.TrueForAll(c => c.Victims!.Count == 0) ? null : chosen;
    }

    /// <summary>The nodes that could be cleared, that on which it costs least first, then by name.</summary>
    /// <param name="leaving">Who is counted as gone between two of them; each is found as if nobody were.</param>
    private IEnumerable<Clearing> Clearings(Clearable clearable, Claim claim, Way way, List<Claim> leaving, TimeSpan now)
    {
        _clearings.Clear();
        var until = UntilOf(claim, now);
        var (isHigher, isOf) = (claim.Priority > _leastPriority, claim.Account);
        // Until anybody starts, one that stands further back finds nobody whom another of its project and priority did not.
        var rank = claim.Priority != _leastPriority || IsBack(claim) ? (long?)null : policy.Rank(claim, now);
        if (way.Nodes > 1)
            for (var node = clearable.From(0); node >= 0; node = clearable.From(node + 1))
                if (grid.IsOpenUntil(node, until) && grid.RoomOn(way, node).IsEnough) Found(new(node, StopCost.None, []));
        // Where there are free devices fewer are needed: less is known of what clearing such a node costs.
        _partlyFree.Clear();
        var areFew = way.Devices < 2 || grid.TryFindPartlyFree(way, MostPartlyFree, _partlyFree);
        if (areFew) foreach (var node in _partlyFree) Look(node);
        YieldOrder.Begin(areFew ? way.Devices : 1, now);
        foreach (var yielders in _asked)
        {
            foreach (var of in yielders.Order(_pass)) YieldOrder.Add(of, yielders.Account);
            foreach (var fresh in yielders.Fresh)
                foreach (var part in fresh.Parts) Look(part.Node);
        }
        while (true)
        {
            // Each is found as if nobody were gone.
            foreach (var gone in leaving) Discount(gone, 1);
            while (true)
            {
                // No node from here on can be cleared for less than what the cheapest stop on it tells.
                while (YieldOrder.TryPeek(_clearings.TryPeek(out _, out var found) ? found : (StopCost.Most, int.MaxValue), out var next, out var account))
                {
                    // Only for being likely to end sooner is one of the same project and priority stopped.
                    if (!isHigher && account == isOf && !policy.Reaches(next.Cost.Rank, claim, now))
                    {
                        YieldOrder.PassLowerRanks();
                        continue;
                    }
                    YieldOrder.Advance();
                    // Who may be stopped beside it on its node is found with one that may.
                    if (!next.Claim.IsLeaving && !IsLookedAt(next.Node) && clearable.Has(next.Node) && CauseOf(next.Claim, claim, way, now) is not null) Look(next.Node);
                }
                // Who leaves is looked for where no other node could be cleared for less.
                if (!_clearings.TryPeek(out var cheapest, out _) || cheapest.Victims is not null) break;
                _clearings.Dequeue();
                NodeLooks++;
                var room = grid.RoomOn(way, cheapest.Node);
                if (!cheapest.IsNear)
                {
                    var least = LeastCostOn(cheapest.Node, room, claim, way, now);
                    if (rank is { } own) clearable.NoteNear(cheapest.Node, _begun, isOf, own, least ?? StopCost.Most);
                    if (least is { } near) Found(cheapest with { Cost = near, IsNear = true });
                }
                else if (ClearingOf(cheapest.Node, room, claim, way, now) is { } clearing) Found(clearing);
            }
            foreach (var gone in leaving) Discount(gone, -1);
            if (!_clearings.TryDequeue(out var best, out _)) yield break;
            yield return best;
        }

        bool IsLookedAt(int node) => node < _lookedAt.Length && _lookedAt[node] == _question;

        void Look(int node)
        {
            if (_lookedAt.Length <= node) Array.Resize(ref _lookedAt, grid.Count);
            if (_lookedAt[node] == _question) return;
            _lookedAt[node] = _question;
            if (!clearable.Has(node) || !grid.IsOpenUntil(node, until) || grid.RoomOn(way, node).IsEnough) return;
            if (rank is not { } own || clearable.NearOn(node, _begun, isOf, own) is not { } near) Found(new(node, clearable.LeastOn(node, On(node), now), null, IsNear: false));
            else if (near != StopCost.Most) Found(new(node, near, null));
        }

        void Found(Clearing clearing) => _clearings.Enqueue(clearing, (clearing.Cost, grid.PlaceOf(clearing.Node)));
    }

    // Made when it is first asked for: a policy may stop nobody.
    private YieldOrder YieldOrder => field ??= new(this);

    private Yielders YieldersOf(Account? account)
    {
        if (account is null) return _nobodys;
        return _yielders.TryGetValue(account, out var yielders) ? yielders : _yielders[account] = new(account, grid);
    }

    /// <summary>Finds those of whom some might be stopped for the claim; false where there are none.</summary>
    private bool Ask(Claim claim, Way way, TimeSpan now)
    {
        _question++;
        _asked.Clear();
        Add(_nobodys);
        foreach (var yielders in _yielders.Values) Add(yielders);
        return _asked.Count > 0;

        void Add(Yielders yielders)
        {
            if (!Might(yielders, claim, way, now)) return;
            yielders.Asked = _question;
            _asked.Add(yielders);
        }
    }

    private Clearable ClearableFor(Shape shape, Way way)
    {
        while (_clearables.Count <= shape.Index) _clearables.Add([]);
        if (_clearables[shape.Index].Length == 0) _clearables[shape.Index] = [.. shape.Ways.Select(w => new Clearable(w, grid))];
        for (var i = 0; ; i++)
            if (ReferenceEquals(shape.Ways[i], way)) return _clearables[shape.Index][i];
    }

    private List<Claim> On(int node) => node < _onNode.Count ? _onNode[node] : Nobody;

    private static readonly List<Claim> Nobody = [];
}
