namespace Puces.Core.Replay;

/// <summary>What no schedule on so many devices can be better than.</summary>
public static class LowerBound
{
    /// <summary>
    /// Of the mean job completion time. Every job takes its duration; and if jobs could be cut over all devices at will, shortest remaining work
    /// first would be the best order (Schrage 1968). In any schedule the k-th job to end ends no earlier than the k-th of either.
    /// </summary>
    public static TimeSpan MeanJct(IReadOnlyList<TraceJob> jobs, int devices)
    {
        if (jobs.Count == 0) return TimeSpan.Zero;
        var submits = new double[jobs.Count];
        var alone = new double[jobs.Count];
        var first = jobs[0].Submitted;
        for (var i = 0; i < jobs.Count; i++)
        {
            submits[i] = (double)(jobs[i].Submitted - first).Ticks / TimeSpan.TicksPerSecond;
            alone[i] = submits[i] + Duration(i);
        }
        var cut = Cut();
        Array.Sort(cut);
        Array.Sort(alone);
        var sum = 0.0;
        for (var i = 0; i < jobs.Count; i++) sum += Math.Max(cut[i], alone[i]);
        return Seconds.Time((sum - submits.Sum()) / jobs.Count);

        double Duration(int job) => (double)jobs[job].Duration!.Value.Ticks / TimeSpan.TicksPerSecond;

        // When each job ends, in the order they end, where all devices work on the one with the least left.
        double[] Cut()
        {
            var ends = new double[jobs.Count];
            var left = new PriorityQueue<int, (double, int)>();
            var (next, ended, now) = (0, 0, 0.0);
            while (ended < jobs.Count)
            {
                if (left.Count == 0) now = Math.Max(now, submits[next]);
                for (; next < jobs.Count && submits[next] <= now; next++) left.Enqueue(next, (Duration(next) * (jobs[next].MilliGpus / 1000.0) / Math.Max(1, devices), next));
                left.TryPeek(out var job, out var least);
                var arrival = next < jobs.Count ? submits[next] : double.PositiveInfinity;
                if (now + least.Item1 <= arrival)
                {
                    now += least.Item1;
                    left.Dequeue();
                    ends[ended++] = now;
                }
                else
                {
                    left.DequeueEnqueue(job, (least.Item1 - (arrival - now), job));
                    now = arrival;
                }
            }
            return ends;
        }
    }
}
