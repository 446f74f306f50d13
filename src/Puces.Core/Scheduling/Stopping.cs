namespace Puces.Core.Scheduling;

// Who is stopped so that another may start.
public sealed partial class Scheduler
{
    private readonly List<List<Claim>> _onNode = [];
    // For each shape: the best that was refused victims since the last tick. A worse one need not ask.
    private readonly List<(TimeSpan? Ticked, long Rank)> _refused = [];
    private readonly List<Clearing> _clearings = [];

    /// <summary>One node, who would have to leave it, and the lowest rank among them: the higher it is, the less is lost by it.</summary>
    private readonly record struct Clearing(int Node, long Least, IReadOnlyList<Claim> Victims);

    private bool TryStop(Claim claim, TimeSpan now)
    {
        if (ReservationOf(claim) is { } reservation && TryEvict(claim, reservation, now)) return true;
        if (!policy.Stops || !MayHave(claim)) return false;
        var shape = claim.Shape;
        while (_refused.Count <= shape.Index) _refused.Add((null, 0));
        var rank = policy.Rank(claim, now);
        if (_shares.IsShared ? WasRefused(claim, rank) : _refused[shape.Index] is var refused && refused.Ticked == _ticked && _ticked is not null && rank >= refused.Rank) return false;
        foreach (var way in shape.Ways)
        {
            if (way.Share > 0 || way.Devices == 0 || Clear(claim, way, now) is not { } parts) continue;
            Keep(claim, way, parts);
            return true;
        }
        if (_shares.IsShared) Refuse(claim, rank);
        else _refused[shape.Index] = (_ticked, rank);
        return false;
    }

    /// <summary>The parts that stopping others would free; null where that would not do.</summary>
    private Part[]? Clear(Claim claim, Way way, TimeSpan now)
    {
        if (way.Rest > 0) return null;
        _clearings.Clear();
        var until = UntilOf(claim, now);
        for (var node = 0; node < grid.Count; node++)
            if (grid.IsOpenUntil(node, until) && grid.CouldCarry(way, node) && ClearingOf(node, claim, way, now) is { } clearing) _clearings.Add(clearing);
        if (_clearings.Count < way.Nodes) return null;
        _clearings.Sort((a, b) => a.Least != b.Least ? b.Least.CompareTo(a.Least) : string.CompareOrdinal(grid.NodeAt(a.Node).Id, grid.NodeAt(b.Node).Id));
        if (Choose(claim, way, now) is not { } chosen) return null;
        var parts = new Part[way.Nodes];
        for (var i = 0; i < parts.Length; i++)
        {
            var (node, _, victims) = chosen[i];
            var devices = grid.FreeWithout(way, node, victims);
            foreach (var victim in victims)
                if (!victim.IsLeaving && CauseOf(victim, claim, way, now) is { } cause) Dismiss(victim, claim, cause);
            parts[i] = new(node, grid.Choose(node, devices, way.Devices), 0, 0, 0);
        }
        return parts;
    }

    /// <summary>The way to make room on one node: those that go furthest back in line first.</summary>
    private Clearing? ClearingOf(int node, Claim claim, Way way, TimeSpan now)
    {
        var room = grid.RoomOn(way, node);
        if (room.IsEnough) return new(node, long.MaxValue, []);
        List<Claim>? victims = null;
        foreach (var holding in On(node))
            if (holding is { CanYield: true, IsLeaving: false } && CauseOf(holding, claim, way, now) is not null) (victims ??= []).Add(holding);
        if (victims is null) return null;
        if (_shares.IsShared) return ClearingOf(node, room, victims, claim, way, now);
        victims.Sort((a, b) => policy.Rank(a, now).CompareTo(policy.Rank(b, now)) is var order and not 0 ? -order : b.Number.CompareTo(a.Number));
        for (var i = 0; i < victims.Count; i++)
        {
            foreach (var part in victims[i].Parts)
                if (part.Node == node) room = grid.Add(room, way, part);
            if (room.IsEnough) return new(node, policy.Rank(victims[i], now), victims.GetRange(0, i + 1));
        }
        return null;
    }

    private List<Claim> On(int node) => node < _onNode.Count ? _onNode[node] : Nobody;

    private static readonly List<Claim> Nobody = [];
}
