using System.Text.RegularExpressions;
using Puces.Tests.Jobs;

namespace Puces.Tests.Docs;

/// <summary>One line that a page tells people to type, or a command that it names in its text.</summary>
public sealed record DocumentedLine(string Page, int Number, string Text)
{
    public override string ToString() => $"{Page}:{Number}: {Text}";
}

/// <summary>The lines of the shell blocks of a page, and the commands with their words that its text names, in their order.</summary>
public static partial class DocumentedLines
{
    [GeneratedRegex(@"^```(\w*)")]
    private static partial Regex Fence { get; }

    // A program's bare name is a word of a sentence; with something behind it, it is a command.
    [GeneratedRegex(@"`((?:\./)?puces(?:d|-runner)? [^`]+|journalctl [^`]+)`")]
    private static partial Regex Mention { get; }

    public static IReadOnlyList<DocumentedLine> Of(string page)
    {
        var lines = new List<DocumentedLine>();
        var (number, kind) = (0, (string?)null);
        foreach (var line in Checkout.Read(page).Split('\n'))
        {
            number++;
            if (Fence.Match(line) is { Success: true } fence) kind = kind is null ? fence.Groups[1].Value : null;
            else if (kind == "sh" && line.Trim().Length > 0) lines.Add(new(page, number, line.Trim()));
            else if (kind == "console" && line.StartsWith("$ ", StringComparison.Ordinal)) lines.Add(new(page, number, line[2..]));
            else if (kind is null) lines.AddRange(Mention.Matches(line).Select(m => new DocumentedLine(page, number, m.Groups[1].Value)));
        }
        return lines;
    }
}
