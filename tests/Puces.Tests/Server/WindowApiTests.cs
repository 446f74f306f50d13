using Puces.Core.Contract;
using Puces.Tests.Cli;
using Xunit;

namespace Puces.Tests.Server;

public sealed class WindowApiTests(SharedDaemon daemon) : IClassFixture<SharedDaemon>, IAsyncLifetime
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => await daemon.SendAsync(HttpMethod.Put, "api/v1/pools/local", """{"nodes": 2, "gpus": "H100:4", "cpus": 16, "memory": "64GB"}""", Ct);

    public async ValueTask DisposeAsync()
    {
        foreach (var window in (await daemon.GetAsync("api/v1/pools", ContractJson.Default.PoolList, CancellationToken.None)).Pools[0].Windows!)
            await daemon.SendAsync(HttpMethod.Delete, $"api/v1/windows/{window.Number}", null, CancellationToken.None);
        await daemon.ClearAsync(CancellationToken.None);
    }

    private Task<Reply> CloseAsync(string json) => daemon.SendAsync(HttpMethod.Post, "api/v1/pools/local/windows", json, Ct);

    private Desk Desk()
    {
        var desk = new Desk();
        desk.Variables["PUCES_URL"] = daemon.Process.Url;
        desk.Variables["PUCES_TOKEN"] = daemon.Process.Token;
        return desk;
    }

    [Fact]
    public async Task A_node_that_is_closed_takes_nothing_and_all_say_until_when_and_why()
    {
        using var desk = Desk();
        var closed = await desk.RunAsync("pools", "maintain", "local", "--from", "2020-01-01T08:00Z", "--to", "2099-11-24T12:00Z", "--note", "new switch");
        Assert.Equal((0, ""), (closed.Code, closed.Error));
        Assert.Contains("pool local is closed from Wed 1 Jan 08:00 UTC until Tue 24 Nov 12:00 UTC: new switch (8 × H100)", closed.Out, StringComparison.Ordinal);
        var job = await daemon.Process.SubmitAsync("true", Ct, s => s with { Gpus = [new(4, "H100")] });
        var why = await daemon.GetAsync($"api/v1/jobs/{job.Id}/why", ContractJson.Default.WhyView, Ct);
        Assert.Contains("local/n1 could carry it and is closed until Tue 24 Nov 12:00 UTC: new switch", why.Text, StringComparison.Ordinal);
        var pool = (await daemon.GetAsync("api/v1/pools", ContractJson.Default.PoolList, Ct)).Pools[0];
        Assert.All(pool.Nodes, n => Assert.Equal("until Tue 24 Nov 12:00 UTC: new switch", n.Closed));
        var window = Assert.Single(pool.Windows!);
        Assert.Contains($"window {window.Number}: pool local is closed", (await desk.RunAsync("pools")).Out, StringComparison.Ordinal);
        Assert.Contains("new switch", await daemon.Process.Http.GetStringAsync("fragments/main", Ct), StringComparison.Ordinal);
        var history = await daemon.GetAsync("api/v1/history", ContractJson.Default.HistoryPage, Ct);
        Assert.Contains(history.Windows!, w => w.Number == window.Number && w.Note == "new switch");
        Assert.Equal(0, (await desk.RunAsync("pools", "reopen", $"{window.Number}")).Code);
        Assert.Equal("succeeded", (await daemon.Process.EndAsync(job.Id, Ct)).Job.State);
    }

    [Fact]
    public async Task A_job_that_would_run_into_a_window_is_told_what_would_let_it_start_now()
    {
        using var desk = Desk();
        Assert.Equal(0, (await desk.RunAsync("pools", "available", "local", "--closes", DateTimeOffset.UtcNow.AddHours(5).ToString("o"))).Code);
        var job = await daemon.Process.SubmitAsync("true", Ct, s => s with { Gpus = [new(4, "H100")], Limit = TimeSpan.FromHours(6) });
        var why = await daemon.GetAsync($"api/v1/jobs/{job.Id}/why", ContractJson.Default.WhyView, Ct);
        Assert.Contains("would fit now on local/n1, which closes", why.Text, StringComparison.Ordinal);
        Assert.Contains(why.Hints, h => h.EndsWith("add a limit of at most 299 min", StringComparison.Ordinal));
        Assert.Contains(why.Hints, h => h.Contains("add checkpoint", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("""{}""", "neither from nor to is given: write when it closes, when it opens, or both")]
    [InlineData("""{"to": "2020-01-01T00:00:00Z"}""", "2020-01-01 00:00:00Z is past: write a moment to come")]
    [InlineData("""{"from": "2099-01-02T00:00:00Z", "to": "2099-01-01T00:00:00Z"}""", "2099-01-01 00:00:00Z is not after from, 2099-01-02 00:00:00Z: write a later moment")]
    [InlineData("""{"node": "n9", "to": "2099-01-01T00:00:00Z"}""", "\"n9\": write one of n1, n2")]
    public async Task A_mistake_in_a_window_says_what_would_be_right(string json, string message)
    {
        var refused = await CloseAsync(json);
        Assert.Equal((422, message), (refused.Status, Assert.Single(refused.Problem.Errors!).Message));
    }

    [Fact]
    public async Task A_window_that_is_not_there_cannot_be_removed() =>
        Assert.Equal("there is no window 4711, or it is over", (await daemon.SendAsync(HttpMethod.Delete, "api/v1/windows/4711", null, Ct)).Problem.Title);
}
