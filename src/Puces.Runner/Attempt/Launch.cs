using System.Text;
using Puces.Core.Jobs;
using Puces.Runner.Posix;

namespace Puces.Runner.Attempt;

/// <summary>A started process and the reading ends of its output; or no process, and why.</summary>
/// <param name="IsForLater">The disk is full: it may be tried again.</param>
internal readonly record struct Launched(int Pid, int Output, int Error, int ExitCode = 0, string? Problem = null, bool IsForLater = false);

/// <summary>Starts the user's commands in the work directory.</summary>
internal static class Launch
{
    private const int NotFound = 127, NotRunnable = 126;

    public static Launched Start(RunCommand command, string scriptPath, string work, Dictionary<string, string> variables)
    {
        if (command.Arguments is { Count: > 0 } arguments)
            return Find(arguments[0], work, variables["PATH"]) is { } program
                ? Start(program, arguments, work, variables)
                : new(0, -1, -1, NotFound, $"{arguments[0]}: command not found");
        // A file, so that the script stands in no command line.
        if (!Files.TryWrite(scriptPath, Encoding.UTF8.GetBytes(command.Script ?? "")))
            return new(0, -1, -1, NotRunnable, $"cannot write {scriptPath}: {Libc.Why(Libc.Errno)}", Files.IsFull(Libc.Errno));
        var shell = Find("bash", work, variables["PATH"]) ?? Find("bash", work, "/bin:/usr/bin:/usr/local/bin") ?? "/bin/sh";
        return Start(shell, [Path.GetFileName(shell), "-e", scriptPath], work, variables);
    }

    /// <summary>Starts a program that was found, without input.</summary>
    public static Launched Start(string program, IReadOnlyList<string> arguments, string work, Dictionary<string, string> variables)
    {
        var (outputRead, outputWrite) = Libc.Pipe();
        var (errorRead, errorWrite) = Libc.Pipe();
        var nothing = Libc.Open("/dev/null", Libc.ReadOnly | Libc.CloseOnExec);
        var pid = Libc.ChangeFolder(work) == 0
            ? Spawn.Start(program, arguments, Surroundings.Block(variables), nothing, outputWrite, errorWrite)
            : -Libc.Errno;
        _ = Libc.ChangeFolder("/");
        foreach (var fd in (ReadOnlySpan<int>)[outputWrite, errorWrite, nothing]) _ = Libc.Close(fd);
        if (pid > 0) return new(pid, outputRead, errorRead);
        _ = Libc.Close(outputRead);
        _ = Libc.Close(errorRead);
        return new(0, -1, -1, -pid == Libc.NoEntry ? NotFound : NotRunnable, $"{arguments[0]}: {Libc.Why(-pid)}");
    }

    /// <summary>As a shell looks for it, with the path that the process itself will see.</summary>
    public static string? Find(string name, string work, string path)
    {
        const int executable = 1;
        if (name.Contains('/', StringComparison.Ordinal)) return Path.Combine(work, name);
        foreach (var folder in path.Split(':'))
        {
            var candidate = Path.Combine(work, folder, name);
            if (name.Length > 0 && Libc.Access(candidate, executable) == 0 && !Directory.Exists(candidate)) return candidate;
        }
        return null;
    }
}
