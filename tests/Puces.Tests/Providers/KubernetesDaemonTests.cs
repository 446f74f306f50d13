using System.Diagnostics;
using System.Net.Http.Json;
using k8s;
using Puces.Core.Contract;
using Puces.Core.Fleet;
using Puces.Core.Jobs;
using Puces.Testing;
using Xunit;

namespace Puces.Tests.Providers;

/// <summary>The promises of the main job, in pods of a real Kubernetes.</summary>
[Collection(nameof(KubernetesFixture))]
public sealed class KubernetesDaemonTests(KubernetesFixture fixture, ITestOutputHelper output) : IAsyncDisposable
{
    private readonly DaemonProcess _daemon = new();
    private bool _hasTwin;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public async ValueTask DisposeAsync()
    {
        await _daemon.DisposeAsync();
        if (!fixture.IsUp) return;
        var cluster = await fixture.StartAsync();
        if (_hasTwin) await cluster.Client.CoreV1.DeleteNodeAsync("twin", cancellationToken: Ct);
        // What a test that failed has left would be in the way of the next.
        foreach (var map in (await cluster.Client.CoreV1.ListNamespacedConfigMapAsync("default", labelSelector: "app.kubernetes.io/managed-by=puces", cancellationToken: Ct)).Items)
            await cluster.Client.CoreV1.DeleteNamespacedConfigMapAsync(map.Metadata.Name, "default", propagationPolicy: "Background", cancellationToken: Ct);
        await cluster.UntilIdleAsync(Ct);
    }

    private async Task<KubernetesCluster> StartAsync(Func<KubernetesPool, KubernetesPool>? with = null)
    {
        var cluster = await fixture.StartAsync();
        // A gang of two is asked for where there are two nodes, though both pods may come to one.
        await cluster.AddNodeAsync("twin", "nvidia.com/gpu", 4, "nvidia.com/gpu.product=NVIDIA-H100-80GB-HBM3", Ct, pods: 0);
        _hasTwin = true;
        _daemon.With("PUCES_RUNNER", NativeRunner.Path);
        await _daemon.StartAsync(Ct);
        var pool = new SetPool(Provider: "kubernetes", Kubernetes: (with ?? (k => k))(cluster.Pool().Kubernetes!));
        using var reply = await _daemon.Http.PutAsJsonAsync("api/v1/pools/kube", pool, ContractJson.Default.SetPool, Ct);
        Assert.True(reply.IsSuccessStatusCode, await reply.Content.ReadAsStringAsync(Ct));
        return cluster;
    }

    private Task<JobView> SubmitAsync(string script, int nodes = 1, int gpus = 1, CheckpointSpec? checkpoint = null, string? image = null) => _daemon.SubmitAsync(
        script, Ct, spec => spec with { Nodes = nodes, Gpus = [new GpuRequest(gpus)], Where = ["kube"], Checkpoint = checkpoint, Image = image, Cpus = 0.1 });

    [Fact]
    public async Task A_gang_runs_in_the_pods_that_kubernetes_gives_and_gives_them_back()
    {
        var cluster = await StartAsync();
        var job = await SubmitAsync("echo rank $PUCES_RANK of $PUCES_NODES with $PUCES_GPUS at $MASTER_ADDR", nodes: 2, gpus: 2);
        Assert.Equal("succeeded", (await _daemon.EndAsync(job.Id, Ct)).Job.State);
        var lines = (await _daemon.LogAsync(job.Id, Ct)).Where(l => l.Stream == "out").Select(l => l.Text).Order().ToList();
        Assert.Equal(2, lines.Count);
        Assert.StartsWith("rank 0 of 2 with 2 at 10.", lines[0], StringComparison.Ordinal);
        Assert.Equal(lines[0].Split(' ')[^1], lines[1].Split(' ')[^1]);
        Assert.Empty((await PoolAsync()).Leases!);
        await cluster.UntilNothingLeftAsync(Ct);
    }

    [Fact]
    public async Task What_waits_for_the_cluster_says_so_and_a_cancelled_job_leaves_nothing_there()
    {
        var cluster = await StartAsync();
        var all = await SubmitAsync("sleep 600", gpus: 4);
        await _daemon.UntilAsync(all.Id, j => j.State == "running", Ct);
        var waits = await SubmitAsync("true", gpus: 1);
        await _daemon.UntilAsync(waits.Id, j => j.Reason?.Contains("Insufficient nvidia.com/gpu", StringComparison.Ordinal) == true, Ct);
        foreach (var job in (long[])[waits.Id, all.Id]) (await _daemon.Http.PostAsync($"api/v1/jobs/{job}/cancel", null, Ct)).Dispose();
        await _daemon.EndAsync(all.Id, Ct);
        await cluster.UntilNothingLeftAsync(Ct);
    }

    [Fact]
    public async Task A_job_brings_its_image_and_one_that_has_none_is_told_to()
    {
        await StartAsync(k => k with { Image = null });
        var without = await SubmitAsync("true");
        await UntilAsync(async () => (await _daemon.Http.GetStringAsync("api/v1/feed", Ct)).Contains("names no image", StringComparison.Ordinal));
        var with = await SubmitAsync("echo in its own", image: KubernetesCluster.Image);
        Assert.Equal("succeeded", (await _daemon.EndAsync(with.Id, Ct)).Job.State);
        Assert.Equal("queued", (await _daemon.ShowAsync(without.Id, Ct)).Job.State);
    }

    [Fact]
    public async Task An_evicted_job_goes_on_in_another_pod_from_what_it_saved_when_it_was_told()
    {
        var cluster = await StartAsync();
        var job = await SubmitAsync(
            """
            if [ -n "$PUCES_CHECKPOINT" ]; then cat "$PUCES_CHECKPOINT/state"; exit 0; fi
            save() {
              mkdir -p "$PUCES_CHECKPOINT_DIR/one"; echo "saved by $(hostname)" > "$PUCES_CHECKPOINT_DIR/one/state"
              printf '{"step": 1, "files": {"state": %s}}' "$(wc -c < "$PUCES_CHECKPOINT_DIR/one/state")" > "$PUCES_CHECKPOINT_DIR/one/m"
              mv "$PUCES_CHECKPOINT_DIR/one/m" "$PUCES_CHECKPOINT_DIR/one/manifest.json"; exit 0
            }
            trap save USR1
            echo begun; while :; do sleep 0.1; done
            """, checkpoint: new(Signal: "USR1"));
        await UntilAsync(async () => (await _daemon.Http.GetStringAsync($"api/v1/jobs/{job.Id}/logs", Ct)).Contains("begun", StringComparison.Ordinal));
        var pod = Assert.Single((await cluster.Client.CoreV1.ListNamespacedPodAsync("default", labelSelector: "app.kubernetes.io/managed-by=puces", fieldSelector: "status.phase=Running", cancellationToken: Ct)).Items).Metadata.Name;
        await cluster.Client.CoreV1.CreateNamespacedPodEvictionAsync(new() { Metadata = new() { Name = pod } }, pod, "default", cancellationToken: Ct);
        var end = await _daemon.EndAsync(job.Id, Ct);
        Assert.Equal(("succeeded", 2), (end.Job.State, end.Attempts.Count));
        Assert.Contains(await _daemon.LogAsync(job.Id, Ct), l => l.Attempt == 2 && l.Text == "saved by " + pod);
    }

    [Fact]
    public async Task Whenever_the_daemon_is_killed_each_job_in_pods_runs_once_to_its_end()
    {
        var cluster = await StartAsync(k => k with { Shared = Path.Combine(Path.GetDirectoryName(k.Kubeconfig)!, "shared") });
        await new DaemonKills(_daemon, output, within: 4000, runs: job => Directory.EnumerateFiles(cluster.Shared, $"witness.{job}.*", SearchOption.AllDirectories).Sum(f => File.ReadAllLines(f).Length))
            .RunAsync("a Kubernetes cluster", kills: 4, (script, nodes) => SubmitAsync("echo run >> $PUCES_SHARED/witness.$PUCES_JOB_ID.$PUCES_RANK; " + script, nodes), Ct);
        await cluster.UntilNothingLeftAsync(Ct);
    }

    private async Task<PoolView> PoolAsync() => (await _daemon.Http.GetFromJsonAsync("api/v1/pools", ContractJson.Default.PoolList, Ct))!.Pools.Single(p => p.Name == "kube");

    private static async Task UntilAsync(Func<Task<bool>> isSo)
    {
        for (var begun = Stopwatch.StartNew(); !await isSo(); await Task.Delay(200, Ct)) Assert.True(begun.Elapsed < TimeSpan.FromMinutes(3), "it does not come to that");
    }
}
