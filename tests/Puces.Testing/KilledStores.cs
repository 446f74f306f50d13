using System.Diagnostics;
using System.Globalization;
using System.Reflection;
using Puces.Core.Engine;
using Puces.Core.Jobs;
using Puces.Server.Store;
using Xunit;

namespace Puces.Testing;

/// <summary>A process that leads on a store and commits on and on, telling each acknowledgement, until it is killed with SIGKILL.</summary>
public sealed class KilledStores(string location) : IAsyncDisposable
{
    private const string Variable = "PUCES_TEST_KILLED_STORE";
    private const int JobsPerCommit = 7;
    private static readonly DateTimeOffset Noon = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);
    private Process? _process;

    /// <summary>The last job of the last commit that was acknowledged.</summary>
    public long Acknowledged { get; private set; }

    /// <summary>What a test program calls first of all: where it was started as such a process it does that, and never returns.</summary>
    public static void RunIfAsked()
    {
        if (Environment.GetEnvironmentVariable(Variable) is not { } place) return;
        CommitAsync(place).GetAwaiter().GetResult();
        Environment.Exit(1);
    }

    public async Task RunAndKillAsync(TimeSpan after, CancellationToken ct, Action? whileItLeads = null, Action? onKill = null)
    {
        var program = Environment.ProcessPath!;
        var start = new ProcessStartInfo(program) { RedirectStandardOutput = true };
        if (Path.GetFileNameWithoutExtension(program) == "dotnet") start.ArgumentList.Add(Assembly.GetEntryAssembly()!.Location);
        start.Environment[Variable] = location;
        using (_process = Process.Start(start)!)
        {
            var first = await _process.StandardOutput.ReadLineAsync(ct);
            Assert.True(first is not null, "the process ended before its first commit");
            whileItLeads?.Invoke();
            await Task.Delay(after, ct);
            onKill?.Invoke();
            _process.Kill();
            var lines = (first + "\n" + await _process.StandardOutput.ReadToEndAsync(ct)).Split('\n');
            // What follows the last line end was cut off.
            Acknowledged = long.Parse(lines[^2], CultureInfo.InvariantCulture);
            await _process.WaitForExitAsync(ct);
        }
        _process = null;
    }

    /// <summary>Checks that a new leader finds all that was acknowledged, and at most one commit more, whole.</summary>
    public async Task AssertWholeAsync(IStore store, CancellationToken ct)
    {
        var stored = await store.LoadAsync(Noon, ct);
        Assert.True(stored.LastJob - Acknowledged is 0 or JobsPerCommit, $"{Acknowledged} were acknowledged, {stored.LastJob} are stored");
        Assert.Equal(Enumerable.Range(1, (int)stored.LastJob).Select(i => (long)i), stored.LiveJobs.Select(job => job.Id.Value));
        Assert.Equal(stored.LastJob, stored.LastEvent);
        Assert.Equal(stored.LastJob, (await store.EventsAsync(0, int.MaxValue, ct)).Count);
        Assert.NotNull(await store.SpecAsync(new(stored.LastJob), ct));
    }

    public ValueTask DisposeAsync()
    {
        _process?.Kill();
        return default;
    }

    private static async Task CommitAsync(string place)
    {
        await using var store = Stores.Open(place);
        await store.MigrateAsync(default);
        await store.LeadAsync(default);
        var next = (await store.LoadAsync(Noon, default)).LastJob;
        var request = new Request([], 1, 0, default, []);
        // Should its test be killed before it kills this, there is an end all the same.
        var alone = Stopwatch.StartNew();
        while (alone.Elapsed < TimeSpan.FromMinutes(1))
        {
            var ids = Enumerable.Range(1, JobsPerCommit).Select(i => new JobId(next + i)).ToList();
            await store.CommitAsync(
                [.. ids.Select(id => new Change.JobSet(new(id, "killed", "text", "ada", 0, request, Retry.None, Noon, new JobState.Queued(Noon)), "{}"u8.ToArray()))],
                [.. ids.Select(id => new FeedEvent(id.Value, Noon, "submitted", "", id))], default);
            next += JobsPerCommit;
            Console.Out.Write(string.Create(CultureInfo.InvariantCulture, $"{next}\n"));
        }
    }
}
