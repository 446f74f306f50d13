namespace Puces.Core.Replay;

/// <summary>The mean wait to expect with other nodes than those that there are, with an error bar.</summary>
/// <param name="MeanWait">What was waited on the nodes that there are, times the change that the others make in a replay of all jobs.</param>
/// <param name="Error">
/// How far the same was off when it was foretold from the first half of the time and checked on the second: 0.1 is ten per cent. Null where
/// a half has too little waiting to say.
/// </param>
public sealed record Forecast(TimeSpan MeanWait, double? Error)
{
    /// <summary>A half in which nobody waited says nothing of a change.</summary>
    private static readonly TimeSpan LeastWait = TimeSpan.FromSeconds(1);

    /// <param name="run">Replays jobs on nodes.</param>
    /// <param name="before">The nodes that there are.</param>
    /// <param name="after">Those that there might be.</param>
    /// <param name="told">The replay of all jobs on <paramref name="after"/>.</param>
    /// <param name="isAsRecorded">The policy is the one under which the jobs ran: what they waited then is what was waited.</param>
    public static Forecast Of(
        Func<IReadOnlyList<TraceJob>, IReadOnlyList<NodeGroup>, Replayed> run, IReadOnlyList<TraceJob> jobs, IReadOnlyList<NodeGroup> before,
        IReadOnlyList<NodeGroup> after, Replayed told, bool isAsRecorded)
    {
        var all = Change.Of(jobs, run(jobs, before), told, isAsRecorded);
        var middle = jobs[0].Submitted + (jobs[^1].Submitted - jobs[0].Submitted) / 2;
        TraceJob[] first = [.. jobs.TakeWhile(j => j.Submitted < middle)], second = [.. jobs.Skip(first.Length)];
        double? error = null;
        if (first.Length > 0)
        {
            var (learned, seen) = (Half(first), Half(second));
            if (learned.Now >= LeastWait && seen.Now >= LeastWait && seen.Factor > 0) error = Math.Abs(learned.Factor / seen.Factor - 1);
        }
        return new(all.Now > TimeSpan.Zero ? all.Now * all.Factor : all.Then, error);

        Change Half(TraceJob[] half) => Change.Of(half, run(half, before), run(half, after), isAsRecorded);
    }

    /// <summary>Mean waits of the same jobs: as it was, replayed on the nodes that there are, replayed on others.</summary>
    private readonly record struct Change(TimeSpan Waited, TimeSpan Now, TimeSpan Then)
    {
        // How far the replay is from what was, and what the other nodes change.
        public double Factor => Waited / Now * (Then / Now);

        public static Change Of(IReadOnlyList<TraceJob> jobs, Replayed before, Replayed after, bool isAsRecorded)
        {
            var (now, then) = (Mean(ReplaySummary.Waits(before, jobs)), Mean(ReplaySummary.Waits(after, jobs)));
            return new(isAsRecorded && jobs.All(j => j.Waited is not null) ? Mean([.. jobs.Select(j => j.Waited!.Value)]) : now, now, then);
        }

        private static TimeSpan Mean(TimeSpan[] waits) => new((long)waits.Average(w => (double)w.Ticks));
    }
}
