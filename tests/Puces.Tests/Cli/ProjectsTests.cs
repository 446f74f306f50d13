using System.Net.Http.Json;
using System.Text.Json;
using Puces.Core.Contract;
using Puces.Testing;
using Xunit;

namespace Puces.Tests.Cli;

/// <summary><c>puces projects</c>, and a daemon whose first pool has islands and racks.</summary>
public sealed class ProjectsTests : IAsyncLifetime
{
    private readonly DaemonProcess _daemon = new("--gpus", "H100:8", "--nodes", "3", "--islands", "4", "--racks", "2");
    private readonly Desk _desk = new();

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        await _daemon.StartAsync(Ct);
        _desk.Variables["PUCES_URL"] = _daemon.Url;
        _desk.Variables["PUCES_TOKEN"] = _daemon.Token;
    }

    public async ValueTask DisposeAsync()
    {
        _desk.Dispose();
        await _daemon.DisposeAsync();
    }

    [Fact]
    public async Task A_project_is_set_listed_and_removed()
    {
        Assert.Contains("no projects yet", (await _desk.RunAsync("projects")).Error, StringComparison.Ordinal);
        var set = await _desk.RunAsync("projects", "set", "lab/vision", "--weight", "2", "--quota", "H100:8", "--limit", "devices=16", "--limit", "run-time=2d");
        Assert.Equal((0, "project lab/vision is set"), (set.Code, (set.Out + set.Error).Trim()));
        var listed = await _desk.RunAsync("projects");
        var row = Assert.Single(listed.Out.Split('\n'), l => l.StartsWith("lab/vision", StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(["lab/vision", "2", "H100:8", "0", "0"], row[..5]);
        Assert.Equal(["devices=16", "run-time=2d"], row[^2..]);
        var json = JsonDocument.Parse((await _desk.RunAsync("projects", "--json")).Out).RootElement.GetProperty("projects").EnumerateArray().Single(p => p.GetProperty("name").GetString() == "lab/vision");
        Assert.Equal((2, 8), (json.GetProperty("weight").GetInt32(), json.GetProperty("quota").GetProperty("H100").GetInt32()));
        Assert.Equal(0, (await _desk.RunAsync("projects", "rm", "lab/vision")).Code);
        var again = await _desk.RunAsync("projects", "rm", "lab/vision");
        Assert.NotEqual(0, again.Code);
        Assert.Contains("there is no project lab/vision", again.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--quota H100", "--quota H100: write a model and a count, such as H100:8")]
    [InlineData("--limit devices=many", "--limit devices=many: write a whole number")]
    [InlineData("--limit cats=3", "--limit cats=3: write devices=N, user-devices=N, waiting=N, user-waiting=N or run-time=2d")]
    public async Task A_mistake_in_a_project_says_what_would_be_right(string options, string message)
    {
        var told = await _desk.RunAsync(["projects", "set", "vision", .. options.Split(' ')]);
        Assert.Equal(2, told.Code);
        Assert.Contains(message, told.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_first_pool_has_islands_and_racks()
    {
        PoolView pool;
        while ((pool = (await _daemon.Http.GetFromJsonAsync("api/v1/pools", ContractJson.Default.PoolList, Ct))!.Pools[0]).Nodes.Count < 3) await Task.Delay(20, Ct);
        Assert.Equal(["rack1", "rack1", "rack2"], pool.Nodes.Select(n => n.Place));
        Assert.All(pool.Nodes, n => Assert.Equal("8 × H100 in 2 islands of 4 (virtual)", n.Models));
    }
}
