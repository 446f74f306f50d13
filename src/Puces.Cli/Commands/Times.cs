using System.Globalization;

namespace Puces.Cli.Commands;

/// <summary>Moments as people type them.</summary>
internal static class Times
{
    /// <summary>Reads <c>30s</c>, <c>10m</c>, <c>2h</c> or <c>1d</c> back from now, or a moment in ISO 8601.</summary>
    public static DateTimeOffset Since(string text, DateTimeOffset now)
    {
        var unit = text.Length > 1 ? text[^1] switch { 's' => 1, 'm' => 60, 'h' => 3600, 'd' => 86_400, _ => 0 } : 0;
        if (unit > 0 && double.TryParse(text.AsSpan(0, text.Length - 1), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var amount)
            && amount * unit < 1e9) return now - TimeSpan.FromSeconds(amount * unit);
        return DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeLocal, out var moment)
            ? moment
            : throw CommandException.Usage($"'{text}' is not a time", "such as 10m, 2h, 1d, or 2026-05-04T12:00");
    }
}
