using System.Globalization;
using System.Text;
using Puces.Core.Units;

namespace Puces.Core.Replay;

/// <summary>Replays of one trace on one pool as a page: one file that needs nothing else, for a screen in light and dark, and for paper.</summary>
/// <param name="Name">What was replayed.</param>
/// <param name="Told">One of each policy; the summaries stand in the same order.</param>
public sealed record Report(
    string Name, IReadOnlyList<TraceJob> Jobs, IReadOnlyList<NodeGroup> Nodes, IReadOnlyList<Replayed> Told, IReadOnlyList<ReplaySummary> Summaries, ReplayBaseline Baseline)
{
    /// <summary>Points of a line: more than a page has room for show nothing more.</summary>
    private const int Points = 360;
    /// <summary>Stretches of time whose means are shown: finer ones hide each other where policies differ by minutes.</summary>
    private const int Stretches = 180;
    private const int MostProjects = 12;

    public void Write(TextWriter output)
    {
        output.Write($"<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n<title>Replay of {Escape(Name)}</title>\n<style>\n{ReportStyle.Css}</style>\n</head>\n<body>\n<main>\n");
        output.Write($"<h1>Replay of {Escape(Name)}</h1>\n<p class=\"lead\">{Lead()}</p>\n");
        output.Write(SummaryTable());
        Figure(output, "How long jobs wait", "The share of all jobs that waited no longer than so long. Whatever is not a job's own duration is a wait, its stops too.", Waits());
        Figure(output, "Devices in use", "Devices that jobs hold.", Use(held: true));
        Figure(output, "Devices wanted", "Devices that waiting jobs ask for.", Use(held: false));
        Figure(output, "Completion time by size", "Mean time from submission to end, of jobs with so many devices.", Sizes());
        if (Baseline.Projects.Count > 1) output.Write(ProjectTable());
        output.Write("</main>\n</body>\n</html>\n");
    }

    private static string Escape(string text) => ReportChart.Escape(text);

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    private string Lead()
    {
        var span = Jobs[^1].Submitted - Jobs[0].Submitted;
        var work = Jobs.Sum(j => j.MilliGpus / 1000.0 * j.Duration!.Value.TotalHours);
        return Text($"{Jobs.Count:#,0} jobs, submitted in {Durations.ThreeDigits(span)}, ask for {work:#,0} device hours; the pool has {Nodes.Sum(n => n.Nodes * n.Devices):#,0} devices on {Nodes.Sum(n => n.Nodes):#,0} nodes. ")
            + $"No schedule has a mean completion time below {Durations.ThreeDigits(Baseline.BoundMeanJct)}.";
    }

    private void Figure(TextWriter output, string title, string note, ReportChart chart) =>
        output.Write($"<figure>\n<figcaption><h2>{title}</h2><p>{note}</p></figcaption>\n{Legend()}{chart.ToSvg(title)}</figure>\n");

    private string Legend() => $"<ul class=\"legend\">{string.Concat(Told.Select((t, i) => $"<li><svg viewBox=\"0 0 28 10\"><path class=\"line p{i % ReportStyle.Colours}\" d=\"M1 5H27\"/></svg>{Escape(t.Policy)}</li>"))}</ul>\n";

    private string SummaryTable()
    {
        var table = new StringBuilder("<div class=\"wide\"><table>\n<thead><tr><th rowspan=\"2\">Policy</th><th colspan=\"3\">Completion time</th><th colspan=\"4\">Wait</th><th rowspan=\"2\">Makespan</th><th rowspan=\"2\">In use</th>"
            + "<th rowspan=\"2\"><abbr title=\"finish-time fairness of the worst project: its mean completion time over that on an equal share of the pool alone\">Worst ρ</abbr></th>"
            + "<th rowspan=\"2\"><abbr title=\"of the free devices, what the first waiting job could not use\">Stranded</abbr></th><th rowspan=\"2\">Stops</th></tr>\n"
            + "<tr><th>mean</th><th>median</th><th>p99</th><th>mean</th><th>median</th><th>p90</th><th>p99</th></tr></thead>\n<tbody>\n");
        foreach (var s in Summaries)
        {
            table.Append(CultureInfo.InvariantCulture, $"<tr><th>{Escape(s.Policy)}</th>");
            foreach (var time in (TimeSpan[])[s.MeanJct, s.P50Jct, s.P99Jct, s.MeanWait, s.P50Wait, s.P90Wait, s.P99Wait, s.Makespan]) table.Append(CultureInfo.InvariantCulture, $"<td>{Durations.ThreeDigits(time)}</td>");
            table.Append(CultureInfo.InvariantCulture, $"<td>{s.Utilisation * 100:0.0} %</td><td>{s.WorstProjectFtf:0.00}</td><td>{s.Fragmentation * 100:0.0} %</td><td>{s.Preemptions:#,0}</td></tr>\n");
        }
        return table.Append("</tbody>\n</table></div>\n").ToString();
    }

    private ReportChart Waits()
    {
        var waits = Told.Select(t => ReplaySummary.Waits(t, Jobs)).ToList();
        foreach (var one in waits) Array.Sort(one);
        var x = ReportAxis.LogTime("wait, on a logarithmic scale", 1, waits.Max(w => w[^1].TotalSeconds));
        var chart = new ReportChart(x, ReportAxis.Percent("share of jobs"));
        for (var i = 0; i < waits.Count; i++)
            chart.Line(i % ReportStyle.Colours, Enumerable.Range(0, Points + 1).Select(p => x.Value((double)p / Points)).Select(at => (at, (double)AtMost(waits[i], at) / Jobs.Count)));
        return chart;
    }

    private static int AtMost(TimeSpan[] sorted, double seconds)
    {
        var limit = TimeSpan.FromSeconds(seconds);
        var (low, high) = (0, sorted.Length);
        while (low < high)
        {
            var middle = (low + high) >>> 1;
            if (sorted[middle] <= limit) low = middle + 1;
            else high = middle;
        }
        return low;
    }

    private ReportChart Use(bool held)
    {
        var end = Told.Max(t => t.Use.Count == 0 ? 0 : t.Use[^1].At.TotalSeconds);
        var x = ReportAxis.Time("since the first submission", end);
        var lines = Told.Select(t => Means(t.Use, x.Most, held)).ToList();
        var chart = new ReportChart(x, ReportAxis.Count("devices", held ? Told[0].Devices : lines.Max(l => l.Max())), held ? 260 : 240);
        if (held) chart.Level(Told[0].Devices, Text($"all {Told[0].Devices:#,0}"));
        for (var i = 0; i < lines.Count; i++) chart.Line(i % ReportStyle.Colours, lines[i].Select((value, p) => (x.Most * p / Stretches, value)), isSteps: true);
        return chart;
    }

    /// <summary>Means over equal stretches of time.</summary>
    private static double[] Means(IReadOnlyList<UsePoint> use, double end, bool held)
    {
        var (sums, width) = (new double[Stretches], end / Stretches);
        for (var i = 0; i + 1 < use.Count; i++)
        {
            var (from, to) = (use[i].At.TotalSeconds, Math.Min(use[i + 1].At.TotalSeconds, end));
            var value = held ? use[i].Held : use[i].Wanted;
            for (var at = (int)(from / width); at < Stretches && from < to; at++)
            {
                var part = Math.Min(to, (at + 1) * width);
                if (part > from) sums[at] += value * (part - from);
                from = Math.Max(from, part);
            }
        }
        return [.. sums.Select(s => s / width)];
    }

    private ReportChart Sizes()
    {
        var sizes = Enumerable.Range(0, Jobs.Count).GroupBy(i => Size(Jobs[i].MilliGpus)).OrderBy(g => g.Key).Select(g => (g.Key, Jobs: (int[])[.. g])).ToList();
        var means = Told.Select(t => sizes.Select(s => ReplayBaseline.MeanJct(Jobs, t.Ends, s.Jobs).TotalSeconds).ToArray()).ToList();
        var chart = new ReportChart(
            ReportAxis.Names("devices of a job", [.. sizes.Select(s => s.Key == 0 ? "none" : s.Key < 1000 ? "below 1" : s.Key == 1000 ? "1" : Text($"{s.Key / 2000 + 1}–{s.Key / 1000}").Replace("2–2", "2", StringComparison.Ordinal))]),
            ReportAxis.LogTime("mean completion time", means.Min(m => m.Min()), means.Max(m => m.Max()) * 1.2));
        for (var i = 0; i < means.Count; i++)
        {
            chart.Line(i % ReportStyle.Colours, means[i].Select((value, at) => ((double)at, value)));
            for (var at = 0; at < sizes.Count; at++) chart.Dot(i % ReportStyle.Colours, at, means[i][at], Text($"{Told[i].Policy}: {Durations.ThreeDigits(TimeSpan.FromSeconds(means[i][at]))}, {sizes[at].Jobs.Length:#,0} jobs"));
        }
        return chart;
    }

    /// <summary>The next power of two, in thousandths of a device; zero for none, 1 for a part of one.</summary>
    private static int Size(int milli) => milli switch
    {
        0 => 0,
        < 1000 => 1,
        _ => (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)((milli + 999) / 1000)) * 1000,
    };

    private string ProjectTable()
    {
        var shares = Baseline.Projects.Select(p => (Project: p, Work: p.Jobs.Sum(i => Jobs[i].MilliGpus / 1000.0 * Jobs[i].Duration!.Value.TotalSeconds))).OrderByDescending(p => p.Work).ThenBy(p => p.Project.Project, StringComparer.Ordinal).ToList();
        var all = Math.Max(shares.Sum(s => s.Work), double.Epsilon);
        var table = new StringBuilder("<section>\n<h2>Projects</h2><p>Each project's share of the device time, and its finish-time fairness ρ under each policy: its mean completion time over that on an equal share of the pool alone. Above 1 it would be better off alone.</p>\n"
            + "<div class=\"wide\"><table>\n<thead><tr><th>Project</th><th>Jobs</th><th>Share of device time</th><th class=\"bar\"></th>");
        foreach (var one in Told) table.Append(CultureInfo.InvariantCulture, $"<th>ρ {Escape(one.Policy)}</th>");
        table.Append("</tr></thead>\n<tbody>\n");
        foreach (var (project, work) in shares.Take(MostProjects))
        {
            table.Append(CultureInfo.InvariantCulture, $"<tr><th>{(project.Project.Length == 0 ? "(no name)" : Escape(project.Project))}</th><td>{project.Jobs.Count:#,0}</td><td>{work / all * 100:0.0} %</td><td class=\"bar\"><svg viewBox=\"0 0 100 8\" preserveAspectRatio=\"none\"><rect width=\"{work / all * 100:0.#}\" height=\"8\"/></svg></td>");
            foreach (var one in Told)
            {
                var rho = project.MeanJct > TimeSpan.Zero ? ReplayBaseline.MeanJct(Jobs, one.Ends, project.Jobs) / project.MeanJct : 0;
                table.Append(CultureInfo.InvariantCulture, $"<td{(rho > 1.005 ? " class=\"worse\"" : "")}>{rho:0.00}</td>");
            }
            table.Append("</tr>\n");
        }
        table.Append("</tbody>\n</table></div>\n");
        if (shares.Count > MostProjects) table.Append(CultureInfo.InvariantCulture, $"<p>and {shares.Count - MostProjects} smaller ones</p>\n");
        return table.Append("</section>\n").ToString();
    }
}
