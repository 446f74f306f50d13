using System.Globalization;

namespace Puces.Core.Replay;

/// <summary>One axis of a chart: what it measures, from where to where, and where its marks are.</summary>
internal sealed record ReportAxis(string Label, double Least, double Most, bool IsLog, IReadOnlyList<(double At, string Text)> Marks)
{
    private const double Day = 86_400;

    private static readonly (double At, string Text)[] Times =
    [
        (1, "1 s"), (10, "10 s"), (60, "1 min"), (600, "10 min"), (3600, "1 h"), (6 * 3600, "6 h"), (Day, "1 d"), (7 * Day, "1 wk"), (30 * Day, "30 d"), (365 * Day, "1 yr"),
    ];

    private static readonly (double Step, double Unit, string Text)[] TimeSteps =
    [
        (60, 60, "min"), (300, 60, "min"), (600, 60, "min"), (1800, 60, "min"), (3600, 3600, "h"), (2 * 3600, 3600, "h"), (6 * 3600, 3600, "h"), (12 * 3600, 3600, "h"), (Day, Day, "d"), (2 * Day, Day, "d"),
        (5 * Day, Day, "d"), (10 * Day, Day, "d"), (20 * Day, Day, "d"), (50 * Day, Day, "d"), (100 * Day, Day, "d"), (200 * Day, Day, "d"), (500 * Day, Day, "d"), (2000 * Day, Day, "d"),
    ];

    /// <summary>Where the value stands, from 0 to 1.</summary>
    public double Place(double value) => IsLog
        ? Math.Clamp((Math.Log(Math.Max(value, Least)) - Math.Log(Least)) / (Math.Log(Most) - Math.Log(Least)), 0, 1)
        : Math.Clamp((value - Least) / (Most - Least), 0, 1);

    /// <summary>The value at such a place.</summary>
    public double Value(double place) => IsLog ? Least * Math.Pow(Most / Least, place) : Least + (Most - Least) * place;

    /// <summary>From one second, or the last mark below <paramref name="least"/>, to <paramref name="most"/>.</summary>
    public static ReportAxis LogTime(string label, double least, double most)
    {
        var begin = Times.LastOrDefault(t => t.At <= Math.Max(least, 1), Times[0]).At;
        var end = Math.Max(most, begin * 10);
        return new(label, begin, end, true, [.. Times.Where(t => t.At >= begin && t.At <= end)]);
    }

    public static ReportAxis Time(string label, double most)
    {
        var end = Math.Max(most, 60);
        var step = TimeSteps.FirstOrDefault(s => end / s.Step <= 9, TimeSteps[^1]);
        return new(label, 0, end, false, [.. Enumerable.Range(0, (int)(end / step.Step) + 1).Select(i => (i * step.Step, Text(i * step.Step / step.Unit) + " " + step.Text))]);
    }

    public static ReportAxis Count(string label, double most)
    {
        var end = Math.Max(most, 1);
        var power = Math.Pow(10, Math.Floor(Math.Log10(end)) - 1);
        var step = ((double[])[power, 2 * power, 5 * power, 10 * power]).First(s => s == 10 * power || end / s <= 6);
        if (end / step > 6) step *= 2;
        var marks = (int)Math.Ceiling(end / step - 1e-9);
        return new(label, 0, marks * step, false, [.. Enumerable.Range(0, marks + 1).Select(i => (i * step, Text(i * step)))]);
    }

    public static ReportAxis Percent(string label) => new(label, 0, 1, false, [.. Enumerable.Range(0, 6).Select(i => (i / 5.0, Text(i * 20) + " %"))]);

    public static ReportAxis Names(string label, IReadOnlyList<string> names) => new(label, -0.5, names.Count - 0.5, false, [.. names.Select((n, i) => ((double)i, n))]);

    private static string Text(double number) => number.ToString(number >= 1000 ? "#,0" : "0.##", CultureInfo.InvariantCulture);
}
