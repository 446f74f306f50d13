using System.Globalization;
using System.Text;
using Puces.Core.Contract;
using Puces.Core.Jobs;

namespace Puces.Server.Logs;

/// <summary>A record of a log file: <c>2026-11-23T09:47:00.123456Z o text</c>; a capital letter says that its line goes on.</summary>
/// <param name="End">Position after the record.</param>
internal readonly record struct LogRecord(DateTimeOffset At, string Stream, string Text, bool IsPartial, long End);

/// <summary>One rank's log file.</summary>
internal sealed record LogFile(string Path, int Attempt, int Rank)
{
    private const int Chunk = 64 * 1024;
    private const int StampLength = 27;

    /// <summary>The log files of a job, in order of attempt and rank.</summary>
    public static IReadOnlyList<LogFile> Of(string folder, JobId job)
    {
        if (!Directory.Exists(folder)) return [];
        var files = new List<LogFile>();
        foreach (var path in Directory.EnumerateFiles(folder, $"{job}-*.log"))
            if (RankTag.TryParse(System.IO.Path.GetFileNameWithoutExtension(path), out var attempt, out var rank) && attempt.Job == job) files.Add(new(path, attempt.Number, rank));
        return [.. files.OrderBy(f => f.Attempt).ThenBy(f => f.Rank)];
    }

    /// <summary>Whole records from a position on; a torn one at the end waits for the rest of it.</summary>
    public IEnumerable<LogRecord> Records(long from)
    {
        using var file = File.OpenHandle(Path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        var buffer = new byte[Chunk];
        while (true)
        {
            var read = RandomAccess.Read(file, buffer, from);
            if (read == 0) yield break;
            var end = Array.LastIndexOf(buffer, (byte)'\n', read - 1, read);
            if (end < 0)
            {
                if (read < buffer.Length) yield break;
                // A record longer than the buffer: the runner writes at most 16 KiB of text, so this is a longer one by far.
                buffer = new byte[buffer.Length * 2];
                continue;
            }
            for (var start = 0; start <= end;)
            {
                var stop = Array.IndexOf(buffer, (byte)'\n', start);
                yield return Parse(buffer.AsSpan(start, stop - start), from + stop + 1);
                start = stop + 1;
            }
            from += end + 1;
        }
    }

    private static LogRecord Parse(ReadOnlySpan<byte> record, long end)
    {
        if (record.Length < StampLength + 2 || record[StampLength] != ' ' || TimeOf(record) is not { } at)
            return new(default, "puces", Encoding.UTF8.GetString(record), false, end);
        var letter = (char)record[StampLength + 1];
        var stream = char.ToLowerInvariant(letter) switch { 'o' => "out", 'e' => "err", _ => "puces" };
        return new(at, stream, record.Length > StampLength + 3 ? Encoding.UTF8.GetString(record[(StampLength + 3)..]) : "", char.IsUpper(letter), end);
    }

    /// <summary>The time of a record; null where it is none.</summary>
    public static DateTimeOffset? TimeOf(ReadOnlySpan<byte> record) => record.Length >= StampLength
        && DateTimeOffset.TryParseExact(Encoding.ASCII.GetString(record[..StampLength]), "yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'", CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var at)
        ? at : null;

    /// <summary>The time of a file's last record; the beginning of time for none.</summary>
    public static DateTimeOffset LastTime(string path)
    {
        if (!File.Exists(path)) return default;
        var last = default(DateTimeOffset);
        foreach (var record in new LogFile(path, 0, 0).Records(0)) last = record.At;
        return last;
    }
}

/// <summary>Where a reader stands: an attempt, and a position in each rank's file. Written as <c>2:0=1200,1=980</c>.</summary>
internal sealed record LogCursor(int Attempt, Dictionary<int, long> Positions)
{
    public static LogCursor? Parse(string? text)
    {
        if (string.IsNullOrEmpty(text)) return null;
        var parts = text.Split(':');
        if (parts.Length != 2 || !int.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out var attempt)) throw new FormatException("not a cursor");
        var positions = new Dictionary<int, long>();
        foreach (var pair in parts[1].Split(',', StringSplitOptions.RemoveEmptyEntries))
        {
            if (pair.Split('=') is not [var rank, var position] || !int.TryParse(rank, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
                || !long.TryParse(position, NumberStyles.None, CultureInfo.InvariantCulture, out var at)) throw new FormatException("not a cursor");
            positions[number] = at;
        }
        return new(attempt, positions);
    }

    public override string ToString() => string.Create(CultureInfo.InvariantCulture,
        $"{Attempt}:{string.Join(',', Positions.OrderBy(p => p.Key).Select(p => string.Create(CultureInfo.InvariantCulture, $"{p.Key}={p.Value}")))}");
}

/// <summary>Brings the ranks of one attempt into one stream.</summary>
internal static class LogMerge
{
    /// <summary>The lines of the cursor's attempt that are here and were not read; the cursor moves along.</summary>
    public static IEnumerable<LogLine> Lines(IEnumerable<LogFile> files, LogCursor place)
    {
        var ranks = files.Where(f => f.Attempt == place.Attempt).Select(f => (File: f, Records: f.Records(place.Positions.GetValueOrDefault(f.Rank)).GetEnumerator())).ToList();
        try
        {
            var next = new PriorityQueue<int, (DateTimeOffset, int)>();
            for (var i = 0; i < ranks.Count; i++)
                if (ranks[i].Records.MoveNext()) next.Enqueue(i, (ranks[i].Records.Current.At, i));
            while (next.TryDequeue(out var i, out _))
            {
                var record = ranks[i].Records.Current;
                place.Positions[ranks[i].File.Rank] = record.End;
                yield return new(record.At, place.Attempt, ranks[i].File.Rank, record.Stream, record.Text, record.IsPartial, place.ToString());
                if (ranks[i].Records.MoveNext()) next.Enqueue(i, (ranks[i].Records.Current.At, i));
            }
        }
        finally
        {
            foreach (var (_, records) in ranks) records.Dispose();
        }
    }
}
