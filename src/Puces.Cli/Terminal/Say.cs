using System.Globalization;

namespace Puces.Cli.Terminal;

/// <summary>Durations, sizes and ordinals in words for people.</summary>
internal static class Say
{
    /// <summary>Such as <c>0.4 s</c>, <c>12 s</c>, <c>3 min 5 s</c>, <c>2 h 10 min</c>, <c>3 d 4 h</c>.</summary>
    public static string Duration(TimeSpan time)
    {
        if (time < TimeSpan.Zero) time = TimeSpan.Zero;
        return time switch
        {
            { TotalSeconds: < 9.95 } => Text($"{time.TotalSeconds:0.0} s"),
            { TotalSeconds: < 60 } => Text($"{time.Seconds} s"),
            { TotalHours: < 1 } => Text($"{time.Minutes} min {time.Seconds} s"),
            { TotalDays: < 1 } => Text($"{time.Hours} h {time.Minutes} min"),
            _ => Text($"{time.Days} d {time.Hours} h"),
        };
    }

    /// <summary>Such as <c>45s</c>, <c>12m</c>, <c>3h10m</c>, <c>4d2h</c>: for tables.</summary>
    public static string Short(TimeSpan time)
    {
        if (time < TimeSpan.Zero) time = TimeSpan.Zero;
        return time switch
        {
            { TotalSeconds: < 60 } => Text($"{time.Seconds}s"),
            { TotalMinutes: < 10 } => Text($"{time.Minutes}m{time.Seconds:00}s"),
            { TotalHours: < 1 } => Text($"{time.Minutes}m"),
            { TotalDays: < 1 } => Text($"{time.Hours}h{time.Minutes:00}m"),
            _ => Text($"{time.Days}d{time.Hours}h"),
        };
    }

    /// <summary>Such as <c>812 B</c>, <c>4.2 kB</c>, <c>1.3 GB</c>.</summary>
    public static string Bytes(long bytes)
    {
        if (bytes < 1000) return Text($"{bytes} B");
        string[] units = ["kB", "MB", "GB", "TB", "PB"];
        var amount = (double)bytes;
        var unit = -1;
        while (amount >= 999.5 && unit < units.Length - 1)
        {
            amount /= 1000;
            unit++;
        }
        return Text($"{(amount < 9.95 ? $"{amount:0.0}" : $"{amount:0}")} {units[unit]}");
    }

    /// <summary>Such as <c>1st</c>, <c>2nd</c>, <c>11th</c>.</summary>
    public static string Ordinal(long number) => Text($"{number}") + (number % 100 is >= 11 and <= 13 ? "th" : (number % 10) switch
    {
        1 => "st",
        2 => "nd",
        3 => "rd",
        _ => "th",
    });

    /// <summary>Such as <c>1 job</c> or <c>7 jobs</c>.</summary>
    public static string Count(long number, string thing) => Text($"{number} {thing}") + (number == 1 ? "" : "s");

    /// <summary>A moment in the reader's own time zone.</summary>
    public static string Moment(DateTimeOffset at) => at.ToLocalTime().ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture);

    public static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
