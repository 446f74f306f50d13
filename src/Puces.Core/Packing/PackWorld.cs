namespace Puces.Core.Packing;

/// <summary>The nodes as they stand. Nothing goes where there is no room: that would be a bug, and throws.</summary>
internal sealed class PackWorld
{
    private readonly NodeState[] _states;
    private readonly int[] _changes;

    public PackWorld(IReadOnlyList<PackNode> nodes)
    {
        // By name, so that a model's number does not hang on the order of the nodes.
        Models = [.. nodes.Select(n => n.Model).Distinct().Order(StringComparer.Ordinal)];
        _states = [.. nodes.Select(n => new NodeState(n.MilliCpus, n.MemoryMib, Array.IndexOf(Models, n.Model), GpuRoom.Of(n.Gpus)))];
        _changes = new int[nodes.Count];
        Array.Fill(_changes, 1);
        Gpus = [.. nodes.Select(n => n.Gpus)];
        ByName = [.. Enumerable.Range(0, nodes.Count).OrderBy(i => nodes[i].Name, StringComparer.Ordinal)];
    }

    public string[] Models { get; }

    public ReadOnlySpan<NodeState> States => _states;

    /// <summary>How many GPUs each node has.</summary>
    public IReadOnlyList<int> Gpus { get; }

    /// <summary>The nodes in the order of their names.</summary>
    public IReadOnlyList<int> ByName { get; }

    /// <summary>A number for each node that is another one after each change there; never zero.</summary>
    public ReadOnlySpan<int> Changes => _changes;

    /// <summary>The models that suit a pod, a bit each.</summary>
    public ulong Suiting(string models)
    {
        if (models.Length == 0) return ulong.MaxValue;
        ulong bits = 0;
        foreach (var model in models.Split('|'))
            if (Array.IndexOf(Models, model) is >= 0 and var at) bits |= 1UL << at;
        return bits;
    }

    public void Place(Shape shape, Spot spot)
    {
        ref var state = ref _states[spot.Node];
        if (!state.Holds(shape) || shape.IsShare && state.Gpus[spot.Gpu] < shape.Pod.MilliOfGpu)
            throw new InvalidOperationException($"node {spot.Node} has no room for {shape}");
        state = state.After(shape, spot.Gpu);
        _changes[spot.Node]++;
    }
}
