namespace Puces.Cli.JobFiles;

/// <summary>What a YAML parser's complaint means to someone who writes a job file.</summary>
internal static class YamlWords
{
    private static readonly (string Part, string Words)[] Known =
    [
        ("did not find expected key", "the keys do not line up; indent this line as the keys beside it, with blanks"),
        ("did not find expected '-' indicator", "the list does not line up; start this line with '-' as the items before it"),
        ("did not find expected ',' or '}'", "a ',' or a closing '}' is missing"),
        ("did not find expected ',' or ']'", "a ',' or a closing ']' is missing"),
        ("could not find expected ':'", "a ':' and a blank are missing after a key"),
        ("found invalid mapping", "a ': ' stands inside of a text; put the text in quotes, or indent the line as the keys beside it"),
        ("cannot start any token", "a text cannot start with this character; put it in quotes"),
        ("found unexpected end of stream", "a quote is opened here and never closed"),
        ("found unknown escape character", "this escape is not known in double quotes; double the backslash, or use single quotes"),
        ("found unexpected document indicator", "a quote is opened before and never closed"),
        ("expected hexadecimal number", "this escape needs hexadecimal digits; double the backslash, or use single quotes"),
        ("Invalid Unicode", "this escape is no Unicode character; double the backslash, or use single quotes"),
        ("surrogate", "this escape is half of a character; write the character itself"),
        ("did not find expected node content", "a value is missing here"),
        ("undefined tag handle", "tags such as !name mean nothing in a job file; put the text in quotes"),
        ("disallowed: []{},", "the name of an anchor ends too late; put a blank after it"),
        ("comment", "a '#' stands where no comment can; put a blank before it, or the text in quotes"),
        ("incompatible YAML", "this version of YAML is not known; take the %YAML line out"),
        ("tab", "a tab indents this line; use blanks, as YAML wants"),
    ];

    /// <summary>Plain words; the place is moved to where the cause is seen, where it is.</summary>
    public static string Plain(string message, string text, ref int line, ref int column)
    {
        if (message.Contains("tab", StringComparison.Ordinal))
        {
            var lines = text.AsSpan().Count('\n') + 1;
            for (var at = line; at <= lines && at < line + 3; at++)
                if (TabAt(SourceLine(text, at)) is not null) { line = at; break; }
        }
        var source = SourceLine(text, line);
        if (TabAt(source) is { } tab)
        {
            column = tab;
            return "a tab indents this line; use blanks, as YAML wants";
        }
        if (TightColon(source) is { } colon || (line > 1 && TightColon(SourceLine(text, line - 1)) is { } above && (colon = above) > 0 && --line > 0))
        {
            column = colon;
            return "a blank is missing after this ':'; write key: value";
        }
        foreach (var (part, words) in Known)
            if (message.Contains(part, StringComparison.OrdinalIgnoreCase)) return words;
        var start = message.StartsWith("While ", StringComparison.Ordinal) ? message.IndexOf(", ", StringComparison.Ordinal) + 2 : 0;
        return "this is not YAML: " + message[start..].TrimEnd('.');
    }

    private static string SourceLine(string text, int line)
    {
        var rest = text.AsSpan();
        for (; line > 1; line--)
        {
            var end = rest.IndexOf('\n');
            if (end < 0) return "";
            rest = rest[(end + 1)..];
        }
        var length = rest.IndexOf('\n');
        return (length < 0 ? rest : rest[..length]).ToString();
    }

    private static int? TabAt(string line)
    {
        var indent = line.AsSpan(0, line.Length - line.AsSpan().TrimStart().Length);
        return indent.IndexOf('\t') is >= 0 and var tab ? tab + 1 : null;
    }

    // nodes:2 is one word to YAML.
    private static int? TightColon(string line)
    {
        var word = line.AsSpan().TrimStart();
        var indent = line.Length - word.Length;
        var end = 0;
        while (end < word.Length && (char.IsAsciiLetterOrDigit(word[end]) || word[end] is '_' or '-')) end++;
        return end > 0 && end + 1 < word.Length && word[end] == ':' && !char.IsWhiteSpace(word[end + 1]) ? indent + end + 1 : null;
    }
}
