using System.Globalization;

namespace Puces.Core.Replay;

/// <summary>Between seconds in floating point and exact times.</summary>
internal static class Seconds
{
    /// <summary>To the microsecond, as the six digits that published answers have behind the point: rounded once, not twice.</summary>
    public static TimeSpan Time(double seconds)
    {
        if (seconds == Math.Floor(seconds)) return new(checked((long)seconds * TimeSpan.TicksPerSecond));
        var text = seconds.ToString("F6", CultureInfo.InvariantCulture);
        return new((long)(decimal.Parse(text, NumberStyles.Float, CultureInfo.InvariantCulture) * TimeSpan.TicksPerSecond));
    }

    /// <summary>As written in tables: whole where it is whole.</summary>
    public static string Text(TimeSpan time) => ((decimal)time.Ticks / TimeSpan.TicksPerSecond).ToString("0.######", CultureInfo.InvariantCulture);
}
