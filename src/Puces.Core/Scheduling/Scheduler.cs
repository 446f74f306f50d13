using Puces.Core.Fleet;
using Puces.Core.Jobs;

namespace Puces.Core.Scheduling;

/// <summary>One job to be started now.</summary>
public sealed record Start(Job Job, Allocation Allocation);

/// <summary>
/// Strict order: a job that cannot start keeps every node on which it could, so that nobody behind it takes what it waits for
/// (invariant 6). Others may pass it only on nodes that are of no use to it.
/// </summary>
public static class Scheduler
{
    /// <summary>The jobs of the line that start now, in order.</summary>
    /// <param name="line">Waiting jobs, the first first.</param>
    /// <param name="nodes">The nodes now. Each start is taken from it by <paramref name="hold"/> before the next is decided.</param>
    /// <param name="hold">Called for each start; afterwards <paramref name="nodes"/> must show the devices as held.</param>
    public static void Decide(IEnumerable<Job> line, IReadOnlyDictionary<string, NodeUse> nodes, Action<Start> hold)
    {
        var open = new List<string>(nodes.Count);
        foreach (var (id, use) in nodes)
            if (use.Node.IsUp && use.FreeMilliCpus > 0) open.Add(id);
        open.Sort(StringComparer.Ordinal);
        var waiting = new HashSet<Request>();
        foreach (var job in line)
        {
            if (open.Count == 0) return;
            if (waiting.Contains(job.Request)) continue;
            if (Placement.Find(job.Request, [.. open.Select(id => nodes[id])]) is { } allocation)
            {
                hold(new(job, allocation));
                open.RemoveAll(id => nodes[id].FreeMilliCpus == 0);
                continue;
            }
            waiting.Add(job.Request);
            // A gang that even all nodes together could never carry waits for nobody's nodes.
            if (nodes.Values.Count(use => Placement.CouldFit(job.Request, use.Node)) < job.Request.Nodes) continue;
            open.RemoveAll(id => Placement.CouldFit(job.Request, nodes[id].Node));
        }
    }
}
