using System.Text;
using Puces.Core.Contract;
using Puces.Runner.Logs;
using Puces.Runner.Posix;

namespace Puces.Runner.Agent;

/// <summary>A rank on this node as the agent holds it: what the daemon was told of it, and what it has yet to be told.</summary>
internal sealed class HeldRank(RankFolder folder) : IDisposable
{
    private static readonly byte[] StateBuffer = new byte[16 * 1024];

    private int _stateLength;
    private LogReader? _log;
    private bool _isReportDue;
    private string? _stop;

    public RankFolder Folder => folder;
    public RankReport Report { get; private set; } = new(folder.Tag, RankPhase.Starting, 0);
    public bool IsFinal => RankFolder.IsFinal(Report.Phase);

    /// <summary>Whether anything of it was written down: before that, none of the user's code has run.</summary>
    public bool HasState => _stateLength > 0;

    /// <summary>The process that this agent started for it, until its end was seen; 0 for none.</summary>
    public int Child { get; set; }

    public int Starts { get; set; }

    /// <summary>Readable once the watcher has ended; -1 where that cannot be waited for.</summary>
    public int WatcherEnd { get; private set; } = -1;

    public bool IsAlive => Child != 0 || Watchers.IsAlive(folder);

    public void WaitFor(int watcher)
    {
        if (WatcherEnd >= 0) _ = Libc.Close(WatcherEnd);
        WatcherEnd = watcher > 0 ? Libc.WatchProcess(watcher) : -1;
    }

    /// <summary>Reads what the watcher has written down of itself.</summary>
    public void Look()
    {
        if (IsFinal) return;
        if (folder.ReadState(StateBuffer, out var length) is not { } report || length == _stateLength) return;
        (Report, _stateLength, _isReportDue) = (report, length, true);
    }

    /// <summary>Settles it where the watcher cannot.</summary>
    public void End(RankPhase phase, string detail)
    {
        Report = Report with { Phase = phase, Detail = detail, LogLength = LogReader.Length(folder.Path) };
        folder.ForgetOrder();
        _ = folder.TryWriteState(Report);
        _isReportDue = true;
    }

    public void Follow(long offset)
    {
        _log?.Dispose();
        _log = new(folder.Path, Math.Max(0, offset));
        _isReportDue |= IsFinal;
    }

    /// <summary>Says it once more.</summary>
    public void Repeat() => _isReportDue = true;

    /// <summary>Tells the daemon the news: the log as far as it goes, and only after its end that the rank has ended.</summary>
    public void Tell(Outbox outbox, byte[] buffer)
    {
        if (_isReportDue && !IsFinal) SayReport(outbox);
        while (_log is { } log && !outbox.IsFull)
        {
            var read = log.Read(buffer, out var from, out var dropped);
            if (read > 0)
            {
                outbox.Say(new FromNode.Log(folder.Tag, from, buffer.AsSpan(0, read).ToArray(), IsLast: false, dropped));
                continue;
            }
            if (!IsFinal) break;
            outbox.Say(new FromNode.Log(folder.Tag, from, [], IsLast: true));
            log.Dispose();
            _log = null;
        }
        if (_isReportDue && _log is null) SayReport(outbox);
    }

    /// <summary>Asks the watcher to end the rank: by a file, which stays, and by its pipe, which is heard at once.</summary>
    public void Stop(string reason)
    {
        _stop = reason.ReplaceLineEndings(" ");
        if (_stop.Length > 1000) _stop = _stop[..1000];
        AskToStop();
    }

    /// <summary>Asks again where neither way was open, as on a full disk before the watcher had begun.</summary>
    public void AskToStop()
    {
        if (_stop is null || IsFinal) return;
        var isWritten = Files.TryReplace(folder.StopAsked, Encoding.UTF8.GetBytes(_stop));
        var isHeard = Files.Ring(folder.Control, Encoding.UTF8.GetBytes($"stop {_stop}\n"));
        if (isWritten || isHeard) _stop = null;
    }

    public void AskForCheckpoint() => Files.Ring(folder.Control, "checkpoint\n"u8);

    public void Dispose()
    {
        WaitFor(0);
        _log?.Dispose();
        _log = null;
    }

    private void SayReport(Outbox outbox)
    {
        outbox.Say(new FromNode.Report(Report));
        _isReportDue = false;
    }
}
