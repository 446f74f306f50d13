namespace Puces.Core.Scheduling;

// Where one that cannot start now is expected to find room first.
public sealed partial class Scheduler
{
    private readonly List<(TimeSpan At, int Node)> _times = [];
    private readonly List<(TimeSpan At, Claim Claim)> _leaving = [];
    // For each shape, of each of its ways: what was found on each node.
    private readonly List<Rooms[]> _rooms = [];
    // Nodes of reservations that are wanted bear the number of the look.
    private int[] _reservedNodes = [];
    private int _looks;

    /// <summary>When a node has room for a part: true as long as nothing changes there, and none that holds is overdue.</summary>
    private record struct RoomTime(long At, long Due)
    {
        public const long Never = long.MaxValue, Now = -1, NoNode = -2;
        public static readonly RoomTime Unknown = new(NoNode, long.MinValue);
    }

    /// <summary>What was found on each node for one way, up to so many changes of the grid.</summary>
    private sealed class Rooms
    {
        public RoomTime[] Times = [];
        public long Seen;
    }

    /// <summary>The nodes on which the claim is expected to find room first; null where there are not enough.</summary>
    private Reservation? Earliest(Claim claim, TimeSpan now)
    {
        _looks++;
        if (_reservedNodes.Length < grid.Count) Array.Resize(ref _reservedNodes, grid.Count);
        foreach (var reservation in _reservations)
            if (reservation.IsWanted) foreach (var node in reservation.Nodes) _reservedNodes[node] = _looks;
        var ways = claim.Shape.Ways;
        while (_rooms.Count <= claim.Shape.Index) _rooms.Add([]);
        if (_rooms[claim.Shape.Index].Length == 0) _rooms[claim.Shape.Index] = [.. ways.Select(_ => new Rooms())];
        Reservation? best = null;
        for (var i = 0; i < ways.Count; i++)
        {
            var way = ways[i];
            if (way.Rest > 0) continue;
            FindTimes(way, _rooms[claim.Shape.Index][i], now, StayOf(claim, now));
            if (_times.Count < way.Nodes) continue;
            if (_times[way.Nodes - 1].At is var at && at < (best?.At ?? TimeSpan.MaxValue)) best = new(claim, way, [.. _times.Select(t => t.Node)], at);
        }
        return best;
    }

    /// <summary>The nodes that have room first, for so long, as many as the way needs: by time, then by name.</summary>
    private void FindTimes(Way way, Rooms rooms, TimeSpan now, TimeSpan stay)
    {
        var known = rooms.Times.Length;
        if (known < grid.Count) Array.Resize(ref rooms.Times, grid.Count);
        if (!grid.ChangedSince(rooms.Seen, out var changed)) known = 0;
        rooms.Times.AsSpan(known).Fill(RoomTime.Unknown);
        foreach (var node in changed) rooms.Times[node] = RoomTime.Unknown;
        rooms.Seen = grid.Changes;
        _times.Clear();
        for (var node = 0; node < rooms.Times.Length; node++)
        {
            ref var room = ref rooms.Times[node];
            // Whoever comes after those that were found already needs no look, unless what is known of it may be wrong.
            if (room.Due > now.Ticks && (room.At == RoomTime.NoNode || _times.Count == way.Nodes && room.At > _times[^1].At.Ticks)) continue;
            if (_reservedNodes[node] == _looks) continue;
            if (room.Due <= now.Ticks) room = RoomAt(node, way, now);
            if (room.At == RoomTime.NoNode) continue;
            if (grid.OpenFrom(node, room.At == RoomTime.Now ? now : new(room.At), stay) is not { } at) continue;
            if (_times.Count == way.Nodes)
            {
                if (!Goes(at, node, _times[^1])) continue;
                _times.RemoveAt(_times.Count - 1);
            }
            var place = _times.Count;
            while (place > 0 && Goes(at, node, _times[place - 1])) place--;
            _times.Insert(place, (at, node));
        }
    }

    // Ties by name: the order in which nodes were first seen is another after a restart, and in replay.
    private bool Goes(TimeSpan at, int node, (TimeSpan At, int Node) other) =>
        at != other.At ? at < other.At : string.CompareOrdinal(grid.NodeAt(node).Id, grid.NodeAt(other.Node).Id) < 0;

    /// <summary>When a node is expected to have room for one part.</summary>
    private RoomTime RoomAt(int node, Way way, TimeSpan now)
    {
        NodeLooks++;
        if (!grid.IsUp(node) || !grid.CouldCarry(way, node)) return new(RoomTime.NoNode, RoomTime.Never);
        var room = grid.RoomOn(way, node);
        if (room.IsEnough) return new(RoomTime.Now, RoomTime.Never);
        _leaving.Clear();
        foreach (var holding in On(node)) _leaving.Add((EndOf(holding, now), holding));
        _leaving.Sort(ByEnd);
        var due = _leaving.Count > 0 ? _leaving[0].At.Ticks : RoomTime.Never;
        foreach (var (at, holding) in _leaving)
        {
            room = grid.Without(holding, room, node, way);
            if (room.IsEnough) return new(at.Ticks, due);
        }
        return new(RoomTime.Never, due);
    }

    private static readonly Comparison<(TimeSpan At, Claim Claim)> ByEnd = (a, b) => a.At != b.At ? a.At.CompareTo(b.At) : a.Claim.Number.CompareTo(b.Claim.Number);

    /// <summary>When one that holds is expected to end.</summary>
    private static TimeSpan EndOf(Claim claim, TimeSpan now)
    {
        if (claim.ExpectedEnd <= now) claim.ExpectedEnd = now + History.Remaining(claim, now);
        return claim.ExpectedEnd;
    }
}
