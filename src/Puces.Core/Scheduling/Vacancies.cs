using Puces.Core.Fleet;
using Puces.Core.Jobs;

namespace Puces.Core.Scheduling;

/// <summary>What is free, and to whom: what is kept for one that waits is not free to the others.</summary>
/// <param name="nodes">All nodes.</param>
/// <param name="reserving">The waiting jobs that something is kept for.</param>
public sealed class Vacancies(IReadOnlyList<NodeUse> nodes, IReadOnlyList<Job> reserving)
{
    private readonly IReadOnlyList<NodeUse> _toOthers = Without(nodes, reserving);

    public IReadOnlyList<NodeUse> Nodes => nodes;

    /// <summary>What nothing is kept of.</summary>
    public IReadOnlyList<NodeUse> ToAnybody => _toOthers;

    /// <summary>The nodes as a waiting job finds them.</summary>
    public IReadOnlyList<NodeUse> For(Job job) =>
        job.State is JobState.Queued { Reserved: not null } ? Without(nodes, [.. reserving.Where(r => r.Id != job.Id)]) : _toOthers;

    /// <summary>The job without whose reservation another would fit now; null where none stands in its way.</summary>
    public Job? HostOf(Job job)
    {
        if (Placement.Find(job.Request, For(job)) is not null || Placement.Find(job.Request, nodes) is null) return null;
        var others = reserving.Where(r => r.Id != job.Id).ToList();
        return others.Find(r => Placement.Find(job.Request, Without(nodes, [.. others.Where(o => o != r)])) is not null) ?? others[0];
    }

    private static IReadOnlyList<NodeUse> Without(IReadOnlyList<NodeUse> nodes, IReadOnlyList<Job> reserving)
    {
        if (reserving.Count == 0) return nodes;
        var left = nodes.ToDictionary(n => n.Node.Id, StringComparer.Ordinal);
        foreach (var job in reserving)
            foreach (var node in (job.State as JobState.Queued)?.Reserved?.Nodes ?? [])
                if (left.TryGetValue(node, out var use)) left[node] = Less(use, job.Request);
        return [.. nodes.Select(n => left[n.Node.Id])];
    }

    /// <summary>A node without what is kept on it for one part: of the first alternative that it could carry, as much as is free.</summary>
    private static NodeUse Less(NodeUse use, Request request)
    {
        var gpu = request.Gpus.FirstOrDefault(g => g.Share == 0 && Placement.CouldFit(request with { Gpus = [g] }, use.Node));
        var taken = gpu is null ? [] : use.Free.Where(i => Placement.Matching(gpu, use with { Free = [i] }) > 0).Take(gpu.Count).ToHashSet();
        return use with
        {
            Shared = gpu is null ? use.Shared : use.Shared?.Where(s => Placement.Matching(gpu, use with { Free = [s.Index] }) == 0).ToList(),
            Free = taken.Count == 0 ? use.Free : [.. use.Free.Where(i => !taken.Contains(i))],
            FreeMilliCpus = Math.Max(0, use.FreeMilliCpus - Placement.LeastMilliCpus(request, gpu?.Milli ?? 0, use.Node)),
            FreeMemory = request.Memory < use.FreeMemory ? use.FreeMemory - request.Memory : default,
        };
    }
}
