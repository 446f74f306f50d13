using Puces.Runner.Posix;

namespace Puces.Runner.Mail;

/// <summary>
/// One way of a connection through files that two machines see. Each look opens the file anew, which is when a network file system
/// fetches what another machine has written; and no name is looked up before it is there, since "it is not there" is remembered for
/// half a minute. A file that has grown long is followed by another, and deleted by whoever has read it. What goes through is lines of
/// JSON, in which no control character stands.
/// </summary>
internal static class Tube
{
    /// <summary>The last byte of a file that is followed by another; of one that nothing follows.</summary>
    public const byte Next = 0x1C, End = 0x04;

    public const int Length = 4 << 20;

    public static string File(string path, int number) => path + "." + number.ToString(System.Globalization.CultureInfo.InvariantCulture);
}

/// <summary>The end of a tube that is written to.</summary>
internal sealed class TubeWriter(string path)
{
    private int _number;
    private long _length;

    /// <summary>Nobody has read for long: what was written before has not been deleted.</summary>
    public bool IsFull => _number > 1 && Exists(Tube.File(path, _number - 2));

    /// <summary>Adds all of it, or nothing: false where the disk would not have it.</summary>
    public bool TryWrite(ReadOnlySpan<byte> bytes)
    {
        if (!Append(bytes)) return false;
        _length += bytes.Length;
        if (_length < Tube.Length || !Files.TryWrite(Tube.File(path, _number + 1), [])) return true;
        if (!Append([Tube.Next])) return true;
        _number++;
        _length = 0;
        return true;
    }

    /// <summary>Nothing more will come.</summary>
    public bool TryEnd() => Append([Tube.End]);

    private bool Append(ReadOnlySpan<byte> bytes)
    {
        var fd = Libc.Open(Tube.File(path, _number), Libc.WriteOnly | Libc.Append | Libc.CloseOnExec);
        if (fd < 0) return false;
        var before = Libc.SeekEnd(fd);
        var isWritten = Files.WriteAll(fd, bytes);
        if (!isWritten) _ = Libc.SetLength(fd, before);
        return Libc.Close(fd) == 0 && isWritten;
    }

    private static bool Exists(string file)
    {
        var fd = Libc.Open(file, Libc.ReadOnly | Libc.CloseOnExec);
        if (fd >= 0) _ = Libc.Close(fd);
        return fd >= 0;
    }
}

/// <summary>The end of a tube that is read from.</summary>
internal sealed class TubeReader(string path)
{
    private int _number;
    private long _offset;

    public bool IsEnded { get; private set; }

    /// <summary>What has come since the last time, as far as it fits; zero bytes where there is nothing now.</summary>
    public int Read(Span<byte> buffer)
    {
        var file = Tube.File(path, _number);
        var fd = IsEnded ? -1 : Libc.Open(file, Libc.ReadOnly | Libc.CloseOnExec);
        if (fd < 0) return 0;
        var read = Libc.ReadAt(fd, buffer, _offset);
        _ = Libc.Close(fd);
        if (read <= 0) return 0;
        _offset += read;
        if (buffer[read - 1] is Tube.End)
        {
            IsEnded = true;
            return read - 1;
        }
        if (buffer[read - 1] is not Tube.Next) return read;
        _ = Libc.Unlink(file);
        (_number, _offset) = (_number + 1, 0);
        return read - 1;
    }
}
