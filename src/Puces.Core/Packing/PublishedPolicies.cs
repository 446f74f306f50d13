namespace Puces.Core.Packing;

/// <summary>Any node with room, and any GPU there.</summary>
internal sealed class RandomFit(PackStart start) : PackPolicy
{
    public override Spot? Choose(Shape shape)
    {
        var (node, found) = (-1, 0);
        for (var i = 0; i < start.World.States.Length; i++)
            if (start.World.States[i].Holds(shape) && start.Luck.Below(++found) == 0) node = i;
        return node < 0 ? null : new(node, AnyOf(start.World.States[node], shape));
    }

    private int AnyOf(in NodeState state, Shape shape)
    {
        var (gpu, found) = (NodeState.AnyGpu, 0);
        for (var i = 0; shape.IsShare && i < PackNode.MostGpus; i++)
            if (state.Gpus[i] >= shape.Pod.MilliOfGpu && start.Luck.Below(++found) == 0) gpu = i;
        return gpu;
    }
}

/// <summary>GPUs in use first, then free GPUs of nodes in use, then the emptiest nodes with the fewest GPUs.</summary>
internal sealed class UsedGpusFirst(PackStart start) : ScoredPolicy(start)
{
    protected override (int Score, int Gpu) Score(Shape shape, int node)
    {
        if (shape.Pod.Gpus == 0) return (0, NodeState.AnyGpu);
        ref readonly var state = ref World.States[node];
        var gpu = state.TightestGpu(shape);
        var gpus = World.Gpus[node];
        if (state.Gpus.Count(PackPod.WholeGpu) == gpus) return (Math.Max(33 - gpus, gpus), gpu);
        if (!shape.IsShare) return (Math.Max(50 - shape.Pod.Gpus, 33), gpu);
        return (state.Gpus[gpu] == PackPod.WholeGpu ? 49 : 100 - state.Gpus[gpu] / 10 / 10, gpu);
    }
}

/// <summary>Where the least CPU and GPU is left over, both counted in shares of the largest node.</summary>
internal sealed class BestFit(PackStart start) : ScoredPolicy(start)
{
    private const double LargestMilliCpus = 128_000, LargestMilliGpus = 8_000;

    protected override (int Score, int Gpu) Score(Shape shape, int node)
    {
        ref readonly var state = ref World.States[node];
        var left = 0.5 * (state.MilliCpus - shape.Pod.MilliCpus) / LargestMilliCpus + 0.5 * (state.Gpus.Sum() - shape.Pod.MilliGpus) / LargestMilliGpus;
        return ((int)Math.Floor((1 - left) * 100), state.TightestGpu(shape));
    }
}

/// <summary>
/// Fragmentation gradient descent (Weng and others, ATC'23), with the rounding and the tie break of its own simulator, on which its
/// published figures hang. It is told the mix: the most popular shapes of all that will arrive, up to 95 % of the pods.
/// </summary>
internal sealed class FragmentationGradient : ScoredPolicy
{
    private readonly (Shape Shape, double Share)[] _typical;
    private readonly Dictionary<NodeState, double> _known = [];

    public FragmentationGradient(PackStart start) : base(start)
    {
        // Memory is no part of a typical pod there.
        var popular = start.Arrivals.GroupBy(i => start.Shapes[i].Pod with { MemoryMib = 0 })
            .Select(g => (Shape: start.Shapes[g.First()], Count: g.Count())).OrderByDescending(t => t.Count).ToList();
        var (taken, pods) = (0, 0);
        while (taken < popular.Count && pods < 0.95 * start.Arrivals.Count) pods += popular[taken++].Count;
        _typical = [.. popular.Take(taken).Select(t => (t.Shape, (double)t.Count / pods))];
    }

    protected override (int Score, int Gpu) Score(Shape shape, int node)
    {
        ref readonly var state = ref World.States[node];
        var before = Fragmentation(state);
        var best = (Score: int.MinValue, Gpu: NodeState.AnyGpu);
        if (!shape.IsShare) return (Round(before - Fragmentation(state.After(shape, NodeState.AnyGpu))), NodeState.AnyGpu);
        for (var i = 0; i < PackNode.MostGpus; i++)
        {
            if (state.Gpus[i] < shape.Pod.MilliOfGpu) continue;
            var score = Round(before - Fragmentation(state.After(shape, i)));
            if (score > best.Score) best = (score, i);
        }
        return best;
    }

    /// <summary>A sigmoid of the fragments that go away, as a whole number of hundredths.</summary>
    private static int Round(double less) => (int)Math.Floor(100 / (1 + Math.Exp(-less / 1000)));

    /// <summary>Thousandths of GPUs that a typical pod could not use, on average.</summary>
    private double Fragmentation(in NodeState state)
    {
        // The GPUs' order plays no part in it.
        var plain = state with { MemoryMib = 0, Gpus = state.Gpus.Sorted() };
        if (_known.TryGetValue(plain, out var sum)) return sum;
        var free = plain.Gpus.Sum();
        foreach (var (shape, share) in _typical)
        {
            var pod = shape.Pod;
            var unusable = free;
            if (pod.Gpus > 0 && plain.MilliCpus >= pod.MilliCpus && plain.Suits(shape) && plain.Gpus.Count(pod.MilliOfGpu) >= pod.Gpus)
                for (var i = 0; i < PackNode.MostGpus; i++)
                    if (plain.Gpus[i] >= pod.MilliOfGpu) unusable -= plain.Gpus[i];
            sum += share * unusable;
        }
        _known[plain] = sum;
        return sum;
    }
}
