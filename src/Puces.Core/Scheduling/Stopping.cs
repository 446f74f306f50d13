namespace Puces.Core.Scheduling;

// Who is stopped so that another may start.
public sealed partial class Scheduler
{
    private readonly List<List<Claim>> _onNode = [];
    // For each shape: the best that was refused victims since the last tick. A worse one need not ask.
    private readonly List<(TimeSpan? Ticked, long Rank)> _refused = [];
    private readonly List<Clearing> _clearings = [];
    private readonly List<(long Rank, Claim Claim)> _victims = [];

    /// <summary>One node, how many would have to leave it, and the lowest rank among them: the higher it is, the less is lost by it.</summary>
    private readonly record struct Clearing(int Node, long Least, int Victims);

    private bool TryStop(Claim claim, TimeSpan now)
    {
        if (ReservationOf(claim) is { } reservation && TryEvict(claim, reservation, now)) return true;
        if (!policy.Stops) return false;
        var shape = claim.Shape;
        while (_refused.Count <= shape.Index) _refused.Add((null, 0));
        var rank = policy.Rank(claim, now);
        if (_refused[shape.Index] is var refused && refused.Ticked == _ticked && _ticked is not null && rank >= refused.Rank) return false;
        foreach (var way in shape.Ways)
        {
            if (way.Share > 0 || way.Devices == 0 || Clear(claim, way, now) is not { } parts) continue;
            Keep(claim, way, parts);
            return true;
        }
        _refused[shape.Index] = (_ticked, rank);
        return false;
    }

    /// <summary>The parts that stopping others would free; null where that would not do.</summary>
    private Part[]? Clear(Claim claim, Way way, TimeSpan now)
    {
        if (way.Rest > 0) return null;
        FindClearings(claim, way, now);
        if (_clearings.Count < way.Nodes || _clearings.TrueForAll(c => c.Victims == 0)) return null;
        var parts = new Part[way.Nodes];
        for (var i = 0; i < parts.Length; i++)
        {
            var node = _clearings[i].Node;
            var devices = grid.FreeOf(way, node);
            if (_clearings[i].Victims > 0) FindVictims(node, claim, now);
            for (var v = 0; v < _clearings[i].Victims; v++)
            {
                var victim = _victims[v].Claim;
                for (var p = 0; p < victim.Parts.Count; p++)
                    if (victim.Parts[p].Node == node) devices |= grid.Usable(way, victim.Parts[p]);
                _dismissed.Add(victim);
            }
            parts[i] = new(node, Lowest(devices, way.Devices), 0, 0, 0);
        }
        // Only now: one that leaves several of the nodes is a victim on each of them.
        foreach (var victim in _dismissed)
            if (!victim.IsLeaving) Dismiss(victim, claim);
        _dismissed.Clear();
        return parts;
    }

    private readonly List<Claim> _dismissed = [];

    /// <summary>The nodes on which least is lost, as many as the way needs: then by name.</summary>
    private void FindClearings(Claim claim, Way way, TimeSpan now)
    {
        _clearings.Clear();
        for (var node = 0; node < grid.Count; node++)
        {
            if (!grid.IsOpen(node) || !grid.CouldCarry(way, node) || ClearingOf(node, claim, way, now) is not { } clearing) continue;
            var isFull = _clearings.Count == way.Nodes;
            if (isFull && !Goes(clearing, _clearings[^1])) continue;
            if (isFull) _clearings.RemoveAt(_clearings.Count - 1);
            var place = _clearings.Count;
            while (place > 0 && Goes(clearing, _clearings[place - 1])) place--;
            _clearings.Insert(place, clearing);
        }
    }

    private bool Goes(Clearing one, Clearing other) =>
        one.Least != other.Least ? one.Least > other.Least : string.CompareOrdinal(grid.NodeAt(one.Node).Id, grid.NodeAt(other.Node).Id) < 0;

    /// <summary>The way to make room on one node: those that go furthest back in line first.</summary>
    private Clearing? ClearingOf(int node, Claim claim, Way way, TimeSpan now)
    {
        var room = grid.RoomOn(way, node);
        if (room.IsEnough) return new(node, long.MaxValue, 0);
        FindVictims(node, claim, now);
        for (var i = 0; i < _victims.Count; i++)
        {
            var parts = _victims[i].Claim.Parts;
            for (var p = 0; p < parts.Count; p++)
                if (parts[p].Node == node) room = grid.Add(room, way, parts[p]);
            if (room.IsEnough) return new(node, _victims[i].Rank, i + 1);
        }
        return null;
    }

    private void FindVictims(int node, Claim claim, TimeSpan now)
    {
        _victims.Clear();
        foreach (var holding in On(node))
            if (holding is { CanYield: true, IsLeaving: false } && policy.MayStop(holding, claim, now)) _victims.Add((policy.Rank(holding, now), holding));
        if (_victims.Count > 1) _victims.Sort(FurthestBack);
    }

    private static readonly Comparison<(long Rank, Claim Claim)> FurthestBack = (a, b) => a.Rank != b.Rank ? b.Rank.CompareTo(a.Rank) : b.Claim.Number.CompareTo(a.Claim.Number);

    private List<Claim> On(int node) => node < _onNode.Count ? _onNode[node] : Nobody;

    private static readonly List<Claim> Nobody = [];

    private static ulong Lowest(ulong devices, int count)
    {
        var taken = 0UL;
        for (var i = 0; i < count; i++)
        {
            var lowest = devices & (~devices + 1);
            taken |= lowest;
            devices ^= lowest;
        }
        return taken;
    }
}
