namespace Puces.Core.Packing;

/// <summary>
/// The experiment of "Beware of Fragmentation" (ATC'23): pods of a mix, drawn with replacement and shuffled, come one by one and stay. What has no room
/// anywhere is turned away. How much of the GPUs is given out when as much has been asked for as there is?
/// </summary>
public sealed class PackExperiment
{
    private readonly IReadOnlyList<PackNode> _nodes;
    private readonly Shape[] _shapes;
    private readonly int[] _mix;

    public PackExperiment(IReadOnlyList<PackNode> nodes, IReadOnlyList<PackPod> pods)
    {
        _nodes = nodes;
        MilliGpus = nodes.Sum(n => (long)n.Gpus) * PackPod.WholeGpu;
        var world = new PackWorld(nodes);
        var known = new Dictionary<PackPod, int>();
        var shapes = new List<Shape>();
        _mix = new int[pods.Count];
        for (var i = 0; i < _mix.Length; i++)
        {
            if (!known.TryGetValue(pods[i], out _mix[i]))
            {
                known[pods[i]] = _mix[i] = shapes.Count;
                shapes.Add(new(shapes.Count, pods[i], world.Suiting(pods[i].Models)));
            }
        }
        _shapes = [.. shapes];
        if (MilliGpus == 0 || !shapes.Exists(s => s.Pod.Gpus > 0)) throw new ArgumentException("neither nodes nor pods may be without GPUs");
    }

    /// <summary>All GPUs of the nodes, in thousandths.</summary>
    public long MilliGpus { get; }

    /// <summary>One run.</summary>
    /// <param name="policy">One of <see cref="PackPolicies.Names"/>.</param>
    /// <param name="until">How much is asked for in the end, as a multiple of all GPUs.</param>
    /// <param name="seed">The draw, the order, and the choices of the random policy.</param>
    public PackResult Run(string policy, double until, ulong seed) => Run(policy, until, seed, null);

    /// <param name="placed">Hears where each pod went; null where it was turned away.</param>
    internal PackResult Run(string policy, double until, ulong seed, Action<PackPod, Spot?>? placed)
    {
        var luck = new SplitMix(seed);
        var limit = (long)(until * MilliGpus);
        return Place(policy, Draw(luck, limit), limit, luck, placed);
    }

    /// <summary>The pods as they are, in their order.</summary>
    internal PackResult RunInOrder(string policy, Action<PackPod, Spot?> placed) => Place(policy, _mix, long.MaxValue, new(1), placed);

    private PackResult Place(string policy, IReadOnlyList<int> arrivals, long limit, SplitMix luck, Action<PackPod, Spot?>? placed)
    {
        var world = new PackWorld(_nodes);
        var chooser = PackPolicies.Make(policy, new(world, _shapes, arrivals, luck));
        var (asked, given, turnedAway) = (0L, 0L, 0);
        double? whenAllIsAskedFor = null;
        foreach (var shape in arrivals.Select(index => _shapes[index]))
        {
            if (asked + shape.Pod.MilliGpus > limit) break;
            asked += shape.Pod.MilliGpus;
            var spot = chooser.Choose(shape);
            placed?.Invoke(shape.Pod, spot);
            if (spot is { } there)
            {
                world.Place(shape, there);
                chooser.Placed(there);
                given += shape.Pod.MilliGpus;
            }
            else turnedAway++;
            if (asked >= MilliGpus) whenAllIsAskedFor ??= (double)given / MilliGpus;
        }
        return new(whenAllIsAskedFor, (double)given / MilliGpus, (double)asked / MilliGpus, arrivals.Count, turnedAway);
    }

    /// <summary>The mix, made up to the limit by drawing from it, in an order of its own.</summary>
    private List<int> Draw(SplitMix luck, long limit)
    {
        var pods = new List<int>(_mix);
        var asked = _mix.Sum(i => (long)_shapes[i].Pod.MilliGpus);
        while (true)
        {
            var pod = _mix[luck.Below(_mix.Length)];
            if (asked + _shapes[pod].Pod.MilliGpus > limit) break;
            asked += _shapes[pod].Pod.MilliGpus;
            pods.Add(pod);
        }
        luck.Shuffle(pods);
        return pods;
    }
}

/// <summary>What one run gave. Shares are of all GPUs.</summary>
/// <param name="GivenAtCapacity">The share given out when as much had been asked for as there is; null where it did not come to that.</param>
/// <param name="GivenAtEnd">The share given out at the end.</param>
/// <param name="Asked">What had been asked for at the end.</param>
/// <param name="Pods">The pods drawn.</param>
/// <param name="TurnedAway">Those of them that had no room anywhere.</param>
public sealed record PackResult(double? GivenAtCapacity, double GivenAtEnd, double Asked, int Pods, int TurnedAway);
