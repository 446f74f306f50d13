namespace Puces.Core.Packing;

/// <summary>
/// A policy that gives each node a whole number and takes the greatest; of equal ones the node whose name comes first. So do the published
/// policies, in the simulator that they were published with.
/// </summary>
internal abstract class ScoredPolicy(PackStart start) : PackPolicy
{
    // Kept by shape and node: only a node that has changed is looked at again.
    private readonly Scores?[] _known = new Scores?[start.Shapes.Count];

    protected PackWorld World => start.World;

    /// <summary>How well the pod goes there, and on which GPU; only asked where it has room.</summary>
    protected abstract (int Score, int Gpu) Score(Shape shape, int node);

    public sealed override Spot? Choose(Shape shape)
    {
        var known = _known[shape.Index] ??= new(World.ByName.Count);
        var best = -1;
        foreach (var node in World.ByName)
        {
            if (known.Seen[node] != World.Changes[node])
            {
                known.Seen[node] = World.Changes[node];
                (known.Score[node], known.Gpu[node]) = World.States[node].Holds(shape) ? Score(shape, node) : (int.MinValue, NodeState.AnyGpu);
            }
            if (known.Score[node] > (best < 0 ? int.MinValue : known.Score[best])) best = node;
        }
        return best < 0 ? null : new(best, known.Gpu[best]);
    }

    private sealed class Scores(int nodes)
    {
        public readonly int[] Score = new int[nodes];
        public readonly int[] Gpu = new int[nodes];
        public readonly int[] Seen = new int[nodes];
    }
}
