namespace Puces.Core.Replay;

/// <summary>Turns moments into times since the first of them, which may come late.</summary>
internal sealed class Clock
{
    private DateTime? _origin;

    /// <summary>Since the first that was read: earlier ones are below zero until <see cref="StartAtFirst"/>.</summary>
    public TimeSpan Read(DateTime moment) => moment - (_origin ??= moment);

    public static void StartAtFirst(List<TraceJob> jobs)
    {
        if (jobs.Count == 0) return;
        var first = jobs.Min(j => j.Submitted);
        if (first == TimeSpan.Zero) return;
        for (var i = 0; i < jobs.Count; i++) jobs[i] = jobs[i] with { Submitted = jobs[i].Submitted - first };
    }
}
