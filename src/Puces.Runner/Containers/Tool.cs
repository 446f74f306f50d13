using System.Text;
using Puces.Runner.Attempt;
using Puces.Runner.Posix;

namespace Puces.Runner.Containers;

/// <summary>What a program said, and how it ended.</summary>
/// <param name="Words">The last of its standard error, or of its output where that is empty.</param>
internal readonly record struct Said(int ExitCode, string Output, string Words)
{
    public bool IsDone => ExitCode == 0;
}

/// <summary>Runs a program of the node to its end.</summary>
internal static class Tool
{
    private const int Missing = 127, LookMs = 100, Kept = 4096;

    /// <param name="patience">How long it may take; then it is killed.</param>
    /// <param name="mustEnd">Looked at while it runs.</param>
    /// <param name="variables">The environment of the program; what an engine is given where it is left out.</param>
    /// <exception cref="OperationCanceledException">It had to end, and has been killed.</exception>
    public static Said Run(IReadOnlyList<string> words, TimeSpan patience, Func<bool> mustEnd, Dictionary<string, string>? variables = null)
    {
        variables ??= Surroundings.ForEngine();
        if (Launch.Find(words[0], "/", variables["PATH"]) is not { } program) return new(Missing, "", $"{words[0]}: command not found");
        var launched = Launch.Start(program, words, "/", variables);
        if (launched.Pid == 0) return new(launched.ExitCode, "", launched.Problem!);
        StringBuilder output = new(), error = new();
        var exitCode = Wait(launched, Environment.TickCount64 + (long)patience.TotalMilliseconds, mustEnd, output, error);
        if (exitCode is null && mustEnd()) throw new OperationCanceledException();
        return exitCode is { } code ? new(code, output.ToString().Trim(), (error.ToString().Trim() is { Length: > 0 } said ? said : output.ToString().Trim())) : new(Missing, "", $"{words[0]} did not answer within {patience.TotalSeconds:0} s");
    }

    /// <summary>Null where it had to be killed.</summary>
    private static int? Wait(Launched launched, long until, Func<bool> mustEnd, StringBuilder output, StringBuilder error)
    {
        Span<PollEntry> pipes = [new(launched.Output, Libc.PollIn), new(launched.Error, Libc.PollIn)];
        var isKilled = false;
        while (true)
        {
            _ = Libc.Poll(pipes, LookMs);
            if (pipes[0].Found != 0) Drain(ref pipes[0], output);
            if (pipes[1].Found != 0) Drain(ref pipes[1], error);
            var ended = Libc.Wait(launched.Pid, out var status, out _) == launched.Pid;
            if (!ended && !isKilled && (Environment.TickCount64 > until || mustEnd()))
            {
                _ = Libc.Kill(-launched.Pid, Signals.Kill);
                isKilled = true;
            }
            if (!ended) continue;
            // What it has left behind may hold the pipes open: what they hold now is all.
            for (var i = 0; i < 2; i++)
                while (pipes[i].Fd >= 0 && Libc.Poll(pipes.Slice(i, 1), 0) > 0) Drain(ref pipes[i], i == 0 ? output : error);
            foreach (var pipe in pipes)
                if (pipe.Fd >= 0) _ = Libc.Close(pipe.Fd);
            return isKilled ? null : (status & 0x7F) == 0 ? status >> 8 & 0xFF : 128 + (status & 0x7F);
        }
    }

    private static void Drain(ref PollEntry pipe, StringBuilder text)
    {
        Span<byte> buffer = stackalloc byte[Kept];
        var read = Libc.Read(pipe.Fd, buffer);
        if (read > 0)
        {
            text.Append(Encoding.UTF8.GetString(buffer[..read]));
            if (text.Length > 2 * Kept) text.Remove(0, text.Length - Kept);
            return;
        }
        _ = Libc.Close(pipe.Fd);
        pipe.Fd = -1;
    }
}
