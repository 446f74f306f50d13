using System.Text;
using System.Text.Json;
using Puces.Core.Contract;
using Puces.Core.Engine;
using Puces.Core.Jobs;
using Puces.Runner.Health;
using Puces.Runner.Limits;
using Puces.Runner.Logs;
using Puces.Runner.Posix;

namespace Puces.Runner.Attempt;

/// <summary>The whole life of one rank, in a process of its own: it outlives the agent, and no other rank depends on it.</summary>
internal sealed partial class RankRun : IDisposable
{
    private const int SpareMs = 2000, WaitForRoomMs = 1000;
    private const int StoppedBeforeStart = 128 + Signals.Term;

    private readonly Layout _layout;
    private readonly RankFolder _rank;
    private readonly RankOrder _order;
    private readonly string _job, _work;
    private readonly LogWriter _log;
    private readonly Bell _bell;
    private readonly Fence _fence;
    private readonly Orders _orders;
    private readonly Watch _watch;
    private Checkpoints? _checkpoints;
    private string? _problem;
    private RankGroup? _group;
    private readonly KernelLog _kernel = new();

    /// <summary>What the kernel has said since this rank began.</summary>
    private IReadOnlyList<string> Kernel => field ??= _kernel.Read();
    private RankReport _report;

    private RankRun(Layout layout, RankFolder rank, RankOrder order)
    {
        (_layout, _rank, _order) = (layout, rank, order);
        _job = layout.Job(order.Job);
        _work = Path.Combine(_job, "work");
        _log = new(rank.Path, order.LogLimit);
        _bell = new(layout.Bell, rank.Tag);
        _fence = new(layout, order.Job, order.Number);
        _orders = new(layout, rank, order.Limit, order.Term, order.Checkpoint.Grace ?? CheckpointSpec.DefaultGrace, _fence);
        _watch = new(_orders, _log, _bell, order.Checkpoint, LookForCheckpoint);
        _report = new(rank.Tag, RankPhase.Starting, 0);
    }

    public void Dispose()
    {
        _log.Dispose();
        _kernel.Dispose();
        _bell.Dispose();
        _orders.Dispose();
    }

    /// <summary>
    /// Runs the rank whose order lies in the folder, and then, one after another, those whose folders are written to standard input; ends
    /// when none comes for a while, or nobody is left to write one.
    /// </summary>
    public static int Serve(string folder, string blobs)
    {
        _ = Libc.NewSession();
        Libc.IgnoreBrokenPipes();
        Libc.AdoptOrphans();
        for (string? next = folder; next is not null; next = Next())
            if (!Run(next, blobs)) return 1;
        return 0;
    }

    /// <summary>False where another process runs the rank, or has.</summary>
    private static bool Run(string folder, string blobs)
    {
        var rank = new RankFolder(Path.GetFullPath(folder).TrimEnd('/'));
        var layout = new Layout(Path.GetDirectoryName(Path.GetDirectoryName(rank.Path))!, Path.GetFullPath(blobs));
        var claim = Watchers.Claim(rank);
        if (claim < 0 || rank.HasState) return false;
        var order = JsonSerializer.Deserialize(File.ReadAllBytes(rank.Order), RunnerJson.Default.RankOrder)!;
        using (var run = new RankRun(layout, rank, order)) run.Run();
        _ = Libc.Close(claim);
        return true;
    }

    private static string? Next()
    {
        Span<PollEntry> input = [new(0, Libc.PollIn)];
        Span<byte> line = stackalloc byte[4096];
        if (Libc.Poll(input, SpareMs) == 0) return null;
        var read = Libc.Read(0, line);
        return read > 1 ? Encoding.UTF8.GetString(line[..read]).TrimEnd('\n') : null;
    }

    private void Run()
    {
        _orders.Open();
        var refusal = Prepare();
        if (refusal is not null)
        {
            if (_container is not null) Remove(_container);
            Refuse(refusal);
            return;
        }
        var begun = DateTimeOffset.UtcNow;
        var (exitCode, phase) = (StoppedBeforeStart, "setup");
        if (!_watch.MustEnd()) (exitCode, phase, refusal) = _container is null ? RunPhases(begun) : RunContainer(_container, begun);
        if (_container is not null) Remove(_container);
        if (refusal is not null) Refuse(refusal);
        else Finish(exitCode, phase, begun);
    }

    private Dictionary<string, string> Variables() =>
        Surroundings.Of(_order, _rank, _work, _checkpoints!.Folder, _report.Checkpoint is { } name ? Path.Combine(_checkpoints.Folder, name) : null);

    private (int ExitCode, string Phase, string? Refusal) RunPhases(DateTimeOffset begun)
    {
        var variables = Variables();
        if (_order.Setup is { Length: > 0 } setup)
        {
            var exitCode = RunPhase(new(setup), RankPhase.Setup, "setup.sh", begun, variables);
            if (exitCode != 0 || _watch.Cause is not null) return (exitCode, "setup", null);
        }
        return (RunPhase(_order.Run, RankPhase.Run, "run.sh", begun, variables), "run", null);
    }

    /// <summary>Makes all ready for the user's code; the reason where that cannot be done. A full disk is waited for: it is not the job's fault.</summary>
    private string? Prepare()
    {
        while (true)
        {
            try
            {
                return TryPrepare();
            }
            catch (IOException e) when (Files.IsFull(e))
            {
                if (_watch.MustEnd()) return null;
                Thread.Sleep(WaitForRoomMs);
            }
        }
    }

    private string? TryPrepare()
    {
        try
        {
            Files.MakeFolder(_job);
            if (_fence.Raise() is { } newer) return $"attempt {newer} of the job has already been on this node";
            for (var waits = 0; _fence.Older() is { } older; waits++)
            {
                if (_watch.MustEnd()) return null;
                if (waits == 0) _log.Say($"Waiting for {older}, an older attempt of the job, to be gone from this node.");
                Thread.Sleep(50);
            }
            Files.MakeFolder(_work);
            Unpack();
            _checkpoints = new(_order, _work, _job);
            Restore();
            _report = _report with { Checkpoint = _checkpoints.Newest() };
            if (MakeContainer() is { } refusal) return refusal;
            if (_order.EnforceLimits && _container is not { IsApart: true } && (_group = RankGroup.Make(_rank.Name, _order.Memory, _order.MilliCpus)) is not null)
                Files.TryWrite(_rank.Cgroups, Encoding.UTF8.GetBytes(string.Join('\n', _group.Folders)));
            return null;
        }
        catch (OperationCanceledException)
        {
            return null;
        }
        catch (Exception e) when (e is ArchiveException or IOException or UnauthorizedAccessException && !(e is IOException io && Files.IsFull(io)))
        {
            return e.Message;
        }
    }

    /// <summary>Ranks of one attempt that share this folder unpack once between them.</summary>
    private void Unpack()
    {
        if (_order.Workdir is null && _order.Mounts.Count == 0) return;
        using var turn = new FileStream(Path.Combine(_job, "unpacked"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.ReadWrite);
        _ = Libc.Lock((int)turn.SafeFileHandle.DangerousGetHandle(), Libc.LockExclusive);
        var done = new StreamReader(turn).ReadToEnd();
        if (done == _order.Number.ToString(System.Globalization.CultureInfo.InvariantCulture)) return;

        if (_order.Workdir is { } packed) Unpack(packed, "the work directory", _work, null);
        foreach (var (path, blob) in _order.Mounts.OrderBy(mount => mount.Key, StringComparer.Ordinal))
        {
            var parts = path.Split('/', StringSplitOptions.RemoveEmptyEntries).Where(part => part != ".").ToArray();
            if (parts.Length == 0 || path.StartsWith('/') || parts.Contains("..")) throw new ArchiveException($"mount '{path}' lies outside the work directory");
            Unpack(blob, $"mount '{path}'", Path.Combine([_work, .. parts[..^1]]), parts[^1]);
        }
        turn.SetLength(0);
        turn.Write(Encoding.ASCII.GetBytes(_order.Number.ToString(System.Globalization.CultureInfo.InvariantCulture)));
    }

    /// <summary>What an earlier attempt saved on another node. A checkpoint that is here already is left alone, whole or not: names are not used twice.</summary>
    private void Restore()
    {
        if (_order.Restore is not { } restore || Path.Exists(Path.Combine(_checkpoints!.Folder, restore.Name))) return;
        // Aside first: half a checkpoint under its own name could be taken for a whole one.
        var aside = Path.Combine(_checkpoints.Folder, $".restoring-{_rank.Tag}");
        Unpack(restore.Blob, $"checkpoint {restore.Name}", aside, restore.Name);
        Directory.Move(Path.Combine(aside, restore.Name), Path.Combine(_checkpoints.Folder, restore.Name));
        Directory.Delete(aside, recursive: true);
        _log.Say($"Checkpoint {restore.Name} was brought from where the attempt before had saved it.");
    }

    private void Unpack(string blob, string what, string folder, string? only)
    {
        if (blob.Length != 64 || !blob.All(char.IsAsciiHexDigitLower)) throw new ArchiveException($"{what}: '{blob}' is no SHA-256");
        var path = _layout.Blob(blob);
        if (!File.Exists(path)) throw new ArchiveException($"{what} is not on this node: blob {blob} is missing");
        try
        {
            using var packed = File.OpenRead(path);
            Archive.Unpack(packed, folder, () => { if (_watch.MustEnd()) throw new OperationCanceledException(); }, only);
        }
        catch (ArchiveException e)
        {
            throw new ArchiveException($"{what} was not unpacked: {e.Message}");
        }
    }

    private int RunPhase(RunCommand command, RankPhase phase, string script, DateTimeOffset begun, Dictionary<string, string> variables)
    {
        Report(_report with { Phase = phase, Started = begun, LogLength = _log.Length });
        Launched launched;
        while (true)
        {
            if (_watch.MustEnd()) return StoppedBeforeStart;
            _group?.Enter();
            launched = Launch.Start(command, Path.Combine(_rank.Path, script), _work, variables);
            _group?.Leave();
            if (!launched.IsForLater) break;
            Thread.Sleep(WaitForRoomMs);
        }
        if (launched.Problem is { } problem)
        {
            _log.Say(problem);
            _problem = problem;
            return launched.ExitCode;
        }
        _orders.Begin();
        return _watch.Until(launched.Pid, launched.Output, launched.Error, command.Script is not null);
    }

    private void LookForCheckpoint()
    {
        LookAtContainer();
        if (_checkpoints?.Newest() is { } newest && newest != _report.Checkpoint)
            _ = TryReport(_report with { Checkpoint = newest, LogLength = _log.Length });
    }

    private void Finish(int exitCode, string phase, DateTimeOffset begun)
    {
        var cause = _watch.Cause ?? ExitCause.Exit;
        var detail = _watch.Reason;
        var (cpu, memory) = (_watch.Cpu, _watch.PeakMemory);
        if (cause == ExitCause.Exit && exitCode != 0 && (_ranOutInside || _group?.RanOutOfMemory == true))
        {
            cause = ExitCause.OutOfMemory;
            detail = $"it used more memory than the {new Core.Units.Memory(_order.Memory)} that it had asked for";
            _log.Say($"Out of memory: {detail}.");
        }
        if (cause == ExitCause.Exit && exitCode != 0) detail ??= _problem ?? LastErrorLine();
        if (_container?.Cpu > cpu) cpu = _container.Cpu;
        if (_container?.PeakMemory > memory) memory = _container.PeakMemory;
        if (_group is not null)
        {
            if (_group.Cpu > cpu) cpu = _group.Cpu;
            if (_group.PeakMemory > 0) memory = _group.PeakMemory;
            _group.Remove();
        }
        var fault = exitCode != 0 && cause is ExitCause.Exit or ExitCause.Stopped ? Evidence.Find(_order, Kernel, _engineName ?? _rank.Name, exitCode, cause, _work) : null;
        if (fault is not null) _log.Say($"The node is at fault: {fault.Text}.");
        _log.Flush();
        var verdict = new Verdict(exitCode, cause, phase, begun, DateTimeOffset.UtcNow, cpu, memory, detail, fault);
        Report(_report with { Phase = RankPhase.Ended, Verdict = verdict, Checkpoint = _checkpoints?.Newest(atEnd: true), Detail = detail }, isLast: true);
    }

    /// <summary>What it may have died of, in its own words. A shell begins with the path of the script, which says nothing to a reader.</summary>
    private string? LastErrorLine()
    {
        var line = _log.LastErrorLine.Replace(_rank.Path + "/", "", StringComparison.Ordinal).Trim();
        return line.Length == 0 ? null : $"its last error line is: {line}";
    }

    private void Refuse(string reason)
    {
        _log.Say($"Could not start: {reason}.");
        Report(_report with { Phase = RankPhase.Refused, Detail = reason }, isLast: true);
    }

    /// <summary>Goes on only when the disk has the report: a verdict is never lost, and nothing starts that is not written down.</summary>
    private void Report(RankReport report, bool isLast = false)
    {
        // Before the last report: after it the folder is the agent's, who may already use it for another rank.
        if (isLast) _rank.ForgetOrder();
        while (!TryReport(isLast ? report with { LogLength = _log.Length } : report))
        {
            if (!isLast && _watch.MustEnd()) return;
            Thread.Sleep(1000);
            _log.Flush();
        }
    }

    private bool TryReport(RankReport report)
    {
        _log.Flush();
        _report = report;
        if (!_rank.TryWriteState(report)) return false;
        _bell.Ring();
        return true;
    }
}
