using System.Globalization;
using Puces.Core.Engine;

namespace Puces.Core.Contract;

/// <summary>When a job is likely to start, in words: CLI and pages say the same.</summary>
public static class EstimateText
{
    private static readonly TimeSpan Least = TimeSpan.FromSeconds(50);

    /// <summary>Such as <c>starts in about 20 min (10 min to 1 h)</c>, or <c>starts in 3 h or later</c>.</summary>
    public static string Starts(Estimate estimate, DateTimeOffset now)
    {
        if (estimate.Expected is not { } expected) return $"starts in {About(estimate.From - now)} or later";
        var (from, to) = (About(estimate.From - now), estimate.To is { } last ? About(last - now) : null);
        var range = to is null ? $" ({from} or later)" : from == to ? "" : $" ({from} to {to})";
        return $"starts in {(expected - now < Least ? "" : "about ")}{About(expected - now)}{range}";
    }

    /// <summary>Such as <c>~20m</c>, or <c>&gt;3h</c>: for tables.</summary>
    public static string Brief(Estimate estimate, DateTimeOffset now)
    {
        var about = Rounded((estimate.Expected ?? estimate.From) - now);
        var text = about switch
        {
            { TotalMinutes: < 1 } => "<1m",
            { TotalHours: < 1 } => Text($"{about.Minutes}m"),
            { TotalDays: < 1 } => about.Minutes == 0 ? Text($"{about.Hours}h") : Text($"{about.Hours}h{about.Minutes:00}m"),
            _ => about.Hours == 0 ? Text($"{about.Days}d") : Text($"{about.Days}d{about.Hours}h"),
        };
        return estimate.Expected is null ? text == "<1m" ? ">1m" : ">" + text : text == "<1m" ? text : "~" + text;
    }

    /// <summary>Such as <c>1 min</c>, <c>25 min</c>, <c>1 h 30 min</c>, <c>2 d</c>: no nearer than anybody could know.</summary>
    public static string About(TimeSpan time)
    {
        var about = Rounded(time);
        return about switch
        {
            { TotalMinutes: < 1 } => "less than a minute",
            { TotalHours: < 1 } => Text($"{about.Minutes} min"),
            { TotalDays: < 1 } => about.Minutes == 0 ? Text($"{about.Hours} h") : Text($"{about.Hours} h {about.Minutes} min"),
            _ => about.Hours == 0 ? Text($"{about.Days} d") : Text($"{about.Days} d {about.Hours} h"),
        };
    }

    private static TimeSpan Rounded(TimeSpan time)
    {
        var unit = time switch
        {
            _ when time < Least => TimeSpan.Zero,
            { TotalMinutes: < 10 } => TimeSpan.FromMinutes(1),
            { TotalMinutes: < 58 } => TimeSpan.FromMinutes(5),
            { TotalHours: < 4 } => TimeSpan.FromMinutes(10),
            { TotalHours: < 24 } => TimeSpan.FromMinutes(30),
            { TotalDays: < 3 } => TimeSpan.FromHours(3),
            _ => TimeSpan.FromDays(1),
        };
        return unit == TimeSpan.Zero ? TimeSpan.Zero : new TimeSpan(Math.Max(1, (time.Ticks + unit.Ticks / 2) / unit.Ticks) * unit.Ticks);
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
