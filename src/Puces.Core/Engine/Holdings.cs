using Puces.Core.Fleet;
using Puces.Core.Jobs;
using Puces.Core.Units;

namespace Puces.Core.Engine;

/// <summary>The nodes and who holds what of them. A share may be held on a node that has not been seen yet: after a restart it is so.</summary>
internal sealed class Holdings
{
    private readonly SortedDictionary<string, Node> _nodes = new(StringComparer.Ordinal);
    private readonly Dictionary<string, SortedDictionary<JobId, Share>> _shares = new(StringComparer.Ordinal);
    private readonly SortedDictionary<string, NodeUse> _uses = new(StringComparer.Ordinal);

    public IReadOnlyDictionary<string, NodeUse> Uses => _uses;

    public Node? Find(string id) => _nodes.GetValueOrDefault(id);

    public bool Holds(string node) => _shares.ContainsKey(node);

    public void Set(Node node)
    {
        _nodes[node.Id] = node;
        Count(node.Id);
    }

    public void Remove(string id)
    {
        _nodes.Remove(id);
        _uses.Remove(id);
    }

    public void Hold(JobId job, Allocation allocation)
    {
        foreach (var share in allocation.Shares)
        {
            if (!_shares.TryGetValue(share.Node, out var held)) _shares[share.Node] = held = [];
            held[job] = share;
            Count(share.Node);
        }
    }

    public void Release(JobId job, Allocation allocation)
    {
        foreach (var share in allocation.Shares)
        {
            if (!_shares.TryGetValue(share.Node, out var held) || !held.Remove(job)) continue;
            if (held.Count == 0) _shares.Remove(share.Node);
            Count(share.Node);
        }
    }

    public SortedDictionary<JobId, Share>.KeyCollection? JobsOn(string node) => _shares.GetValueOrDefault(node)?.Keys;

    private void Count(string id)
    {
        if (!_nodes.TryGetValue(id, out var node)) return;
        if (!_shares.TryGetValue(id, out var held))
        {
            _uses[id] = new(node, [.. node.Devices.Where(d => d.IsHealthy).Select(d => d.Index)], node.MilliCpus, node.Memory, []);
            return;
        }
        var taken = new HashSet<int>();
        SortedDictionary<int, int>? left = null;
        var cpus = node.MilliCpus;
        var memory = node.Memory;
        foreach (var share in held.Values)
        {
            taken.UnionWith(share.Devices);
            if (share.OfDevice > 0) (left ??= [])[share.Devices[0]] = left.GetValueOrDefault(share.Devices[0], 1000) - share.OfDevice;
            cpus -= share.MilliCpus;
            memory -= share.Memory;
        }
        _uses[id] = new(
            node, [.. node.Devices.Where(d => d.IsHealthy && !taken.Contains(d.Index)).Select(d => d.Index)],
            Math.Max(0, cpus), memory < default(Memory) ? default : memory, [.. held.Keys],
            left is null ? null : [.. node.Devices.Where(d => d.IsHealthy && left.ContainsKey(d.Index)).Select(d => new SharedDevice(d.Index, left[d.Index]))]);
    }
}
