using System.Text;

namespace Puces.Cli.Terminal;

/// <summary>A colour that says something; written only where the reader is a person at a terminal.</summary>
internal enum Tint { None, Bold, Dim, Red, Green, Yellow, Cyan }

/// <summary>
/// Where a command writes: results on standard output, everything else on standard error. One line at the bottom of the terminal
/// may be a status that is written over in place; where there is no terminal it does not show.
/// </summary>
internal sealed class Screen(TextWriter output, TextWriter error, ScreenKind outKind, ScreenKind errorKind, int width) : IDisposable
{
    private readonly Lock _gate = new();
    private string? _status;
    private string? _trouble;
    private bool _statusShows;
    private bool _midLine;

    /// <summary>Big buffered writer of results: flushed at the end, and by <see cref="Flush"/> where lines should show at once.</summary>
    public TextWriter Out => output;

    public bool OutIsTerminal => outKind.IsTerminal;
    public bool ErrorIsTerminal => errorKind.IsTerminal;
    public bool ErrorHasColour => errorKind.HasColour;

    /// <summary>Columns of the terminal; no limit where there is none.</summary>
    public int Width => OutIsTerminal ? width : int.MaxValue;

    public static Screen OfProcess()
    {
        // TERM=dumb can neither colour nor go back in a line; NO_COLOR (no-color.org) asks for none.
        var isDumb = Environment.GetEnvironmentVariable("TERM") is "dumb";
        var isPlain = isDumb || Environment.GetEnvironmentVariable("NO_COLOR") is { Length: > 0 };
        var outIsTerminal = !Console.IsOutputRedirected;
        var errorIsTerminal = !Console.IsErrorRedirected;
        return new(
            Writer(DescriptorStream.Output()), Writer(DescriptorStream.Error()),
            new(outIsTerminal, outIsTerminal && !isPlain, outIsTerminal && !isDumb),
            new(errorIsTerminal, errorIsTerminal && !isPlain, errorIsTerminal && !isDumb),
            outIsTerminal || errorIsTerminal ? TerminalWidth() : 80);
    }

    /// <summary>The text in its colour, for standard output.</summary>
    public string Paint(string text, Tint tint) => Paint(text, tint, outKind.HasColour);

    /// <summary>The text in its colour, for standard error.</summary>
    public string PaintNote(string text, Tint tint) => Paint(text, tint, errorKind.HasColour);

    /// <summary>A whole line of results.</summary>
    public void Line(string text)
    {
        lock (_gate)
        {
            HideStatus();
            output.Write(text);
            output.Write('\n');
        }
    }

    /// <summary>A piece of a job's output as it came, which may end in the middle of a line.</summary>
    public void Raw(string text, bool toError, bool endsLine)
    {
        lock (_gate)
        {
            HideStatus();
            var writer = toError ? error : output;
            writer.Write(text);
            if (endsLine) writer.Write('\n');
            _midLine = !endsLine;
        }
    }

    /// <summary>A whole line beside the results: progress, hints, errors.</summary>
    public void Note(string text)
    {
        lock (_gate)
        {
            HideStatus();
            if (_midLine && errorKind.IsTerminal) error.Write('\n');
            _midLine = false;
            output.Flush();
            error.Write(text);
            error.Write('\n');
            error.Flush();
            ShowStatus();
        }
    }

    /// <summary>Shows the text in place of the last status; null takes it away.</summary>
    public void Status(string? text)
    {
        if (text != _status) Redraw(() => _status = text);
    }

    /// <summary>Shows in place of the status for as long as it is not null: the server does not answer.</summary>
    public void Trouble(string? text)
    {
        if (text != _trouble) Redraw(() => _trouble = text);
    }

    /// <summary>True where <see cref="Status"/> shows.</summary>
    public bool HasStatus => errorKind.CanMove;

    public void Flush()
    {
        lock (_gate)
        {
            output.Flush();
            ShowStatus();
            error.Flush();
        }
    }

    public void Dispose()
    {
        Status(null);
        Flush();
    }

    private void Redraw(Action change)
    {
        if (!errorKind.CanMove) return;
        lock (_gate)
        {
            change();
            HideStatus();
            ShowStatus();
            error.Flush();
        }
    }

    private void ShowStatus()
    {
        if ((_trouble ?? _status) is not { } text || _statusShows || _midLine || !errorKind.CanMove) return;
        output.Flush();
        error.Write(text.Length < width ? text : string.Concat(text.AsSpan(0, Math.Max(0, width - 2)), "…"));
        _statusShows = true;
    }

    private void HideStatus()
    {
        if (!_statusShows) return;
        error.Write("\r\e[2K");
        error.Flush();
        _statusShows = false;
    }

    private static string Paint(string text, Tint tint, bool hasColour) => !hasColour || text.Length == 0 ? text : tint switch
    {
        Tint.Bold => $"\e[1m{text}\e[0m",
        Tint.Dim => $"\e[2m{text}\e[0m",
        Tint.Red => $"\e[31m{text}\e[0m",
        Tint.Green => $"\e[32m{text}\e[0m",
        Tint.Yellow => $"\e[33m{text}\e[0m",
        Tint.Cyan => $"\e[36m{text}\e[0m",
        _ => text,
    };

    private static StreamWriter Writer(Stream stream) => new(stream, new UTF8Encoding(false), 64 * 1024) { NewLine = "\n" };

    private static int TerminalWidth()
    {
        if (int.TryParse(Environment.GetEnvironmentVariable("COLUMNS"), out var columns) && columns > 0) return columns;
        return DescriptorStream.Columns(1) is > 0 and var output ? output : DescriptorStream.Columns(2) is > 0 and var error ? error : 80;
    }
}

/// <summary>What a stream can show.</summary>
internal readonly record struct ScreenKind(bool IsTerminal, bool HasColour, bool CanMove)
{
    public static readonly ScreenKind Plain = new(false, false, false);
}
