using System.Collections;
using System.Runtime.InteropServices;
using System.Text;
using Puces.Runner.Agent;
using Puces.Runner.Attempt;
using Puces.Runner.Posix;

namespace Puces.Runner.Mail;

/// <summary>
/// The node's end where no connection leads to the node, as inside a job of a cluster's own scheduler: serves a mailbox with an agent, one
/// connection at a time. It adopts what its agents leave behind, so that the scheduler finds all of it below the job.
/// </summary>
internal sealed class Mailbox
{
    private const int LookMs = 1000;
    private const PosixSignal TimeIsOver = (PosixSignal)10;

    private readonly MailFolder _folder;
    private readonly Layout _layout;
    private readonly Leaving _leaving;
    private readonly byte[] _incoming = new byte[64 * 1024], _outgoing = new byte[64 * 1024];
    private readonly Pulse _pulse = new();
    private volatile string? _signalled;
    private volatile bool _isLeaving;
    private long _connection, _lookAt;
    private TubeReader? _in;
    private TubeWriter? _out;
    private int _agent, _toAgent = -1, _fromAgent = -1, _sent, _unsent, _unwritten;

    private Mailbox(MailFolder folder, Layout layout) => (_folder, _layout, _leaving) = (folder, layout, new(layout));

    public static int Serve(string path, string root, string blobs)
    {
        Libc.IgnoreBrokenPipes();
        Libc.AdoptOrphans();
        var folder = new MailFolder(Path.GetFullPath(path));
        var layout = new Layout(Path.GetFullPath(root), Path.GetFullPath(blobs));
        folder.Make();
        foreach (var needed in (string[])[layout.Root, layout.Ranks]) Directory.CreateDirectory(needed);
        var mailbox = new Mailbox(folder, layout);
        using var onTime = PosixSignalRegistration.Create(TimeIsOver, signal => mailbox.Hear(signal, "the time of its Slurm job is over", false));
        using var onEnd = PosixSignalRegistration.Create(PosixSignal.SIGTERM, signal => mailbox.Hear(signal, "its Slurm job was told to end", true));
        var name = Environment.GetEnvironmentVariable("SLURMD_NODENAME") ?? Environment.MachineName;
        while (!Files.TryWrite(folder.Here, Encoding.UTF8.GetBytes(name + "\n"))) Thread.Sleep(LookMs);
        mailbox.Run();
        return 0;
    }

    private void Hear(PosixSignalContext signal, string reason, bool isLast)
    {
        signal.Cancel = true;
        _signalled ??= reason;
        _isLeaving |= isLast;
    }

    /// <summary>Until it is told to go and none of its ranks is left.</summary>
    private void Run()
    {
        while (true)
        {
            Span<PollEntry> entries = [new(_fromAgent >= 0 && _unwritten == 0 && _out?.IsFull == false ? _fromAgent : -1, Libc.PollIn)];
            _ = Libc.Poll(entries, _pulse.Pause);
            if (entries[0].Found != 0) Hear();
            Carry();
            Reap();
            if (_folder.Connection() is var newest && newest > _connection && !_isLeaving) Connect(newest);
            if (Environment.TickCount64 < _lookAt && _signalled is null) continue;
            _lookAt = Environment.TickCount64 + LookMs;
            if ((_signalled ?? MailFolder.Read(_folder.Stop)) is { Length: > 0 } why) _leaving.Stop(why);
            if (_isLeaving && _leaving.IsClear()) break;
        }
        HangUp();
    }

    /// <summary>An agent for the new connection. The agent of the one before goes when its input ends, or is made to by the new one.</summary>
    private void Connect(long connection)
    {
        HangUp();
        _connection = connection;
        _folder.ForgetBefore(connection - 1);
        (_in, _out) = (new(_folder.In(connection)), new(_folder.Out(connection)));
        var (input, toAgent) = Libc.Pipe();
        var (fromAgent, output) = Libc.Pipe();
        var environment = new Dictionary<string, string>();
        foreach (DictionaryEntry variable in Environment.GetEnvironmentVariables()) environment[(string)variable.Key] = (string?)variable.Value ?? "";
        _agent = Spawn.Start(Spawn.Self.Program, [.. Spawn.Self.Arguments, "agent", "--root", _layout.Root, "--blobs", _layout.Blobs], Surroundings.Block(environment), input, output, 2);
        _ = Libc.Close(input);
        _ = Libc.Close(output);
        (_toAgent, _fromAgent) = (toAgent, fromAgent);
        Libc.SetNonBlocking(toAgent, true);
        _pulse.Quicken();
    }

    private void HangUp()
    {
        if (_toAgent >= 0) _ = Libc.Close(_toAgent);
        if (_fromAgent >= 0) _ = Libc.Close(_fromAgent);
        (_toAgent, _fromAgent, _agent, _sent, _unsent, _unwritten) = (-1, -1, 0, 0, 0, 0);
    }

    /// <summary>What the agent says; its last word is that it has gone.</summary>
    private void Hear()
    {
        var read = Libc.Read(_fromAgent, _outgoing);
        _unwritten = Math.Max(0, read);
        if (read > 0) return;
        if (_out?.TryEnd() == true) HangUp();
        else Thread.Sleep(LookMs);
    }

    private void Carry()
    {
        if (_unwritten > 0 && _out!.TryWrite(_outgoing.AsSpan(0, _unwritten)))
        {
            _unwritten = 0;
            _pulse.Quicken();
        }
        while (_toAgent >= 0)
        {
            if (_unsent == 0)
            {
                (_sent, _unsent) = (0, _in!.Read(_incoming));
                if (_unsent == 0 && !_in.IsEnded) return;
                _pulse.Quicken();
            }
            var written = _unsent == 0 ? 0 : Libc.Write(_toAgent, _incoming.AsSpan(_sent, _unsent));
            if (written < 0 && Libc.Errno == Libc.Again) return;
            if (written > 0) (_sent, _unsent) = (_sent + written, _unsent - written);
            if (written >= 0 && (_unsent > 0 || !_in!.IsEnded)) continue;
            // All is said, or nobody hears it: the agent goes, and what it has yet to say is still read.
            _ = Libc.Close(_toAgent);
            _toAgent = -1;
        }
    }

    private static void Reap()
    {
        while (Libc.Wait(-1, out _, out _) > 0) { }
    }
}
