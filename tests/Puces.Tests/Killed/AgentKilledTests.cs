using System.Diagnostics;
using Puces.Testing;
using Xunit;

namespace Puces.Tests.Killed;

/// <summary>The connection between daemon and node is cut while jobs run: the agent killed, or stopped for a while.</summary>
public sealed class AgentKilledTests(ITestOutputHelper output)
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Whenever_the_agent_is_killed_or_stands_still_jobs_go_on_and_nothing_of_them_is_lost()
    {
        var blows = Soak.Is ? 60 : 6;
        var random = new Seed(output);
        var clock = Stopwatch.StartNew();
        var address = Ports.Address(random);
        await using var daemon = new DaemonProcess("--listen", address);
        using var client = new Client(() => daemon.Token, address);
        var runner = Path.Combine(daemon.Data, "runner", "host");
        await daemon.StartAsync(Ct);
        await using var load = new Workload(client, runner, Ct);
        await load.StartAsync();
        var (killed, stopped, both, stood) = (0, 0, 0, TimeSpan.Zero);
        for (var blow = 0; blow < blows; blow++)
        {
            // Now and then before it has said a word, else while it is at work.
            if (blow % 5 > 0) await client.UntilUpAsync(Ct);
            await Task.Delay(random.Next(blow % 5 > 0 ? 1500 : 100), Ct);
            int agent;
            for (var begun = Stopwatch.StartNew(); ; await Task.Delay(10, Ct))
            {
                if (Processes.Agent(runner) is { } found) { agent = found; break; }
                Assert.True(begun.Elapsed < TimeSpan.FromSeconds(30), "no agent comes back");
            }
            switch (blow % 3)
            {
                case 0:
                    await Processes.SignalAsync(agent, "KILL");
                    killed++;
                    break;
                case 1:
                    await Processes.SignalAsync(agent, "STOP");
                    var pause = TimeSpan.FromMilliseconds(random.Next(1000));
                    await Task.Delay(pause, Ct);
                    await Processes.SignalAsync(agent, "CONT");
                    (stopped, stood) = (stopped + 1, stood + pause);
                    break;
                default: // What was said to it meanwhile is lost with it.
                    await Processes.SignalAsync(agent, "STOP");
                    await Task.Delay(random.Next(300), Ct);
                    await Processes.SignalAsync(agent, "KILL");
                    both++;
                    break;
            }
        }
        await load.FinishAsync();
        Assert.False(daemon.HasExited);
        Soak.Tell(output, "the agent killed", $"""
            seed {random.Value}: in {clock.Elapsed.TotalSeconds:0} s killed {killed} times, stopped and continued {stopped} times ({stood.TotalSeconds:0} s in all), stopped and then killed {both} times
            {load.Count} short jobs: each run once and ended once, its log whole; 1 long job in one attempt, its follower saw every line once
            """);
    }

    [Fact]
    public async Task An_agent_that_stands_still_does_not_keep_the_next_daemon_out()
    {
        await using var daemon = new DaemonProcess();
        await daemon.StartAsync(Ct);
        var runner = Path.Combine(daemon.Data, "runner", "host");
        var job = await daemon.SubmitAsync("echo before; until [ -e \"$PUCES_CHECKPOINT_DIR/go\" ]; do sleep 0.05; done; echo after", Ct);
        await daemon.UntilAsync(job.Id, j => j.State == "running", Ct);
        await Processes.SignalAsync(Processes.Agent(runner)!.Value, "STOP");
        await daemon.KillAsync();
        await daemon.StartAsync(Ct);
        File.WriteAllText(Path.Combine(runner, "jobs", $"{job.Id}", "checkpoint", "go"), "");
        var end = await daemon.EndAsync(job.Id, Ct);
        Assert.Equal(("succeeded", 1), (end.Job.State, end.Job.Attempt));
        Assert.Equal(["before", "after"], (await daemon.LogAsync(job.Id, Ct)).Select(l => l.Text));
    }
}
