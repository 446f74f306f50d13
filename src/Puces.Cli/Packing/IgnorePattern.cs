namespace Puces.Cli.Packing;

/// <summary>
/// One line of an ignore file, read as git reads it (gitignore(5)). Our own: of the two libraries tried, the better one took
/// <c>/*.md</c> for every folder's and did not know <c>**</c> in the middle, and what is wrongly left out makes a job fail far away.
/// </summary>
internal sealed class IgnorePattern
{
    private readonly string _glob;
    private readonly bool _isForFolders;
    private readonly bool _isAnchored;

    private IgnorePattern(string glob, bool isNegated, bool isForFolders, bool isAnchored) =>
        (_glob, IsNegated, _isForFolders, _isAnchored) = (glob, isNegated, isForFolders, isAnchored);

    /// <summary>What it matches is taken back in.</summary>
    public bool IsNegated { get; }

    /// <summary>The pattern of a line; null for an empty line or a comment.</summary>
    public static IgnorePattern? Parse(string line)
    {
        var text = WithoutTrailingSpaces(line.TrimEnd('\r'));
        if (text.Length == 0 || text[0] == '#') return null;
        var isNegated = text[0] == '!';
        if (isNegated) text = text[1..];
        var isForFolders = text.EndsWith('/');
        if (isForFolders) text = text[..^1];
        // A slash anywhere but at the end ties the pattern to the folder of its file.
        var isAnchored = text.Contains('/', StringComparison.Ordinal);
        if (text.StartsWith('/')) text = text[1..];
        return text.Length == 0 ? null : new(text, isNegated, isForFolders, isAnchored);
    }

    /// <param name="path">Relative to the folder of the ignore file, with slashes.</param>
    /// <param name="isFolder">The path is a folder, and not a link to one.</param>
    public bool Matches(ReadOnlySpan<char> path, bool isFolder)
    {
        if (_isForFolders && !isFolder) return false;
        return Glob(_glob, _isAnchored ? path : path[(path.LastIndexOf('/') + 1)..], atStart: true);
    }

    private static bool Glob(ReadOnlySpan<char> glob, ReadOnlySpan<char> text, bool atStart)
    {
        while (glob.Length > 0)
        {
            switch (glob[0])
            {
                case '*':
                    return Star(glob, text, atStart);
                case '?':
                    if (text.Length == 0 || text[0] == '/') return false;
                    glob = glob[1..];
                    break;
                case '[':
                    if (text.Length == 0 || text[0] == '/' || !Class(ref glob, text[0])) return false;
                    break;
                case '\\':
                    if (glob.Length < 2 || text.Length == 0 || glob[1] != text[0]) return false;
                    glob = glob[2..];
                    break;
                default:
                    if (text.Length == 0 || glob[0] != text[0]) return false;
                    glob = glob[1..];
                    break;
            }
            atStart = text[0] == '/';
            text = text[1..];
        }
        return text.Length == 0;
    }

    private static bool Star(ReadOnlySpan<char> glob, ReadOnlySpan<char> text, bool atStart)
    {
        var stars = glob.IndexOfAnyExcept('*') is >= 0 and var end ? end : glob.Length;
        var rest = glob[stars..];
        if (stars == 2 && atStart)
        {
            if (rest.Length == 0) return text.Length > 0;
            if (rest[0] == '/')
            {
                // "**/" stands for no folder, or for any number of them.
                for (var at = text; ;)
                {
                    if (Glob(rest[1..], at, atStart: true)) return true;
                    var slash = at.IndexOf('/');
                    if (slash < 0) return false;
                    at = at[(slash + 1)..];
                }
            }
        }
        for (var i = 0; ; i++)
        {
            if (Glob(rest, text[i..], atStart: i > 0 ? text[i - 1] == '/' : atStart)) return true;
            if (i == text.Length || text[i] == '/') return false;
        }
    }

    // A set such as [a-z], [!0-9] or [[:alpha:]_]; moves the glob behind it. One that never closes matches nothing.
    private static bool Class(ref ReadOnlySpan<char> glob, char c)
    {
        var i = 1;
        var isNegated = i < glob.Length && glob[i] is '!' or '^';
        if (isNegated) i++;
        var isIn = false;
        for (var isFirst = true; i < glob.Length && (glob[i] != ']' || isFirst); isFirst = false)
        {
            if (glob[i] == '[' && i + 1 < glob.Length && glob[i + 1] == ':' && glob[i..].IndexOf(":]") is > 1 and var close)
            {
                isIn |= IsOf(glob.Slice(i + 2, close - 2), c);
                i += close + 2;
                continue;
            }
            var low = Next(glob, ref i);
            var high = low;
            if (i + 1 < glob.Length && glob[i] == '-' && glob[i + 1] != ']')
            {
                i++;
                high = Next(glob, ref i);
            }
            isIn |= c >= low && c <= high;
        }
        if (i >= glob.Length) return false;
        glob = glob[(i + 1)..];
        return isIn != isNegated;
    }

    private static char Next(ReadOnlySpan<char> glob, ref int i)
    {
        if (glob[i] == '\\' && i + 1 < glob.Length) i++;
        return glob[i++];
    }

    private static bool IsOf(ReadOnlySpan<char> name, char c) => name switch
    {
        "alpha" => char.IsAsciiLetter(c),
        "digit" => char.IsAsciiDigit(c),
        "alnum" => char.IsAsciiLetterOrDigit(c),
        "upper" => char.IsAsciiLetterUpper(c),
        "lower" => char.IsAsciiLetterLower(c),
        "xdigit" => char.IsAsciiHexDigit(c),
        "space" => c is ' ' or (>= '\t' and <= '\r'),
        "blank" => c is ' ' or '\t',
        "punct" => char.IsAscii(c) && (char.IsPunctuation(c) || char.IsSymbol(c)),
        _ => false,
    };

    private static string WithoutTrailingSpaces(string line)
    {
        var end = line.Length;
        while (end > 0 && line[end - 1] == ' ' && !(end > 1 && line[end - 2] == '\\')) end--;
        return line[..end];
    }
}
