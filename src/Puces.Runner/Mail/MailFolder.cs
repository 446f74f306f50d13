using System.Globalization;
using System.Text;
using Puces.Runner.Posix;

namespace Puces.Runner.Mail;

/// <summary>The folder through which the daemon's side speaks with one node. The files that both sides look for are there before either does.</summary>
internal sealed class MailFolder(string path)
{
    /// <summary>The node's name, once its mailbox is served.</summary>
    public string Here => Path.Combine(path, "here");

    /// <summary>Why all ranks of the node have to stop; empty as long as they do not.</summary>
    public string Stop => Path.Combine(path, "stop");

    /// <summary>The number of the newest connection.</summary>
    private string Call => Path.Combine(path, "call");

    /// <summary>The way to the node, and the way back.</summary>
    public string In(long connection) => Path.Combine(path, "in." + Text(connection));
    public string Out(long connection) => Path.Combine(path, "out." + Text(connection));

    /// <exception cref="IOException">It cannot be written to.</exception>
    public void Make()
    {
        Files.MakeFolder(path);
        foreach (var file in (string[])[Here, Stop, Call])
        {
            var fd = Libc.Open(file, Libc.WriteOnly | Libc.Create | Libc.CloseOnExec);
            if (fd < 0) throw new IOException($"cannot make {file}: {Libc.Why(Libc.Errno)}");
            _ = Libc.Close(fd);
        }
    }

    public long Connection() => long.TryParse(Read(Call), NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : 0;

    /// <summary>Opens a connection newer than all others: its files first, and then the word of it.</summary>
    public long Connect()
    {
        for (var number = Connection() + 1; ; number++)
        {
            var fd = Libc.Open(Tube.File(In(number), 0), Libc.WriteOnly | Libc.Create | Libc.Exclusive | Libc.CloseOnExec);
            if (fd < 0 && Libc.Errno == Libc.Exists) continue;
            if (fd < 0) throw new IOException($"cannot write to {path}: {Libc.Why(Libc.Errno)}");
            _ = Libc.Close(fd);
            // All numbers are of one length: whoever reads while it is written finds the old one or the new one.
            if (!Files.TryWrite(Tube.File(Out(number), 0), []) || !Overwrite(Call, number.ToString("d19", CultureInfo.InvariantCulture)))
                throw new IOException($"cannot write to {path}: is the disk full?");
            return number;
        }
    }

    /// <summary>Deletes what connections before that one have left.</summary>
    public void ForgetBefore(long connection)
    {
        foreach (var file in Directory.EnumerateFiles(path))
            if (Path.GetFileName(file).Split('.') is ["in" or "out", var number, _] && long.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out var older) && older < connection)
                _ = Libc.Unlink(file);
    }

    /// <summary>What a small file says; nothing where it is not there.</summary>
    public static string Read(string file)
    {
        Span<byte> buffer = stackalloc byte[1024];
        var fd = Libc.Open(file, Libc.ReadOnly | Libc.CloseOnExec);
        if (fd < 0) return "";
        var read = Libc.Read(fd, buffer);
        _ = Libc.Close(fd);
        return read > 0 ? Encoding.UTF8.GetString(buffer[..read]).Trim() : "";
    }

    private static bool Overwrite(string file, string text)
    {
        var fd = Libc.Open(file, Libc.WriteOnly | Libc.Create | Libc.CloseOnExec);
        return fd >= 0 && Files.WriteAll(fd, Encoding.ASCII.GetBytes(text)) & Libc.Close(fd) == 0;
    }

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);
}
