using System.Diagnostics;
using Puces.Cli.Terminal;

namespace Puces.Cli.Local;

/// <summary>The daemon that this user's first command starts, on the loopback address, where no server is configured.</summary>
internal sealed class LocalDaemon(Session session)
{
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(20);

    public DaemonFiles Files { get; } = new(session.Folders.State);

    /// <summary>A daemon that answers: the one that runs, or one started now.</summary>
    /// <param name="isReady">Asks the address for readiness.</param>
    public async Task<ServerFile> EnsureAsync(Func<ServerFile, CancellationToken, Task<bool>> isReady, CancellationToken ct)
    {
        Private.CreateFolder(Files.Folder);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        limit.CancelAfter(StartLimit);
        var clock = Stopwatch.StartNew();
        try
        {
            // Two commands at once start one daemon: the second waits here and finds it.
            using var start = await LockAsync(clock, limit.Token);
            if (await RunningAsync(isReady, clock, limit.Token) is { } running) return running;
            return await StartAsync(isReady, clock, limit.Token);
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            throw Failed($"pucesd did not get ready within {StartLimit.TotalSeconds:0} s", 0);
        }
        finally
        {
            session.Screen.Status(null);
        }
    }

    private async Task<ServerFile?> RunningAsync(Func<ServerFile, CancellationToken, Task<bool>> isReady, Stopwatch clock, CancellationToken ct)
    {
        while (Files.ReadServer() is { IsAlive: true } server)
        {
            if (await isReady(server, ct)) return server;
            // Another program may have the number of a dead daemon: give the address a short while, then start ours.
            if (clock.Elapsed > TimeSpan.FromSeconds(5)) return null;
            session.Screen.Status($"waiting for pucesd ({server.Url}) … {Say.Duration(clock.Elapsed)}");
            await Task.Delay(100, ct);
        }
        return null;
    }

    private async Task<ServerFile> StartAsync(Func<ServerFile, CancellationToken, Task<bool>> isReady, Stopwatch clock, CancellationToken ct)
    {
        var program = DaemonProgram.Find(session);
        var before = Files.LogLength();
        var old = Files.ReadServer();
        using var process = program.StartDetached(Files);
        while (true)
        {
            if (Files.ReadServer() is { } server && server != old && await isReady(server, ct))
            {
                session.Screen.Note(session.Screen.PaintNote($"started pucesd ({server.Url}, data in {Files.Folder})", Tint.Dim));
                return server;
            }
            if (process.HasExited && process.ExitCode != 0) throw Failed($"pucesd stopped at once with exit code {process.ExitCode}", before);
            if (clock.Elapsed > TimeSpan.FromMilliseconds(300)) session.Screen.Status($"starting pucesd … {Say.Duration(clock.Elapsed)}");
            await Task.Delay(Look, ct);
        }
    }

    private async Task<FileStream> LockAsync(Stopwatch clock, CancellationToken ct)
    {
        while (true)
        {
            try
            {
                return new FileStream(Files.Lock, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, 1);
            }
            catch (UnauthorizedAccessException e)
            {
                throw new CommandException($"cannot write to the daemon's folder ({Files.Folder})", "check who owns it, or set XDG_STATE_HOME", cause: e);
            }
            catch (IOException) when (File.Exists(Files.Lock))
            {
                session.Screen.Status($"another command is starting pucesd … {Say.Duration(clock.Elapsed)}");
                await Task.Delay(50, ct);
            }
        }
    }

    private CommandException Failed(string what, long logFrom)
    {
        var tail = Files.LogTail(logFrom, lines: 15);
        var log = tail.Count > 0 ? "\n" + string.Join('\n', tail.Select(l => "  | " + l)) : "";
        return new($"{what} ({Files.Log}){log}", "puces up, to see it start in the foreground; puces doctor");
    }
}
