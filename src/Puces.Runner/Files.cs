using Puces.Runner.Posix;

namespace Puces.Runner;

/// <summary>Small files, whole or not at all. Nothing is synced: what a crash of the whole machine would lose is evidence of itself.</summary>
internal static class Files
{
    private const int OwnerOnly = 0x180;

    /// <summary>The disk, or the user's part of it, is full: worth waiting for room.</summary>
    public static bool IsFull(int errno) => errno is Libc.NoSpace or Libc.OverQuota;

    /// <summary>.NET keeps the number of an error that it has no exception for.</summary>
    public static bool IsFull(IOException e) => IsFull(e.HResult);

    /// <summary>Replaces a file in one step, readable by its owner only; false where the disk would not have it.</summary>
    public static bool TryReplace(string path, ReadOnlySpan<byte> content)
    {
        var half = path + ".new";
        if (!TryWrite(half, content))
        {
            _ = Libc.Unlink(half);
            return false;
        }
        return Libc.Rename(half, path) == 0;
    }

    public static bool TryWrite(string path, ReadOnlySpan<byte> content)
    {
        var fd = Libc.Open(path, Libc.WriteOnly | Libc.Create | Libc.Truncate | Libc.CloseOnExec, OwnerOnly);
        if (fd < 0) return false;
        var whole = WriteAll(fd, content);
        _ = Libc.Close(fd);
        return whole;
    }

    public static bool WriteAll(int fd, ReadOnlySpan<byte> content)
    {
        while (content.Length > 0)
        {
            var written = Libc.Write(fd, content);
            if (written <= 0) return false;
            content = content[written..];
        }
        return true;
    }

    public static void MakeFolder(string path)
    {
        if (Libc.MakeFolder(path) == 0 || Libc.Errno == Libc.Exists) return;
        Directory.CreateDirectory(path);
    }

    /// <summary>Deletes what lies in a folder, if there is one, and the folder.</summary>
    public static void Empty(string folder)
    {
        try
        {
            Directory.Delete(folder, recursive: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // What is left is taken away with the folder around it.
        }
    }

    /// <summary>Who waits at the named pipe hears the line; where nobody does, or it is full, nothing happens.</summary>
    public static bool Ring(string fifo, ReadOnlySpan<byte> line)
    {
        var fd = Libc.Open(fifo, Libc.WriteOnly | Libc.NonBlock | Libc.CloseOnExec);
        if (fd < 0) return false;
        var rung = Libc.Write(fd, line) == line.Length;
        _ = Libc.Close(fd);
        return rung;
    }
}
