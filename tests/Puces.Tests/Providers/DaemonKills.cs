using System.Diagnostics;
using System.Globalization;
using Puces.Core.Contract;
using Puces.Testing;
using Puces.Tests.Killed;
using Xunit;

namespace Puces.Tests.Providers;

/// <summary>Jobs come to a daemon that is killed again and again, 200 times in the long form: each runs once, to its end, and all of its log is told.</summary>
/// <param name="within">The next kill comes within so many milliseconds of the last start.</param>
/// <param name="runs">How often the ranks of a job have begun, as they wrote down themselves.</param>
internal sealed class DaemonKills(DaemonProcess daemon, ITestOutputHelper output, int within, Func<long, int> runs)
{
    private const int Lines = 4, JobsEach = 2;

    /// <param name="submit">Sends a script for so many nodes, which first notes that it runs.</param>
    public async Task RunAsync(string where, int kills, Func<string, int, Task<JobView>> submit, CancellationToken ct)
    {
        kills = Soak.Is ? 200 : kills;
        var (luck, clock, jobs) = (new Seed(output), Stopwatch.StartNew(), new List<long>());
        for (var kill = 0; kill < kills; kill++)
        {
            for (var i = 0; i < JobsEach; i++)
                jobs.Add((await submit(string.Create(CultureInfo.InvariantCulture, $"for i in $(seq {Lines}); do echo line $i; sleep 0.{1 + luck.Next(7)}; done"), 1 + i)).Id);
            // Now and then it lives long enough to get somewhere.
            await Task.Delay(luck.Next(kill % 5 == 4 ? 4 * within : within), ct);
            await daemon.KillAsync();
            await daemon.StartAsync(ct);
        }
        await UntilOverAsync(jobs, ct);
        var (ranks, attempts) = (0, 0);
        foreach (var job in jobs)
        {
            var end = await daemon.EndAsync(job, ct);
            Assert.Equal((job, "succeeded"), (job, end.Job.State));
            var nodes = end.Attempts[^1].Nodes.Count;
            Assert.Equal((job, Lines * nodes), (job, (await daemon.LogAsync(job, ct)).Count(l => l.Stream == "out" && l.Text.StartsWith("line ", StringComparison.Ordinal))));
            Assert.Equal((job, nodes), (job, runs(job)));
            (ranks, attempts) = (ranks + nodes, attempts + end.Attempts.Count);
        }
        Soak.Tell(output, $"the daemon killed while jobs run on {where}", string.Create(CultureInfo.InvariantCulture,
            $"kills {kills}, jobs {jobs.Count} in {attempts} attempts, {ranks} ranks\njobs lost 0, ranks run twice 0, log lines missing or doubled 0 of {ranks * Lines}\ntook {clock.Elapsed.TotalSeconds:0} s, PUCES_SEED={luck.Value}"));
    }

    /// <summary>Waits for all, as long as one after another ends.</summary>
    private async Task UntilOverAsync(List<long> jobs, CancellationToken ct)
    {
        var left = jobs.ToList();
        for (var since = Stopwatch.StartNew(); left.Count > 0; await Task.Delay(TimeSpan.FromSeconds(1), ct))
        {
            var states = new Dictionary<long, JobView>();
            foreach (var job in left) states[job] = (await daemon.ShowAsync(job, ct)).Job;
            if (left.RemoveAll(job => states[job].IsOver) > 0) since.Restart();
            Assert.True(since.Elapsed < DaemonProcess.Patience, $"nothing ends any more: {string.Join("; ", left.Select(job => $"{job} {states[job].State} ({states[job].Reason})"))}");
        }
    }
}
