using Puces.Core.Contract;
using Puces.Core.Engine;
using Puces.Core.Jobs;

namespace Puces.Server.Control;

/// <summary>
/// Foresees for readers what comes of the line, when one asks, and not more often than a twentieth of its time allows. Beside it, how good
/// that was: kept in memory, and begun anew with the daemon.
/// </summary>
public sealed class Outlook(TimeProvider clock)
{
    /// <summary>A line up to here is foreseen anew for each view.</summary>
    private const int Short = 100;
    /// <summary>A line from here is foreseen beside those who ask: they are shown the last, up to a minute old, or a first glance.</summary>
    private const int Long = 2000;
    private static readonly TimeSpan Fresh = TimeSpan.FromSeconds(5), Stale = TimeSpan.FromMinutes(1);

    private readonly Lock _making = new();
    private readonly EstimateTrack _track = new();
    private volatile Made? _last;
    private volatile Made? _shown;
    private int _isMaking;

    /// <param name="At">A time stamp.</param>
    private sealed record Made(View View, Forecast Forecast, long At, TimeSpan Cost);

    /// <summary>A pool that has a line of its own, as it was last seen; null for others.</summary>
    internal Func<string, PoolSeen?> Pool { get; set; } = _ => null;

    public DateTimeOffset Now => clock.GetUtcNow();

    /// <summary>How good estimates were lately; null before there is any.</summary>
    public EstimateRecord? Record => _track.Show();

    public Forecast Of(View view)
    {
        if (view.WaitingCount == 0) return Forecast.Empty;
        if (Known(view) is { } known) return known;
        if (view.WaitingCount > Long && _last is { } last && clock.GetElapsedTime(last.At) < Stale)
        {
            if (Interlocked.Exchange(ref _isMaking, 1) == 0) _ = Task.Run(() => MakeBeside(view));
            return Shown(view, last);
        }
        lock (_making) return Known(view) ?? Make(view, view.WaitingCount > Long ? ForecastBounds.Near : ForecastBounds.Default);
    }

    /// <summary>Told of what is stored, to see which estimates held.</summary>
    internal void Note(Outcome outcome)
    {
        foreach (var change in outcome.Changes)
            if (change is Change.JobSet { Job: var job }) _track.Note(job);
    }

    private Forecast? Known(View view)
    {
        if (_last is not { } last) return null;
        var age = clock.GetElapsedTime(last.At);
        var patience = view.WaitingCount <= Short ? TimeSpan.Zero : 20 * last.Cost;
        if (view.WaitingCount > Long && patience < TimeSpan.FromSeconds(1)) patience = TimeSpan.FromSeconds(1);
        if (ReferenceEquals(last.View, view)) return age < Fresh || age < patience ? last.Forecast : null;
        return age < patience ? Shown(view, last) : null;
    }

    private Forecast Shown(View view, Made last)
    {
        if (ReferenceEquals(last.View, view)) return last.Forecast;
        if (_shown is { } shown && ReferenceEquals(shown.View, view) && shown.At == last.At) return shown.Forecast;
        var patched = last.Forecast.With(
            job => view.Live.TryGetValue(job, out var live) && live.State is JobState.Queued,
            view.Live.Values.Where(j => j.State is JobState.Queued).Select(j => j.Id));
        _shown = last with { View = view, Forecast = patched };
        return patched;
    }

    private Forecast Make(View view, ForecastBounds bounds)
    {
        var began = clock.GetTimestamp();
        var forecast = World.Foresee(view.Live.Values, view.Attempts.Values, [.. view.Pools.Values], view.Nodes.Values, view.Notes, Now, bounds);
        var ended = clock.GetTimestamp();
        // A glance is followed by the whole as soon as somebody asks again.
        _last = new(view, forecast, ended, bounds == ForecastBounds.Near ? TimeSpan.Zero : clock.GetElapsedTime(began, ended));
        _track.Give(forecast);
        return forecast;
    }

    private void MakeBeside(View view)
    {
        try
        {
            lock (_making) Make(view, ForecastBounds.Default);
        }
        finally
        {
            Volatile.Write(ref _isMaking, 0);
        }
    }
}
