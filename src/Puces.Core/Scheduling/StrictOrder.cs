using Puces.Core.Fleet;
using Puces.Core.Jobs;

namespace Puces.Core.Scheduling;

/// <summary>One job to be started now.</summary>
public sealed record Start(Job Job, Allocation Allocation);

/// <summary>
/// Strict order: a job that cannot start keeps every node on which it could, so that nobody behind it takes what it waits for
/// (invariant 6). Others may pass it only on nodes that are of no use to it.
/// </summary>
public static class StrictOrder
{
    /// <summary>The jobs of the line that start now, in order.</summary>
    /// <param name="nodes">The nodes now.</param>
    /// <param name="hold">Called for each start as it is decided; afterwards <paramref name="nodes"/> must show its devices as held.</param>
    public static IReadOnlyList<Start> Decide(Line line, IReadOnlyDictionary<string, NodeUse> nodes, Action<Start> hold)
    {
        var starts = new List<Start>();
        var open = new List<string>(nodes.Count);
        foreach (var (id, use) in nodes)
            if (use.Node.IsUp && use.FreeMilliCpus > 0) open.Add(id);
        open.Sort(StringComparer.Ordinal);
        var waiting = new HashSet<Request>();
        foreach (var job in line.InOrder(waiting))
        {
            if (open.Count == 0) break;
            if (Placement.Find(job.Request, [.. open.Select(id => nodes[id])]) is { } allocation)
            {
                starts.Add(new(job, allocation));
                hold(starts[^1]);
                open.RemoveAll(id => nodes[id].FreeMilliCpus == 0);
                continue;
            }
            waiting.Add(job.Request);
            // A gang that even all nodes together could never carry waits for nobody's nodes.
            if (nodes.Values.Count(use => Placement.CouldFit(job.Request, use.Node)) < job.Request.Nodes) continue;
            open.RemoveAll(id => Placement.CouldFit(job.Request, nodes[id].Node));
        }
        return starts;
    }
}
