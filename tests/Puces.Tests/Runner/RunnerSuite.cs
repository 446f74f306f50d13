using System.Diagnostics;
using Puces.Core.Contract;
using Puces.Core.Fleet;
using Puces.Core.Jobs;
using Puces.Testing;
using Xunit;

namespace Puces.Tests.Runner;

/// <summary>A folder for a runner, and agents over it; what they leave running is ended with the test.</summary>
public abstract class RunnerSuite : IDisposable
{
    private readonly List<RunnerProcess> _agents = [];

    protected string Root { get; } = Directory.CreateTempSubdirectory("puces-runner-").FullName;

    /// <summary>A file where the first job works.</summary>
    protected string InWork(string file) => Path.Combine(Root, "jobs", "1", "work", file);

    protected RunnerProcess Agent(IReadOnlyDictionary<string, string>? environment = null)
    {
        var agent = new RunnerProcess(Root, environment);
        _agents.Add(agent);
        return agent;
    }

    protected static RankOrder Order(
        long job, string? script = null, int number = 1, string[]? arguments = null, string? setup = null, Dictionary<string, string>? env = null,
        Dictionary<string, string>? secrets = null, CheckpointSpec? checkpoint = null, TimeSpan? limit = null, TimeSpan? term = null,
        long logLimit = 1 << 20, string? workdir = null, Dictionary<string, string>? mounts = null, Device[]? devices = null,
        long memory = 0, bool enforce = false) =>
        new(new(job), number, 0, "trial", "research", ["127.0.0.1"], 29500, new(script, arguments), setup, workdir, mounts ?? [], env ?? [],
            secrets ?? [], devices ?? [], 1000, memory, enforce, checkpoint ?? new(), limit, term, logLimit);

    /// <summary>Processes whose command line holds the text.</summary>
    protected static List<int> Processes(string text)
    {
        var found = new List<int>();
        foreach (var folder in Directory.EnumerateDirectories("/proc"))
        {
            try
            {
                if (int.TryParse(Path.GetFileName(folder), out var pid) && pid != Environment.ProcessId
                    && File.ReadAllText(folder + "/cmdline").Replace('\0', ' ').Contains(text, StringComparison.Ordinal)) found.Add(pid);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
            }
        }
        return found;
    }

    protected int Watcher(string tag) => int.Parse(File.ReadAllText(Path.Combine(Root, "ranks", tag, "watcher")));

    protected static void Kill(int pid) => Process.GetProcessById(pid).Kill();

    protected static bool Eventually(Func<bool> isSo)
    {
        for (var begun = Stopwatch.StartNew(); begun.Elapsed < TimeSpan.FromSeconds(20); Thread.Sleep(20))
            if (isSo()) return true;
        return false;
    }

    public void Dispose()
    {
        foreach (var agent in _agents) agent.Dispose();
        foreach (var pid in Processes(Root))
        {
            try { Kill(pid); }
            catch (ArgumentException) { }
        }
        Assert.True(Eventually(() =>
        {
            try { Directory.Delete(Root, recursive: true); }
            catch (DirectoryNotFoundException) { }
            catch (IOException) { return false; }
            return true;
        }));
        GC.SuppressFinalize(this);
    }
}
