using System.Globalization;
using Puces.Cli.Terminal;
using Puces.Core.Contract;
using Puces.Core.Engine;
using Puces.Core.Jobs;

namespace Puces.Cli.Commands;

/// <summary>One job in words for people.</summary>
internal static class JobText
{
    public static void Write(Screen screen, WhyView why)
    {
        screen.Line($"{screen.Paint($"job {why.Job.Id}", Tint.Bold)} {why.Job.Name} · {ListCommand.State(why.Job).Text}");
        screen.Line(why.Text);
        if (why.Ahead is > 0 and var ahead) screen.Line($"{Say.Count(ahead, "job")} before it");
        if (why.Job.Estimate is { } estimate) screen.Line($"{Clocks(estimate)}{Lately(why.Estimates)}");
        if (why.Needs.Count > 0) screen.Line("\nit needs");
        foreach (var need in why.Needs) screen.Line($"  {need}");
        if (why.Hints.Count > 0) screen.Line("\nit could start now with");
        foreach (var hint in why.Hints) screen.Line($"  {hint}");
    }

    /// <summary>Such as <c>likely to start at 14:10, between 13:50 and 15:00</c>, in the reader's own time zone.</summary>
    private static string Clocks(Estimate estimate) => estimate switch
    {
        { Expected: { } expected, To: { } to } => $"likely to start at {Clock(expected)}, between {Clock(estimate.From)} and {Clock(to)}",
        { Expected: { } expected } => $"likely to start at {Clock(expected)}, not before {Clock(estimate.From)}",
        _ => $"not likely to start before {Clock(estimate.From)}",
    };

    private static string Clock(DateTimeOffset at)
    {
        var local = at.ToLocalTime();
        return local.ToString(local.Date == DateTime.Now.Date ? "HH:mm" : "MM-dd HH:mm", CultureInfo.InvariantCulture);
    }

    private static string Lately(EstimateRecord? record) => record is null
        ? ""
        : Say.Text($"; of the last {Say.Count(record.Starts, "estimate")} {record.Held} held, half were off by less than {Say.Duration(TimeSpan.FromSeconds(Math.Max(1, record.MedianErrorSeconds)))}");

    public static void Write(Screen screen, JobDetail detail)
    {
        var (job, spec) = (detail.Job, detail.Spec);
        screen.Line($"{screen.Paint($"job {job.Id}", Tint.Bold)} {job.Name}");
        Field("state", screen.Paint(ListCommand.State(job).Text, ListCommand.State(job).Tint));
        Field(job.IsOver ? "end" : "reason", job.Reason);
        Field("starts", job.Estimate is { } estimate ? EstimateText.Starts(estimate, DateTimeOffset.UtcNow)["starts ".Length..] : null);
        Field("asks for", job.Request);
        Field("on", job.Nodes is { } nodes && job.IsVirtual ? nodes + " (virtual)" : job.Nodes);
        Field("project", job.Project);
        Field("owner", job.Owner);
        Field("priority", job.Priority != 0 ? job.Priority.ToString(CultureInfo.InvariantCulture) : null);
        Field("submitted", Say.Moment(job.Submitted));
        Field("started", job.Started is { } started ? $"{Say.Moment(started)}, after {Say.Duration(started - job.Submitted)}" : null);
        Field("ended", job.Ended is { } ended ? Say.Moment(ended) + (job.Started is { } from ? $", ran {Say.Duration(ended - from)}" : "") : null);
        Field("exit code", job.ExitCode?.ToString(CultureInfo.InvariantCulture));
        Field("checkpoint", job.Checkpoint);
        Field("command", Command(spec.Run));
        Field("workdir", detail.Workdir is { } sha ? $"{spec.Workdir} ({sha[..Math.Min(12, sha.Length)]})" : spec.Workdir);
        Field("secrets", spec.Secrets is { Count: > 0 } secrets ? string.Join(", ", secrets) : null);
        if (detail.Attempts.Count == 0) return;
        screen.Line("");
        var table = new Table(new("ATTEMPT", true), new("STARTED"), new("RAN", true), new("EXIT", true), new("CPU", true), new("MEMORY", true), new("NODES", Least: 8), new("END", Least: 8));
        foreach (var attempt in detail.Attempts)
        {
            var ran = attempt.Started is { } began ? Say.Short((attempt.Ended ?? DateTimeOffset.UtcNow) - began) : "";
            table.Add(
                attempt.Number, attempt.Started is { } at ? Say.Moment(at) : "", ran, attempt.ExitCode is { } code ? code : "",
                attempt.CpuSeconds is { } cpu ? Say.Short(TimeSpan.FromSeconds(cpu)) : "", attempt.PeakMemoryBytes is { } peak ? Say.Bytes(peak) : "",
                string.Join(", ", attempt.Nodes), attempt.Reason);
        }
        table.Write(screen);

        void Field(string name, string? value)
        {
            if (value is { Length: > 0 }) screen.Line($"  {screen.Paint(name.PadRight(11), Tint.Dim)} {value}");
        }
    }

    private static string Command(RunCommand run) =>
        run.Arguments is { } arguments ? string.Join(' ', arguments.Select(ShellWord)) : (run.Script ?? "").Trim().ReplaceLineEndings("\n" + new string(' ', 14));

    /// <summary>As a shell would need it written.</summary>
    private static string ShellWord(string word) =>
        word.Length > 0 && word.All(c => char.IsAsciiLetterOrDigit(c) || "-_./:=,+@%".Contains(c, StringComparison.Ordinal)) ? word : $"'{word.Replace("'", "'\\''", StringComparison.Ordinal)}'";
}
