using System.Diagnostics;

namespace Puces.Bench;

/// <summary>Runs commands and gives what they write.</summary>
internal static class Shell
{
    /// <summary>Standard output of a command that must succeed.</summary>
    public static async Task<string> RunAsync(IReadOnlyList<string> command, IReadOnlyDictionary<string, string>? environment = null, string folder = "")
    {
        var start = new ProcessStartInfo(command[0], command.Skip(1)) { RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = folder };
        foreach (var (name, value) in environment ?? new Dictionary<string, string>()) start.Environment[name] = value;
        using var process = Process.Start(start)!;
        var error = process.StandardError.ReadToEndAsync();
        var text = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return process.ExitCode == 0 ? text : throw new BenchException($"{string.Join(' ', command)}: exit code {process.ExitCode}\n{await error}{text}");
    }

    /// <summary>Milliseconds of each of several calls, one after another, from the start of the process to its end.</summary>
    public static async Task<IReadOnlyList<double>> TimeAsync(int calls, IReadOnlyList<string> command, IReadOnlyDictionary<string, string>? environment = null)
    {
        var times = new List<double>();
        for (var i = 0; i < calls; i++)
        {
            var begun = Stopwatch.GetTimestamp();
            await RunAsync(command, environment);
            times.Add(Stopwatch.GetElapsedTime(begun).TotalMilliseconds);
        }
        return times;
    }

    /// <summary>Several callers share so many calls; gives the time of all and the milliseconds of each.</summary>
    public static async Task<(TimeSpan All, IReadOnlyList<double> Each)> ShareAsync(int callers, int calls, Func<int, Task> call)
    {
        var times = new double[calls];
        var next = -1;
        var begun = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, callers).Select(_ => Task.Run(async () =>
        {
            for (int i; (i = Interlocked.Increment(ref next)) < calls;)
            {
                var start = Stopwatch.GetTimestamp();
                await call(i);
                times[i] = Stopwatch.GetElapsedTime(start).TotalMilliseconds;
            }
        })));
        return (Stopwatch.GetElapsedTime(begun), times);
    }

    /// <summary>Processes that work in a folder or name it on their command line.</summary>
    public static IReadOnlyList<int> ProcessesOf(string folder)
    {
        var found = new List<int>();
        foreach (var entry in Directory.EnumerateDirectories("/proc"))
        {
            if (!int.TryParse(Path.GetFileName(entry), out var pid) || pid == Environment.ProcessId) continue;
            try
            {
                var works = new DirectoryInfo(entry + "/cwd").LinkTarget ?? "";
                if (works.StartsWith(folder, StringComparison.Ordinal) || File.ReadAllText(entry + "/cmdline").Contains(folder, StringComparison.Ordinal)) found.Add(pid);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
            }
        }
        return found;
    }

    /// <summary>Waits until it is so; asks every <paramref name="pace"/> milliseconds.</summary>
    public static async Task UntilAsync(Func<Task<bool>> isSo, string what, int pace = 20, int seconds = 120)
    {
        for (var begun = Stopwatch.StartNew(); !await isSo(); await Task.Delay(pace))
            if (begun.Elapsed.TotalSeconds > seconds) throw new BenchException($"waited {seconds} s in vain: {what}");
    }
}

/// <summary>The run cannot go on; the message says why.</summary>
public sealed class BenchException(string message) : Exception(message);
