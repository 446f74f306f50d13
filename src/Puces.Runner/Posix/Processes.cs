using System.Globalization;

namespace Puces.Runner.Posix;

/// <summary>What /proc says of processes. Anything may be gone by the time that it is read.</summary>
internal static class Processes
{
    /// <summary>A process: its parent, session, state letter, and its start in ticks since boot, by which a reused number is told apart.</summary>
    public readonly record struct Entry(int Pid, int Parent, int Session, char State, long Start);

    public static Entry? Find(int pid)
    {
        Span<byte> buffer = stackalloc byte[1024];
        var fd = Libc.Open($"/proc/{pid}/stat", Libc.ReadOnly | Libc.CloseOnExec);
        if (fd < 0) return null;
        var read = Libc.Read(fd, buffer);
        _ = Libc.Close(fd);
        if (read <= 0) return null;
        var text = System.Text.Encoding.ASCII.GetString(buffer[..read]);
        // The name is in parentheses and may hold anything, parentheses included.
        var fields = text[(text.LastIndexOf(')') + 2)..].Split(' ');
        return fields.Length < 20 ? null : new(pid, Number(fields[1]), Number(fields[3]), fields[0][0],
            long.Parse(fields[19], CultureInfo.InvariantCulture));
    }

    public static List<Entry> All()
    {
        var all = new List<Entry>();
        foreach (var folder in Directory.EnumerateDirectories("/proc"))
            if (int.TryParse(Path.GetFileName(folder.AsSpan()), NumberStyles.None, CultureInfo.InvariantCulture, out var pid) && Find(pid) is { } entry)
                all.Add(entry);
        return all;
    }

    /// <summary>Every living process below this one.</summary>
    public static List<Entry> Below(int root)
    {
        var all = All();
        var inside = new HashSet<int> { root };
        Grow(all, inside, entry => inside.Contains(entry.Parent));
        return all.FindAll(entry => entry.Pid != root && entry.State != 'Z' && inside.Contains(entry.Pid));
    }

    /// <summary>
    /// Every living process that bears a variable in the environment it was started with, and whatever hangs on one of them, by
    /// parent or by session.
    /// </summary>
    public static List<Entry> Bearing(string variable)
    {
        var all = All();
        var wanted = System.Text.Encoding.UTF8.GetBytes(variable);
        var self = Libc.ProcessId();
        var inside = new HashSet<int>();
        var sessions = new HashSet<int>();
        foreach (var entry in all)
        {
            if (entry.Pid == self || !Bears(entry.Pid, wanted)) continue;
            inside.Add(entry.Pid);
            sessions.Add(entry.Session);
        }
        if (inside.Count == 0) return [];
        sessions.Remove(all.Find(entry => entry.Pid == self).Session);
        sessions.Remove(0);
        Grow(all, inside, entry => entry.Pid != self && (inside.Contains(entry.Parent) || sessions.Contains(entry.Session)));
        return all.FindAll(entry => entry.State != 'Z' && inside.Contains(entry.Pid));
    }

    public static bool IsAlive(int pid) => Find(pid) is { State: not ('Z' or 'X') };

    /// <summary>Whether the process has a handler for the signal: sending it will not end it.</summary>
    public static bool Catches(int pid, int signal)
    {
        try
        {
            foreach (var line in File.ReadLines($"/proc/{pid}/status"))
                if (line.StartsWith("SigCgt:", StringComparison.Ordinal))
                    return (ulong.Parse(line.AsSpan(7).Trim(), NumberStyles.HexNumber, CultureInfo.InvariantCulture) >> (signal - 1) & 1) == 1;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
        }
        return false;
    }

    public static void Signal(IEnumerable<Entry> processes, int signal)
    {
        foreach (var process in processes) _ = Libc.Kill(process.Pid, signal);
    }

    private static void Grow(List<Entry> all, HashSet<int> inside, Predicate<Entry> belongs)
    {
        for (var grown = true; grown;)
        {
            grown = false;
            foreach (var entry in all)
                if (!inside.Contains(entry.Pid) && belongs(entry)) grown |= inside.Add(entry.Pid);
        }
    }

    /// <summary>Whether the process was started with the variable.</summary>
    public static bool Bears(int pid, string variable) => Bears(pid, System.Text.Encoding.UTF8.GetBytes(variable));

    private static bool Bears(int pid, byte[] wanted)
    {
        try
        {
            var environment = File.ReadAllBytes($"/proc/{pid}/environ").AsSpan();
            while (environment.Length > 0)
            {
                var end = environment.IndexOf((byte)0);
                if ((end < 0 ? environment : environment[..end]).SequenceEqual(wanted)) return true;
                environment = end < 0 ? [] : environment[(end + 1)..];
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
        }
        return false;
    }

    private static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);
}
