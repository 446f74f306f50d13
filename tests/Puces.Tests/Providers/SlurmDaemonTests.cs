using System.Diagnostics;
using System.Net.Http.Json;
using Puces.Core.Contract;
using Puces.Core.Jobs;
using Puces.Testing;
using Xunit;

namespace Puces.Tests.Providers;

/// <summary>The promises of the main job, on a real Slurm cluster.</summary>
public sealed class SlurmDaemonTests(SlurmFixture fixture, ITestOutputHelper output) : IClassFixture<SlurmFixture>, IAsyncDisposable
{
    private readonly DaemonProcess _daemon = new();

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public ValueTask DisposeAsync() => _daemon.DisposeAsync();

    private async Task<SlurmCluster> StartAsync(string? term = null)
    {
        var cluster = await fixture.StartAsync();
        _daemon.With("PUCES_RUNNER", NativeRunner.Path);
        await _daemon.StartAsync(Ct);
        using var reply = await _daemon.Http.PutAsJsonAsync("api/v1/pools/jean", new SetPool(Provider: "slurm", Term: term, Slurm: cluster.Pool().Slurm), ContractJson.Default.SetPool, Ct);
        Assert.True(reply.IsSuccessStatusCode, await reply.Content.ReadAsStringAsync(Ct));
        return cluster;
    }

    private Task<JobView> SubmitAsync(string script, int nodes = 1, int gpus = 1, TimeSpan? limit = null) => _daemon.SubmitAsync(
        script, Ct, spec => spec with { Nodes = nodes, Gpus = [new GpuRequest(gpus)], Where = ["jean"], Limit = limit });

    [Fact]
    public async Task A_gang_runs_on_the_nodes_that_slurm_gives_and_gives_them_back()
    {
        var cluster = await StartAsync();
        var job = await SubmitAsync("echo rank $PUCES_RANK of $PUCES_NODES with $PUCES_GPUS at $MASTER_ADDR", nodes: 2, gpus: 2);
        Assert.Equal("succeeded", (await _daemon.EndAsync(job.Id, Ct)).Job.State);
        var lines = (await _daemon.LogAsync(job.Id, Ct)).Where(l => l.Stream == "out").Select(l => l.Text).Order().ToList();
        Assert.Equal(2, lines.Count);
        Assert.StartsWith("rank 0 of 2 with 2 at ", lines[0], StringComparison.Ordinal);
        Assert.Empty((await PoolAsync()).Leases!);
        await UntilEmptyAsync(cluster);
    }

    [Fact]
    public async Task What_waits_in_slurms_line_says_so_and_a_cancelled_job_leaves_nothing_there()
    {
        var cluster = await StartAsync();
        var all = await SubmitAsync("sleep 600", nodes: 4, gpus: 4);
        await _daemon.UntilAsync(all.Id, j => j.State == "running", Ct);
        var waits = await SubmitAsync("true", gpus: 1);
        await _daemon.UntilAsync(waits.Id, j => j.Reason?.Contains("waits in the line of pool jean", StringComparison.Ordinal) == true, Ct);
        foreach (var job in (long[])[waits.Id, all.Id]) (await _daemon.Http.PostAsync($"api/v1/jobs/{job}/cancel", null, Ct)).Dispose();
        await _daemon.EndAsync(all.Id, Ct);
        await UntilEmptyAsync(cluster);
    }

    [Fact]
    public async Task Whenever_the_daemon_is_killed_each_job_on_the_cluster_runs_once_to_its_end()
    {
        var cluster = await StartAsync();
        var witness = Directory.CreateTempSubdirectory("puces-witness-").FullName;
        await new DaemonKills(_daemon, output, within: 2500, runs: job => Directory.EnumerateFiles(witness, $"{job}.*").Sum(f => File.ReadAllLines(f).Length))
            .RunAsync("a Slurm cluster", kills: 5, (script, nodes) => SubmitAsync($"echo run >> {witness}/$PUCES_JOB_ID.$PUCES_RANK; {script}", nodes), Ct);
        Directory.Delete(witness, recursive: true);
        await UntilEmptyAsync(cluster);
    }

    [Fact]
    public async Task Why_the_cluster_gives_nothing_is_said_of_the_job_and_it_runs_once_that_is_over()
    {
        var cluster = await StartAsync();
        var large = await SubmitAsync("true", gpus: 5);
        await _daemon.UntilAsync(large.Id, j => j.Reason?.EndsWith("; pool jean has 4 nodes of 4 × fake", StringComparison.Ordinal) == true, Ct);
        (await _daemon.Http.PostAsync($"api/v1/jobs/{large.Id}/cancel", null, Ct)).Dispose();
        await cluster.AskAsync("scontrol update PartitionName=batch State=DOWN", Ct);
        try
        {
            await UntilAsync(async () => (await PoolAsync()).Offers!.All(o => o.Problem is not null));
            var job = await SubmitAsync("true");
            await _daemon.UntilAsync(job.Id, j => j.Reason?.Contains("pool jean gives nothing now: ", StringComparison.Ordinal) == true, Ct);
            await cluster.KillControllerAsync(Ct);
            await _daemon.UntilAsync(job.Id, j => j.Reason?.Contains("pool jean cannot be asked: ", StringComparison.Ordinal) == true, Ct);
            await cluster.StartControllerAsync(Ct);
            await cluster.AskAsync("scontrol update PartitionName=batch State=UP", Ct);
            Assert.Equal("succeeded", (await _daemon.EndAsync(job.Id, Ct)).Job.State);
        }
        finally
        {
            await cluster.StartControllerAsync(Ct);
            await cluster.AskAsync("scontrol update PartitionName=batch State=UP", Ct);
        }
        await UntilEmptyAsync(cluster);
    }

    [Fact]
    public async Task What_runs_on_a_node_that_slurm_has_lost_stops_by_itself_before_it_goes_on_elsewhere()
    {
        var cluster = await StartAsync(term: "20s");
        var witness = Directory.CreateTempSubdirectory("puces-witness-").FullName;
        var job = await SubmitAsync($"[ $PUCES_ATTEMPT = 1 ] || exit 0; while true; do date +%s >> {witness}/alive; sleep 0.5; done");
        var first = await _daemon.UntilAsync(job.Id, j => j.State == "running", Ct);
        var node = first.Attempts[0].Nodes[0].Split('/')[1].Split('.')[0];
        await cluster.CutAsync(node, Ct);
        try
        {
            var end = await _daemon.EndAsync(job.Id, Ct);
            Assert.Equal(("succeeded", 2), (end.Job.State, end.Attempts.Count));
            Assert.DoesNotContain($"/{node}.", end.Attempts[1].Nodes[0], StringComparison.Ordinal);
            var alive = long.Parse((await File.ReadAllLinesAsync(witness + "/alive", Ct))[^1], System.Globalization.CultureInfo.InvariantCulture);
            Assert.True(alive <= end.Attempts[1].Decided.ToUnixTimeSeconds(), "two attempts ran at once");
        }
        finally
        {
            await cluster.MendAsync(node, Ct);
        }
        await UntilEmptyAsync(cluster);
        await UntilAsync(async () => (await cluster.AskAsync($"sinfo -h -n {node} -o %t", Ct)) == "idle");
        Directory.Delete(witness, recursive: true);
    }

    /// <summary>Nothing of ours is left at Slurm: another test's daemon would not know of it.</summary>
    private static Task UntilEmptyAsync(SlurmCluster cluster) => UntilAsync(async () => (await cluster.AskAsync("squeue -h -o %i", Ct)).Length == 0);

    private async Task<PoolView> PoolAsync() => (await _daemon.Http.GetFromJsonAsync("api/v1/pools", ContractJson.Default.PoolList, Ct))!.Pools.Single(p => p.Name == "jean");

    private static async Task UntilAsync(Func<Task<bool>> isSo)
    {
        for (var begun = Stopwatch.StartNew(); !await isSo(); await Task.Delay(200, Ct)) Assert.True(begun.Elapsed < TimeSpan.FromMinutes(3), "it does not come to that");
    }
}
