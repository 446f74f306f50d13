using System.Diagnostics;
using System.Net.Http.Json;
using Puces.Core.Contract;
using Puces.Core.Fleet;
using Puces.Core.Jobs;
using Puces.Testing;
using Xunit;

namespace Puces.Tests.Providers;

/// <summary>The promises of the main job, on hosts that are reached by SSH.</summary>
public sealed class SshDaemonTests(SshFixture fixture, ITestOutputHelper output) : IClassFixture<SshFixture>, IAsyncDisposable
{
    private static readonly TimeSpan Short = TimeSpan.FromSeconds(20);
    private readonly DaemonProcess _daemon = new();

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public ValueTask DisposeAsync() => _daemon.DisposeAsync();

    private async Task<SshHosts> StartAsync(params string[] hosts) => await StartAsync(h => h.Pool("lab", hosts));

    private async Task<SshHosts> StartAsync(Func<SshHosts, Pool> pool)
    {
        var hosts = await fixture.StartAsync();
        _daemon.With("PUCES_RUNNER", NativeRunner.Path);
        await _daemon.StartAsync(Ct);
        await DeclareAsync(pool(hosts));
        return hosts;
    }

    private async Task DeclareAsync(Pool pool)
    {
        using var reply = await _daemon.Http.PutAsJsonAsync("api/v1/pools/" + pool.Name,
            new SetPool(Gpus: pool.Gpus, Provider: "ssh", Term: pool.Term is { } term ? $"{term.TotalSeconds:0}s" : null, Ssh: pool.Ssh), ContractJson.Default.SetPool, Ct);
        Assert.True(reply.IsSuccessStatusCode, await reply.Content.ReadAsStringAsync(Ct));
    }

    private Task<JobView> SubmitAsync(string script, int nodes = 1, CheckpointSpec? checkpoint = null, int gpus = 1, string[]? where = null) => _daemon.SubmitAsync(
        script, Ct, spec => spec with { Nodes = nodes, Gpus = [new GpuRequest(gpus, "H100")], Where = where ?? ["lab"], Checkpoint = checkpoint });

    [Fact]
    public async Task A_gang_starts_on_all_its_hosts_and_is_told_the_address_of_the_first()
    {
        var hosts = await StartAsync("h1", "h2", "inner");
        var job = await SubmitAsync("echo $(hostname) $PUCES_RANK $MASTER_ADDR $PUCES_HOSTS", nodes: 3);
        Assert.Equal("succeeded", (await _daemon.EndAsync(job.Id, Ct)).Job.State);
        var lines = (await _daemon.LogAsync(job.Id, Ct)).Where(l => l.Stream == "out").Select(l => l.Text).Order().ToList();
        var ranks = lines.Select(l => l.Split(' ')).OrderBy(w => w[1]).ToList();
        Assert.Equal(["h1", "h2", "inner"], ranks.Select(w => w[0]).Order());
        Assert.All(ranks, w => Assert.Equal(hosts.AddressOf(ranks[0][0]), w[2]));
        Assert.Equal(string.Join(',', ranks.Select(w => hosts.AddressOf(w[0]))), ranks[0][3]);
    }

    [Fact]
    public async Task Whenever_the_daemon_is_killed_each_job_on_a_host_runs_once_to_its_end()
    {
        var hosts = await StartAsync("h1", "h2");
        await new DaemonKills(_daemon, output, within: 1500, runs: job =>
            new[] { "h1", "h2" }.Sum(h => Path.Combine(hosts.HomeOf(h), $"witness-{job}") is var file && File.Exists(file) ? File.ReadAllLines(file).Length : 0))
            .RunAsync("two SSH hosts", kills: 6, (script, nodes) => SubmitAsync("echo run >> ~/witness-$PUCES_JOB_ID; " + script, nodes), Ct);
    }

    [Fact]
    public async Task A_host_that_is_cut_off_for_a_while_goes_on_and_is_believed_when_it_is_back()
    {
        var hosts = await StartAsync(h => h.Pool("lab", ["h1"], term: TimeSpan.FromSeconds(60)));
        var job = await SubmitAsync("for i in $(seq 20); do echo tick $i; sleep 0.5; done; exit 3");
        await _daemon.UntilAsync(job.Id, j => j.State == "running", Ct);
        await hosts.CutAsync("h1", Ct);
        try
        {
            // Noticed after three intervals of 5 s without an answer.
            await UntilDownAsync("lab/h1");
            Assert.Equal("running", (await _daemon.ShowAsync(job.Id, Ct)).Job.State);
        }
        finally
        {
            await hosts.MendAsync("h1", Ct);
        }
        var end = await _daemon.EndAsync(job.Id, Ct);
        Assert.Equal(("failed", 3, 1), (end.Job.State, end.Job.ExitCode, end.Attempts.Count));
        Assert.Equal(20, (await _daemon.LogAsync(job.Id, Ct)).Count(l => l.Text.StartsWith("tick ", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task What_runs_on_a_host_that_is_cut_off_for_good_stops_by_itself_before_it_goes_on_elsewhere_from_its_checkpoint()
    {
        var hosts = await StartAsync(h => h.Pool("lab", ["h1", "h2"], term: Short));
        var job = await SubmitAsync(
            """
            echo "begin $(hostname) from ${PUCES_CHECKPOINT:-nothing}"
            if [ -n "$PUCES_CHECKPOINT" ]; then cat "$PUCES_CHECKPOINT/state"; exit 0; fi
            mkdir -p "$PUCES_CHECKPOINT_DIR/one"; echo "saved by $(hostname)" > "$PUCES_CHECKPOINT_DIR/one/state"
            printf '{"step": 1, "files": {"state": %s}}' "$(wc -c < "$PUCES_CHECKPOINT_DIR/one/state")" > "$PUCES_CHECKPOINT_DIR/one/m"
            mv "$PUCES_CHECKPOINT_DIR/one/m" "$PUCES_CHECKPOINT_DIR/one/manifest.json"
            while true; do date +%s > ~/alive; sleep 0.5; done
            """);
        var first = await _daemon.UntilAsync(job.Id, j => j.Checkpoint == "one", Ct);
        var host = first.Attempts[0].Nodes[0].Split('/')[1];
        await UntilAsync(() => File.Exists(Path.Combine(_daemon.Data, "checkpoints", job.Id.ToString(), "0")));
        var alive = Path.Combine(hosts.HomeOf(host), "alive");
        await hosts.CutAsync(host, Ct);
        try
        {
            var end = await _daemon.UntilAsync(job.Id, j => j.IsOver, Ct);
            Assert.Equal(("succeeded", 2), (end.Job.State, end.Attempts.Count));
            Assert.Contains("nothing was heard of lab/" + host, end.Attempts[0].Reason, StringComparison.Ordinal);
            var other = end.Attempts[1].Nodes[0].Split('/')[1];
            Assert.NotEqual(host, other);
            var began = end.Attempts[1].Decided;
            // The last that it wrote was before the next attempt was even decided.
            Assert.True(long.Parse(await File.ReadAllTextAsync(alive, Ct)) <= began.ToUnixTimeSeconds(), "two attempts ran at once");
            Assert.Contains(await _daemon.LogAsync(job.Id, Ct), l => l.Attempt == 2 && l.Text == "saved by " + host);
        }
        finally
        {
            await hosts.MendAsync(host, Ct);
        }
    }

    [Fact]
    public async Task A_host_that_dies_costs_its_job_one_attempt_and_its_gang_starts_again_whole()
    {
        var hosts = await StartAsync("h1", "h2", "h3");
        var job = await SubmitAsync("if [ $PUCES_ATTEMPT = 2 ]; then echo second on $(hostname); exit 0; fi; sleep 600", nodes: 2);
        var first = await _daemon.UntilAsync(job.Id, j => j.State == "running", Ct);
        var dead = first.Attempts[0].Nodes[0].Split('/')[1];
        await hosts.CrashAsync(dead, Ct);
        await hosts.BootAsync(dead, Ct);
        var end = await _daemon.EndAsync(job.Id, Ct);
        Assert.Equal(("succeeded", 2), (end.Job.State, end.Attempts.Count));
        Assert.Equal(2, (await _daemon.LogAsync(job.Id, Ct)).Count(l => l.Text.StartsWith("second on ", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task A_host_that_cannot_be_reached_is_shown_with_the_reason_and_its_pool_is_mended_while_others_run()
    {
        var hosts = await fixture.StartAsync();
        await StartAsync(h => h.Pool("lab", ["h1"]));
        var job = await SubmitAsync("sleep 4; echo done");
        await _daemon.UntilAsync(job.Id, j => j.State == "running", Ct);
        var wrong = hosts.Pool("lab", ["h1", "h2"]);
        await DeclareAsync(wrong with { Ssh = wrong.Ssh! with { Hosts = [wrong.Ssh.Hosts[0], wrong.Ssh.Hosts[1] with { Port = 2222 }] } });
        Assert.Contains("refuses connections", (await NodeAsync("lab/h2"))!.Problem, StringComparison.Ordinal);
        await DeclareAsync(wrong);
        await UntilAsync(async () => (await NodeAsync("lab/h2"))?.IsUp == true);
        Assert.Single((await _daemon.EndAsync(job.Id, Ct)).Attempts);
        await DeclareAsync(hosts.Pool("lab", ["h2"]));
        Assert.Null(await NodeAsync("lab/h1"));
        using var reply = await _daemon.Http.DeleteAsync("api/v1/pools/lab", Ct);
        Assert.Equal(204, (int)reply.StatusCode);
        Assert.Null(await NodeAsync("lab/h2"));
    }

    private async Task<NodeView?> NodeAsync(string id) =>
        (await _daemon.Http.GetFromJsonAsync("api/v1/pools", ContractJson.Default.PoolList, Ct))!.Pools.SelectMany(p => p.Nodes).FirstOrDefault(n => n.Id == id);

    private Task UntilDownAsync(string node) => UntilAsync(async () => (await NodeAsync(node))!.IsUp is false);

    private static Task UntilAsync(Func<bool> isSo) => UntilAsync(() => Task.FromResult(isSo()));

    private static async Task UntilAsync(Func<Task<bool>> isSo)
    {
        for (var begun = Stopwatch.StartNew(); !await isSo(); await Task.Delay(100, Ct)) Assert.True(begun.Elapsed < TimeSpan.FromMinutes(2), "it does not come to that");
    }
}
