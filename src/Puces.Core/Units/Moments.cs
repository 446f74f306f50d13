using System.Globalization;

namespace Puces.Core.Units;

/// <summary>Moments as people read them.</summary>
public static class Moments
{
    /// <summary>Such as <c>Tue 24 Nov 08:00 UTC</c>.</summary>
    public static string Text(DateTimeOffset at) => at.UtcDateTime.ToString("ddd d MMM HH:mm", CultureInfo.InvariantCulture) + " UTC";
}
