using System.Text;
using System.Text.RegularExpressions;
using Puces.Tests.Jobs;

namespace Puces.Tests.Docs;

/// <summary>One command of a page: where it stands, the line as written, and its words as a shell would pass them.</summary>
/// <param name="Words">Without the program's own name.</param>
public sealed record DocumentedCommand(string Page, int Line, string Text, IReadOnlyList<string> Words)
{
    public override string ToString() => $"{Page}:{Line}: {Text}";
}

/// <summary>Every <c>puces</c> command in the <c>sh</c> and <c>console</c> blocks of the documentation.</summary>
public static partial class DocumentedCommands
{
    [GeneratedRegex(@"^```(\w*)\s*$")]
    private static partial Regex Fence { get; }

    /// <summary>The pages that are checked, by their path in the repository.</summary>
    public static IReadOnlyList<string> Pages { get; } =
    [
        "README.md", "CHANGELOG.md",
        .. Directory.EnumerateFiles(Path.Combine(Checkout.Root, "docs"), "*.md", SearchOption.AllDirectories)
            .Concat(Directory.EnumerateFiles(Path.Combine(Checkout.Root, "src"), "README.md", SearchOption.AllDirectories))
            .Select(file => Path.GetRelativePath(Checkout.Root, file)).Order(StringComparer.Ordinal),
    ];

    public static IReadOnlyList<DocumentedCommand> All() => [.. Pages.SelectMany(page => Of(page, Checkout.Read(page)))];

    public static IEnumerable<DocumentedCommand> Of(string page, string markdown)
    {
        string? kind = null;
        var (number, start, joined) = (0, 0, "");
        foreach (var raw in markdown.Split('\n'))
        {
            number++;
            if (Fence.Match(raw) is { Success: true } fence)
            {
                kind = kind is null ? fence.Groups[1].Value : null;
                continue;
            }
            if (kind is not ("sh" or "console")) continue;
            if (joined.Length == 0)
            {
                // In a console block a prompt stands before what is typed; the rest is what was answered.
                if (kind == "console" && !raw.StartsWith("$ ", StringComparison.Ordinal)) continue;
                start = number;
            }
            var line = joined + (kind == "console" && joined.Length == 0 ? raw[2..] : raw.TrimStart());
            if (line.EndsWith('\\'))
            {
                joined = line[..^1];
                continue;
            }
            joined = "";
            foreach (var words in Commands(line))
                if (words is ["puces" or "./puces", .. var arguments]) yield return new(page, start, line, arguments);
        }
    }

    /// <summary>The commands of a line, split at <c>;</c>, <c>&amp;&amp;</c>, <c>||</c> and <c>|</c>, without redirections, comments and variables set before.</summary>
    private static IEnumerable<List<string>> Commands(string line)
    {
        var words = new List<string>();
        var word = new StringBuilder();
        var isWord = false;
        char quote = default;
        for (var i = 0; i <= line.Length; i++)
        {
            var c = i < line.Length ? line[i] : ';';
            if (quote != default && i < line.Length)
            {
                if (c == quote) quote = default;
                else word.Append(c);
                continue;
            }
            if (c is '\'' or '"')
            {
                (quote, isWord) = (c, true);
                continue;
            }
            var isComment = c == '#' && !isWord;
            if (c is ' ' or ';' or '&' or '|' or '<' or '>' || isComment)
            {
                if (isWord) words.Add(word.ToString());
                word.Clear();
                isWord = false;
                if (c is '<' or '>') words.Add("\0");
                if (c is ';' or '&' or '|' || isComment)
                {
                    if (Plain(words) is { Count: > 0 } command) yield return command;
                    words = [];
                }
                if (isComment) yield break;
                continue;
            }
            word.Append(c);
            isWord = true;
        }
    }

    private static List<string> Plain(List<string> words)
    {
        var redirected = words.IndexOf("\0");
        var own = redirected < 0 ? words : words[..redirected];
        return [.. own.SkipWhile(w => Setting.IsMatch(w))];
    }

    [GeneratedRegex(@"^[A-Z_][A-Z0-9_]*=")]
    private static partial Regex Setting { get; }
}
