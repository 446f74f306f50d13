namespace Puces.Core.Packing;

/// <summary>Pods that ask for the same are one shape.</summary>
/// <param name="Index">Its place among the shapes, in the order of their first pod.</param>
/// <param name="Models">The node models that suit it, a bit each.</param>
internal sealed record Shape(int Index, PackPod Pod, ulong Models)
{
    public bool IsShare => Pod.MilliOfGpu is > 0 and < PackPod.WholeGpu;
}

/// <summary>What is free on a node.</summary>
/// <param name="Model">The model of its GPUs, by its place among the models.</param>
internal readonly record struct NodeState(int MilliCpus, int MemoryMib, int Model, GpuRoom Gpus)
{
    /// <summary>Any GPU: what a pod without a share takes.</summary>
    public const int AnyGpu = -1;

    public bool Suits(Shape shape) => (shape.Models >> Model & 1) != 0;

    public bool Holds(Shape shape) =>
        MilliCpus >= shape.Pod.MilliCpus && MemoryMib >= shape.Pod.MemoryMib && Suits(shape)
        && (shape.Pod.Gpus == 0 || Gpus.Count(shape.Pod.MilliOfGpu) >= shape.Pod.Gpus);

    /// <summary>What is free once such a pod is there: a share on that GPU, whole GPUs the first that are free.</summary>
    public NodeState After(Shape shape, int gpu)
    {
        var gpus = Gpus;
        if (shape.IsShare) gpus[gpu] -= (short)shape.Pod.MilliOfGpu;
        else
        {
            var left = shape.Pod.Gpus;
            for (var i = 0; left > 0; i++)
            {
                if (gpus[i] != PackPod.WholeGpu) continue;
                gpus[i] = 0;
                left--;
            }
        }
        return this with { MilliCpus = MilliCpus - shape.Pod.MilliCpus, MemoryMib = MemoryMib - shape.Pod.MemoryMib, Gpus = gpus };
    }

    /// <summary>The GPU with the least room that a share fits on.</summary>
    public int TightestGpu(Shape shape)
    {
        var best = AnyGpu;
        if (!shape.IsShare) return best;
        for (var i = 0; i < PackNode.MostGpus; i++)
            if (Gpus[i] >= shape.Pod.MilliOfGpu && (best < 0 || Gpus[i] < Gpus[best])) best = i;
        return best;
    }
}

/// <summary>Where a pod goes.</summary>
/// <param name="Gpu">The GPU that a share goes on; <see cref="NodeState.AnyGpu"/> for other pods.</param>
internal readonly record struct Spot(int Node, int Gpu);
