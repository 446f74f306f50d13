using System.Globalization;
using System.IO.Compression;
using Puces.Core.Replay;
using Puces.Testing;
using Xunit;

namespace Puces.Tests.Replay;

/// <summary>Published traces, and what an independent simulator says becomes of each of their jobs.</summary>
internal static class Golden
{
    /// <summary>A line of answers; the start is empty where the file has none.</summary>
    public sealed record Answer(string Job, string Start, string End);

    public static IReadOnlyList<Answer> Answers(string name)
    {
        var lines = Lines($"data/golden/{name}.csv.gz");
        var hasStarts = lines[0] == "job_id,start_s,end_s";
        return [.. lines.Skip(1).Select(l => l.Split(',')).Select(c => new Answer(c[0], hasStarts ? c[1] : "", c[^1]))];
    }

    public static IReadOnlyList<TraceJob> Trace(string name)
    {
        using var text = Text($"data/traces/{name}.csv.gz");
        return Core.Replay.Trace.Read(text, name);
    }

    /// <summary>The text of a file; the test is skipped where the data are not there.</summary>
    public static TextReader Text(string relative)
    {
        var path = SharedData.Find(relative);
        Assert.SkipWhen(path is null, SharedData.Reason);
        return path.EndsWith(".gz", StringComparison.Ordinal) ? new StreamReader(new GZipStream(File.OpenRead(path), CompressionMode.Decompress)) : new StreamReader(path);
    }

    /// <summary>Names of the golden answers that match, without their endings; none where the data are not there.</summary>
    public static IEnumerable<string> Names(string pattern) => SharedData.Find("data/golden") is { } folder
        ? Directory.GetFiles(folder, pattern + ".csv.gz").Select(f => Path.GetFileName(f)[..^".csv.gz".Length]).Order(StringComparer.Ordinal)
        : [];

    /// <summary>The line of the summary that begins so.</summary>
    public static string Summary(string begins) => Lines("data/golden/summary.txt").Single(l => l.StartsWith(begins, StringComparison.Ordinal));

    /// <summary>A figure of such a line.</summary>
    public static double Figure(string line, string name) => double.Parse(line.Split(' ').Single(w => w.StartsWith(name + "=", StringComparison.Ordinal))[(name.Length + 1)..], CultureInfo.InvariantCulture);

    private static string[] Lines(string relative)
    {
        using var text = Text(relative);
        return text.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }
}
