using Puces.Runner.Posix;

namespace Puces.Runner.Mail;

/// <summary>The daemon's end of a connection: joins standard input and output to a node's mailbox.</summary>
internal static class Relay
{
    private const int LookMs = 1000;

    /// <returns>The exit code, when the agent on the other side has gone, or another connection took this one's place.</returns>
    public static int Serve(string path)
    {
        Libc.IgnoreBrokenPipes();
        var folder = new MailFolder(Path.GetFullPath(path));
        var connection = folder.Connect();
        var (outgoing, incoming) = (new TubeWriter(folder.In(connection)), new TubeReader(folder.Out(connection)));
        var (kept, buffer) = (new byte[64 * 1024], new byte[64 * 1024]);
        var (waiting, isEnding, hasEnded, pulse) = (0, false, false, new Pulse());
        var lookAt = Environment.TickCount64 + LookMs;
        while (!incoming.IsEnded)
        {
            Span<PollEntry> entries = [new(waiting == 0 && !isEnding && !outgoing.IsFull ? 0 : -1, Libc.PollIn)];
            if (Libc.Poll(entries, pulse.Pause) > 0)
            {
                waiting = Math.Max(0, Libc.Read(0, kept));
                isEnding = waiting == 0;
            }
            if (waiting > 0 && outgoing.TryWrite(kept.AsSpan(0, waiting)))
            {
                waiting = 0;
                pulse.Quicken();
            }
            if (isEnding && !hasEnded) hasEnded = outgoing.TryEnd();
            for (int read; (read = incoming.Read(buffer)) > 0; pulse.Quicken())
                if (!Files.WriteAll(1, buffer.AsSpan(0, read))) return 0;
            if (Environment.TickCount64 < lookAt) continue;
            lookAt = Environment.TickCount64 + LookMs;
            if (folder.Connection() > connection) return 0;
        }
        return 0;
    }
}

/// <summary>How long to rest between two looks: little while something is said, and more and more when nothing is.</summary>
internal sealed class Pulse
{
    private const int LeastMs = 20, MostMs = 200;

    private int _pause = LeastMs;

    /// <summary>In milliseconds.</summary>
    public int Pause
    {
        get
        {
            var pause = _pause;
            _pause = Math.Min(_pause * 3 / 2, MostMs);
            return pause;
        }
    }

    public void Quicken() => _pause = LeastMs;
}
