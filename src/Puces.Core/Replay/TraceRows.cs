using System.Globalization;
using Puces.Core.Units;

namespace Puces.Core.Replay;

/// <summary>
/// The rows of a table in text, one after the other in one buffer: nothing is allocated for what nobody asks for. The first line names the
/// columns. A cell may stand in quotes, not a line break.
/// </summary>
internal sealed class TraceRows
{
    private const int LongestLine = 1 << 24;
    /// <summary>Longer ago than any of these machines: larger numbers are another unit, or not a time.</summary>
    private const long MostSeconds = 10_000_000_000;
    /// <summary>A million of anything, in thousandths.</summary>
    private const int MostThousandths = 1_000_000_000;

    private readonly TextReader _text;
    private readonly bool _hasQuotes;
    private readonly char _separator;
    private readonly string[] _header;
    private readonly (int Start, int Length)[] _cells;
    private readonly Dictionary<string, string> _names = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string>.AlternateLookup<ReadOnlySpan<char>> _known;
    private char[] _buffer = new char[1 << 16];
    private int _next, _end;
    private char[] _unquoted = [];
    private char[] _row;

    public TraceRows(TextReader text, string file)
    {
        _text = text;
        File = file;
        _known = _names.GetAlternateLookup<ReadOnlySpan<char>>();
        _row = _buffer;
        if (!NextLine(out var start, out var length)) throw new TraceException(file, 1, "is empty; the first line names the columns");
        var header = new string(_buffer, start, length).TrimStart('\uFEFF');
        // What sacct writes is not quoted, whatever stands in a name.
        _separator = header.Contains('|', StringComparison.Ordinal) ? '|' : header.Contains('\t', StringComparison.Ordinal) ? '\t' : ',';
        _hasQuotes = _separator == ',';
        _header = [.. header.Split(_separator).Select(c => c.Trim().Trim('"'))];
        _cells = new (int, int)[_header.Length];
    }

    public string File { get; }
    public int Line { get; private set; }
    public IReadOnlyList<string> Header => _header;

    /// <summary>Where the column stands; -1 where there is none of that name.</summary>
    public int Find(string column) => Array.IndexOf(_header, column);

    /// <summary>Goes to the next row that is not blank; false at the end.</summary>
    public bool Next()
    {
        while (NextLine(out var start, out var length))
        {
            if (_buffer.AsSpan(start, length).IsWhiteSpace()) continue;
            Split(start, length);
            return true;
        }
        return false;
    }

    /// <summary>The cell's text; empty where the table has no such column.</summary>
    public ReadOnlySpan<char> this[int column] => column < 0 ? [] : _row.AsSpan(_cells[column].Start, _cells[column].Length);

    /// <summary>A text that many rows have: each is kept once.</summary>
    public string Name(int column)
    {
        var text = this[column];
        if (text.IsEmpty) return "";
        if (_known.TryGetValue(text, out var known)) return known;
        var name = text.ToString();
        _names.Add(name, name);
        return name;
    }

    public string Id(int column) => this[column] is { IsEmpty: false } id ? id.ToString() : throw Wrong(column, "is empty; each job has a name of its own");

    public TimeSpan Seconds(int column) => SecondsOrNone(column) ?? throw Wrong(column, "is empty; write a number of seconds, such as 3600");

    public TimeSpan? SecondsOrNone(int column)
    {
        var text = this[column];
        if (text.IsEmpty) return null;
        if (text.Length <= 10 && long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var whole)) return new(whole * TimeSpan.TicksPerSecond);
        if (!decimal.TryParse(text, NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent, CultureInfo.InvariantCulture, out var seconds) || seconds > MostSeconds)
            throw Wrong(column, "is no number of seconds; write such as 3600 or 0.5");
        return new((long)(seconds * TimeSpan.TicksPerSecond));
    }

    /// <summary>A moment such as <c>2017-10-07 01:12:09</c>; null where the trace has none.</summary>
    public DateTime? MomentOrNone(int column)
    {
        var text = this[column];
        if (text.IsEmpty || text is "Unknown" or "None" or "null" or "NULL") return null;
        return TryMoment(text) ?? throw Wrong(column, "is no moment; write such as 2017-10-07 01:12:09");
    }

    public static DateTime? TryMoment(ReadOnlySpan<char> text) =>
        DateTime.TryParseExact(text, ["yyyy-MM-dd HH:mm:ss", "yyyy-MM-ddTHH:mm:ss", "yyyy-MM-dd HH:mm:ss.FFFFFFF"], CultureInfo.InvariantCulture, DateTimeStyles.None, out var moment) ? moment : null;

    /// <summary>Thousandths of what the cell counts; <paramref name="empty"/> where it is empty.</summary>
    public int Milli(int column, int empty = 0) => Thousandths(column, 1000, empty);

    /// <summary>Thousandths, of a number in units of <paramref name="unit"/> thousandths.</summary>
    public int Thousandths(int column, int unit, int empty = 0)
    {
        var text = this[column];
        if (text.IsEmpty) return empty;
        if (text.Length <= 6 && int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var whole)) return whole * unit;
        if (!decimal.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var amount) || amount > MostThousandths / unit)
            throw Wrong(column, $"is no amount; write a number from 0 to {MostThousandths / unit}, such as 8");
        return (int)decimal.Round(amount * unit);
    }

    public Memory Gibibytes(int column) => Amount(column, 1L << 30, "GiB, such as 64");

    public Memory Mebibytes(int column) => Amount(column, 1L << 20, "MiB, such as 65536");

    private Memory Amount(int column, long unit, string right)
    {
        var text = this[column];
        if (text.IsEmpty) return default;
        if (!decimal.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var amount) || amount > 1_000_000_000)
            throw Wrong(column, $"is no amount of memory; write a number of {right}");
        return new((long)(amount * unit));
    }

    /// <summary>A mistake in one cell.</summary>
    public TraceException Wrong(int column, string mistake)
    {
        var text = this[column];
        var shown = text.IsEmpty ? "" : text.Length > 40 ? $" '{text[..40]}…'" : $" '{text}'";
        return new(File, Line, $"{(column < 0 ? "a column" : _header[column])}{shown} {mistake}");
    }

    public TraceException Wrong(string mistake) => new(File, Line, mistake);

    private bool NextLine(out int start, out int length)
    {
        var seen = 0;
        while (true)
        {
            var at = _buffer.AsSpan(_next + seen, _end - _next - seen).IndexOf('\n');
            if (at >= 0)
            {
                (start, length) = (_next, seen + at);
                _next += length + 1;
                break;
            }
            seen = _end - _next;
            if (Fill()) continue;
            (start, length) = (_next, seen);
            _next = _end;
            if (length == 0) return false;
            break;
        }
        if (length > 0 && _buffer[start + length - 1] == '\r') length--;
        Line++;
        return true;
    }

    /// <summary>Reads more behind the part of a line that is here; false at the end.</summary>
    private bool Fill()
    {
        if (_next > 0)
        {
            Array.Copy(_buffer, _next, _buffer, 0, _end - _next);
            (_end, _next) = (_end - _next, 0);
        }
        if (_end == _buffer.Length)
        {
            if (_end >= LongestLine) throw new TraceException(File, Line + 1, "is longer than 16 million characters; is this a text file?");
            Array.Resize(ref _buffer, _buffer.Length * 2);
        }
        var read = _text.Read(_buffer, _end, _buffer.Length - _end);
        _end += read;
        return read > 0;
    }

    private void Split(int start, int length)
    {
        var line = _buffer.AsSpan(start, length);
        _row = _buffer;
        var count = 0;
        if (_hasQuotes && line.Contains('"')) count = Unquote(line);
        else
        {
            for (var at = 0; ;)
            {
                var width = line[at..].IndexOf(_separator);
                if (width < 0) width = length - at;
                if (count < _cells.Length) _cells[count] = (start + at, width);
                count++;
                at += width + 1;
                if (at > length) break;
            }
        }
        if (count != _header.Length)
            throw Wrong($"has {count} columns where the first line names {_header.Length}{(_separator == '|' ? "; where a job's name has a | in it, leave JobName out of sacct --format" : "")}");
    }

    private int Unquote(ReadOnlySpan<char> line)
    {
        if (_unquoted.Length < line.Length) _unquoted = new char[line.Length * 2];
        _row = _unquoted;
        var (count, start, end, isQuoted) = (0, 0, 0, false);
        for (var i = 0; i < line.Length; i++)
        {
            var c = line[i];
            if (c == '"' && isQuoted && i + 1 < line.Length && line[i + 1] == '"') _unquoted[end++] = line[++i];
            else if (c == '"') isQuoted = !isQuoted;
            else if (c == _separator && !isQuoted) Close();
            else _unquoted[end++] = c;
        }
        if (isQuoted) throw Wrong("has a quote that does not end; a cell may not go on in the next line");
        Close();
        return count;

        void Close()
        {
            if (count < _cells.Length) _cells[count] = (start, end - start);
            count++;
            start = end;
        }
    }
}
