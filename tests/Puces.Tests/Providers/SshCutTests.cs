using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Json;
using Puces.Core.Contract;
using Puces.Core.Fleet;
using Puces.Core.Jobs;
using Puces.Testing;
using Xunit;

namespace Puces.Tests.Providers;

/// <summary>Hosts whose cable is pulled in each phase of a job: for less than it takes to notice, for less than the term, and for good.</summary>
public sealed class SshCutTests : IAsyncDisposable
{
    // The cut comes when this is in the log; at once where there is nothing to wait for.
    private static readonly Dictionary<string, string?> Phases = new()
    {
        ["order"] = null,
        ["setup"] = "preparing",
        ["run"] = "line 2",
        ["checkpoint"] = "saving",
        ["end"] = "ending",
    };

    private readonly DaemonProcess _daemon = new();
    private SshHosts? _hosts;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public async ValueTask DisposeAsync()
    {
        await _daemon.DisposeAsync();
        if (_hosts is not null) await _hosts.DisposeAsync();
    }

    [Theory]
    [InlineData(6, 75)]
    [InlineData(20, 75)]
    public async Task A_host_that_is_cut_off_for_less_than_the_term_runs_its_job_once_to_the_end_and_all_of_it_is_told(int cut, int term)
    {
        var jobs = await CutAsync(term, lines: 2 * cut);
        await Task.Delay(TimeSpan.FromSeconds(cut), Ct);
        foreach (var phase in Phases.Keys) await _hosts!.MendAsync(HostOf(phase), Ct);
        foreach (var (phase, job) in jobs)
        {
            var end = await _daemon.EndAsync(job, Ct);
            Assert.Equal((phase, "failed", 3), (phase, end.Job.State, end.Job.ExitCode));
            // An order that was lost on its way is given again, and counts as an attempt of its own.
            Assert.InRange(end.Attempts.Count, 1, phase == "order" ? 2 : 1);
            Assert.Equal((phase, 1), (phase, Runs(HostOf(phase), job)));
            Assert.Equal(Enumerable.Range(1, phase == "end" ? 3 : 2 * cut).Select(i => $"line {i}"), (await _daemon.LogAsync(job, Ct)).Where(l => l.Text.StartsWith("line ", StringComparison.Ordinal)).Select(l => l.Text));
        }
        Assert.Equal("step", (await _daemon.ShowAsync(jobs["checkpoint"], Ct)).Attempts[0].Checkpoint);
    }

    [Fact]
    public async Task What_a_host_that_is_cut_off_for_good_ran_has_stopped_before_it_goes_on_elsewhere()
    {
        var jobs = await CutAsync(term: 20, lines: 400);
        await DeclareAsync(_hosts!.Pool("spare", ["h6", "h7"]));
        foreach (var (phase, job) in jobs)
        {
            var end = await _daemon.EndAsync(job, Ct);
            Assert.Equal((phase, "failed", 3, 2), (phase, end.Job.State, end.Job.ExitCode, end.Attempts.Count));
            Assert.StartsWith("spare/", end.Attempts[1].Nodes[0], StringComparison.Ordinal);
            Assert.InRange(Runs(HostOf(phase), job), 0, 1);
            Assert.Equal(1, Runs("h6", job) + Runs("h7", job));
            var alive = Path.Combine(_hosts.HomeOf(HostOf(phase)), $"alive-{job}");
            if (!File.Exists(alive)) continue;
            var last = DateTimeOffset.FromUnixTimeSeconds(long.Parse((await File.ReadAllLinesAsync(alive, Ct))[^1], CultureInfo.InvariantCulture));
            Assert.True(last <= end.Attempts[1].Decided, $"two attempts ran at once: {phase}");
        }
        foreach (var phase in Phases.Keys) await _hosts.MendAsync(HostOf(phase), Ct);
        await UntilAsync(async () => (await _daemon.Http.GetFromJsonAsync("api/v1/pools", ContractJson.Default.PoolList, Ct))!.Pools.SelectMany(p => p.Nodes).All(n => n.IsUp && n.Jobs.Count == 0));
        foreach (var job in jobs.Values) Assert.Equal(2, (await _daemon.ShowAsync(job, Ct)).Attempts.Count);
    }

    private static string HostOf(string phase) => $"h{Phases.Keys.ToList().IndexOf(phase) + 1}";

    private int Runs(string host, long job) => Path.Combine(_hosts!.HomeOf(host), $"witness-{job}") is var file && File.Exists(file) ? File.ReadAllLines(file).Length : 0;

    /// <summary>A job on a host of its own for each phase, all cut off in it.</summary>
    private async Task<Dictionary<string, long>> CutAsync(int term, int lines)
    {
        _hosts = await SshHosts.StartAsync(7, Ct);
        _daemon.With("PUCES_RUNNER", NativeRunner.Path);
        await _daemon.StartAsync(Ct);
        foreach (var phase in Phases.Keys) await DeclareAsync(_hosts.Pool(phase, [HostOf(phase)], term: TimeSpan.FromSeconds(term)));
        var jobs = new Dictionary<string, long>();
        await Task.WhenAll(Phases.Select(async p =>
        {
            var (phase, at) = p;
            var job = (await _daemon.SubmitAsync(ScriptOf(phase, lines), Ct, spec => spec with
            {
                Gpus = [new GpuRequest(1, "H100")],
                Where = [phase, "spare"],
                Setup = "echo preparing; sleep 2",
                Checkpoint = new CheckpointSpec(Signal: "USR1"),
            })).Id;
            lock (jobs) jobs[phase] = job;
            if (at is not null) await UntilAsync(async () => (await _daemon.LogAsync(job, Ct, isEnded: false)).Any(l => l.Text == at));
            await _hosts.CutAsync(HostOf(phase), Ct);
        }));
        return jobs;
    }

    private static string ScriptOf(string phase, int lines) =>
        $$"""
        echo run >> ~/witness-$PUCES_JOB_ID
        lines={{lines}}
        [ {{phase}} != end ] || lines=3
        [ $PUCES_ATTEMPT = 1 ] || [ $lines -lt 100 ] || lines=3
        tell() { i=$1; while [ $i -le $2 ]; do echo line $i; date +%s >> ~/alive-$PUCES_JOB_ID; i=$((i + 1)); sleep 0.5; done; }
        save() {
          d=$PUCES_CHECKPOINT_DIR/step; mkdir -p $d; head -c 4000000 /dev/zero > $d/state; echo saving; sleep 2; head -c 4000000 /dev/zero >> $d/state
          printf '{"step": 1, "files": {"state": 8000000} }' > $d/m; mv $d/m $d/manifest.json
        }
        case {{phase}} in
          checkpoint) save; tell 1 $lines ;;
          end) tell 1 $lines; echo ending; sleep 1 ;;
          *) tell 1 $lines ;;
        esac
        exit 3
        """;

    private async Task DeclareAsync(Pool pool)
    {
        using var reply = await _daemon.Http.PutAsJsonAsync("api/v1/pools/" + pool.Name,
            new SetPool(Gpus: pool.Gpus, Provider: "ssh", Term: pool.Term is { } term ? $"{term.TotalSeconds:0}s" : null, Ssh: pool.Ssh), ContractJson.Default.SetPool, Ct);
        Assert.True(reply.IsSuccessStatusCode, await reply.Content.ReadAsStringAsync(Ct));
    }

    private static async Task UntilAsync(Func<Task<bool>> isSo)
    {
        for (var begun = Stopwatch.StartNew(); !await isSo(); await Task.Delay(50, Ct)) Assert.True(begun.Elapsed < TimeSpan.FromMinutes(2), "it does not come to that");
    }
}
