namespace Puces.Core.Packing;

/// <summary>
/// Our policy: a pod goes where those to come lose the least of the room that they are short of. What is to come is learnt from what came. Names and
/// order of the nodes play no part: of two that cost the same the fuller one is taken, and nodes that tie in all are alike.
/// </summary>
internal sealed class KeepRoom : PackPolicy
{
    private readonly PackStart _start;
    private readonly int[] _classOf;
    private readonly int[] _seen;
    private readonly Standing[] _nodes;
    private readonly Dictionary<NodeState, Standing> _known = [];
    private Mix _mix;
    private long[] _room = [];
    private double[] _worth = [];
    private int _pods;
    private int _nextLesson;
    private int _turn;

    public KeepRoom(PackStart start)
    {
        _start = start;
        _seen = new int[start.Shapes.Count];
        _nodes = new Standing[start.World.States.Length];
        _classOf = Classes(start);
        _mix = new(start.Shapes, _classOf, _seen);
    }

    public override Spot? Choose(Shape shape)
    {
        _seen[shape.Index]++;
        if (++_pods > _nextLesson) Learn();
        for (var i = 0; i < _worth.Length; i++) _worth[i] = _mix.Worth(i, _room[i]);
        _turn++;
        var best = -1;
        for (var node = 0; node < _nodes.Length; node++)
        {
            var standing = _nodes[node];
            if (standing.Turn != _turn) Weigh(standing, shape);
            if (standing.Then is not null && (best < 0 || IsBetter(standing, _nodes[best]))) best = node;
        }
        if (best < 0) return null;
        return new(best, shape.IsShare ? _start.World.States[best].Gpus.With(_nodes[best].FreeOnGpu) : NodeState.AnyGpu);
    }

    public override void Placed(Spot spot)
    {
        Count(_nodes[spot.Node], -1);
        _nodes[spot.Node] = _nodes[spot.Node].Then!;
        Count(_nodes[spot.Node], 1);
    }

    /// <summary>Shapes that the same nodes can hold are one class: none of them has room where another could never go.</summary>
    private static int[] Classes(PackStart start)
    {
        var kinds = start.World.States.ToArray().Distinct().ToArray();
        var known = new Dictionary<string, int>(StringComparer.Ordinal);
        return [.. start.Shapes.Select(shape =>
        {
            var held = string.Concat(kinds.Select(kind => kind.Holds(shape) ? '1' : '0'));
            if (!known.TryGetValue(held, out var number)) known[held] = number = known.Count;
            return number;
        })];
    }

    /// <summary>Looks at the mix anew, each time a quarter more pods have come.</summary>
    private void Learn()
    {
        _nextLesson = _pods + _pods / 4;
        _mix = new(_start.Shapes, _classOf, _seen);
        _room = new long[_mix.Classes];
        _worth = new double[_mix.Classes];
        _known.Clear();
        for (var node = 0; node < _nodes.Length; node++)
        {
            _nodes[node] = Of(_start.World.States[node]);
            Count(_nodes[node], 1);
        }
    }

    private void Count(Standing standing, int sign)
    {
        for (var i = 0; i < _room.Length; i++) _room[i] += sign * standing.Room[i];
    }

    /// <summary>Finds what the pod would cost on a node that stands so, on the best of its GPUs; of equal ones the tightest.</summary>
    private void Weigh(Standing standing, Shape shape)
    {
        (standing.Turn, standing.Then) = (_turn, null);
        foreach (var (then, free) in standing.Choices[shape.Index] ??= [.. Choices(standing.State, shape)])
        {
            var loss = 0.0;
            for (var i = 0; i < _worth.Length; i++) loss += _worth[i] * (standing.Room[i] - then.Room[i]);
            if (standing.Then is null || loss < standing.Loss) (standing.Then, standing.Loss, standing.FreeOnGpu) = (then, loss, free);
        }
    }

    private IEnumerable<(Standing Then, int Free)> Choices(NodeState state, Shape shape)
    {
        if (!state.Holds(shape)) yield break;
        if (!shape.IsShare)
        {
            yield return (Of(state.After(shape, NodeState.AnyGpu)), 0);
            yield break;
        }
        for (var i = PackNode.MostGpus - 1; i >= 0; i--)
            if (state.Gpus[i] >= shape.Pod.MilliOfGpu && (i == PackNode.MostGpus - 1 || state.Gpus[i] != state.Gpus[i + 1]))
                yield return (Of(state.After(shape, i)), state.Gpus[i]);
    }

    private Standing Of(in NodeState state)
    {
        var sorted = state with { Gpus = state.Gpus.Sorted() };
        if (!_known.TryGetValue(sorted, out var standing)) _known[sorted] = standing = new(sorted, _mix.Room(sorted), _start.Shapes.Count);
        return standing;
    }

    private static bool IsBetter(Standing a, Standing b)
    {
        if (ReferenceEquals(a, b)) return false;
        if (a.Loss != b.Loss) return a.Loss < b.Loss;
        var (x, y) = (a.State, b.State);
        var order = (a.FreeGpus, x.MilliCpus, x.MemoryMib, x.Model).CompareTo((b.FreeGpus, y.MilliCpus, y.MemoryMib, y.Model));
        return order != 0 ? order < 0 : x.Gpus.CompareTo(y.Gpus) < 0;
    }

    /// <summary>A state that nodes stand in, what it offers, and what the pod under way would make of it.</summary>
    private sealed class Standing(NodeState state, long[] room, int shapes)
    {
        private (Standing, int)[]?[]? _choices;

        public NodeState State => state;
        public long[] Room => room;
        public int FreeGpus { get; } = state.Gpus.Sum();
        public (Standing Then, int Free)[]?[] Choices => _choices ??= new (Standing, int)[]?[shapes];
        public int Turn { get; set; }
        public Standing? Then { get; set; }
        public double Loss { get; set; }
        public int FreeOnGpu { get; set; }
    }
}
