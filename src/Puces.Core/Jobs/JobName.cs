namespace Puces.Core.Jobs;

/// <summary>Names of jobs, projects and places: safe in a file name, a URL and a shell.</summary>
public static class JobName
{
    public static bool Fits(string text) => text.Length is > 0 and <= JobFields.LongestName && char.IsAsciiLetterOrDigit(text[0]) && text.All(IsPart);

    /// <summary>The nearest name to any text; empty where nothing of it can stay.</summary>
    public static string FittingTo(string text)
    {
        var parts = string.Concat(text.Select(c => IsPart(c) ? c : '-')).Trim('-', '.', '_');
        return parts.Length <= JobFields.LongestName ? parts : parts[..JobFields.LongestName];
    }

    private static bool IsPart(char c) => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-';
}
