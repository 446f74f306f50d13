using System.Text.Json.Serialization;

namespace Puces.Core.Replay;

/// <summary>
/// One policy's replay in figures. A job's completion time (JCT) goes from its submission to its end; its wait is all of that but its own duration, so
/// that stops, moves and overheads count. The percentile p of n values is the value at index ⌊p·n⌋ of the sorted list, at most the last.
/// </summary>
/// <param name="Policy">The policy's name.</param>
/// <param name="Jobs">Jobs replayed.</param>
/// <param name="MeanJct">Mean completion time.</param>
/// <param name="P50Jct">Median completion time.</param>
/// <param name="P99Jct">99th percentile of the completion times.</param>
/// <param name="MeanWait">Mean wait.</param>
/// <param name="P50Wait">Median wait.</param>
/// <param name="P90Wait">90th percentile of the waits.</param>
/// <param name="P99Wait">99th percentile of the waits.</param>
/// <param name="P999Wait">99.9th percentile of the waits.</param>
/// <param name="Makespan">From the first submission to the last end.</param>
/// <param name="Utilisation">Share of the pool's device time, over the makespan, that jobs held; 0 to 1.</param>
/// <param name="Fragmentation">Mean share of the free devices that the first waiting job could not use, while one waited; 0 to 1.</param>
/// <param name="WorstProjectFtf">Finish-time fairness of the worst project: see <see cref="ReplayBaseline.WorstFinishTimeFairness"/>.</param>
/// <param name="Preemptions">Attempts stopped for another job, or because a node closed.</param>
/// <param name="WorkLost">Device time spent on checkpoints, moves and restarts.</param>
/// <param name="BoundMeanJct">No schedule has a smaller mean completion time: see <see cref="LowerBound.MeanJct"/>.</param>
/// <param name="Cpu">CPU time that the replay took.</param>
/// <param name="PredictedMeanWait">The mean wait to expect with other nodes than those that there are: see <see cref="Forecast"/>; null where none are tried.</param>
/// <param name="Error">Its error bar, 0.1 for ten per cent; null where there is none.</param>
public sealed record ReplaySummary(
    string Policy,
    int Jobs,
    [property: JsonPropertyName("mean_jct_s")] TimeSpan MeanJct,
    [property: JsonPropertyName("p50_jct_s")] TimeSpan P50Jct,
    [property: JsonPropertyName("p99_jct_s")] TimeSpan P99Jct,
    [property: JsonPropertyName("mean_wait_s")] TimeSpan MeanWait,
    [property: JsonPropertyName("p50_wait_s")] TimeSpan P50Wait,
    [property: JsonPropertyName("p90_wait_s")] TimeSpan P90Wait,
    [property: JsonPropertyName("p99_wait_s")] TimeSpan P99Wait,
    [property: JsonPropertyName("p999_wait_s")] TimeSpan P999Wait,
    [property: JsonPropertyName("makespan_s")] TimeSpan Makespan,
    double Utilisation,
    double Fragmentation,
    [property: JsonPropertyName("worst_project_ftf")] double WorstProjectFtf,
    int Preemptions,
    [property: JsonPropertyName("work_lost_device_s")] TimeSpan WorkLost,
    [property: JsonPropertyName("bound_mean_jct_s")] TimeSpan BoundMeanJct,
    [property: JsonPropertyName("cpu_s")] TimeSpan Cpu,
    [property: JsonPropertyName("predicted_mean_wait_s"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] TimeSpan? PredictedMeanWait = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] double? Error = null)
{
    /// <param name="jobs">The jobs that were replayed, in their order.</param>
    public static ReplaySummary Of(Replayed told, IReadOnlyList<TraceJob> jobs, ReplayBaseline baseline)
    {
        var completions = Completions(told, jobs);
        var waits = Waits(told, jobs);
        var (meanJct, meanWait) = (Mean(completions), Mean(waits));
        Array.Sort(completions);
        Array.Sort(waits);
        var makespan = told.Ends.Count == 0 ? TimeSpan.Zero : told.Ends.Max();
        var offered = (double)makespan.Ticks * told.Devices;
        return new(
            told.Policy, jobs.Count, meanJct, At(completions, 500), At(completions, 990), meanWait, At(waits, 500), At(waits, 900), At(waits, 990), At(waits, 999), makespan,
            offered > 0 ? told.DeviceTime.Ticks / offered : 0, told.Fragmentation, baseline.WorstFinishTimeFairness(jobs, told.Ends), told.Preemptions, told.WorkLost,
            baseline.BoundMeanJct, told.Cpu);
    }

    /// <summary>Completion times, in the order of the trace.</summary>
    public static TimeSpan[] Completions(Replayed told, IReadOnlyList<TraceJob> jobs)
    {
        var times = new TimeSpan[jobs.Count];
        for (var i = 0; i < times.Length; i++) times[i] = told.Ends[i] - (jobs[i].Submitted - jobs[0].Submitted);
        return times;
    }

    /// <summary>Waits, in the order of the trace.</summary>
    public static TimeSpan[] Waits(Replayed told, IReadOnlyList<TraceJob> jobs)
    {
        var times = Completions(told, jobs);
        for (var i = 0; i < times.Length; i++) times[i] -= jobs[i].Duration ?? TimeSpan.Zero;
        return times;
    }

    /// <summary>The value at ⌊n·<paramref name="perMille"/>/1000⌋ of a sorted list, at most the last; zero of none.</summary>
    public static TimeSpan At(TimeSpan[] sorted, int perMille) =>
        sorted.Length == 0 ? TimeSpan.Zero : sorted[Math.Min((int)((long)sorted.Length * perMille / 1000), sorted.Length - 1)];

    private static TimeSpan Mean(TimeSpan[] times)
    {
        Int128 sum = 0;
        foreach (var time in times) sum += time.Ticks;
        return new((long)(sum / Math.Max(1, times.Length)));
    }
}
