using System.Text;
using Puces.Runner.Posix;

namespace Puces.Runner.Agent;

/// <summary>
/// The watchers that this agent has started. One watches one rank at a time; when that is over it waits a moment for another, since
/// starting a process costs more than running a short job does.
/// </summary>
internal sealed class SpareWatchers(string program, string[] arguments, string blobs, List<string> environment, int nothing, int errors)
{
    private readonly Dictionary<int, int> _feeds = [];
    private readonly Stack<int> _spare = [];

    /// <summary>Gives the rank to a watcher: its process id, or minus the error number.</summary>
    public int Start(RankFolder rank)
    {
        while (_spare.TryPop(out var spare))
            if (_feeds.TryGetValue(spare, out var feed) && Files.WriteAll(feed, Encoding.UTF8.GetBytes(rank.Path + "\n"))) return spare;
        var (read, write) = Libc.Pipe();
        if (read < 0) return -Libc.Errno;
        var pid = Spawn.Start(program, [.. arguments, "attempt", rank.Path, "--blobs", blobs], environment, read, nothing, errors);
        _ = Libc.Close(read);
        if (pid > 0) _feeds[pid] = write;
        else _ = Libc.Close(write);
        return pid;
    }

    /// <summary>The watcher's rank is over.</summary>
    public void Spare(int pid)
    {
        if (_feeds.ContainsKey(pid)) _spare.Push(pid);
    }

    public void Ended(int pid)
    {
        if (_feeds.Remove(pid, out var feed)) _ = Libc.Close(feed);
    }
}
