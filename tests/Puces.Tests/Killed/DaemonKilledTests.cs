using System.Diagnostics;
using System.Globalization;
using Puces.Core.Jobs;
using Puces.Server.Store;
using Puces.Testing;
using Xunit;

namespace Puces.Tests.Killed;

/// <summary>The promise "killed, nothing lost", with the real daemon and the real runner.</summary>
public sealed class DaemonKilledTests(ITestOutputHelper output)
{
    private static readonly string[] Points = ["before-commit", "after-commit", "after-answer", "before-start", "after-start", "before-acknowledge"];

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Whenever_the_daemon_is_killed_every_acknowledged_job_ends_once_with_its_whole_log()
    {
        var kills = Soak.Is ? 200 : 25;
        var random = new Seed(output);
        var clock = Stopwatch.StartNew();
        var address = Ports.Address(random);
        await using var daemon = new DaemonProcess("--listen", address);
        using var client = new Client(() => daemon.Token, address);
        await daemon.StartAsync(Ct);
        await using var load = new Workload(client, Path.Combine(daemon.Data, "runner", "host"), Ct);
        await load.StartAsync();
        var (early, between, longKills) = (0, 0, 0);
        var hit = Points.ToDictionary(p => p, _ => 0);
        for (var kill = 0; kill < kills; kill++)
        {
            switch (kill % 5)
            {
                case 0: // While it starts, or soon after.
                    await Task.Delay(random.Next(700), Ct);
                    early++;
                    break;
                case 1 or 2:
                    await client.UntilReadyAsync(Ct);
                    await Task.Delay(random.Next(500), Ct);
                    break;
                default: // It was started to end at a point that it has come to by now, most likely.
                    for (var begun = Stopwatch.StartNew(); !daemon.HasExited && begun.ElapsedMilliseconds < 2000;) await Task.Delay(5, Ct);
                    if (daemon.HasExited) hit[daemon.Variables["PUCES_CRASH"].Split(':')[0]]++;
                    break;
            }
            if (kill % Math.Max(8, kills / 8) == 5 && load.TryKillLong(watcher: longKills % 2 == 0)) longKills++;
            await daemon.KillAsync();
            if (await IsBetweenAsync(daemon)) between++;
            daemon.With("PUCES_CRASH", (kill + 1) % 5 < 3 ? "" : string.Create(CultureInfo.InvariantCulture, $"{Points[random.Next(Points.Length)]}:{1 + random.Next(4)}"));
            daemon.Launch();
        }
        await daemon.KillAsync();
        daemon.With("PUCES_CRASH", "").Launch();
        await load.FinishAsync();
        Soak.Tell(output, "the daemon killed", $"""
            seed {random.Value}: {kills} kills by SIGKILL in {clock.Elapsed.TotalSeconds:0} s; {early} while starting or soon after,
            {string.Join(", ", hit.Select(h => $"{h.Value} at {h.Key}"))}; {between} between the commit of an attempt and its start on the node
            {load.Count} short jobs submitted, each over kills with one key: each made once, run once and ended once, its log whole
            1 long job: {longKills} kills of its own, {longKills + 1} attempts, each from the checkpoint; its follower saw every line once
            """);
        Assert.True(between > 0, "no kill fell between the commit of an attempt and its start");
    }

    /// <summary>Whether an attempt is stored of which the node knows nothing, with nobody left to tell it.</summary>
    private static async Task<bool> IsBetweenAsync(DaemonProcess daemon)
    {
        var runner = Path.Combine(daemon.Data, "runner", "host");
        while (Processes.Agent(runner) is not null) await Task.Delay(5, Ct);
        await using var store = Stores.Open("sqlite:" + Path.Combine(daemon.Data, "puces.db"));
        var stored = await store.LoadAsync(default, Ct);
        return stored.LiveJobs.Any(j => j.State is JobState.Starting && !Directory.Exists(Path.Combine(runner, "ranks", $"{j.Attempt}.0")));
    }
}
