using Puces.Core.Engine;
using Puces.Runner.Posix;

namespace Puces.Runner.Attempt;

/// <summary>What a rank is asked from outside: by the agent through its control pipe and files, by the clock, by the fence.</summary>
internal sealed class Orders(Layout layout, RankFolder rank, TimeSpan? limit, TimeSpan? term, TimeSpan grace, Fence fence) : IDisposable
{
    // From SIGTERM to the end of the last process, and to have it noticed.
    private const int EndingMs = 6000;

    private readonly byte[] _buffer = new byte[4096];
    private long? _started;
    private long _heard = long.MinValue / 2;
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
        if (term is { } alone && now - Heard(now) >= alone.TotalMilliseconds - ReserveMs)
            return (ExitCause.Term, $"nothing was heard from the daemon, and the term of {alone} ends");
        return null;
    }

    /// <summary>How long it may take to save itself when it is asked to because its term ends: by the end of the term it is gone.</summary>
    public TimeSpan GraceInTerm => TimeSpan.FromMilliseconds(Math.Max(0, ReserveMs - EndingMs));

    private double ReserveMs => Math.Min(grace.TotalMilliseconds + EndingMs, (term ?? default).TotalMilliseconds / 2);

    /// <summary>When the daemon was last surely there, by the clock of the machine; never, where that is not known.</summary>
    private long Heard(long now)
    {
        try
        {
            // A time to come is one of before the machine was started again.
            if (long.TryParse(File.ReadAllText(layout.Heard), out var heard) && heard <= now) _heard = Math.Max(_heard, heard);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It is being written, or the disk fails: what was read before counts.
        }
        return _heard;
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
