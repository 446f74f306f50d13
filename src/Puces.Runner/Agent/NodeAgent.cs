using System.Globalization;
using System.Text;
using System.Text.Json;
using Puces.Core.Contract;
using Puces.Runner.Attempt;
using Puces.Runner.Containers;
using Puces.Runner.Devices;
using Puces.Runner.Limits;
using Puces.Runner.Logs;
using Puces.Runner.Posix;

namespace Puces.Runner.Agent;

/// <summary>
/// Speaks with the daemon for a node, for as long as the connection lasts. It holds nothing that is not on the disk: the ranks go on
/// without it, and the next agent finds them as they are. One thread, and nothing in it waits for one thing alone.
/// </summary>
internal sealed class NodeAgent : IDisposable
{
    private const int LookMs = 1000, ClearingMs = 100, LogBytes = 64 * 1024;

    private readonly Layout _layout;
    private readonly Dictionary<string, HeldRank> _ranks = [];
    private readonly Dictionary<string, Core.Contract.RankOrder> _unplaced = [];
    private readonly HashSet<HeldRank> _news = [];
    private readonly HashSet<HeldRank> _ended = [];
    private readonly Outbox _outbox = new();
    private readonly Inbox _inbox = new();
    private readonly byte[] _logBuffer = new byte[LogBytes], _bellBuffer = new byte[LogBytes];
    private readonly int _bell;
    private readonly SpareWatchers _watchers;
    private readonly SpareFolders _folders;
    private PollEntry[] _entries = new PollEntry[16];
    private string _bellRest = "";
    private readonly Queue<(long Number, long At)> _pongs = [];
    private long _lookAt, _lastPong, _heardOf;

    private NodeAgent(Layout layout)
    {
        _layout = layout;
        _folders = new(layout.Spare);
        if (Libc.MakeFifo(layout.Bell, 0x180) != 0 && Libc.Errno != Libc.Exists)
            throw new IOException($"cannot make {layout.Bell}: {Libc.Why(Libc.Errno)}");
        _bell = Libc.Open(layout.Bell, Libc.ReadWrite | Libc.NonBlock | Libc.CloseOnExec);
        var nothing = Libc.Open("/dev/null", Libc.ReadWrite | Libc.CloseOnExec);
        var errors = Libc.Open(layout.Errors, Libc.WriteOnly | Libc.Create | Libc.Append | Libc.CloseOnExec);
        var (program, arguments) = Spawn.Self;
        _watchers = new(program, arguments, layout.Blobs, Surroundings.Block(Surroundings.ForEngine()), nothing, errors);
    }

    public static int Serve(string root, string blobs)
    {
        Libc.IgnoreBrokenPipes();
        var layout = new Layout(Path.GetFullPath(root), Path.GetFullPath(blobs));
        foreach (var folder in (string[])[layout.Root, layout.Ranks, Path.Combine(layout.Root, "jobs")]) Files.MakeFolder(folder);
        if (!AgentLock.TryTake(layout.AgentLock)) throw new IOException($"another agent serves {layout.Root} and does not go");
        using var agent = new NodeAgent(layout);
        agent.Find();
        agent.Greet();
        agent.Listen();
        return 0;
    }

    public void Dispose() => _outbox.Dispose();

    /// <summary>The ranks that earlier agents have left, each as it is now.</summary>
    private void Find()
    {
        foreach (var path in Directory.EnumerateDirectories(_layout.Ranks))
        {
            var rank = new HeldRank(new(path));
            if (!Layout.IsTag(rank.Folder.Tag)) continue;
            rank.Look();
            if (!rank.HasState && !rank.Folder.HasOrder && !rank.IsAlive)
            {
                // Its order never came to be written: nothing has begun.
                Directory.Delete(path, recursive: true);
                continue;
            }
            _ranks.Add(rank.Folder.Tag, rank);
            if (!rank.IsFinal) Settle(rank);
        }
    }

    private void Greet()
    {
        var limits = Cgroups.Find();
        _heardOf = Environment.TickCount64;
        _outbox.Say(new FromNode.Hello(
            Program.Version, FoundDevices.All(), Environment.ProcessorCount * 1000, Memory(), limits.Word,
            [.. _ranks.Values.OrderBy(r => r.Folder.Tag, StringComparer.Ordinal).Select(r => r.Report with { LogLength = LogReader.Length(r.Folder.Path) })], Address(), Engines.Find()));
    }

    /// <summary>What its provider says, or the address at which sshd took this connection: there the daemon's side of the network reaches it.</summary>
    private static string? Address() =>
        Environment.GetEnvironmentVariable("PUCES_ADDRESS") is { Length: > 0 } told ? told
            : Environment.GetEnvironmentVariable("SSH_CONNECTION")?.Split(' ') is [_, _, var own, _] ? own : null;

    private void Listen()
    {
        while (_outbox.TryFlush())
        {
            var live = 0;
            if (_entries.Length < _ranks.Count + 3) _entries = new PollEntry[_ranks.Count * 2 + 3];
            _entries[0] = new(0, Libc.PollIn);
            _entries[1] = new(_bell, Libc.PollIn);
            _entries[2] = new(_outbox.IsEmpty ? -1 : 1, Libc.PollOut);
            var waited = new List<HeldRank>();
            foreach (var rank in _ranks.Values)
            {
                if (rank.IsFinal) continue;
                live++;
                if (rank.WatcherEnd < 0) continue;
                _entries[3 + waited.Count] = new(rank.WatcherEnd, Libc.PollIn);
                waited.Add(rank);
            }
            var pause = _news.Count > 0 && !_outbox.IsFull ? 0 : _ended.Count > 0 ? ClearingMs : live + _unplaced.Count > 0 ? LookMs : -1;
            _ = Libc.Poll(_entries.AsSpan(0, 3 + waited.Count), pause);

            if (_entries[0].Found != 0 && !_inbox.Read(Hear)) return;
            if ((_entries[2].Found & Libc.PollError) != 0) return;
            if (_entries[1].Found != 0) HearBell();
            for (var i = 0; i < waited.Count; i++)
                if (_entries[3 + i].Found != 0) _ended.Add(waited[i]);
            LookAround();
            foreach (var rank in _news.ToArray())
            {
                rank.Look();
                if (rank.IsFinal) Release(rank);
                rank.Tell(_outbox, _logBuffer);
                if (!_outbox.IsFull) _news.Remove(rank);
            }
        }
    }

    private void LookAround()
    {
        Reap();
        foreach (var rank in _ended.ToArray()) Settle(rank);
        var now = Environment.TickCount64;
        if (now < _lookAt) return;
        _lookAt = now + LookMs;
        foreach (var order in _unplaced.Values.ToArray())
            if (TryPlace(order)) _unplaced.Remove(order.Tag);
        foreach (var rank in _ranks.Values)
        {
            if (rank.IsFinal) continue;
            rank.AskToStop();
            Settle(rank);
        }
    }

    private void Reap()
    {
        int pid;
        while ((pid = Libc.Wait(-1, out _, out _)) > 0)
        {
            _watchers.Ended(pid);
            foreach (var rank in _ranks.Values)
                if (rank.Child == pid)
                {
                    rank.Child = 0;
                    _ended.Add(rank);
                }
        }
    }

    /// <summary>Finds out what became of a rank that has not ended as far as we know.</summary>
    private void Settle(HeldRank rank)
    {
        _ended.Remove(rank);
        _news.Add(rank);
        rank.Look();
        if (rank.IsFinal)
        {
            Release(rank);
            return;
        }
        if (rank.IsAlive)
        {
            if (rank.WatcherEnd < 0) rank.WaitFor(Watchers.ProcessId(rank.Folder));
            return;
        }
        // It may have ended between the two looks.
        rank.Look();
        if (rank.IsFinal) return;
        rank.WaitFor(0);
        if (!Watchers.ClearLeftovers(rank.Folder)) _ended.Add(rank);
        else if (rank.HasState) rank.End(RankPhase.Vanished, "its watcher is gone and left no verdict");
        else if (rank.Starts < 3) Launch(rank);
        else rank.End(RankPhase.Refused, $"its watcher ended before it began; {_layout.Errors} may say why");
    }

    /// <summary>Its watcher has nothing more to do with it.</summary>
    private void Release(HeldRank rank)
    {
        rank.WaitFor(0);
        if (rank.Child != 0) _watchers.Spare(rank.Child);
        rank.Child = 0;
    }

    private void HearBell()
    {
        var read = Libc.Read(_bell, _bellBuffer);
        if (read <= 0) return;
        var lines = (_bellRest + Encoding.ASCII.GetString(_bellBuffer, 0, read)).Split('\n');
        _bellRest = lines[^1];
        foreach (var tag in lines.AsSpan(0, lines.Length - 1))
            if (_ranks.TryGetValue(tag, out var rank)) _news.Add(rank);
    }

    private void Hear(ReadOnlyMemory<byte> line)
    {
        try
        {
            if (JsonSerializer.Deserialize(line.Span, RunnerJson.Default.ToNode) is { } message) Act(message);
        }
        catch (Exception e) when (e is JsonException or NotSupportedException or InvalidOperationException or FormatException or NullReferenceException)
        {
            _outbox.Say(new FromNode.Problem(null, $"a message was not understood: {e.Message}"));
        }
    }

    private void Act(ToNode message)
    {
        switch (message)
        {
            case ToNode.Start start: Start(start.Order); break;
            case ToNode.Stop stop: On(stop.Tag, rank => rank.Stop(stop.Reason ?? "asked to")); break;
            case ToNode.Checkpoint checkpoint: On(checkpoint.Tag, rank => rank.AskForCheckpoint()); break;
            case ToNode.Follow follow: On(follow.Tag, rank => rank.Follow(follow.Offset)); break;
            case ToNode.Acknowledge acknowledge: On(acknowledge.Tag, Forget); break;
            case ToNode.Ping ping: Answer(ping); break;
        }
    }

    private void On(string tag, Action<HeldRank> act)
    {
        if (!_ranks.TryGetValue(tag ?? "", out var rank))
        {
            _unplaced.Remove(tag ?? "");
            _outbox.Say(new FromNode.Gone(tag ?? ""));
            return;
        }
        act(rank);
        if (_ranks.ContainsKey(rank.Folder.Tag)) _news.Add(rank);
    }

    private void Start(Core.Contract.RankOrder order)
    {
        var tag = order.Tag;
        if (!Layout.IsTag(tag) || order.Run is null || order.Hosts is null || order.Mounts is null || order.Env is null
            || order.Secrets is null || order.Devices is null || order.Checkpoint?.Signal is null)
        {
            _outbox.Say(new FromNode.Problem(tag, "the order lacks something that it needs"));
            return;
        }
        Touch();
        if (_ranks.TryGetValue(tag, out var held))
        {
            held.Repeat();
            _news.Add(held);
            return;
        }
        // A full disk is not the job's fault: the order waits for room. Should this agent end before, the next one is told again.
        if (TryPlace(order)) _unplaced.Remove(tag);
        else if (_unplaced.TryAdd(tag, order)) _outbox.Say(new FromNode.Problem(tag, $"cannot write to {_layout.Root}: is the disk full? It starts when there is room"));
    }

    private bool TryPlace(Core.Contract.RankOrder order)
    {
        var rank = new HeldRank(_layout.Rank(order.Tag));
        if (!_folders.TryPlace(rank.Folder, JsonSerializer.SerializeToUtf8Bytes(order, RunnerJson.Default.RankOrder))) return false;
        _ranks.Add(order.Tag, rank);
        rank.Follow(0);
        rank.Repeat();
        Launch(rank);
        _news.Add(rank);
        return true;
    }

    private void Launch(HeldRank rank)
    {
        if (File.Exists(_layout.Over))
        {
            rank.End(RankPhase.Vanished, $"it did not begin: {File.ReadAllText(_layout.Over).Trim()}");
            return;
        }
        rank.Starts++;
        var pid = _watchers.Start(rank.Folder);
        if (pid < 0)
        {
            rank.End(RankPhase.Refused, $"its watcher could not be started: {Libc.Why(-pid)}");
            return;
        }
        rank.Child = pid;
        rank.WaitFor(pid);
    }

    private void Forget(HeldRank rank)
    {
        if (!rank.IsFinal)
        {
            _outbox.Say(new FromNode.Problem(rank.Folder.Tag, "it has not ended: stop it first"));
            return;
        }
        rank.Dispose();
        _ranks.Remove(rank.Folder.Tag);
        _news.Remove(rank);
        try
        {
            _folders.TakeBack(rank.Folder);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            _outbox.Say(new FromNode.Problem(rank.Folder.Tag, $"its folder could not be deleted: {e.Message}"));
        }
    }

    private void Answer(ToNode.Ping ping)
    {
        while (_pongs.TryPeek(out var sent) && sent.Number <= ping.Heard) _heardOf = _pongs.Dequeue().At;
        if (ping.Renews) Touch();
        _pongs.Enqueue((++_lastPong, Environment.TickCount64));
        _outbox.Say(new FromNode.Pong(_lastPong));
    }

    /// <summary>
    /// For the terms of the ranks: the daemon was there, and heard us, when the last answer was sent of which it knows. How long its own word
    /// was on its way does not matter then. The clock is that of all processes since the machine started.
    /// </summary>
    private void Touch() => _ = Files.TryReplace(_layout.Heard, Encoding.ASCII.GetBytes(_heardOf.ToString(CultureInfo.InvariantCulture)));

    private static long Memory()
    {
        var total = Cgroups.ReadNumber("/proc/meminfo", "MemTotal:") * 1024;
        var allowed = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        return allowed > 0 && allowed < total ? allowed : total;
    }
}
