using System.Net.Http.Json;
using System.Text.Json;
using Puces.Core.Contract;
using Puces.Core.Jobs;
using Puces.Core.Replay;
using Puces.Testing;
using Puces.Testing.Simulation;
using Puces.Tests.Cli;
using Xunit;

namespace Puces.Tests.Replay;

/// <summary>Live and replay are one engine: a history, replayed on the pool that it ran on, starts the same jobs at the same moments.</summary>
public sealed class HistoryTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public void A_replayed_history_is_the_life_that_it_tells_of()
    {
        var (stops, retries, gangs, closings) = (0, 0, 0, 0);
        for (var seed = 1UL; seed <= 200; seed++)
        {
            var life = RecordedLife.Of(seed);
            AssertSame(life.Jobs, life.Page, $"seed {seed}");
            stops += life.Jobs.Sum(j => j.Attempts.Count(a => a.Preempted is not null));
            retries += life.Jobs.Count(j => j.Attempts.Any(a => a is { ExitCode: 1, Preempted: null }));
            closings += life.Windows.Count;
            gangs += life.Jobs.Count(j => j.Attempts[0].Nodes.Count > 1);
        }
        Assert.True(stops > 50 && retries > 50 && gangs > 50 && closings > 50, $"{stops} stops, {retries} retries, {gangs} gangs, {closings} windows");
    }

    [Fact]
    public async Task What_a_daemon_did_is_replayed_start_by_start()
    {
        await using var daemon = new DaemonProcess("--gpus", "H100:4", "--nodes", "3", "--cpus", "8", "--memory", "32GB");
        await daemon.StartAsync(Ct);
        while ((await daemon.Http.GetFromJsonAsync("api/v1/pools", ContractJson.Default.PoolList, Ct))!.Pools is not [{ Devices: 12 }]) await Task.Delay(20, Ct);
        var luck = new Luck(42);
        for (var i = 0; i < 36; i++)
        {
            var (gpus, nodes) = (luck.Of(0, 1, 1, 2, 3, 4), luck.Of(1, 1, 1, 2, 3));
            var job = new JobSpec(luck.Of("train", "eval"), new($"sleep 0.{luck.Between(1, 9)}"))
            {
                Gpus = gpus == 0 ? [] : [new(gpus, "H100")],
                Nodes = nodes,
                Priority = luck.Of(0, 0, 0, 100, -100),
                Cpus = luck.Chance(20) ? 2 : null,
                Limit = luck.Chance(20) ? TimeSpan.FromMinutes(1) : null,
            };
            await daemon.SubmitAsync(new SubmitJob(job, luck.Of("ada", "eve")), Ct);
            if (luck.Chance(30)) await Task.Delay(luck.Below(400), Ct);
        }
        for (var job = 1; job <= 36; job++) Assert.Equal("succeeded", (await daemon.EndAsync(job, Ct)).Job.State);

        var first = (await daemon.Http.GetFromJsonAsync("api/v1/history?limit=20", ContractJson.Default.HistoryPage, Ct))!;
        var second = (await daemon.Http.GetFromJsonAsync($"api/v1/history?limit=20&after={first.Next}", ContractJson.Default.HistoryPage, Ct))!;
        Assert.Equal((20, 20L, 16, null), (first.Jobs.Count, first.Next, second.Jobs.Count, second.Next));
        IReadOnlyList<JobDetail> jobs = [.. first.Jobs, .. second.Jobs];
        Assert.Contains(jobs, j => j.Attempts[0].Decided - j.Job.Submitted > TimeSpan.FromMilliseconds(300));
        AssertSame(jobs, first with { At = second.At }, "the daemon");

        using var desk = new Desk();
        desk.Variables["PUCES_URL"] = daemon.Url;
        desk.Variables["PUCES_TOKEN"] = daemon.Token;
        var told = await desk.RunAsync("replay", "--from-history", "--policy", "puces", "--json");
        Assert.Equal((0, ""), (told.Code, told.Error));
        var summary = JsonDocument.Parse(told.Out).RootElement[0];
        var waited = jobs.Average(j => (j.Attempts[^1].Ended!.Value - j.Job.Submitted - j.Attempts.Aggregate(TimeSpan.Zero, (sum, a) => sum + (a.Ended!.Value - a.Decided))).TotalSeconds);
        Assert.Equal(36, summary.GetProperty("jobs").GetInt32());
        Assert.Equal(waited, summary.GetProperty("mean_wait_s").GetDouble(), 4);
        var more = await desk.RunAsync("replay", "--from-history", "--add", "3x4", "--policy", "puces,fifo", "--json");
        Assert.Equal((0, ""), (more.Code, more.Error));
        Assert.InRange(JsonDocument.Parse(more.Out).RootElement[0].GetProperty("mean_wait_s").GetDouble(), 0, waited);
    }

    private static void AssertSame(IReadOnlyList<JobDetail> jobs, HistoryPage page, string where)
    {
        var trace = HistoryTrace.Jobs(jobs, page.At);
        var pool = HistoryTrace.Pool(page);
        Assert.Equal(trace.Count, Replays.Possible(trace, pool, out _, out _).Count);
        var told = Replays.Run("puces", trace, pool, ReplayCosts.None);
        var begin = jobs.Min(j => j.Job.Submitted);
        for (var i = 0; i < jobs.Count; i++)
        {
            Assert.True(jobs[i].Job.Id.ToString(System.Globalization.CultureInfo.InvariantCulture) == trace[i].Id, where);
            Assert.True(jobs[i].Attempts[0].Decided - begin == told.Starts[i], $"{where}: job {trace[i].Id} started after {jobs[i].Attempts[0].Decided - begin}, in replay after {told.Starts[i]}");
            Assert.True(jobs[i].Attempts[^1].Ended - begin == told.Ends[i], $"{where}: job {trace[i].Id} ended after {jobs[i].Attempts[^1].Ended - begin}, in replay after {told.Ends[i]}");
        }
        Assert.True(jobs.Sum(j => j.Attempts.Count(a => a.Preempted is not null)) == told.Preemptions, $"{where}: {told.Preemptions} stops in replay");
    }
}
