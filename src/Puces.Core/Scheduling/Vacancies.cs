using Puces.Core.Fleet;
using Puces.Core.Jobs;

namespace Puces.Core.Scheduling;

/// <summary>What is free, and to whom: what is kept for one that waits is not free to the others.</summary>
/// <param name="nodes">All nodes.</param>
/// <param name="reserving">The waiting jobs that something is kept for.</param>
/// <param name="until">When a job would be done with a node if it started now, or could leave it: one that closes before is not for it.</param>
public sealed class Vacancies(IReadOnlyList<NodeUse> nodes, IReadOnlyList<Job> reserving, Func<Job, DateTimeOffset>? until = null)
{
    /// <summary>Some node closes sometime: what is free then differs from job to job.</summary>
    public bool IsAnyClosing { get; } = until is not null && nodes.Any(n => n.Closes is not null);

    private readonly IReadOnlyList<NodeUse> _toOthers = Without(nodes, reserving);

    public IReadOnlyList<NodeUse> Nodes => nodes;

    /// <summary>What nothing is kept of.</summary>
    public IReadOnlyList<NodeUse> ToAnybody => _toOthers;

    /// <summary>The nodes as a waiting job finds them.</summary>
    public IReadOnlyList<NodeUse> For(Job job) => Lasting(job, FreeTo(job));

    /// <summary>A node on which a job would fit now, were it not that it closes too soon; null for none.</summary>
    public NodeUse? ClosingOn(Job job)
    {
        if (!IsAnyClosing || Placement.Find(job.Request, FreeTo(job)) is not { } there || Placement.Find(job.Request, For(job)) is not null) return null;
        return nodes.First(n => n.Closes?.From < until!(job) && there.Shares.Any(s => s.Node == n.Node.Id));
    }

    /// <summary>What closes too soon for a job is closed to it.</summary>
    private IReadOnlyList<NodeUse> Lasting(Job job, IReadOnlyList<NodeUse> uses)
    {
        if (!IsAnyClosing) return uses;
        var end = until!(job);
        return [.. uses.Select(u => u.Closed is null && u.Closes?.From < end ? u with { Closed = u.Closes } : u)];
    }

    private IReadOnlyList<NodeUse> FreeTo(Job job) =>
        job.State is JobState.Queued { Reserved: not null } ? Without(nodes, [.. reserving.Where(r => r.Id != job.Id)]) : _toOthers;

    /// <summary>The job without whose reservation another would fit now; null where none stands in its way.</summary>
    public Job? HostOf(Job job)
    {
        var all = Lasting(job, nodes);
        if (Placement.Find(job.Request, For(job)) is not null || Placement.Find(job.Request, all) is null) return null;
        var others = reserving.Where(r => r.Id != job.Id).ToList();
        return others.Find(r => Placement.Find(job.Request, Without(all, [.. others.Where(o => o != r)])) is not null) ?? others[0];
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

    // Which of its shared devices it will be is not stored: most likely that of which most is left.
    private static IReadOnlyList<SharedDevice>? LessOf(NodeUse use, GpuRequest gpu)
    {
        var kept = use.Shared?.Where(s => Placement.Matching(gpu, use with { Free = [s.Index] }) > 0).OrderByDescending(s => s.Left).ThenBy(s => s.Index).Take(1).ToList();
        return kept is [var most] ? [.. use.Shared!.Where(s => s != most)] : use.Shared;
    }

    /// <summary>A node without what is kept on it for one part: of the first alternative that it could carry, as much as is free.</summary>
    private static NodeUse Less(NodeUse use, Request request)
    {
        var gpu = request.Gpus.FirstOrDefault(g => Placement.CouldFit(request with { Gpus = [g] }, use.Node));
        var taken = gpu is null || gpu.Share > 0 ? [] : use.Free.Where(i => Placement.Matching(gpu, use with { Free = [i] }) > 0).Take(gpu.Count).ToHashSet();
        return use with
        {
            Shared = gpu is null ? use.Shared : gpu.Share > 0 ? LessOf(use, gpu)
                : use.Shared?.Where(s => Placement.Matching(gpu, use with { Free = [s.Index] }) == 0).ToList(),
            Free = taken.Count == 0 ? use.Free : [.. use.Free.Where(i => !taken.Contains(i))],
            FreeMilliCpus = Math.Max(0, use.FreeMilliCpus - Placement.LeastMilliCpus(request, gpu?.Milli ?? 0, use.Node)),
            FreeMemory = request.Memory < use.FreeMemory ? use.FreeMemory - request.Memory : default,
        };
    }
}
