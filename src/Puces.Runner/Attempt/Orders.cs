using Puces.Core.Engine;
using Puces.Runner.Posix;

namespace Puces.Runner.Attempt;

/// <summary>What a rank is asked from outside: by the agent through its control pipe and files, by the clock, by the fence.</summary>
internal sealed class Orders(Layout layout, RankFolder rank, TimeSpan? limit, TimeSpan? term, Fence fence) : IDisposable
{
    private readonly long _begun = Environment.TickCount64;
    private readonly byte[] _buffer = new byte[4096];
    private long? _started;
    private long _heardAt = Environment.TickCount64;
    private DateTime _heard = File.GetLastWriteTimeUtc(layout.Heard);
    private long _looked = long.MinValue / 2;

    /// <summary>The control pipe, to be waited at; -1 where the disk would not have one.</summary>
    public int Control { get; private set; } = -1;

    /// <summary>Set once the user's code has begun: its limit counts from here.</summary>
    public void Begin() => _started ??= Environment.TickCount64;

    public bool WantsCheckpoint { get; set; }

    public void Dispose()
    {
        if (Control >= 0) _ = Libc.Close(Control);
        Control = -1;
    }

    public void Open()
    {
        if (Libc.MakeFifo(rank.Control, 0x180) != 0 && Libc.Errno != Libc.Exists) return;
        // Open for both, so that it never reads as ended while nobody writes.
        Control = Libc.Open(rank.Control, Libc.ReadWrite | Libc.NonBlock | Libc.CloseOnExec);
    }

    /// <summary>Why the rank must end, or null. Looks at files at most once a second, unless the pipe has something to say.</summary>
    public (ExitCause Cause, string Reason)? Look(bool rung)
    {
        if (rung && ReadControl() is { } reason) return (ExitCause.Stopped, reason);
        var now = Environment.TickCount64;
        if (!rung && now - _looked < 1000) return null;
        _looked = now;
        if (ReadStop() is { } asked) return (ExitCause.Stopped, asked);
        if (fence.Newer() is { } newer) return (ExitCause.Fenced, $"attempt {newer} of the job has come to this node");
        if (limit is { } longest && _started is { } started && now - started >= longest.TotalMilliseconds)
            return (ExitCause.Limit, $"it ran longer than its limit of {longest}");
        if (term is { } alone && Unheard(now) >= alone.TotalMilliseconds)
            return (ExitCause.Term, $"nothing was heard from the daemon for {alone}");
        return null;
    }

    /// <summary>Measured from when a change was seen, by a clock that nobody sets.</summary>
    private long Unheard(long now)
    {
        var heard = File.GetLastWriteTimeUtc(layout.Heard);
        if (heard != _heard) (_heard, _heardAt) = (heard, now);
        return now - Math.Max(_heardAt, _begun);
    }

    private string? ReadStop()
    {
        if (Libc.Access(rank.StopAsked, 0) != 0) return null;
        try
        {
            return File.ReadAllText(rank.StopAsked);
        }
        catch (IOException)
        {
            return null;
        }
    }

    /// <summary>Lines of <c>stop REASON</c>, <c>checkpoint</c> and <c>fence</c>, the last of which only wakes.</summary>
    private string? ReadControl()
    {
        var read = Libc.Read(Control, _buffer);
        if (read <= 0) return null;
        string? reason = null;
        foreach (var line in System.Text.Encoding.UTF8.GetString(_buffer, 0, read).Split('\n'))
        {
            if (line == "checkpoint") WantsCheckpoint = true;
            if (line.StartsWith("stop ", StringComparison.Ordinal)) reason ??= line[5..];
        }
        return reason;
    }
}
