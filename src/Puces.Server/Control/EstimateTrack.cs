using System.Collections.Concurrent;
using Puces.Core.Contract;
using Puces.Core.Engine;
using Puces.Core.Jobs;

namespace Puces.Server.Control;

/// <summary>The first estimate that was made for each job, against its true start, over the last starts.</summary>
internal sealed class EstimateTrack
{
    private const int Length = 100;
    // What is shown is rounded to the minute at best.
    private static readonly TimeSpan Slack = TimeSpan.FromMinutes(1);

    private readonly ConcurrentDictionary<JobId, Estimate> _given = new();
    private readonly Queue<(bool Held, TimeSpan Error)> _last = new();

    public void Give(Forecast forecast)
    {
        foreach (var job in forecast.Line)
            if (forecast.EstimateOf(job) is { Expected: not null } estimate) _given.TryAdd(job, estimate);
    }

    /// <summary>A job is now as it is here.</summary>
    public void Note(Job job)
    {
        if (job.State is JobState.Queued || !_given.TryRemove(job.Id, out var estimate)) return;
        if (job is not { State: JobState.Starting { Since: var at }, Attempts: 1 }) return;
        lock (_last)
        {
            if (_last.Count == Length) _last.Dequeue();
            _last.Enqueue((at >= estimate.From - Slack && (estimate.To is not { } to || at <= to + Slack), (at - estimate.Expected!.Value).Duration()));
        }
    }

    public EstimateRecord? Show()
    {
        lock (_last)
        {
            if (_last.Count == 0) return null;
            var errors = _last.Select(l => l.Error).Order().ToArray();
            return new(errors.Length, _last.Count(l => l.Held), Math.Round(errors[errors.Length / 2].TotalSeconds));
        }
    }
}
