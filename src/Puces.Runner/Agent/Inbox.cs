using Puces.Runner.Posix;

namespace Puces.Runner.Agent;

/// <summary>Lines from standard input.</summary>
internal sealed class Inbox
{
    private const int Longest = 64 << 20;
    private byte[] _buffer = new byte[64 * 1024];
    private int _count;

    /// <summary>Reads once; false at the end. <paramref name="take"/> gets each whole line.</summary>
    public bool Read(Action<ReadOnlyMemory<byte>> take)
    {
        if (_count == _buffer.Length)
        {
            if (_count >= Longest) return false;
            Array.Resize(ref _buffer, _buffer.Length * 2);
        }
        var read = Libc.Read(0, _buffer.AsSpan(_count));
        if (read <= 0) return read < 0 && Libc.Errno == Libc.Again;
        var searched = _count;
        _count += read;
        var from = 0;
        while (_buffer.AsSpan(searched, _count - searched).IndexOf((byte)'\n') is var at && at >= 0)
        {
            if (searched + at > from) take(_buffer.AsMemory(from, searched + at - from));
            from = searched = searched + at + 1;
        }
        _buffer.AsSpan(from, _count - from).CopyTo(_buffer);
        _count -= from;
        return true;
    }
}
