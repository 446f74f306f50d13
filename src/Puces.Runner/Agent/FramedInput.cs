using System.Buffers.Binary;
using Puces.Runner.Posix;

namespace Puces.Runner.Agent;

/// <summary>
/// A standard input whose end can be said where the way to here cannot close it, as over a WebSocket into a pod: it comes in frames, each with its length in
/// four bytes before it, the greatest first; one of no bytes is the end.
/// </summary>
internal static class FramedInput
{
    private const int HeadBytes = 4;

    /// <summary>From now on the standard input of this process, and of those that it starts, is what stands in the frames.</summary>
    public static void Begin()
    {
        var (read, write) = Libc.Pipe();
        var framed = Libc.Replace(0, read);
        _ = Libc.Close(read);
        new Thread(() => Carry(framed, write)) { IsBackground = true, Name = "framed input" }.Start();
    }

    private static void Carry(int from, int to)
    {
        Libc.IgnoreBrokenPipes();
        var head = new byte[HeadBytes];
        var buffer = new byte[64 * 1024];
        while (Fill(from, head))
        {
            var left = BinaryPrimitives.ReadInt32BigEndian(head);
            if (left <= 0) break;
            while (left > 0)
            {
                var part = buffer.AsSpan(0, Math.Min(left, buffer.Length));
                var read = Libc.Read(from, part);
                if (read <= 0 || !Files.WriteAll(to, part[..read]))
                {
                    left = -1;
                    break;
                }
                left -= read;
            }
            if (left < 0) break;
        }
        _ = Libc.Close(to);
    }

    private static bool Fill(int from, Span<byte> all)
    {
        while (all.Length > 0)
        {
            var read = Libc.Read(from, all);
            if (read <= 0) return false;
            all = all[read..];
        }
        return true;
    }
}
