using Puces.Core.Jobs;

namespace Puces.Core.Engine;

/// <summary>The line, and when those in it are likely to start: what the scheduler would do if all ran as long as their kind does.</summary>
public sealed class Forecast
{
    private readonly Dictionary<JobId, int> _positions;
    private readonly IReadOnlyDictionary<JobId, Estimate> _estimates;

    public static readonly Forecast Empty = new(default, [], new Dictionary<JobId, Estimate>());

    private readonly IReadOnlyDictionary<JobId, TimeSpan> _stays;

    internal Forecast(DateTimeOffset at, IReadOnlyList<JobId> line, IReadOnlyDictionary<JobId, Estimate> estimates, IReadOnlyDictionary<JobId, TimeSpan>? stays = null)
    {
        (At, Line, _estimates, _stays, _positions) = (at, line, estimates, stays ?? new Dictionary<JobId, TimeSpan>(), new(line.Count));
        for (var i = 0; i < line.Count; i++) _positions[line[i]] = i + 1;
    }

    /// <summary>When it was made.</summary>
    public DateTimeOffset At { get; }

    /// <summary>Everybody who waits, in order; those that are held back after a failure come last.</summary>
    public IReadOnlyList<JobId> Line { get; }

    /// <summary>Its place in the line, from 1; zero where it is not in it.</summary>
    public int PositionOf(JobId job) => _positions.GetValueOrDefault(job);

    /// <summary>When it is likely to start; null where nobody can say, such as for one that no node could carry.</summary>
    public Estimate? EstimateOf(JobId job) => _estimates.GetValueOrDefault(job);

    /// <summary>How long a node must stay open for it to start there; zero where no node closes.</summary>
    public TimeSpan StayOf(JobId job) => _stays.GetValueOrDefault(job);

    /// <summary>The same for others who wait now: who has left is left out, who has come since stands at the end.</summary>
    public Forecast With(Func<JobId, bool> isWaiting, IEnumerable<JobId> waiting)
    {
        var line = Line.Where(isWaiting).ToList();
        line.AddRange(waiting.Where(job => PositionOf(job) == 0));
        return new(At, line, _estimates, _stays);
    }
}

/// <summary>When a job is likely to start.</summary>
/// <param name="From">Not before that, if all before it end early: at a quarter of what their kind takes; the end of the forecast where it starts later than that.</param>
/// <param name="To">By then, if all before it end late; null where that is later than the forecast goes.</param>
/// <param name="Expected">If all before it take as long as half of their kind; null where that is later than the forecast goes.</param>
public sealed record Estimate(DateTimeOffset From, DateTimeOffset? To = null, DateTimeOffset? Expected = null);

/// <summary>How much work a forecast may be.</summary>
/// <param name="Starts">Jobs that are followed to their start.</param>
/// <param name="Looks">Nodes and kinds of waiting jobs that are looked at, each time somebody starts or ends.</param>
/// <param name="Horizon">How far it goes.</param>
public sealed record ForecastBounds(int Starts, int Looks, TimeSpan Horizon)
{
    public static readonly ForecastBounds Default = new(1000, 100_000, TimeSpan.FromDays(30));

    /// <summary>A first glance at a long line: the order, and what is near.</summary>
    public static readonly ForecastBounds Near = new(100, 5_000, TimeSpan.FromDays(1));
}
