using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json;
using Puces.Core.Contract;
using Puces.Testing;
using Xunit;

namespace Puces.Tests.Killed;

/// <summary>The same promises with PostgreSQL, which may be gone too, and with a second daemon that takes over.</summary>
public sealed class PostgresKilledTests(ITestOutputHelper output)
{
    private static readonly TimeSpan TakeOver = TimeSpan.FromSeconds(15);

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_PostgreSQL_that_crashes_under_load_costs_nothing_that_was_acknowledged()
    {
        var crashes = Soak.Is ? 30 : 4;
        var random = new Seed(output);
        var clock = Stopwatch.StartNew();
        await using var server = new PostgresServer();
        var address = Ports.Address(random);
        await using var daemon = new DaemonProcess("--listen", address, "--store", await server.NewDatabaseAsync(Ct));
        using var client = new Client(() => daemon.Token, address);
        await daemon.StartAsync(Ct);
        await using var load = new Workload(client, Path.Combine(daemon.Data, "runner", "host"), Ct);
        await load.StartAsync();
        for (var crash = 0; crash < crashes; crash++)
        {
            await Task.Delay(random.Next(2500), Ct);
            await server.CrashAndRestartAsync(Ct);
        }
        await load.FinishAsync();
        Assert.False(daemon.HasExited);
        Soak.Tell(output, "PostgreSQL crashed", $"""
            seed {random.Value}: {crashes} crashes and restarts in {clock.Elapsed.TotalSeconds:0} s; the daemon was not restarted; {client.NotNow} requests answered with 503
            {load.Count} short jobs: each made once, run once and ended once, its log whole; 1 long job in one attempt
            """);
    }

    [Fact]
    public async Task When_the_daemon_that_leads_is_killed_the_other_takes_over_within_15_seconds_and_goes_on()
    {
        var kills = Soak.Is ? 20 : 3;
        var random = new Seed(output);
        var clock = Stopwatch.StartNew();
        await using var server = new PostgresServer();
        var store = await server.NewDatabaseAsync(Ct);
        string[] addresses = [Ports.Address(random), Ports.Address(random)];
        await using var first = new DaemonProcess("--listen", addresses[0], "--store", store);
        await using var second = new DaemonProcess("--listen", addresses[1], "--store", store) { Data = first.Data };
        DaemonProcess[] daemons = [first, second];
        await first.StartAsync(Ct);
        second.Launch();
        using var client = new Client(() => first.Token, addresses);
        await using var load = new Workload(client, Path.Combine(first.Data, "runner", "host"), Ct);
        await load.StartAsync();
        var took = new List<TimeSpan>();
        for (var kill = 0; kill < kills; kill++)
        {
            var (leads, follows) = kill % 2 == 0 ? (0, 1) : (1, 0);
            using var heir = new Client(() => first.Token, addresses[follows]);
            await heir.UntilReadyAsync(Ct);
            Assert.False(await LeadsAsync(heir));
            Assert.Equal(daemons[leads].Pid, ServerPid(first.Data));
            await Task.Delay(random.Next(2000), Ct);
            await daemons[leads].KillAsync();
            var begun = Stopwatch.StartNew();
            while (!await LeadsAsync(heir))
            {
                Assert.True(begun.Elapsed < TakeOver, "the second daemon has not taken over");
                await Task.Delay(10, Ct);
            }
            took.Add(begun.Elapsed);
            Assert.Equal(daemons[follows].Pid, ServerPid(first.Data));
            daemons[leads].Launch();
        }
        await load.FinishAsync();
        Soak.Tell(output, "the leader of two daemons killed", string.Create(CultureInfo.InvariantCulture, $"""
            seed {random.Value}: {kills} kills in {clock.Elapsed.TotalSeconds:0} s, both daemons on one data folder and one PostgreSQL; the other led after {took.Min().TotalSeconds:0.00} to {took.Max().TotalSeconds:0.00} s
            {load.Count} short jobs: each made once, run once and ended once, its log whole; 1 long job in one attempt
            """));
    }

    private static async Task<bool> LeadsAsync(Client client)
    {
        using var reply = await client.AskOnceAsync(HttpMethod.Get, "api/v1/info", Ct);
        return reply is { IsSuccessStatusCode: true } && (await reply.Content.ReadFromJsonAsync(ContractJson.Default.ServerInfo, Ct))!.Leads;
    }

    private static int ServerPid(string data)
    {
        using var file = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(data, "server.json")));
        return file.RootElement.GetProperty("pid").GetInt32();
    }
}
