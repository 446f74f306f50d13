using System.Globalization;
using System.Text;
using Puces.Runner.Posix;

namespace Puces.Runner.Agent;

/// <summary>One agent serves a root at a time. A newer one asks the older to go: its daemon has lost it, or it would not have started another.</summary>
internal static class AgentLock
{
    private const int PatienceMs = 1000, LastPatienceMs = 4000, LongestMs = 10_000;

    /// <summary>True once this process is the one; the lock is held until it ends.</summary>
    public static bool TryTake(string path)
    {
        var fd = Libc.Open(path, Libc.ReadWrite | Libc.Create | Libc.CloseOnExec);
        if (fd < 0) throw new IOException($"cannot open {path}: {Libc.Why(Libc.Errno)}");
        var begun = Environment.TickCount64;
        var asked = 0;
        Span<byte> text = stackalloc byte[16];
        while (!Libc.TryHold(fd))
        {
            var waited = Environment.TickCount64 - begun;
            if (waited > LongestMs) return false;
            // One that is stopped or hangs does not hear; as it holds nothing that is not on the disk, nothing is lost by its end.
            var signal = waited > LastPatienceMs ? Signals.Kill : waited > PatienceMs ? Signals.Term : 0;
            if (signal != asked)
            {
                asked = signal;
                var read = Libc.ReadAt(fd, text, 0);
                if (read > 0 && int.TryParse(text[..read], NumberStyles.None, CultureInfo.InvariantCulture, out var older)) _ = Libc.Kill(older, signal);
            }
            Thread.Sleep(10);
        }
        _ = Libc.SetLength(fd, 0);
        _ = Files.WriteAll(fd, Encoding.ASCII.GetBytes(Libc.ProcessId().ToString(CultureInfo.InvariantCulture)));
        return true;
    }
}
