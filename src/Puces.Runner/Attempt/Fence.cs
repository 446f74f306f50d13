using System.Globalization;
using System.Text;
using Puces.Runner.Posix;

namespace Puces.Runner.Attempt;

/// <summary>The newest attempt number that a job has met on this node: an older one neither starts nor goes on.</summary>
internal sealed class Fence(Layout layout, Core.Jobs.JobId job, int number)
{
    private readonly string _path = Path.Combine(layout.Job(job), "fence");

    /// <summary>Sets the number, unless a newer one is there: then that one is the answer.</summary>
    public int? Raise()
    {
        var fd = Libc.Open(_path, Libc.ReadWrite | Libc.Create | Libc.CloseOnExec);
        if (fd < 0) throw new IOException($"cannot open {_path}: {Libc.Why(Libc.Errno)}", Libc.Errno);
        try
        {
            _ = Libc.Lock(fd, Libc.LockExclusive);
            var newest = Read(fd);
            if (newest > number) return newest;
            // Zero-padded: a number is written over the one before it, never left half longer than it was.
            var text = Encoding.ASCII.GetBytes(number.ToString("D10", CultureInfo.InvariantCulture));
            if (newest < number && !Files.WriteAll(fd, text)) throw new IOException($"cannot write {_path}: {Libc.Why(Libc.Errno)}", Libc.Errno);
            return null;
        }
        finally
        {
            _ = Libc.Close(fd);
        }
    }

    /// <summary>A newer attempt's number, if one has come.</summary>
    public int? Newer()
    {
        var fd = Libc.Open(_path, Libc.ReadOnly | Libc.CloseOnExec);
        if (fd < 0) return null;
        var newest = Read(fd);
        _ = Libc.Close(fd);
        return newest > number ? newest : null;
    }

    /// <summary>
    /// An older rank of the job that is not known to be gone, or null. One whose watcher is dead is ended here and now; the others meet
    /// the fence by themselves.
    /// </summary>
    public string? Older()
    {
        foreach (var path in Directory.EnumerateDirectories(layout.Ranks, job + "-*"))
        {
            var rank = new RankFolder(path);
            if (!Layout.TryRead(rank.Tag, out var attempt, out _) || attempt.Job != job || attempt.Number >= number) continue;
            if (rank.ReadState() is { } state && RankFolder.IsFinal(state.Phase)) continue;
            if (Watchers.IsAlive(rank))
            {
                Files.Ring(rank.Control, "fence\n"u8);
                return rank.Tag;
            }
            if (!Watchers.ClearLeftovers(rank)) return rank.Tag;
        }
        return null;
    }

    private static int Read(int fd)
    {
        Span<byte> text = stackalloc byte[16];
        var read = Libc.ReadAt(fd, text, 0);
        return read > 0 && int.TryParse(text[..read], NumberStyles.None, CultureInfo.InvariantCulture, out var newest) ? newest : 0;
    }
}
