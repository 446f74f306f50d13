using System.Globalization;

namespace Puces.Providers.Ssh;

/// <summary>
/// One connection to a machine that many short commands go through: who runs it sees one login, and no command waits for another. It is made by the
/// first command, and again by the next after it broke.
/// </summary>
internal sealed class SshConnection(SshCommand ssh) : IAsyncDisposable
{
    private const string Ready = "puces-connected";

    private readonly SemaphoreSlim _gate = new(1);
    private OwnProcess? _master;
    private Task<int>? _end;
    // Nobody else may come to the socket in it.
    private DirectoryInfo? _folder;
    private int _count;

    /// <summary>Starts a script of the Bourne shell there. Where no connection can be shared it has its own, and says what is wrong.</summary>
    public async Task<INodeProcess> StartAsync(string script, CancellationToken ct) => OwnProcess.Start(SshCommand.Program, ssh.Running(script, through: await SocketAsync(ct)));

    public async ValueTask DisposeAsync()
    {
        await EndAsync();
        _folder?.Delete(recursive: true);
        _gate.Dispose();
    }

    private string Socket => Path.Combine(_folder!.FullName, _count.ToString(CultureInfo.InvariantCulture));

    private async Task<string?> SocketAsync(CancellationToken ct)
    {
        await _gate.WaitAsync(ct);
        try
        {
            if (_end is { IsCompleted: false }) return Socket;
            await EndAsync();
            _folder ??= Directory.CreateTempSubdirectory("puces-");
            _count++;
            // It ends with its input, and so with this process.
            _master = OwnProcess.Start(SshCommand.Program, ssh.Running($"echo {Ready}; exec cat >/dev/null", through: Socket, isMaster: true));
            _ = _master.Errors.CopyToAsync(Stream.Null, CancellationToken.None);
            _end = _master.WaitAsync(CancellationToken.None);
            using var output = new StreamReader(_master.Output, leaveOpen: true);
            while (await output.ReadLineAsync(ct) is { } line)
                if (line.EndsWith(Ready, StringComparison.Ordinal) && File.Exists(Socket)) return Socket;
            await EndAsync();
            return null;
        }
        catch (OperationCanceledException)
        {
            await EndAsync();
            throw;
        }
        finally
        {
            _gate.Release();
        }
    }

    private async Task EndAsync()
    {
        if (_master is null) return;
        _master.Kill();
        await _end!;
        await _master.DisposeAsync();
        (_master, _end) = (null, null);
    }
}
