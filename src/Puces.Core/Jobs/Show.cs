using System.Globalization;
using System.Text;

namespace Puces.Core.Jobs;

/// <summary>What a user wrote, made fit to be shown: short, and without control characters.</summary>
public static class Show
{
    private const int Longest = 48;

    public static string Quoted(string text) => $"'{Plain(text)}'";

    public static string Plain(string text, int longest = Longest)
    {
        var shown = new StringBuilder();
        foreach (var rune in text.AsSpan(0, Math.Min(text.Length, longest)).EnumerateRunes())
        {
            if (rune.Value == '\n') shown.Append("\\n");
            else if (IsHarmless(rune)) shown.Append(rune.ToString());
            else shown.Append(CultureInfo.InvariantCulture, $"\\u{rune.Value:x4}");
        }
        return text.Length > longest ? shown.Append('…').ToString() : shown.ToString();
    }

    // Format characters include those that turn the direction of the line.
    private static bool IsHarmless(Rune rune) =>
        Rune.GetUnicodeCategory(rune) is not (UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.OtherNotAssigned
            or UnicodeCategory.PrivateUse or UnicodeCategory.Surrogate or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator);
}
