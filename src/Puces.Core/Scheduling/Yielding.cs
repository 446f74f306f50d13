using System.Runtime.InteropServices;
using Puces.Core.Queues;

namespace Puces.Core.Scheduling;

/// <summary>
/// The nodes on which somebody may be stopped, those first on which somebody stands furthest back in the line: a clearing is no worth more
/// than the rank of the last who leaves, so that most nodes need no look. It is true for one moment.
/// </summary>
internal sealed class Yielding(Grid grid, IPolicy policy)
{
    private readonly List<(long Rank, int Node)> _all = [];
    private readonly List<int> _changed = [];
    private readonly Dictionary<Account, Bounds> _projects = [];
    // Nodes that changed since the others were put in order bear its number.
    private int[] _changedIn = [];
    private int _number;
    private long _seen = -1;
    private TimeSpan _at = TimeSpan.MinValue;

    /// <summary>What all those of one project that may be stopped are within.</summary>
    internal readonly record struct Bounds(long Highest, int FewestDevices);

    /// <summary>The projects of those that may be stopped.</summary>
    public IReadOnlyDictionary<Account, Bounds> Projects => _projects;

    /// <summary>The highest rank on each node, in falling order. Nodes that have changed since may stand anywhere.</summary>
    public IReadOnlyList<(long Rank, int Node)> All => _all;

    /// <summary>Nodes that have changed since the others were put in order.</summary>
    public IReadOnlyList<int> Changed => _changed;

    public bool HasChanged(int node) => node < _changedIn.Length && _changedIn[node] == _number;

    /// <summary>Ranks change with time, and with what is learned, between two passes and not within one.</summary>
    public void Forget() => _seen = -1;

    /// <param name="onNode">Who holds something of each node.</param>
    public void Update(List<List<Claim>> onNode, TimeSpan now)
    {
        if (_seen >= 0 && _at == now && grid.ChangedSince(_seen, out var changed) && _changed.Count < 256)
        {
            foreach (var node in changed)
            {
                _ = HighestOn(node, onNode, now);
                if (HasChanged(node)) continue;
                if (_changedIn.Length <= node) Array.Resize(ref _changedIn, grid.Count);
                _changedIn[node] = _number;
                _changed.Add(node);
            }
            _seen = grid.Changes;
            return;
        }
        (_seen, _at) = (grid.Changes, now);
        _number++;
        _changed.Clear();
        _all.Clear();
        _projects.Clear();
        for (var node = 0; node < onNode.Count; node++)
            if (HighestOn(node, onNode, now) is { } highest) _all.Add((highest, node));
        _all.Sort(FurthestBack);
    }

    private long? HighestOn(int node, List<List<Claim>> onNode, TimeSpan now)
    {
        long? highest = null;
        if (node >= onNode.Count) return null;
        foreach (var holding in onNode[node])
        {
            if (holding is not { CanYield: true, IsLeaving: false }) continue;
            var rank = policy.Rank(holding, now);
            if (highest is not { } most || rank > most) highest = rank;
            if (holding.Account is not { } account) continue;
            ref var bounds = ref CollectionsMarshal.GetValueRefOrAddDefault(_projects, account, out var isKnown);
            bounds = isKnown ? new(Math.Max(rank, bounds.Highest), Math.Min(holding.Take.Devices, bounds.FewestDevices)) : new(rank, holding.Take.Devices);
        }
        return highest;
    }

    private static readonly Comparison<(long Rank, int Node)> FurthestBack = (a, b) => a.Rank != b.Rank ? b.Rank.CompareTo(a.Rank) : a.Node.CompareTo(b.Node);
}

/// <summary>The nodes that would have room for one part of a way if all left that may be stopped: it looks anew only at those that changed.</summary>
internal sealed class Clearable(Way way, Grid grid)
{
    private readonly NodeSet _nodes = new(64);
    private long _seen = -1;

    public int Count => _nodes.Count;

    public bool Has(int node) => _nodes.Contains(node);

    public int From(int node) => _nodes.From(node);

    public void Update(List<List<Claim>> onNode)
    {
        _nodes.Grow(grid.Count);
        if (_seen >= 0 && grid.ChangedSince(_seen, out var changed))
            foreach (var node in changed) Look(node, onNode);
        else
            for (var node = 0; node < grid.Count; node++) Look(node, onNode);
        _seen = grid.Changes;
    }

    private void Look(int node, List<List<Claim>> onNode)
    {
        var could = Could(node, onNode);
        if (could == _nodes.Contains(node)) return;
        if (could) _nodes.Add(node);
        else _nodes.Remove(node);
    }

    private bool Could(int node, List<List<Claim>> onNode)
    {
        if (!grid.IsOpen(node) || !grid.CouldCarry(way, node)) return false;
        var room = grid.RoomOn(way, node);
        if (!room.IsEnough && node < onNode.Count)
            foreach (var holding in onNode[node])
            {
                if (!holding.CanYield) continue;
                for (var i = 0; i < holding.Parts.Count; i++)
                    if (holding.Parts[i].Node == node) room = grid.Add(room, way, holding.Parts[i]);
                if (room.IsEnough) break;
            }
        return room.IsEnough;
    }
}
