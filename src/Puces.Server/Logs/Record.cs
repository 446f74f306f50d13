using System.Globalization;
using System.Text;
using Puces.Core.Contract;
using Puces.Core.Jobs;

namespace Puces.Server.Logs;

/// <summary>A rank's tag, such as <c>42-1.0</c>.</summary>
internal readonly record struct RankTag(JobId Job, int Attempt, int Rank)
{
    public string FileName => string.Create(CultureInfo.InvariantCulture, $"{Attempt}.{Rank}.log");

    public static RankTag? Parse(string? tag)
    {
        if (tag is null) return null;
        var dot = tag.LastIndexOf('.');
        return dot > 0 && AttemptId.TryParse(tag[..dot], out var attempt)
            && int.TryParse(tag.AsSpan(dot + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var rank)
            ? new(attempt.Job, attempt.Number, rank)
            : null;
    }

    /// <summary>Attempt and rank of a file in a job's folder.</summary>
    public static (int Attempt, int Rank)? ParseFile(ReadOnlySpan<char> name)
    {
        if (!name.EndsWith(".log", StringComparison.Ordinal)) return null;
        name = name[..^4];
        var dot = name.IndexOf('.');
        return dot > 0 && int.TryParse(name[..dot], NumberStyles.None, CultureInfo.InvariantCulture, out var attempt)
            && int.TryParse(name[(dot + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out var rank)
            ? (attempt, rank)
            : null;
    }
}

/// <summary>One record of a log file: <c>2026-11-23T09:47:00.123456Z o text</c>.</summary>
internal static class Record
{
    private const int TimeLength = 27, TextAt = 30;

    public static LogLine Parse(ReadOnlySpan<byte> record, DateTimeOffset before, int attempt, int rank, string cursor)
    {
        var stream = record.Length >= TextAt - 1 && record[TimeLength] == ' ' ? (char)record[TimeLength + 1] : '\0';
        var name = char.ToLowerInvariant(stream) switch { 'o' => "out", 'e' => "err", 'p' => "puces", _ => null };
        // Half a record, where a crash cut it: what is there is shown, as of the time of the one before.
        if (name is null || TimeOf(record) is not { } at) return new(before, attempt, rank, "out", Text(record), true, cursor);
        return new(at, attempt, rank, name, Text(record.Length > TextAt ? record[TextAt..] : default), char.IsAsciiLetterUpper(stream), cursor);
    }

    public static DateTimeOffset? TimeOf(ReadOnlySpan<byte> record)
    {
        if (record.Length < TimeLength || record[10] != 'T' || record[19] != '.' || record[26] != 'Z') return null;
        if (Number(record[..4]) is not (>= 1 and var year) || Number(record[5..7]) is not (>= 1 and <= 12 and var month)
            || Number(record[8..10]) is not (>= 1 and var day) || day > DateTime.DaysInMonth(year, month)
            || Number(record[11..13]) is not (>= 0 and < 24 and var hour) || Number(record[14..16]) is not (>= 0 and < 60 and var minute)
            || Number(record[17..19]) is not (>= 0 and < 60 and var second) || Number(record[20..26]) is not (>= 0 and var micros)) return null;
        return new DateTimeOffset(year, month, day, hour, minute, second, TimeSpan.Zero).AddTicks(micros * 10L);
    }

    private static int Number(ReadOnlySpan<byte> digits)
    {
        var value = 0;
        foreach (var digit in digits)
        {
            if (!char.IsAsciiDigit((char)digit)) return -1;
            value = value * 10 + digit - '0';
        }
        return value;
    }

    private static string Text(ReadOnlySpan<byte> bytes) => Encoding.UTF8.GetString(bytes);
}
