namespace Puces.Core.Replay;

/// <summary>What the policies of one trace on one pool are measured against: worked out once for all of them.</summary>
/// <param name="BoundMeanJct">No schedule has a smaller mean job completion time.</param>
/// <param name="Projects">How each would fare alone.</param>
public sealed record ReplayBaseline(TimeSpan BoundMeanJct, IReadOnlyList<ProjectAlone> Projects)
{
    public static ReplayBaseline Of(IReadOnlyList<TraceJob> jobs, IReadOnlyList<NodeGroup> nodes)
    {
        var bound = LowerBound.MeanJct(jobs, nodes.Sum(n => n.Nodes * n.Devices));
        var ofProject = new SortedDictionary<string, List<int>>(StringComparer.Ordinal);
        for (var i = 0; i < jobs.Count; i++)
        {
            if (!ofProject.TryGetValue(jobs[i].Project, out var own)) ofProject.Add(jobs[i].Project, own = []);
            own.Add(i);
        }
        return new(bound, [.. ofProject.Select(p => Alone(p.Key, p.Value, jobs, nodes, Share(jobs, p.Value, nodes, ofProject.Count)))]);
    }

    /// <summary>
    /// Finish-time fairness ρ (Mahajan et al., Themis, NSDI'20) of the worst project: its jobs' mean completion time shared, over that on its equal
    /// share of the pool alone. At most 1: nobody would be better off with a share of their own.
    /// </summary>
    public double WorstFinishTimeFairness(IReadOnlyList<TraceJob> jobs, IReadOnlyList<TimeSpan> ends)
    {
        var worst = 0.0;
        foreach (var project in Projects)
            if (project.MeanJct > TimeSpan.Zero) worst = Math.Max(worst, MeanJct(jobs, ends, project.Jobs) / project.MeanJct);
        return worst;
    }

    internal static TimeSpan MeanJct(IReadOnlyList<TraceJob> jobs, IReadOnlyList<TimeSpan> ends, IReadOnlyList<int> which)
    {
        Int128 sum = 0;
        foreach (var i in which) sum += (ends[i] - (jobs[i].Submitted - jobs[0].Submitted)).Ticks;
        return new((long)(sum / Math.Max(1, which.Count)));
    }

    private static ProjectAlone Alone(string project, List<int> which, IReadOnlyList<TraceJob> jobs, IReadOnlyList<NodeGroup> nodes, NodeGroup[] share)
    {
        TraceJob[] own = [.. which.Select(i => jobs[i])];
        // Equal parts of a pool of unlike nodes may lack what a job needs: then it has all of them.
        if (Replays.Possible(own, share, out _, out _).Count < own.Length) share = [.. nodes];
        var told = Replays.Run("fifo", own, share, new());
        return new(project, which, MeanJct(own, told.Ends, [.. Enumerable.Range(0, own.Length)]));
    }

    /// <summary>One of so many equal shares in whole nodes, rounded up, and grown until the largest gang of each kind fits.</summary>
    private static NodeGroup[] Share(IReadOnlyList<TraceJob> jobs, List<int> which, IReadOnlyList<NodeGroup> nodes, int projects)
    {
        NodeGroup[] share = [.. nodes.Select(n => n with { Nodes = (n.Nodes + projects - 1) / projects })];
        foreach (var (accelerator, largest) in which.GroupBy(i => jobs[i].Accelerator, i => jobs[i].MilliGpus, (key, all) => (key, all.Max())))
        {
            for (var i = 0; i < share.Length && Held(accelerator) < largest; i++)
            {
                if (!share[i].Takes(accelerator) || share[i].Devices == 0) continue;
                var missing = (largest - Held(accelerator) + 1000 * share[i].Devices - 1) / (1000 * share[i].Devices);
                share[i] = share[i] with { Nodes = (int)Math.Min(nodes[i].Nodes, share[i].Nodes + missing) };
            }
        }
        return share;

        long Held(string accelerator) => share.Where(n => n.Takes(accelerator)).Sum(n => 1000L * n.Nodes * n.Devices);
    }
}

/// <summary>How a project would fare alone.</summary>
/// <param name="Jobs">Where its jobs stand in the trace.</param>
/// <param name="MeanJct">Under FIFO on an equal share of the nodes, in whole nodes and at least enough for its largest gang.</param>
public sealed record ProjectAlone(string Project, IReadOnlyList<int> Jobs, TimeSpan MeanJct);
