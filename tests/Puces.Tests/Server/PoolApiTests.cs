using Puces.Core.Contract;
using Puces.Tests.Cli;
using Xunit;

namespace Puces.Tests.Server;

public sealed class PoolApiTests(SharedDaemon daemon) : IClassFixture<SharedDaemon>, IAsyncLifetime
{
    private const string Two = """{"nodes": 2, "gpus": "H100:8", "cpus": 16, "memory": "64GB"}""";

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public ValueTask InitializeAsync() => default;

    public async ValueTask DisposeAsync() => await daemon.ClearAsync(CancellationToken.None);

    private Task<Reply> SetAsync(string json) => daemon.SendAsync(HttpMethod.Put, "api/v1/pools/local", json, Ct);

    [Fact]
    public async Task A_pool_is_set_and_a_job_that_waited_for_it_starts()
    {
        Assert.Equal(200, (await SetAsync("""{"nodes": 1, "gpus": "A100:2"}""")).Status);
        var job = await daemon.Process.SubmitAsync("true", Ct, s => s with { Gpus = [new(4, "MI300X")] });
        var why = await daemon.GetAsync($"api/v1/jobs/{job.Id}/why", ContractJson.Default.WhyView, Ct);
        Assert.Equal("queued", why.Job.State);
        Assert.Contains("MI300X", why.Needs[0], StringComparison.Ordinal);
        var pools = (await SetAsync("""{"nodes": 3, "gpus": "MI300X:4", "cpus": 2.5, "memory": "8GB"}""")).Read(ContractJson.Default.PoolList);
        var pool = Assert.Single(pools.Pools);
        Assert.Equal(("local", true, 12), (pool.Name, pool.IsVirtual, pool.Devices));
        Assert.Equal(["local/n1", "local/n2", "local/n3"], pool.Nodes.Select(n => n.Id));
        Assert.All(pool.Nodes, n => Assert.Equal((true, 4, 2.5, 8_000_000_000), (n.IsUp, n.Devices, n.Cpus, n.Memory)));
        Assert.Equal("succeeded", (await daemon.Process.EndAsync(job.Id, Ct)).Job.State);
    }

    [Fact]
    public async Task Links_and_places_of_a_pool_are_shown_and_kept_to()
    {
        using var desk = new Desk();
        desk.Variables["PUCES_URL"] = daemon.Process.Url;
        desk.Variables["PUCES_TOKEN"] = daemon.Process.Token;
        var set = await desk.RunAsync("pools", "set", "local", "--gpus", "H100:8", "--nodes", "3", "--islands", "4", "--racks", "2", "--place", "n3=dc1/row2/rack7");
        Assert.Equal((0, ""), (set.Code, set.Error));
        var nodes = (await daemon.GetAsync("api/v1/pools", ContractJson.Default.PoolList, Ct)).Pools[0].Nodes;
        Assert.Equal([("rack1", "8 × H100 in 2 islands of 4 (virtual)"), ("rack1", "8 × H100 in 2 islands of 4 (virtual)"), ("dc1/row2/rack7", "8 × H100 in 2 islands of 4 (virtual)")], nodes.Select(n => (n.Place, n.Models)));
        Assert.Contains("local/n3 in dc1/row2/rack7", (await desk.RunAsync("pools")).Out, StringComparison.Ordinal);
        var job = await daemon.Process.SubmitAsync("sleep 100", Ct, s => s with { Gpus = [new(3, "H100")], Nodes = 2 });
        JobView held;
        while ((held = (await daemon.Process.ShowAsync(job.Id, Ct)).Job).Nodes is null) await Task.Delay(20, Ct);
        Assert.Equal("local/n1 [0,1,2] (one island), local/n2 [0,1,2] (one island)", held.Nodes);
    }

    [Theory]
    [InlineData("""{"gpus": "H100:8", "islands": 0}""", "0: write how many devices fast links join, 1 to 64")]
    [InlineData("""{"islands": 4}""", "are found on the machine where the devices are: give gpus too, or leave them out")]
    [InlineData("""{"places": {"n1": "rack1"}}""", "\"n1\": write one of host")]
    [InlineData("""{"places": {"host": "rack 1"}}""", "\"rack 1\": write letters, digits, '.', '_' and '-', with '/' between, the nearest switch last, such as dc1/row2/rack7")]
    public async Task A_mistake_in_links_or_places_says_what_would_be_right(string json, string message) =>
        Assert.Equal(message, Assert.Single((await SetAsync(json)).Problem.Errors!).Message);

    [Fact]
    public async Task A_pool_that_a_job_holds_is_not_changed()
    {
        await SetAsync(Two);
        var held = await daemon.HoldAllAsync(Ct);
        var refused = await SetAsync("""{"nodes": 1}""");
        Assert.Equal((409, $"local/n1 is held by job {held.Id}: wait for them, or drain it (puces pools drain local --node n1), then change the pool"), (refused.Status, refused.Problem.Title));
        Assert.Equal(16, (await daemon.GetAsync("api/v1/pools", ContractJson.Default.PoolList, Ct)).Pools[0].Devices);
    }

    [Fact]
    public async Task A_virtual_pool_is_shown_as_virtual_everywhere()
    {
        await SetAsync(Two);
        var held = await daemon.HoldAllAsync(Ct);
        Assert.True(held.IsVirtual);
        Assert.True((await daemon.Process.ShowAsync(held.Id, Ct)).Job.IsVirtual);
        Assert.True((await daemon.GetAsync("api/v1/jobs", ContractJson.Default.JobPage, Ct)).Jobs.Single(j => j.Id == held.Id).IsVirtual);
        var pool = (await daemon.GetAsync("api/v1/pools", ContractJson.Default.PoolList, Ct)).Pools[0];
        Assert.True(pool.IsVirtual);
        Assert.All(pool.Nodes, n => Assert.True(n.IsVirtual && n.Models == "8 × H100 (virtual)", n.Models));
        using var desk = new Desk();
        desk.Variables["PUCES_URL"] = daemon.Process.Url;
        desk.Variables["PUCES_TOKEN"] = daemon.Process.Token;
        foreach (var command in (string[][])[["ps"], ["show", $"{held.Id}"], ["pools"]])
            Assert.Contains("virtual", (await desk.RunAsync(command)).Out, StringComparison.Ordinal);
        foreach (var page in (string[])["/", $"/jobs/{held.Id}"]) Assert.Contains("<span class=\"badge\">virtual</span>", (await daemon.GetAsync(page, Ct)).Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Info_says_what_runs_what_waits_and_what_is_well()
    {
        await SetAsync(Two);
        await daemon.HoldAllAsync(Ct);
        await daemon.WaitingAsync(Ct);
        await daemon.WaitingAsync(Ct);
        var info = await daemon.GetAsync("api/v1/info", ContractJson.Default.ServerInfo, Ct);
        Assert.Equal((2, 1, true), (info.Waiting, info.Running, info.Leads));
        Assert.Contains("SQLite", info.Store, StringComparison.Ordinal);
        Assert.All(info.Checks, c => Assert.True(c.IsOk, $"{c.Name}: {c.Text}"));
        Assert.Equal(["store", "lead", "disk", "runner", "node local/n1", "node local/n2"], info.Checks.Select(c => c.Name));
    }
}
