using Puces.Core.Scheduling;

namespace Puces.Core.Replay;

/// <summary>Which engine replays which policy.</summary>
public static class Replays
{
    public const string PreemptiveSrtf = "preemptive-srtf";
    public const string PreemptiveSrsf = "preemptive-srsf";

    /// <summary>All policies that can be replayed.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. Policies.Names, PreemptiveSrtf, PreemptiveSrsf];

    /// <summary>The one by which the daemon decides.</summary>
    public const string Live = "puces";

    /// <summary>Those that are compared where nobody says which.</summary>
    public static IReadOnlyList<string> Usual { get; } = ["fifo", Live];

    /// <summary>Why the policy cannot replay these jobs on these nodes; null where it can.</summary>
    public static string? Mistake(string policy, IReadOnlyList<TraceJob> jobs, IReadOnlyList<NodeGroup> nodes)
    {
        if (!Names.Contains(policy)) return $"there is no policy '{policy}'; there are {string.Join(", ", Names)}";
        if (policy is not (PreemptiveSrtf or PreemptiveSrsf)) return null;
        if (nodes.Any(n => n.Devices != nodes[0].Devices)) return $"{policy} is a reference for nodes with equally many devices; leave it out, or give one kind of node";
        if (jobs.FirstOrDefault(j => j.MilliGpus % 1000 != 0) is { } part) return $"{policy} is a reference for whole devices; job {part.Id} asks for a part of one";
        if (jobs.FirstOrDefault(j => j.MilliGpus == 0) is { } none) return $"{policy} is a reference for devices; job {none.Id} asks for none";
        if (nodes[0].Devices == 0) return $"{policy} is a reference for devices; these nodes have none";
        return null;
    }

    /// <param name="jobs">In the order of <see cref="Trace.Read"/>, each with a duration and none beyond the pool: see <see cref="Possible"/>.</param>
    /// <param name="progress">Hears how many jobs have ended; may throw to stop.</param>
    public static Replayed Run(string policy, IReadOnlyList<TraceJob> jobs, IReadOnlyList<NodeGroup> nodes, ReplayCosts costs, Action<int>? progress = null) => policy switch
    {
        PreemptiveSrtf or PreemptiveSrsf => RunRepack(policy, [.. jobs.Select(AsRepack)], nodes, progress),
        _ => Replayer.Run(jobs, nodes, Policies.Find(policy)!, costs, progress),
    };

    /// <summary>The preemptive reference under the rules of Muri's simulator, or our own without overheads.</summary>
    public static Replayed RunRepack(string policy, IReadOnlyList<RepackJob> jobs, IReadOnlyList<NodeGroup> nodes, Action<int>? progress = null)
    {
        var first = jobs.Count == 0 ? 0 : jobs[0].Submitted;
        var told = Repack.Run(jobs, nodes.Sum(n => n.Nodes), nodes[0].Devices, policy == PreemptiveSrsf, progress);
        return new(
            policy, nodes.Sum(n => n.Nodes * n.Devices), [.. told.Starts.Select(s => Seconds.Time(s - first))], [.. told.Ends.Select(s => Seconds.Time(s - first))],
            [.. told.Use.Select(u => u with { At = u.At - Seconds.Time(first) })], told.Preemptions, Seconds.Time(told.DeviceSecondsLost), Seconds.Time(told.DeviceSeconds),
            told.Fragmentation, TimeSpan.Zero);
    }

    /// <summary>The jobs that can be replayed on these nodes: with a known duration, and asking for no more than there is of what they accept.</summary>
    public static IReadOnlyList<TraceJob> Possible(IReadOnlyList<TraceJob> jobs, IReadOnlyList<NodeGroup> nodes, out int withoutDuration, out int tooLarge)
    {
        var pool = new ReplayPool(nodes);
        var possible = new List<TraceJob>(jobs.Count);
        (withoutDuration, tooLarge) = (0, 0);
        foreach (var job in jobs)
        {
            if (job.Duration is null) withoutDuration++;
            else if (!pool.CouldCarry(pool.ShapeOf(job))) tooLarge++;
            else possible.Add(job);
        }
        return possible.Count == jobs.Count ? jobs : possible;
    }

    private static RepackJob AsRepack(TraceJob job) =>
        new((double)job.Submitted.Ticks / TimeSpan.TicksPerSecond, job.MilliGpus / 1000, (double)job.Duration!.Value.Ticks / TimeSpan.TicksPerSecond, 1);
}
