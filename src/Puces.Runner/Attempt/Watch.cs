using Puces.Core.Engine;
using Puces.Core.Jobs;
using Puces.Runner.Containers;
using Puces.Runner.Logs;
using Puces.Runner.Posix;

namespace Puces.Runner.Attempt;

/// <summary>
/// Watches the processes of one rank in one thread: their output, their end, and what is asked of them. It ends when none is left, however
/// they hid: orphans become this process's children, and a parent can wait until it has none.
/// </summary>
internal sealed class Watch(Orders orders, LogWriter log, Bell bell, CheckpointSpec checkpoint, Action look)
{
    private const int PartMs = 200, LookMs = 2000, QuickMs = 20;
    private static readonly TimeSpan Lingering = TimeSpan.FromSeconds(1), Terminating = TimeSpan.FromSeconds(5), Killing = TimeSpan.FromMilliseconds(QuickMs),
        KillingByEngine = TimeSpan.FromSeconds(1);

    private enum Stage { Running, Lingering, Grace, Terminating, Killing }

    private readonly byte[] _buffer = new byte[64 * 1024];
    private readonly int _signal = Signals.Number(checkpoint.Signal);
    private readonly int _self = Libc.ProcessId();
    private readonly int[] _pipes = [-1, -1];
    private List<int> _asked = [];
    private Stage _stage;
    private long _deadline, _partAt, _lookAt, _askAt;
    private int _main, _leader, _mainWatch, _exitCode;
    private bool _mainEnded, _isShell;

    /// <summary>What is ending the rank from outside; null while nothing is.</summary>
    public ExitCause? Cause { get; private set; }

    public string? Reason { get; private set; }
    /// <summary>The container whose streams are watched, where it is run by somebody else; null where all that runs is below this process.</summary>
    public Container? Container { get; set; }

    /// <summary>The last that was read of standard error.</summary>
    public string LastError { get; private set; } = "";

    public TimeSpan Cpu { get; private set; }
    public long PeakMemory { get; private set; }

    /// <summary>Looks at what is asked while nothing runs; true where the rank must not go on.</summary>
    public bool MustEnd(bool rung = false)
    {
        if (Cause is null && orders.Look(rung) is { } end)
        {
            (Cause, Reason) = end;
            log.Say($"Stopping: {end.Reason}.");
        }
        return Cause is not null;
    }

    /// <summary>The exit code of the process, once nothing of what it started is left. The pipes are its standard output and error.</summary>
    public int Until(int pid, int output, int error, bool isShell)
    {
        (_main, _leader, _pipes[0], _pipes[1], _isShell) = (pid, pid, output, error, isShell);
        (_stage, _mainEnded, _asked) = (Stage.Running, false, []);
        _mainWatch = Libc.WatchProcess(pid);
        var now = Environment.TickCount64;
        _lookAt = now + LookMs;
        if (checkpoint.Every is { } every) _askAt = now + (long)every.TotalMilliseconds;
        Span<PollEntry> entries = stackalloc PollEntry[4];
        while (true)
        {
            entries[0] = new(_pipes[0], Libc.PollIn);
            entries[1] = new(_pipes[1], Libc.PollIn);
            entries[2] = new(_mainEnded ? -1 : _mainWatch, Libc.PollIn);
            entries[3] = new(orders.Control, Libc.PollIn);
            _ = Libc.Poll(entries, Pause());
            for (var i = 0; i < 2; i++)
                if (entries[i].Found != 0) Drain(i);
            now = Environment.TickCount64;
            if (log.HasUnended && now >= _partAt) log.EndParts();
            if (log.Flush()) bell.Ring();
            if (!Reap()) break;
            Attend(entries[3].Found != 0, now);
        }
        Finish();
        return _exitCode;
    }

    private int Pause() => _stage != Stage.Running || _mainWatch < 0 ? QuickMs : log.HasUnended ? PartMs : 1000;

    private bool Drain(int stream)
    {
        var read = Libc.Read(_pipes[stream], _buffer);
        if (read > 0)
        {
            log.Take(stream, _buffer.AsSpan(0, read));
            if (stream == 1 && Container is not null) LastError = System.Text.Encoding.UTF8.GetString(_buffer, 0, read).Trim();
            _partAt = Environment.TickCount64 + PartMs;
            return true;
        }
        if (read < 0 && Libc.Errno == Libc.Again) return false;
        _ = Libc.Close(_pipes[stream]);
        _pipes[stream] = -1;
        return false;
    }

    /// <summary>Takes in every ended child, adopted ones too; false where none is left, living or dead.</summary>
    private bool Reap()
    {
        while (true)
        {
            var pid = Libc.Wait(-1, out var status, out var use);
            if (pid < 0) return false;
            if (pid == 0) return true;
            Cpu += use.Cpu;
            PeakMemory = Math.Max(PeakMemory, use.PeakMemory);
            if (pid != _main) continue;
            _mainEnded = true;
            _exitCode = (status & 0x7F) == 0 ? status >> 8 & 0xFF : 128 + (status & 0x7F);
            // Give what it left behind, such as a `tee` at the end of a pipe, the time to finish by itself.
            if (_stage == Stage.Running) Enter(Stage.Lingering, Lingering);
        }
    }

    private void Attend(bool rung, long now)
    {
        if (now >= _lookAt)
        {
            look();
            _lookAt = now + LookMs;
        }
        if (_stage == Stage.Running && MustEnd(rung))
        {
            AskForCheckpoint(isStop: true);
            if (_asked.Count > 0) Enter(Stage.Grace, Cause is ExitCause.Term ? orders.GraceInTerm : checkpoint.Grace ?? CheckpointSpec.DefaultGrace);
            else Terminate();
        }
        else if (rung && _stage != Stage.Running) _ = orders.Look(rung);
        if (_stage == Stage.Running && (orders.WantsCheckpoint || checkpoint.Every is not null && now >= _askAt))
        {
            AskForCheckpoint(isStop: false);
            _askAt = now + (long)(checkpoint.Every?.TotalMilliseconds ?? 0);
        }
        orders.WantsCheckpoint = false;
        switch (_stage)
        {
            case Stage.Grace when now >= _deadline || !_asked.Exists(Processes.IsAlive):
                Terminate();
                break;
            case Stage.Lingering or Stage.Terminating or Stage.Killing when now >= _deadline:
                // Again and again: what is killed may have started something in the meantime.
                if (Container is null) Processes.Signal(Processes.Below(_self), Signals.Kill);
                // Where there is nothing to be killed, or the engine does not answer, its program need not be waited for.
                else if (!Container.Signal(Signals.Kill)) _ = Libc.Kill(-_main, Signals.Kill);
                Enter(Stage.Killing, Container is null ? Killing : KillingByEngine);
                break;
        }
    }

    private void Enter(Stage stage, TimeSpan time) => (_stage, _deadline) = (stage, Environment.TickCount64 + (long)time.TotalMilliseconds);

    private void Terminate()
    {
        if (Container is not null) _ = Container.Signal(Signals.Term);
        else
        {
            var left = Processes.Below(_self);
            Processes.Signal(left, Signals.Term);
            Processes.Signal(left, Signals.Continue);
        }
        Enter(Stage.Terminating, Terminating);
    }

    /// <summary>
    /// The signal goes to every process that has a handler for it: to the others it would be an end without a save. A shell that traps it
    /// runs its trap only when its foreground command has ended, so for a stop its whole process group gets the signal.
    /// </summary>
    private void AskForCheckpoint(bool isStop)
    {
        if ((Container is null ? Processes.Below(_self) : Container.Inside()) is not { } below)
        {
            // Only the engine can see inside: it asks the first process, and whether that heard it its end tells.
            _asked = Container!.Signal(_signal) ? [_main] : [];
            return;
        }
        if (Container is not null) _leader = below[0].Pid;
        _asked = [.. below.Where(process => Processes.Catches(process.Pid, _signal)).Select(process => process.Pid)];
        if (isStop && _isShell && _asked.Contains(_leader)) _ = Libc.Kill(-_leader, _signal);
        foreach (var pid in _asked)
            if (!isStop || !_isShell || !_asked.Contains(_leader) || below.Find(p => p.Pid == pid).Session != _leader) _ = Libc.Kill(pid, _signal);
        if (!isStop && _asked.Count == 0) log.Say($"No process has a handler for {Signals.Name(_signal)}: no checkpoint was asked for.");
    }

    /// <summary>Nothing runs any more: takes what the pipes still hold.</summary>
    private void Finish()
    {
        for (var i = 0; i < 2; i++)
        {
            if (_pipes[i] < 0) continue;
            Libc.SetNonBlocking(_pipes[i], true);
            while (Drain(i)) { }
            if (_pipes[i] >= 0) _ = Libc.Close(_pipes[i]);
            _pipes[i] = -1;
        }
        log.EndParts();
        if (_mainWatch >= 0) _ = Libc.Close(_mainWatch);
    }
}
