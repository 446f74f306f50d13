namespace Puces.Core.Replay;

/// <summary>
/// The plainest replay: one kind of node, the first job of the line that does not fit holds up all behind it. Up to a node's devices on the
/// node that has the fewest left over; beyond that whole idle nodes, and the rest on the next freest.
/// </summary>
internal static class HeadOfLine
{
    public static Replayed Run(IReadOnlyList<TraceJob> jobs, IReadOnlyList<NodeGroup> nodes, string policy, ReplayCosts costs, Action<int>? progress)
    {
        var (devices, first) = (nodes[0].Devices, jobs.Count == 0 ? default : jobs[0].Submitted);
        var free = new int[nodes.Sum(n => n.Nodes)];
        Array.Fill(free, devices);
        var line = new PriorityQueue<int, (long, int)>();
        var running = new PriorityQueue<int, (long, int)>();
        var placed = new List<(int Node, int Gpus)>?[jobs.Count];
        var (starts, ends, use) = (new TimeSpan[jobs.Count], new TimeSpan[jobs.Count], new UseCurve());
        var (next, held, wanted, ended, used) = (0, 0, 0, 0, 0L);
        while (next < jobs.Count || running.Count > 0)
        {
            var now = next < jobs.Count ? (jobs[next].Submitted - first).Ticks : long.MaxValue;
            if (running.TryPeek(out _, out var soonest)) now = Math.Min(now, soonest.Item1);
            while (running.TryPeek(out var over, out var at) && at.Item1 == now)
            {
                running.Dequeue();
                foreach (var (node, gpus) in placed[over]!) free[node] += gpus;
                held -= Gpus(over);
                if ((++ended & 1023) == 0) progress?.Invoke(ended);
            }
            for (; next < jobs.Count && (jobs[next].Submitted - first).Ticks == now; next++)
            {
                line.Enqueue(next, (Rank(next), next));
                wanted += Gpus(next);
            }
            while (line.TryPeek(out var job, out _) && Place(Gpus(job)) is { } place)
            {
                line.Dequeue();
                placed[job] = place;
                foreach (var (node, gpus) in place) free[node] -= gpus;
                var took = jobs[job].Duration!.Value + costs.Overhead;
                (starts[job], ends[job]) = (new(now), new TimeSpan(now) + took);
                (held, wanted, used) = (held + Gpus(job), wanted - Gpus(job), used + took.Ticks * Gpus(job));
                running.Enqueue(job, (ends[job].Ticks, job));
            }
            use.Add(new(new(now), held, wanted));
        }
        return new(policy, free.Length * devices, starts, ends, use.Points, 0, costs.Overhead * jobs.Sum(j => j.MilliGpus / 1000), new(used), 0, TimeSpan.Zero);

        int Gpus(int job) => jobs[job].MilliGpus / 1000;

        long Rank(int job) => policy switch
        {
            "fifo" => jobs[job].Submitted.Ticks,
            "sjf" => jobs[job].Duration!.Value.Ticks,
            _ => jobs[job].Duration!.Value.Ticks * Gpus(job),
        };

        List<(int, int)>? Place(int gpus)
        {
            if (gpus <= devices)
            {
                var best = -1;
                for (var i = 0; i < free.Length; i++)
                    if (free[i] >= gpus && (best < 0 || free[i] < free[best])) best = i;
                return best < 0 ? null : [(best, gpus)];
            }
            var (whole, rest) = Math.DivRem(gpus, devices);
            var order = Enumerable.Range(0, free.Length).Where(i => free[i] > 0).OrderByDescending(i => free[i]).ToList();
            if (order.Count < whole + (rest > 0 ? 1 : 0) || order.Take(whole).Any(i => free[i] < devices) || (rest > 0 && free[order[whole]] < rest)) return null;
            var place = order.Take(whole).Select(i => (i, devices)).ToList();
            if (rest > 0) place.Add((order[whole], rest));
            return place;
        }
    }
}
