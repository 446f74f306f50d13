namespace Puces.Core.Packing;

/// <summary>
/// What the pods seen so far say of those to come: shapes that the same nodes could hold, were they empty, are one class.
/// </summary>
internal sealed class Mix
{
    // A node is offered many pods before it is full, and is worth what the best of some of them makes of it, not what the average pod would:
    // with one draw nodes with little CPU seem worthless, and are spoilt. From 4 to 16 it hardly matters how many.
    private const int Draws = 8;

    // How much more the class counts that is pressed harder. From 4 to 16 it hardly matters which power.
    private const int PressurePower = 8;

    private const int Fine = 1000;

    private readonly Class[] _classes;

    /// <param name="classOf">The class of each shape.</param>
    /// <param name="seen">How many pods of each shape have come.</param>
    public Mix(IReadOnlyList<Shape> shapes, IReadOnlyList<int> classOf, IReadOnlyList<int> seen)
    {
        _classes = [.. shapes.Where(s => s.Pod.MilliGpus > 0 && seen[s.Index] > 0).GroupBy(s => classOf[s.Index])
            .Select(g => new Class(g.Aggregate(ulong.MaxValue, (models, s) => models & s.Models), [.. g.Select(s => (s.Pod, seen[s.Index]))]))];
    }

    public int Classes => _classes.Length;

    /// <summary>
    /// What a piece of room is worth to a class that has so much left. All that the class asks for presses on its room: where that is little beside the
    /// room, a piece less does no harm, and the power lets the class decide that is pressed hardest.
    /// </summary>
    public double Worth(int index, long room)
    {
        var asked = _classes[index].Asked;
        return asked * Power(asked / (double)Math.Max(1, room), PressurePower);
    }

    /// <summary>
    /// What the node still offers each class: pods of the class are drawn, the node is filled with copies of each, and the fullest counts.
    /// The expected value, in millionths of a GPU: whole numbers, so that their sum does not hang on the order of the nodes.
    /// </summary>
    /// <param name="state">With its GPUs sorted.</param>
    public long[] Room(in NodeState state)
    {
        var room = new long[_classes.Length];
        for (var i = 0; i < room.Length; i++)
            if ((_classes[i].Models >> state.Model & 1) != 0) room[i] = Expected(_classes[i], state);
        return room;
    }

    private static long Expected(Class pods, in NodeState state)
    {
        Span<int> filled = stackalloc int[pods.Shapes.Length], counts = stackalloc int[pods.Shapes.Length];
        var (useful, wholeGpus) = (0, state.Gpus.Count(PackPod.WholeGpu));
        foreach (var (pod, count) in pods.Shapes)
        {
            var fill = Copies(state, wholeGpus, pod) * pod.MilliGpus;
            if (fill > 0) (filled[useful], counts[useful++]) = (-fill, count);
        }
        filled[..useful].Sort(counts[..useful]);
        var (sum, noneSoFar, before) = (0.0, 1.0, pods.Count);
        for (var i = 0; i < useful; i++)
        {
            // The best is this one when none of the better ones is drawn, and this one is.
            before -= counts[i];
            var none = Power((double)before / pods.Count, Draws);
            sum -= filled[i] * (noneSoFar - none);
            noneSoFar = none;
        }
        return (long)(sum * Fine);
    }

    private static int Copies(in NodeState state, int wholeGpus, PackPod pod)
    {
        var most = pod.MilliCpus > 0 ? state.MilliCpus / pod.MilliCpus : int.MaxValue;
        if (pod.MemoryMib > 0) most = Math.Min(most, state.MemoryMib / pod.MemoryMib);
        if (most == 0) return 0;
        return Math.Min(most, pod.MilliOfGpu == PackPod.WholeGpu ? wholeGpus / pod.Gpus : state.Gpus.SortedShares(pod.MilliOfGpu));
    }

    /// <summary>Not Math.Pow: its last digit may differ from machine to machine.</summary>
    private static double Power(double value, int exponent)
    {
        var power = 1.0;
        for (var i = 0; i < exponent; i++) power *= value;
        return power;
    }

    private sealed class Class(ulong models, (PackPod Pod, int Count)[] shapes)
    {
        public ulong Models => models;
        public (PackPod Pod, int Count)[] Shapes => shapes;
        public int Count { get; } = shapes.Sum(s => s.Count);
        public long Asked { get; } = shapes.Sum(s => (long)s.Pod.MilliGpus * s.Count);
    }
}
