using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using Puces.Core.Contract;
using Puces.Testing;
using Xunit;

namespace Puces.Tests.Killed;

/// <summary>The disk fills while jobs come and run, and has room again later.</summary>
public sealed class DiskFullTests(ITestOutputHelper output)
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public Task With_its_disk_full_the_daemon_says_so_and_goes_on_by_itself_when_there_is_room() => FillAsync(nodeToo: false);

    [Fact]
    public Task With_the_nodes_disk_full_too_no_job_is_harmed_and_every_lost_line_is_counted() => FillAsync(nodeToo: true);

    private async Task FillAsync(bool nodeToo)
    {
        var fills = Soak.Is ? 20 : 3;
        var random = new Seed(output);
        var clock = Stopwatch.StartNew();
        await using var disk = await SmallDisk.MakeAsync(32, Ct);
        var elsewhere = Directory.CreateTempSubdirectory("puces-runner-").FullName;
        if (!nodeToo) Directory.CreateSymbolicLink(Path.Combine(disk.Folder, "runner"), elsewhere);
        var address = Ports.Address(random);
        await using (var daemon = new DaemonProcess("--listen", address) { Data = disk.Folder, DataInside = disk.FolderInside, Inside = disk.Inside })
        {
            using var client = new Client(() => daemon.Token, address);
            await daemon.StartAsync(Ct);
            await using var load = new Workload(client, Path.Combine(daemon.Data, "runner", "host"), Ct) { MayLoseLines = nodeToo };
            await load.StartAsync();
            var (words, full, killed) = (new HashSet<string>(), TimeSpan.Zero, 0);
            for (var fill = 0; fill < fills; fill++)
            {
                await Task.Delay(500 + random.Next(1000), Ct);
                disk.Fill(random.Next(3) * random.Next(30_000));
                var begun = Stopwatch.StartNew();
                words.Add(await RefusalAsync(client, disk));
                await Task.Delay(random.Next(2000), Ct);
                if (fill % 2 == 1)
                {
                    await daemon.KillAsync();
                    daemon.Launch();
                    killed++;
                    await Task.Delay(random.Next(2000), Ct);
                }
                full += begun.Elapsed;
                disk.MakeRoom();
                await client.UntilReadyAsync(Ct);
            }
            await load.FinishAsync();
            Assert.Contains(words, SaysFull);
            Soak.Tell(output, nodeToo ? "the disk of daemon and node full" : "the daemon's disk full", $"""
                seed {random.Value}: filled {fills} times in {clock.Elapsed.TotalSeconds:0} s, for {full.TotalSeconds:0} s in all; the daemon killed {killed} times meanwhile
                {client.NotNow} requests answered with 503 and problem+json: {words.First(SaysFull)}
                {load.Count} short jobs: each made once, run once and ended once, its log whole{(nodeToo ? $" but for {load.LostLines} lines, which it counts" : "")}; 1 long job in one attempt
                """);
        }
        Directory.Delete(elsewhere, recursive: true);
    }

    private static bool SaysFull(string words) => words.Contains("is full", StringComparison.Ordinal) || words.Contains("No space left", StringComparison.Ordinal);

    /// <summary>Submits until it is refused, and says in which words. Jobs that are taken before do nothing, and are cancelled.</summary>
    private static async Task<string> RefusalAsync(Client client, SmallDisk disk)
    {
        for (var begun = Stopwatch.StartNew(); ; await Task.Delay(20, Ct))
        {
            if (await client.AskOnceAsync(HttpMethod.Put, "api/v1/secrets/FILLER", Ct,
                    r => r.Content = JsonContent.Create(new SetSecret(new('x', 4000)), ContractJson.Default.SetSecret)) is { } reply)
            {
                using (reply)
                {
                    if (reply.StatusCode == HttpStatusCode.ServiceUnavailable)
                    {
                        Assert.Equal("application/problem+json", reply.Content.Headers.ContentType?.MediaType);
                        return (await reply.Content.ReadFromJsonAsync(ContractJson.Default.Problem, Ct))!.Detail!;
                    }
                    Assert.True(reply.IsSuccessStatusCode, $"{reply.StatusCode} {await reply.Content.ReadAsStringAsync(Ct)}");
                }
            }
            disk.Fill(0);
            Assert.True(begun.Elapsed < TimeSpan.FromSeconds(30), "a full disk is not noticed");
        }
    }
}
