using System.Globalization;
using System.Text;
using Puces.Runner.Posix;

namespace Puces.Runner.Logs;

/// <summary>
/// A rank's log. A record is <c>time stream text LF</c>; the stream is <c>o</c>, <c>e</c> or <c>p</c> (a word of Puces), in capitals where
/// the line goes on in the next record of the same stream. Segments are named by the offset of their first byte, hold whole records only,
/// and the oldest after the first are dropped beyond the limit. A full disk costs lines, which are counted, and never the job.
/// </summary>
internal sealed class LogWriter : IDisposable
{
    public const int LongestText = 16 * 1024;
    private const int StampLength = 27;
    private const long LeastLimit = 32 * 1024, LargestSegment = 16L << 20;

    private readonly string _folder;
    private readonly long _limit, _segmentLimit;
    private readonly Line[] _open = [new((byte)'o'), new((byte)'e')];
    private readonly List<Segment> _segments = [];
    private readonly byte[] _stamp = new byte[StampLength];
    private byte[] _buffer = new byte[16 * 1024];
    private readonly byte[] _lastError = new byte[300];
    private int _count, _lines, _lastErrorLength;
    private int _fd = -1;
    private long _unwritten;
    private DateTime _stamped;

    public LogWriter(string folder, long limit)
    {
        _folder = folder;
        _limit = limit <= 0 ? long.MaxValue : Math.Max(limit, LeastLimit);
        _segmentLimit = Math.Clamp(_limit / 8, 1024, LargestSegment);
    }

    /// <summary>Bytes written to the log, dropped segments included.</summary>
    public long Length { get; private set; }

    /// <summary>A line has begun that no line feed has ended, or lines wait for space on the disk.</summary>
    public bool HasUnended => _open[0].Count > 0 || _open[1].Count > 0;

    /// <summary>The beginning of the last line on standard error that holds more than blanks; empty where there was none.</summary>
    public string LastErrorLine => new([.. Encoding.UTF8.GetString(_lastError, 0, _lastErrorLength).Where(c => !char.IsControl(c) && c != '\uFFFD')]);

    /// <summary>What a process wrote to standard output (0) or standard error (1).</summary>
    public void Take(int stream, ReadOnlySpan<byte> bytes)
    {
        Stamp();
        var line = _open[stream];
        while (bytes.Length > 0)
        {
            var end = bytes.IndexOf((byte)'\n');
            var text = end < 0 ? bytes : bytes[..end];
            var room = LongestText - line.Count;
            if (text.Length > room)
            {
                Record(line.Partial, line.Text(), text[..room]);
                line.Clear();
                bytes = bytes[room..];
                continue;
            }
            if (end < 0)
            {
                line.Add(text);
                return;
            }
            if (stream == 1) Remember(line.Text(), text);
            Record(line.Whole, line.Text(), text);
            line.Clear();
            bytes = bytes[(end + 1)..];
        }
    }

    /// <summary>A word of Puces itself, in the stream <c>p</c>.</summary>
    public void Say(string text)
    {
        Stamp();
        Record((byte)'p', Encoding.UTF8.GetBytes(text.ReplaceLineEndings(" ")), []);
        Flush();
    }

    /// <summary>Writes lines that have begun as parts of lines, so that a prompt or a progress bar is seen.</summary>
    public void EndParts()
    {
        Stamp();
        foreach (var line in _open)
        {
            if (line.Count == 0) continue;
            if (line == _open[1]) Remember(line.Text(), []);
            Record(line.Partial, line.Text(), []);
            line.Clear();
        }
        Flush();
    }

    /// <summary>Hands what is buffered to the disk; true where the log grew.</summary>
    public bool Flush()
    {
        if (_unwritten > 0 && !TrySayUnwritten()) return false;
        if (_count == 0) return false;
        var bytes = _buffer.AsSpan(0, _count);
        var written = Append(bytes, _lines);
        if (written < _count) _unwritten += bytes[written..].Count((byte)'\n');
        _count = _lines = 0;
        return written > 0;
    }

    public void Dispose()
    {
        Flush();
        if (_fd >= 0) _ = Libc.Close(_fd);
        _fd = -1;
    }

    private void Remember(ReadOnlySpan<byte> first, ReadOnlySpan<byte> second)
    {
        if (!first.ContainsAnyExcept(" \t\r"u8) && !second.ContainsAnyExcept(" \t\r"u8)) return;
        first = first[..Math.Min(first.Length, _lastError.Length)];
        second = second[..Math.Min(second.Length, _lastError.Length - first.Length)];
        first.CopyTo(_lastError);
        second.CopyTo(_lastError.AsSpan(first.Length));
        _lastErrorLength = first.Length + second.Length;
    }

    private void Record(byte stream, ReadOnlySpan<byte> first, ReadOnlySpan<byte> second)
    {
        var size = StampLength + 3 + first.Length + second.Length + 1;
        if (_segments.Count > 0 && _segments[^1].Length + _count + size > _segmentLimit && _segments[^1].Length + _count > 0)
        {
            Flush();
            Rotate();
        }
        if (_count + size > 4 * LongestText) Flush();
        if (_count + size > _buffer.Length) Array.Resize(ref _buffer, Math.Max(_count + size, _buffer.Length * 2));
        var to = _buffer.AsSpan(_count, size);
        _stamp.CopyTo(to);
        to[StampLength] = (byte)' ';
        to[StampLength + 1] = stream;
        to[StampLength + 2] = (byte)' ';
        first.CopyTo(to[(StampLength + 3)..]);
        second.CopyTo(to[(StampLength + 3 + first.Length)..]);
        to[^1] = (byte)'\n';
        _count += size;
        _lines++;
    }

    /// <summary>The number of bytes that are now in the log: whole records, all of them unless the disk is full.</summary>
    private int Append(ReadOnlySpan<byte> records, int lines)
    {
        if (_fd < 0 && !OpenSegment()) return 0;
        var written = 0;
        while (written < records.Length)
        {
            var n = Libc.Write(_fd, records[written..]);
            if (n <= 0) break;
            written += n;
        }
        var segment = _segments[^1];
        if (written < records.Length)
        {
            // Whole records stay, since a reader may have seen them; half of one does not.
            written = records[..written].LastIndexOf((byte)'\n') + 1;
            lines = records[..written].Count((byte)'\n');
            _ = Libc.SetLength(_fd, segment.Length + written);
        }
        _segments[^1] = segment with { Length = segment.Length + written, Lines = segment.Lines + lines };
        Length += written;
        return written;
    }

    private bool TrySayUnwritten()
    {
        var marker = Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture,
            $"{Encoding.ASCII.GetString(_stamp)} p … {_unwritten} lines lost here: the disk was full …\n"));
        if (Append(marker, 1) == marker.Length)
        {
            _unwritten = 0;
            return true;
        }
        _unwritten += _lines;
        _count = _lines = 0;
        return false;
    }

    private bool OpenSegment()
    {
        _fd = Libc.Open(SegmentPath(Length), Libc.WriteOnly | Libc.Create | Libc.Append | Libc.CloseOnExec);
        if (_fd < 0) return false;
        _segments.Add(new(Length, 0, 0));
        return true;
    }

    private void Rotate()
    {
        // With the disk full the segment stays open: a new one would find no room either.
        if (_unwritten > 0 || _fd < 0) return;
        _ = Libc.Close(_fd);
        _fd = -1;
        if (!OpenSegment()) return;
        while (_segments.Count > 2 && _segments.Sum(s => s.Length) + _segmentLimit > _limit)
        {
            var oldest = _segments[1];
            // First the note, then the deed: a reader that misses the segment finds how much it held.
            var note = string.Create(CultureInfo.InvariantCulture, $"{oldest.Start} {oldest.Length} {oldest.Lines}\n");
            var fd = Libc.Open(Path.Combine(_folder, "dropped"), Libc.WriteOnly | Libc.Create | Libc.Append | Libc.CloseOnExec);
            if (fd >= 0)
            {
                _ = Files.WriteAll(fd, Encoding.ASCII.GetBytes(note));
                _ = Libc.Close(fd);
            }
            _ = Libc.Unlink(SegmentPath(oldest.Start));
            _segments.RemoveAt(1);
        }
    }

    private string SegmentPath(long start) => LogReader.SegmentPath(_folder, start);

    private void Stamp()
    {
        var now = DateTime.UtcNow;
        if (now == _stamped) return;
        _stamped = now;
        now.TryFormat(_stamp, out _, "yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'", CultureInfo.InvariantCulture);
    }

    private readonly record struct Segment(long Start, long Length, long Lines);

    /// <summary>The line of one stream that no line feed has ended yet.</summary>
    private sealed class Line(byte whole)
    {
        private byte[] _text = [];

        public byte Whole => whole;
        public byte Partial => (byte)(whole - 32);
        public int Count { get; private set; }

        public ReadOnlySpan<byte> Text() => _text.AsSpan(0, Count);
        public void Clear() => Count = 0;

        public void Add(ReadOnlySpan<byte> more)
        {
            if (Count + more.Length > _text.Length) Array.Resize(ref _text, Math.Min(LongestText, Math.Max(Count + more.Length, 512)));
            more.CopyTo(_text.AsSpan(Count));
            Count += more.Length;
        }
    }
}
