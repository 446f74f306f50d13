using System.Diagnostics;

namespace Puces.Cli.Local;

/// <summary>The pucesd that belongs to this client: named by <c>PUCES_DAEMON</c>, or in the same folder.</summary>
internal sealed record DaemonProgram(string File, IReadOnlyList<string> First, string? Runner)
{
    // Detached from the terminal: Ctrl-C there, or closing it, must not reach the daemon. A machine without setsid has nohup (POSIX).
    private const string Detach =
        "umask 077; if command -v setsid >/dev/null 2>&1; then exec setsid \"$@\"; else exec nohup \"$@\"; fi </dev/null >>\"$PUCES_DAEMON_LOG\" 2>&1";

    public static DaemonProgram Find(Session session)
    {
        var beside = AppContext.BaseDirectory;
        var runner = session.Variable("PUCES_RUNNER") is { Length: > 0 } named ? named
            : Path.Combine(beside, "puces-runner") is var sibling && System.IO.File.Exists(sibling) ? sibling : null;
        if (session.Variable("PUCES_DAEMON") is { Length: > 0 } given)
        {
            if (!System.IO.File.Exists(given)) throw new CommandException($"PUCES_DAEMON names a file that is not there ({given})", "unset it, or name pucesd");
            return Of(Path.GetFullPath(given), runner);
        }
        foreach (var name in (string[])["pucesd", "pucesd.dll"])
            if (Path.Combine(beside, name) is var path && System.IO.File.Exists(path)) return Of(path, runner);
        throw new CommandException(
            $"no server is configured, and there is no pucesd beside this program to start ({beside})",
            "puces login URL, or set PUCES_URL; or set PUCES_DAEMON to the pucesd to start");
    }

    /// <summary>Starts it on a data folder, in a session of its own, its output in its log.</summary>
    public Process StartDetached(DaemonFiles files)
    {
        var start = new ProcessStartInfo("/bin/sh") { UseShellExecute = false, WorkingDirectory = "/" };
        foreach (var argument in (string[])["-c", Detach, "sh", File, .. First, "--data", files.Folder]) start.ArgumentList.Add(argument);
        start.Environment["PUCES_DAEMON_LOG"] = files.Log;
        return Run(start);
    }

    /// <summary>Runs it in the foreground with our terminal; its exit code.</summary>
    public async Task<int> RunAsync(string folder, IReadOnlyList<string> options, CancellationToken ct)
    {
        var start = new ProcessStartInfo(File) { UseShellExecute = false };
        foreach (var argument in (string[])[.. First, "--data", folder, .. options]) start.ArgumentList.Add(argument);
        using var process = Run(start);
        // Ctrl-C goes to the daemon too, by the terminal: it stops in good order and we wait for that.
        using var stop = ct.Register(() => Terminate(process));
        await process.WaitForExitAsync(CancellationToken.None);
        return process.ExitCode;
    }

    private Process Run(ProcessStartInfo start)
    {
        if (Runner is { } runner) start.Environment["PUCES_RUNNER"] = runner;
        try
        {
            return Process.Start(start)!;
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            throw new CommandException($"cannot start the daemon ({File}): {e.Message}", null, cause: e);
        }
    }

    private static void Terminate(Process process)
    {
        if (!process.HasExited) NativeSignals.Terminate(process.Id);
    }

    private static DaemonProgram Of(string path, string? runner) =>
        path.EndsWith(".dll", StringComparison.OrdinalIgnoreCase) ? new("dotnet", [path], runner) : new(path, [], runner);
}
