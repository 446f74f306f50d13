using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Puces.Cli.Terminal;
using Puces.Core.Replay;
using Puces.Core.Units;

namespace Puces.Cli.Commands;

/// <summary>A replay in figures: for people and for programs.</summary>
internal static class ReplayOutput
{
    public static void WriteTable(Screen screen, ReplayInput input, IReadOnlyList<ReplaySummary> summaries)
    {
        var table = new Table(
            new("POLICY"), new("MEAN JCT", IsRight: true), new("P50", IsRight: true), new("P99", IsRight: true), new("MEAN WAIT", IsRight: true), new("P50", IsRight: true),
            new("P90", IsRight: true), new("P99", IsRight: true), new("P99.9", IsRight: true), new("MAKESPAN", IsRight: true), new("USED", IsRight: true), new("FTF", IsRight: true),
            new("STRANDED", IsRight: true), new("STOPS", IsRight: true), new("LOST", IsRight: true), new("CPU", IsRight: true));
        foreach (var s in summaries)
            table.Add(
                s.Policy, Durations.ThreeDigits(s.MeanJct), Durations.ThreeDigits(s.P50Jct), Durations.ThreeDigits(s.P99Jct), Durations.ThreeDigits(s.MeanWait), Durations.ThreeDigits(s.P50Wait), Durations.ThreeDigits(s.P90Wait),
                Durations.ThreeDigits(s.P99Wait), Durations.ThreeDigits(s.P999Wait), Durations.ThreeDigits(s.Makespan), Percent(s.Utilisation), Say.Text($"{s.WorstProjectFtf:0.00}"), Percent(s.Fragmentation),
                s.Preemptions, Durations.ThreeDigits(s.WorkLost), Durations.ThreeDigits(s.Cpu));
        var devices = input.Nodes.Sum(n => n.Nodes * n.Devices);
        screen.Line($"{input.Name}: {Say.Count(summaries[0].Jobs, "job")} on {Say.Count(input.Nodes.Sum(n => n.Nodes), "node")}, {Say.Count(devices, "device")}; no schedule has a mean JCT below {Durations.ThreeDigits(summaries[0].BoundMeanJct)}");
        table.Write(screen);
        foreach (var s in summaries)
            if (s.PredictedMeanWait is { } wait)
                screen.Line(s.Error is { } error
                    ? Say.Text($"{s.Policy}: with these nodes expect a mean wait of {Durations.ThreeDigits(wait)}, ±{error * 100:0}%")
                    : $"{s.Policy}: with these nodes expect a mean wait of {Durations.ThreeDigits(wait)}; too little was waited for an error bar");
    }

    /// <summary>Writes <c>job_id,start_s,end_s</c>, counted from the first submit.</summary>
    public static void WriteJobs(string path, IReadOnlyList<TraceJob> jobs, Replayed told)
    {
        using var file = new StreamWriter(path) { NewLine = "\n" };
        file.WriteLine("job_id,start_s,end_s");
        for (var i = 0; i < jobs.Count; i++) file.WriteLine($"{Cell(jobs[i].Id)},{Text(told.Starts[i])},{Text(told.Ends[i])}");
    }

    public static void WritePage(string path, Report report)
    {
        using var file = new StreamWriter(path) { NewLine = "\n" };
        report.Write(file);
    }

    /// <summary>The file for one policy of several: <c>jobs.csv</c> becomes <c>jobs.fifo.csv</c>.</summary>
    public static string PathFor(string path, string policy, bool isOnly) => isOnly ? path
        : Path.Combine(Path.GetDirectoryName(path) ?? "", $"{Path.GetFileNameWithoutExtension(path)}.{policy}{Path.GetExtension(path)}");

    private static string Percent(double share) => Say.Text($"{share * 100:0.0}%");

    private static string Text(TimeSpan time) => time.Ticks % TimeSpan.TicksPerSecond == 0
        ? (time.Ticks / TimeSpan.TicksPerSecond).ToString(CultureInfo.InvariantCulture)
        : ((decimal)time.Ticks / TimeSpan.TicksPerSecond).ToString("0.000000#", CultureInfo.InvariantCulture);

    private static string Cell(string id) => id.AsSpan().IndexOfAny(',', '"') < 0 ? id : $"\"{id.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";
}

/// <summary>Figures of replays as JSON: times in seconds.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, Converters = [typeof(SecondsConverter)])]
[JsonSerializable(typeof(IReadOnlyList<ReplaySummary>))]
internal sealed partial class ReplayJson : JsonSerializerContext;

internal sealed class SecondsConverter : JsonConverter<TimeSpan>
{
    public override TimeSpan Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        new((long)(reader.GetDecimal() * TimeSpan.TicksPerSecond));

    public override void Write(Utf8JsonWriter writer, TimeSpan value, JsonSerializerOptions options) =>
        writer.WriteNumberValue((decimal)value.Ticks / TimeSpan.TicksPerSecond);
}
