using System.Text;
using System.Text.Json;

namespace Puces.Core.Replay;

/// <summary>
/// The original log of Microsoft's Philly clusters (Jeon et al., ATC'19; msr-fiddle/philly-traces, <c>cluster_job_log</c>): a JSON array of jobs with their
/// attempts. A job's duration is the sum of its attempts' run times, its gang the largest of them. One job is in memory at a time.
/// </summary>
internal static class PhillyTrace
{
    public const string Form = "Philly's cluster_job_log: a JSON array of {jobid, submitted_time, user, vc, status, attempts[{start_time, end_time, detail[{ip, gpus[]}]}]}";

    /// <param name="text">From the bracket on.</param>
    public static void Read(TextReader text, string file, int line, List<TraceJob> jobs)
    {
        var read = new List<(DateTime Submitted, TraceJob Job)>();
        foreach (var (at, json) in Objects(text, file, line))
        {
            try
            {
                using var document = JsonDocument.Parse(json);
                read.Add(Job(document.RootElement, file, at));
            }
            catch (JsonException e)
            {
                throw new TraceException(file, at + (int)(e.LineNumber ?? 0), "is no JSON", e);
            }
        }
        if (read.Count == 0) return;
        var first = read.Min(r => r.Submitted);
        jobs.AddRange(read.Select(r => r.Job with { Submitted = r.Submitted - first }));
    }

    private static (DateTime, TraceJob) Job(JsonElement job, string file, int line)
    {
        var submitted = Moment(job, "submitted_time", file, line) ?? throw new TraceException(file, line, "this job has no submitted_time");
        if (Text(job, "jobid") is not { Length: > 0 } id) throw new TraceException(file, line, "this job has no jobid");
        var (ran, gpus, isKnown) = (TimeSpan.Zero, 0, false);
        if (job.TryGetProperty("attempts", out var attempts) && attempts.ValueKind == JsonValueKind.Array)
        {
            foreach (var attempt in attempts.EnumerateArray())
            {
                if (attempt.ValueKind != JsonValueKind.Object) throw new TraceException(file, line, $"an attempt of {id} is no object");
                gpus = Math.Max(gpus, Devices(attempt));
                var (start, end) = (Moment(attempt, "start_time", file, line), Moment(attempt, "end_time", file, line));
                // Without an end the last one was still running, and an earlier one was not recorded.
                isKnown = end is not null;
                if (end is { } to && start is { } from && to > from) ran += to - from;
            }
        }
        return (submitted, new(id, default, isKnown ? ran : null, gpus * 1000, Project: Text(job, "vc"), Owner: Text(job, "user"), Status: Text(job, "status")));
    }

    private static int Devices(JsonElement attempt)
    {
        var count = 0;
        if (!attempt.TryGetProperty("detail", out var detail) || detail.ValueKind != JsonValueKind.Array) return 0;
        foreach (var node in detail.EnumerateArray())
            if (node.ValueKind == JsonValueKind.Object && node.TryGetProperty("gpus", out var gpus) && gpus.ValueKind == JsonValueKind.Array) count += gpus.GetArrayLength();
        return count;
    }

    private static string Text(JsonElement of, string name) => of.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString()! : "";

    private static DateTime? Moment(JsonElement of, string name, string file, int line)
    {
        if (Text(of, name) is not { Length: > 0 } text || text == "None") return null;
        return TraceRows.TryMoment(text) ?? throw new TraceException(file, line, $"{name} '{text}' is no moment; write such as 2017-10-07 01:12:09");
    }

    /// <summary>The array's objects, each with the line it begins on.</summary>
    private static IEnumerable<(int Line, string Text)> Objects(TextReader text, string file, int line)
    {
        var one = new StringBuilder();
        var (depth, isText, isEscaped, begins) = (0, false, false, line);
        for (var c = text.Read(); c >= 0; c = text.Read())
        {
            if (c == '\n') line++;
            if (depth > 0) one.Append((char)c);
            if (isText)
            {
                if (isEscaped) isEscaped = false;
                else if (c == '\\') isEscaped = true;
                else if (c == '"') isText = false;
            }
            else if (c == '"') isText = true;
            else if (c == '{' && depth++ == 0)
            {
                one.Append('{');
                begins = line;
            }
            else if (c == '}' && --depth == 0)
            {
                yield return (begins, one.ToString());
                one.Clear();
            }
        }
        if (depth > 0) throw new TraceException(file, begins, "this job does not end: the file is cut short");
    }
}
