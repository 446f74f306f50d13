using Puces.Core.Queues;

namespace Puces.Core.Scheduling;

/// <summary>The nodes that would have room for one part of a way if all left that may be stopped, and perhaps some more: it looks anew only at those that changed.</summary>
internal sealed class Clearable(Way way, Grid grid)
{
    private readonly NodeSet _nodes = new(64);
    private readonly List<(long Lost, int Devices)> _leaving = [];
    // What clearing a node costs at least, as long as nothing changes there.
    private Least[] _least = [];
    // The same as it was found for one of a project and rank; it costs no less for those behind.
    private (long Begun, Account? Account, long Rank, StopCost Cost)[] _near = [];
    private long _seen = -1;

    /// <param name="Priority">Nobody who may be stopped there has a lower one.</param>
    /// <param name="Lost">As <see cref="StopCost.Lost"/>, at a moment.</param>
    /// <param name="Growth">By so much more each second, at least.</param>
    private readonly record struct Least(TimeSpan At, int Priority, long Lost, long Growth)
    {
        public static readonly Least Unknown = new(TimeSpan.MinValue, 0, 0, 0);
    }

    public int Count => _nodes.Count;

    public bool Has(int node) => _nodes.Contains(node);

    public int From(int node) => _nodes.From(node);

    public void Update(List<List<Claim>> onNode)
    {
        _nodes.Grow(grid.Count);
        if (_least.Length < grid.Count)
        {
            Array.Resize(ref _least, grid.Count);
            Array.Resize(ref _near, grid.Count);
        }
        if (_seen >= 0 && grid.ChangedSince(_seen, out var changed))
            foreach (var node in changed) Look(node, onNode);
        else
            for (var node = 0; node < grid.Count; node++) Look(node, onNode);
        _seen = grid.Changes;
    }

    /// <summary>
    /// Clearing the node costs no less, whoever it is for: found by devices alone, and as if everybody could be stopped, or a part of a job. Worked out once
    /// for as long as nothing changes there: most nodes are too dear already by that.
    /// </summary>
    public StopCost LeastOn(int node, List<Claim> holding, TimeSpan now)
    {
        ref var least = ref _least[node];
        if (least.At == TimeSpan.MinValue) least = Find(node, holding, now);
        return new(2L * least.Priority, least.Lost + least.Growth * ((now - least.At).Ticks / TimeSpan.TicksPerSecond), long.MaxValue);
    }

    /// <summary>
    /// What clearing the node was found to cost for one of this project and of this rank or before it; <see cref="StopCost.Most"/> where it could not be cleared,
    /// null where nobody has looked.
    /// </summary>
    /// <param name="begun">Changes with each pass and each start.</param>
    public StopCost? NearOn(int node, long begun, Account? account, long rank) =>
        _near[node] is var near && near.Begun == begun && near.Account == account && near.Rank <= rank ? near.Cost : null;

    public void NoteNear(int node, long begun, Account? account, long rank, StopCost cost) => _near[node] = (begun, account, rank, cost);

    private Least Find(int node, List<Claim> holding, TimeSpan now)
    {
        _leaving.Clear();
        var (needed, priority, isKnown) = (grid.RoomOn(way, node).Devices, int.MaxValue, true);
        foreach (var claim in holding)
        {
            if (!claim.CanYield) continue;
            priority = Math.Min(priority, claim.Priority);
            if (Scheduler.DevicesOn(node, claim) is not (> 0 and var devices)) continue;
            // What saves itself by the clock loses less at times; a part of a device frees none by itself.
            isKnown &= claim.SavesEvery is null && claim.Milli >= 1000;
            _leaving.Add((claim.LostAt(now), Math.Min(devices, needed)));
        }
        if (!isKnown || needed <= 0) return new(now, priority, 0, 0);
        _leaving.Sort(ByLostForOne);
        var (lost, left) = (0L, needed);
        foreach (var (loses, devices) in _leaving)
        {
            if (left <= 0) break;
            lost += left < devices ? loses * left / devices : loses;
            left -= devices;
        }
        // Each device that is given back was somebody's all the time.
        return new(now, priority, lost, 1000L * needed);
    }

    private void Look(int node, List<List<Claim>> onNode)
    {
        (_least[node], _near[node]) = (Least.Unknown, default);
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

    private static readonly Comparison<(long Lost, int Devices)> ByLostForOne = (a, b) => ((Int128)a.Lost * b.Devices).CompareTo((Int128)b.Lost * a.Devices);
}
