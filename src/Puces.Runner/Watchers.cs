using System.Globalization;
using System.Text;
using Puces.Runner.Containers;
using Puces.Runner.Limits;
using Puces.Runner.Posix;

namespace Puces.Runner;

/// <summary>
/// The watcher of a rank holds a lock on a file of the rank's folder for as long as it lives: no number of a process that has since been
/// given to another can be taken for it. The file says its process id, to wait for its end by.
/// </summary>
internal static class Watchers
{
    /// <summary>The lock of this process on the rank; -1 where another has it.</summary>
    public static int Claim(RankFolder rank)
    {
        var fd = Libc.Open(rank.Watcher, Libc.ReadWrite | Libc.Create | Libc.CloseOnExec);
        if (fd < 0) return -1;
        // The watcher of the rank that the folder was used for before may be about to let go.
        for (var tries = 0; !Libc.TryHold(fd); tries++)
        {
            Thread.Sleep(5);
            if (tries < 40) continue;
            _ = Libc.Close(fd);
            return -1;
        }
        _ = Libc.SetLength(fd, 0);
        _ = Files.WriteAll(fd, Encoding.ASCII.GetBytes(Libc.ProcessId().ToString(CultureInfo.InvariantCulture)));
        return fd;
    }

    public static bool IsAlive(RankFolder rank)
    {
        var fd = Libc.Open(rank.Watcher, Libc.ReadOnly | Libc.CloseOnExec);
        if (fd < 0) return false;
        var isHeld = Libc.IsHeld(fd);
        _ = Libc.Close(fd);
        return isHeld;
    }

    /// <summary>The process id of the watcher; 0 where it is not known.</summary>
    public static int ProcessId(RankFolder rank)
    {
        Span<byte> text = stackalloc byte[16];
        var fd = Libc.Open(rank.Watcher, Libc.ReadOnly | Libc.CloseOnExec);
        if (fd < 0) return 0;
        var read = Libc.Read(fd, text);
        _ = Libc.Close(fd);
        return read > 0 && int.TryParse(text[..read], NumberStyles.None, CultureInfo.InvariantCulture, out var pid) ? pid : 0;
    }

    /// <summary>Ends whatever a dead watcher left running; false while some of it is still there.</summary>
    public static bool ClearLeftovers(RankFolder rank)
    {
        var left = Processes.Bearing(RankFolder.Mark + "=" + rank.Path);
        Processes.Signal(left, Signals.Kill);
        var isClear = left.Count == 0 && Container.Clear(rank);
        if (!File.Exists(rank.Cgroups)) return isClear;
        foreach (var folder in File.ReadAllLines(rank.Cgroups)) isClear &= RankGroup.Clear(folder);
        return isClear;
    }
}
