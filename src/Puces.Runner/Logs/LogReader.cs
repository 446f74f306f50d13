using System.Globalization;
using Puces.Runner.Posix;

namespace Puces.Runner.Logs;

/// <summary>Reads a rank's log from any offset on, while another process may still write it.</summary>
internal sealed class LogReader(string folder, long offset) : IDisposable
{
    private int _fd = -1;
    private long _start;
    private long _offset = offset;
    private long _dropped;

    /// <summary>Where the next byte lies in the whole stream.</summary>
    public long Offset => _offset;

    public static string SegmentPath(string folder, long start) =>
        string.Create(CultureInfo.InvariantCulture, $"{folder}/log.{start:D20}");

    /// <summary>
    /// Whole records from <paramref name="from"/> on; none where there are no more for now. Where it lies beyond the end of what was read
    /// before, the bytes between were dropped, and with them <paramref name="droppedLines"/>.
    /// </summary>
    public int Read(Span<byte> buffer, out long from, out long droppedLines)
    {
        droppedLines = 0;
        while (true)
        {
            if (_fd < 0 && !Open())
            {
                from = _offset;
                return 0;
            }
            var read = ReadRecords(buffer);
            if (read == 0 && MoveOn())
            {
                // The writer may have added to the segment before it left it; it does not come back.
                read = ReadRecords(buffer);
                if (read == 0)
                {
                    Dispose();
                    continue;
                }
            }
            from = _offset;
            _offset += read;
            if (read > 0) (droppedLines, _dropped) = (_dropped, 0);
            return read;
        }
    }

    /// <summary>The end of the log as it is on disk.</summary>
    public static long Length(string folder)
    {
        var last = Starts(folder).DefaultIfEmpty(-1).Max();
        try
        {
            return last < 0 ? 0 : last + new FileInfo(SegmentPath(folder, last)).Length;
        }
        catch (IOException)
        {
            return Math.Max(0, last);
        }
    }

    public void Dispose()
    {
        if (_fd >= 0) _ = Libc.Close(_fd);
        _fd = -1;
    }

    private int ReadRecords(Span<byte> buffer)
    {
        var read = Libc.ReadAt(_fd, buffer, _offset - _start);
        return read <= 0 ? 0 : buffer[..read].LastIndexOf((byte)'\n') + 1;
    }

    /// <summary>Whether a later segment than the open one is there.</summary>
    private bool MoveOn()
    {
        if (_offset > _start && Libc.Access(SegmentPath(folder, _offset), 0) == 0) return true;
        foreach (var start in Starts(folder))
            if (start > _start) return true;
        return false;
    }

    /// <summary>Opens the segment that holds the offset, or the first one after it.</summary>
    private bool Open()
    {
        var starts = Starts(folder);
        starts.Sort();
        for (var i = starts.Count - 1; i >= 0; i--)
        {
            if (starts[i] > _offset) continue;
            var fd = Libc.Open(SegmentPath(folder, starts[i]), Libc.ReadOnly | Libc.CloseOnExec);
            if (fd < 0) return Retry();
            var isLast = i == starts.Count - 1;
            if (!isLast && Ends(starts[i]) <= _offset)
            {
                _ = Libc.Close(fd);
                return OpenAt(starts[i + 1]);
            }
            (_fd, _start) = (fd, starts[i]);
            return true;
        }
        return starts.Count > 0 && OpenAt(starts[0]);
    }

    /// <summary>A segment was dropped between listing and opening.</summary>
    private bool Retry() => Directory.Exists(folder) && Open();

    private bool OpenAt(long start)
    {
        var fd = Libc.Open(SegmentPath(folder, start), Libc.ReadOnly | Libc.CloseOnExec);
        if (fd < 0) return Retry();
        if (start > _offset) _dropped += LinesDropped(_offset, start);
        (_fd, _start, _offset) = (fd, start, start);
        return true;
    }

    private long Ends(long start)
    {
        try
        {
            return start + new FileInfo(SegmentPath(folder, start)).Length;
        }
        catch (IOException)
        {
            return start;
        }
    }

    /// <summary>Lines in the dropped segments that lie in the range, at least in part.</summary>
    private long LinesDropped(long from, long to)
    {
        var lines = 0L;
        try
        {
            foreach (var note in File.ReadLines(Path.Combine(folder, "dropped")))
            {
                var parts = note.Split(' ');
                if (parts.Length != 3 || !long.TryParse(parts[0], out var start) || !long.TryParse(parts[1], out var length)
                    || !long.TryParse(parts[2], out var count)) continue;
                if (start < to && start + length > from) lines += count;
            }
        }
        catch (IOException)
        {
        }
        return lines;
    }

    private static List<long> Starts(string folder)
    {
        var starts = new List<long>();
        try
        {
            foreach (var path in Directory.EnumerateFiles(folder, "log.*"))
                if (long.TryParse(Path.GetFileName(path.AsSpan())[4..], NumberStyles.None, CultureInfo.InvariantCulture, out var start))
                    starts.Add(start);
        }
        catch (DirectoryNotFoundException)
        {
        }
        return starts;
    }
}
