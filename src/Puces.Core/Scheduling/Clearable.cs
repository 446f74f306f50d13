namespace Puces.Core.Scheduling;

/// <summary>The nodes that would have room for one part of a way if all left that may be stopped, and perhaps some more: it looks anew only at those that changed.</summary>
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
                room = grid.Without(holding, room, node, way);
                if (room.IsEnough) break;
            }
        return room.IsEnough;
    }
}
