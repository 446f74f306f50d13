using System.Globalization;
using System.Text;
using Puces.Core.Contract;
using Puces.Core.Jobs;

namespace Puces.Cli.JobFiles;

/// <summary>Shows errors as compilers do: where, what, and the line with a caret under the place.</summary>
public static class JobFileErrors
{
    private const int WidestLine = 110;

    public static string Render(JobFileSource source, IReadOnlyList<FieldError> errors, bool colour)
    {
        var lines = source.Text.Split('\n');
        var text = new StringBuilder();
        foreach (var error in errors.OrderBy(e => e.Line).ThenBy(e => e.Column))
        {
            text.Append(Bold(Where(source, error) + ": ", colour)).Append(What(error)).Append('\n');
            if (error.Line < 1 || error.Line > lines.Length) continue;
            var line = lines[error.Line - 1].TrimEnd('\r');
            var column = Math.Clamp(error.Column, 1, line.Length + 1);
            var from = column > WidestLine * 3 / 4 ? column - WidestLine / 2 : 0;
            var number = error.Line.ToString(CultureInfo.InvariantCulture);
            text.Append(' ').Append(number).Append(" | ").Append(Visible(line.AsSpan(from, Math.Min(WidestLine, line.Length - from)))).Append('\n');
            text.Append(' ').Append(' ', number.Length).Append(" | ").Append(' ', column - 1 - from).Append(Red("^", colour)).Append('\n');
        }
        return text.ToString();
    }

    /// <summary>The error in words, without its place in the file.</summary>
    private static string What(FieldError error) => error.Path.Length == 0 || error.Path.StartsWith("--", StringComparison.Ordinal)
        ? error.Message
        : $"{error.Path}: {error.Message}";

    private static string Where(JobFileSource source, FieldError error)
    {
        if (error.Path.StartsWith("--", StringComparison.Ordinal)) return error.Path;
        if (source.Path.Length == 0) return "command line";
        var path = Show.Plain(source.Path, longest: 4096);
        return error.Line < 1 ? path : string.Create(CultureInfo.InvariantCulture, $"{path}:{error.Line}:{error.Column}");
    }

    // Each character keeps its column; none reaches the terminal as a command.
    private static string Visible(ReadOnlySpan<char> line)
    {
        var shown = new StringBuilder(line.Length);
        foreach (var c in line) shown.Append(c == '\t' ? ' ' : char.IsControl(c) || CharUnicodeInfo.GetUnicodeCategory(c) == UnicodeCategory.Format ? '·' : c);
        return shown.ToString();
    }

    private static string Bold(string text, bool colour) => colour ? $"\u001b[1m{text}\u001b[0m" : text;

    private static string Red(string text, bool colour) => colour ? $"\u001b[1;31m{text}\u001b[0m" : text;
}
