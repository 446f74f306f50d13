using System.Globalization;
using System.Text;

namespace Puces.Core.Units;

/// <summary>
/// Durations as people write them: <c>90s</c>, <c>1h30m</c>, <c>2d</c>, and <c>HH:MM:SS</c> or <c>D-HH:MM:SS</c> as Slurm has them.
/// A number without a unit is none.
/// </summary>
public static class Durations
{
    // From the largest: the parts of a duration stand in this order, each at most once.
    private static readonly (string Unit, long Ticks)[] Units =
    [
        ("w", 7 * TimeSpan.TicksPerDay), ("d", TimeSpan.TicksPerDay), ("h", TimeSpan.TicksPerHour), ("m", TimeSpan.TicksPerMinute),
        ("s", TimeSpan.TicksPerSecond), ("ms", TimeSpan.TicksPerMillisecond),
    ];

    /// <summary>False where a unit is missing, unknown or out of order, or the whole is longer than a TimeSpan can be.</summary>
    public static bool TryParse(string text, out TimeSpan duration)
    {
        duration = default;
        var rest = text.AsSpan().Trim();
        if (rest.Contains(':')) return TryParseClock(rest, out duration);
        if (rest.IsEmpty) return false;

        var ticks = 0L;
        var next = 0;   // the first unit that may still come
        while (!rest.IsEmpty)
        {
            var digits = CountWhile(rest, char.IsAsciiDigit);
            if (!TryWhole(rest[..digits], out var amount)) return false;
            rest = rest[digits..].TrimStart();
            var letters = CountWhile(rest, char.IsAsciiLetter);
            var unit = Find(rest[..letters], next);
            if (unit < 0 || amount > (long.MaxValue - ticks) / Units[unit].Ticks) return false;
            ticks += amount * Units[unit].Ticks;
            next = unit + 1;
            rest = rest[letters..].TrimStart();
        }
        duration = new(ticks);
        return true;
    }

    /// <summary>The shortest form that <see cref="TryParse"/> reads back, such as <c>1h30m</c>; exact to the millisecond.</summary>
    public static string Format(TimeSpan duration)
    {
        var ticks = duration.Ticks;
        if (ticks < TimeSpan.TicksPerMillisecond) return "0s";
        var text = new StringBuilder();
        foreach (var (unit, size) in Units)
        {
            if (unit == "w" || ticks < size) continue;
            text.Append(CultureInfo.InvariantCulture, $"{ticks / size}{unit}");
            ticks %= size;
        }
        return text.ToString();
    }

    /// <summary>Three digits, for durations that are compared: <c>5.20 s</c>, <c>57.9 h</c>, <c>12.4 d</c>.</summary>
    public static string ThreeDigits(TimeSpan time)
    {
        var (amount, unit) = Math.Abs(time.TotalSeconds) switch
        {
            < 100 => (time.TotalSeconds, "s"),
            < 6000 => (time.TotalMinutes, "min"),
            < 360_000 => (time.TotalHours, "h"),
            _ => (time.TotalDays, "d"),
        };
        var form = amount == 0 ? "0" : Math.Abs(amount) < 9.995 ? "0.00" : Math.Abs(amount) < 99.95 ? "0.0" : "0";
        return $"{amount.ToString(form, CultureInfo.InvariantCulture)} {unit}";
    }

    /// <summary>What someone may have meant who wrote something else: <c>2 hours</c> gives <c>2h</c>, <c>1.5h</c> gives <c>1h30m</c>; null for no idea.</summary>
    public static string? Guess(string text)
    {
        var rest = text.AsSpan().Trim();
        var digits = CountWhile(rest, c => char.IsAsciiDigit(c) || c == '.');
        if (digits is 0 or > 9 || !decimal.TryParse(rest[..digits], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var amount)) return null;
        var word = rest[digits..].Trim();
        if (word.IsEmpty || CountWhile(word, char.IsAsciiLetter) < word.Length) return null;
        var size = word.StartsWith("ms", StringComparison.OrdinalIgnoreCase) || word.StartsWith("mil", StringComparison.OrdinalIgnoreCase)
            ? TimeSpan.TicksPerMillisecond
            : char.ToLowerInvariant(word[0]) switch
            {
                'w' => 7 * TimeSpan.TicksPerDay,
                'd' => TimeSpan.TicksPerDay,
                'h' => TimeSpan.TicksPerHour,
                'm' => TimeSpan.TicksPerMinute,
                's' => TimeSpan.TicksPerSecond,
                _ => 0,
            };
        var ticks = amount * size;
        return ticks >= TimeSpan.TicksPerMillisecond && ticks < TimeSpan.MaxValue.Ticks ? Format(new((long)ticks)) : null;
    }

    private static bool TryParseClock(ReadOnlySpan<char> text, out TimeSpan duration)
    {
        duration = default;
        var days = 0L;
        if (text.IndexOf('-') is >= 0 and var dash)
        {
            if (!TryWhole(text[..dash], out days)) return false;
            text = text[(dash + 1)..];
        }
        Span<Range> parts = stackalloc Range[4];
        if (text.Split(parts, ':') != 3) return false;
        if (!TryWhole(text[parts[0]], out var hours) || !TryTwoDigits(text[parts[1]], out var minutes) || !TryTwoDigits(text[parts[2]], out var seconds)) return false;
        if (days > 100_000 || hours > 1_000_000) return false;
        duration = new(days * TimeSpan.TicksPerDay + hours * TimeSpan.TicksPerHour + minutes * TimeSpan.TicksPerMinute + seconds * TimeSpan.TicksPerSecond);
        return true;
    }

    private static bool TryWhole(ReadOnlySpan<char> digits, out long amount) =>
        long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out amount);

    private static bool TryTwoDigits(ReadOnlySpan<char> digits, out long amount) => TryWhole(digits, out amount) && digits.Length == 2 && amount < 60;

    private static int Find(ReadOnlySpan<char> unit, int from)
    {
        for (var i = from; i < Units.Length; i++)
            if (unit.Equals(Units[i].Unit, StringComparison.OrdinalIgnoreCase)) return i;
        return -1;
    }

    private static int CountWhile(ReadOnlySpan<char> text, Func<char, bool> holds)
    {
        var count = 0;
        while (count < text.Length && holds(text[count])) count++;
        return count;
    }
}
