using System.Net.Http.Json;
using Microsoft.Data.Sqlite;
using Puces.Core.Contract;
using Puces.Core.Engine;
using Puces.Core.Jobs;
using Puces.Server.Control;
using Puces.Testing;
using Xunit;

namespace Puces.Tests.Bench;

/// <summary>What things may cost, in bytes and in commits: counted, so that a busy machine changes nothing.</summary>
[Collection(nameof(Alone))]
public sealed class BudgetTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public void A_waiting_job_takes_less_than_2_KB_of_memory_in_the_engine_and_in_the_views()
    {
        const int Count = 100_000;
        var (world, view, now) = (new World(), View.Empty, DateTimeOffset.UnixEpoch);
        Submit(1);
        var before = GC.GetTotalMemory(forceFullCollection: true);
        for (var i = 0; i < Count; i += 1000) Submit(1000);
        var each = (GC.GetTotalMemory(forceFullCollection: true) - before) / Count;
        Assert.Equal(Count + 1, view.WaitingCount);
        Assert.InRange(each, 1, 2000);
        GC.KeepAlive(world);

        void Submit(int count)
        {
            var outcome = world.Apply([.. Enumerable.Range(view.WaitingCount, count).Select(Job)], now);
            view = view.After(outcome);
        }
    }

    [Fact]
    public async Task A_batch_is_one_commit()
    {
        await using var daemon = new DaemonProcess("--gpus", "H100:1");
        await daemon.StartAsync(Ct);
        var job = new SubmitJob(new("trial", new("true"), [new(8, "H100")]));
        using var reply = await daemon.Http.PostAsJsonAsync("api/v1/jobs/batch", new SubmitJobs([.. Enumerable.Repeat(job, 1000)]), ContractJson.Default.SubmitJobs, Ct);
        reply.EnsureSuccessStatusCode();
        Assert.Single(await CommitsAsync(daemon));
    }

    [Fact]
    public async Task Jobs_that_come_while_the_disk_is_busy_share_a_commit()
    {
        await using var daemon = new DaemonProcess("--gpus", "H100:1");
        await daemon.StartAsync(Ct);
        List<Task> waiting;
        using (var other = new SqliteConnection($"Data Source={daemon.Data}/puces.db;Pooling=False"))
        {
            // Another writer on the file stands for a slow disk: the daemon waits for it with its first commit.
            other.Open();
            await using var slow = other.BeginTransaction(deferred: false);
            waiting = [.. Enumerable.Range(0, 64).Select(_ => (Task)daemon.SubmitAsync(new SubmitJob(new("trial", new("true"), [new(8, "H100")])), Ct))];
            await Task.Delay(2000, Ct);
            Assert.All(waiting, one => Assert.False(one.IsCompleted, "answered before it was stored"));
            slow.Rollback();
        }
        await Task.WhenAll(waiting);
        Assert.InRange((await CommitsAsync(daemon)).Count, 1, 16);
    }

    /// <summary>The moments at which the waiting jobs were taken: one for each commit.</summary>
    private static async Task<IReadOnlyList<DateTimeOffset>> CommitsAsync(DaemonProcess daemon)
    {
        var page = await daemon.Http.GetFromJsonAsync("api/v1/jobs?state=waiting&limit=10000", ContractJson.Default.JobPage, Ct);
        return [.. page!.Jobs.Select(j => j.Submitted).Distinct()];
    }

    private static Command Job(int number) => new Command.Submit(
        new($"train-{number}", "default", "ann", 0, new([new(8, "H100")], 1, 0, default, []), Retry.None), new byte[100]);

    /// <summary>Nothing else allocates meanwhile.</summary>
    [CollectionDefinition(nameof(Alone), DisableParallelization = true)]
    public sealed class Alone;
}
