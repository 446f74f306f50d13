using System.Text.RegularExpressions;
using k8s;
using k8s.Models;
using Puces.Core.Contract;
using Puces.Core.Fleet;
using Puces.Core.Jobs;
using Puces.Core.Market;
using Puces.Core.Units;
using Puces.Providers;
using Puces.Providers.Kubernetes;
using Puces.Testing;
using Xunit;

namespace Puces.Tests.Providers;

/// <summary>One cluster for all tests that need one, one class after the other.</summary>
[CollectionDefinition(nameof(KubernetesFixture))]
public sealed class KubernetesFixture : IAsyncLifetime, ICollectionFixture<KubernetesFixture>
{
    private KubernetesCluster? _cluster;

    /// <summary>Started by the first test, which alone can be skipped.</summary>
    public async Task<KubernetesCluster> StartAsync()
    {
        // Without it there is nothing to start a cluster for.
        _ = NativeRunner.Path;
        return _cluster ??= await KubernetesCluster.StartAsync(TestContext.Current.CancellationToken);
    }

    public bool IsUp => _cluster is not null;

    public ValueTask InitializeAsync() => default;

    public ValueTask DisposeAsync() => _cluster?.DisposeAsync() ?? default;
}

[Collection(nameof(KubernetesFixture))]
public sealed class KubernetesProviderTests(KubernetesFixture fixture) : ProviderSuite, IAsyncLifetime
{
    private const string Product = "NVIDIA-H100-80GB-HBM3";

    protected override async Task<IProvider> OpenAsync() => Provider((await fixture.StartAsync()).Pool());

    protected override LeaseRequest Request(LeaseId id, Offer offer) => Asked(id, nodes: 1, devices: 1, offer.Kind);

    private static LeaseRequest Asked(LeaseId id, int nodes, int devices, string kind = Product, TimeSpan grace = default, string? image = null) =>
        new(id, "suite", kind, nodes, "H100", devices, 100, new Memory(128 << 20), TimeSpan.FromMinutes(5), grace, TimeSpan.FromHours(1), image);

    private static KubernetesProvider Provider(Pool pool) => new(pool, NativeRunner.Path, "suite", TimeProvider.System);

    public ValueTask InitializeAsync() => default;

    /// <summary>Gives back whatever a test has left, and waits until nothing of it is there.</summary>
    public async ValueTask DisposeAsync()
    {
        if (!fixture.IsUp) return;
        var cluster = await fixture.StartAsync();
        await using var provider = Provider(cluster.Pool());
        foreach (var lease in await provider.ObserveAsync(Ct)) await provider.ReleaseAsync(lease.Id, Ct);
        await cluster.UntilIdleAsync(Ct);
    }

    [Fact]
    public async Task A_gang_of_two_pods_comes_whole_and_goes_whole()
    {
        var cluster = await fixture.StartAsync();
        await using var provider = Provider(cluster.Pool());
        var lease = await UntilReadyAsync(provider, Asked(NewId(), nodes: 2, devices: 2));
        Assert.Equal(["node-1-0", "node-1-1"], lease.Nodes.Select(n => n.Name));
        Assert.Equal(2, lease.Nodes.Select(n => n.Address).Distinct().Count());
        Assert.Equal(0, Assert.Single(await provider.OffersAsync(Ct)).FreeDevices);
        foreach (var node in lease.Nodes)
        {
            await using var agent = await SuiteAgent.OpenAsync(provider.ShellTo(lease, node), Ct);
            agent.Say(new ToNode.Start(SuiteAgent.Order(7, "echo from $(hostname)")));
            Assert.Equal(0, (await agent.UntilAsync(r => r.Phase is RankPhase.Ended, Ct)).Verdict!.ExitCode);
        }
        Assert.Equal(4, (await cluster.LeftAsync(Ct, lease.Id)).Count);
        await provider.ReleaseAsync(lease.Id, Ct);
        await cluster.UntilNothingLeftAsync(Ct);
    }

    [Fact]
    public async Task What_waits_for_devices_says_so_in_the_schedulers_words()
    {
        await using var provider = Provider((await fixture.StartAsync()).Pool());
        var held = await UntilReadyAsync(provider, Asked(NewId(), nodes: 1, devices: 3));
        var id = NewId();
        await provider.AcquireAsync(Asked(id, nodes: 1, devices: 2), Ct);
        var waiting = await UntilSeenAsync(provider, id, l => l.Reason!.Contains("Insufficient nvidia.com/gpu", StringComparison.Ordinal));
        Assert.StartsWith("no node can take it now: ", waiting.Reason, StringComparison.Ordinal);
        Assert.Equal(LeaseState.Waiting, waiting.State);
        Assert.Empty(waiting.Nodes);
        await provider.ReleaseAsync(held.Id, Ct);
        await UntilSeenAsync(provider, id, l => l.State is LeaseState.Ready);
    }

    [Fact]
    public async Task An_image_that_does_not_come_is_named()
    {
        await using var provider = Provider((await fixture.StartAsync()).Pool());
        var id = NewId();
        await provider.AcquireAsync(Asked(id, 1, 1, image: "localhost/nothing:1"), Ct);
        var waiting = await UntilSeenAsync(provider, id, l => l.Reason!.Contains("ErrImageNeverPull", StringComparison.Ordinal));
        Assert.StartsWith("the image localhost/nothing:1 does not come to node-1 ", waiting.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_job_without_an_image_is_refused_with_what_to_do()
    {
        var pool = (await fixture.StartAsync()).Pool();
        await using var provider = Provider(pool with { Kubernetes = pool.Kubernetes! with { Image = null } });
        var id = NewId();
        var refused = await Assert.ThrowsAsync<ProviderException>(() => provider.AcquireAsync(Asked(id, 1, 1), Ct));
        Assert.Equal(Remedy.Ask, refused.Remedy);
        Assert.Contains("image", refused.Hint, StringComparison.Ordinal);
        Assert.Null(await SeenAsync(provider, id));
    }

    [Fact]
    public async Task A_gang_beyond_the_quota_is_refused_whole_and_leaves_nothing()
    {
        var cluster = await fixture.StartAsync();
        var quota = new V1ResourceQuota { Metadata = new() { Name = "few" }, Spec = new() { Hard = new Dictionary<string, ResourceQuantity> { ["requests.nvidia.com/gpu"] = new("3") } } };
        await cluster.Client.CoreV1.CreateNamespacedResourceQuotaAsync(quota, "default", cancellationToken: Ct);
        try
        {
            await using var provider = Provider(cluster.Pool());
            await UntilAsync(async () => (await cluster.Client.CoreV1.ReadNamespacedResourceQuotaAsync("few", "default", cancellationToken: Ct)).Status?.Hard?.Count > 0);
            var refused = await Assert.ThrowsAsync<ProviderException>(() => provider.AcquireAsync(Asked(NewId(), nodes: 2, devices: 2), Ct));
            Assert.Equal(Remedy.Elsewhere, refused.Remedy);
            Assert.Contains("exceeded quota: few", refused.Message, StringComparison.Ordinal);
            await cluster.UntilNothingLeftAsync(Ct);
        }
        finally
        {
            await cluster.Client.CoreV1.DeleteNamespacedResourceQuotaAsync("few", "default", cancellationToken: Ct);
        }
    }

    [Fact]
    public async Task Before_an_evicted_pod_goes_its_ranks_save_themselves_and_are_heard()
    {
        var cluster = await fixture.StartAsync();
        await using var provider = Provider(cluster.Pool());
        var lease = await UntilReadyAsync(provider, Asked(NewId(), 1, 1, grace: TimeSpan.FromSeconds(20)));
        var order = SuiteAgent.Order(8, "trap 'echo saved; exit 0' USR1; while :; do sleep 0.1; done") with { Checkpoint = new CheckpointSpec(Signal: "USR1") };
        await using (var agent = await SuiteAgent.OpenAsync(provider.ShellTo(lease, lease.Nodes[0]), Ct))
        {
            agent.Say(new ToNode.Start(order));
            await agent.UntilAsync(r => r.Phase is RankPhase.Run, Ct);
            agent.Say(new ToNode.Follow(order.Tag, 0));
            var pod = Assert.Single(await PodsAsync(cluster, lease.Id));
            // What a drained or reclaimed node does to it.
            await cluster.Client.CoreV1.CreateNamespacedPodEvictionAsync(new() { Metadata = new() { Name = pod } }, pod, "default", cancellationToken: Ct);
            var verdict = (await agent.UntilAsync(r => r.Phase is RankPhase.Ended, Ct)).Verdict!;
            Assert.Contains("its pod was told to end", verdict.Detail, StringComparison.Ordinal);
            Assert.Contains("saved", await agent.LogAsync(Ct), StringComparison.Ordinal);
            agent.Say(new ToNode.Acknowledge(order.Tag));
            var ended = await UntilSeenAsync(provider, lease.Id, l => l.State is LeaseState.Ended);
            Assert.Contains("was deleted", ended.Reason, StringComparison.Ordinal);
            Assert.Empty(ended.Nodes);
        }
    }

    [Fact]
    public async Task Of_a_gang_that_has_lost_a_pod_the_others_are_ended_too()
    {
        var cluster = await fixture.StartAsync();
        await using var provider = Provider(cluster.Pool());
        var lease = await UntilReadyAsync(provider, Asked(NewId(), nodes: 2, devices: 1));
        await cluster.Client.CoreV1.DeleteNamespacedPodAsync((await PodsAsync(cluster, lease.Id))[0], "default", gracePeriodSeconds: 0, cancellationToken: Ct);
        var ended = await UntilSeenAsync(provider, lease.Id, l => l.State is LeaseState.Ended);
        Assert.Contains("was deleted", ended.Reason, StringComparison.Ordinal);
        Assert.Empty(await cluster.RunningAsync(Ct));
    }

    [Fact]
    public async Task A_lease_that_was_half_made_is_finished_by_asking_again()
    {
        var cluster = await fixture.StartAsync();
        await using var provider = Provider(cluster.Pool());
        var request = Asked(NewId(), nodes: 2, devices: 1);
        var names = new LeaseNames("suite", "cluster");
        // As a daemon leaves it that is killed after the first step.
        await cluster.Client.CoreV1.CreateNamespacedConfigMapAsync(new LeaseObjects(cluster.Pool().Kubernetes!, names, request, KubernetesCluster.Image, new(new Dictionary<string, ResourceQuantity>(), new Dictionary<string, ResourceQuantity>(), null, [])).ConfigMap(), "default", cancellationToken: Ct);
        Assert.Equal((LeaseState.Waiting, "0 of 2 pods are made"), ((await SeenAsync(provider, request.Id))!.State, (await SeenAsync(provider, request.Id))!.Reason));
        Assert.Equal(2, (await UntilReadyAsync(provider, request)).Nodes.Count);
    }

    [Fact]
    public async Task An_api_server_that_is_down_says_nothing_of_leases_and_ranks_go_on()
    {
        var cluster = await fixture.StartAsync();
        await using var provider = Provider(cluster.Pool());
        var lease = await UntilReadyAsync(provider, Asked(NewId(), 1, 1));
        var order = SuiteAgent.Order(9, "sleep 4; echo went on; exit 5");
        await using (var agent = await SuiteAgent.OpenAsync(provider.ShellTo(lease, lease.Nodes[0]), Ct))
        {
            agent.Say(new ToNode.Start(order));
            await agent.UntilAsync(r => r.Phase is RankPhase.Run, Ct);
            await cluster.KillApiServerAsync(Ct);
        }
        try
        {
            foreach (var ask in (Func<Task>[])[() => provider.ObserveAsync(Ct), () => provider.OffersAsync(Ct), () => provider.ReleaseAsync(lease.Id, Ct)])
                Assert.Equal(Remedy.Retry, (await Assert.ThrowsAsync<ProviderException>(ask)).Remedy);
        }
        finally
        {
            await cluster.StartApiServerAsync(Ct);
        }
        Assert.Equal(LeaseState.Ready, (await SeenAsync(provider, lease.Id))!.State);
        await using var next = await SuiteAgent.OpenAsync(provider.ShellTo(lease, lease.Nodes[0]), Ct);
        var rank = next.Hello.Ranks.Single(r => r.Tag == order.Tag);
        if (rank.Verdict is null) rank = await next.UntilAsync(r => r.Phase is RankPhase.Ended, Ct);
        Assert.Equal(5, rank.Verdict!.ExitCode);
    }

    [Fact]
    public async Task Offers_are_one_for_each_model_of_nodes_that_take_pods_of_ours()
    {
        var cluster = await fixture.StartAsync();
        var made = new List<string>();
        async Task AddAsync(string name, string resource, int devices, string? product, bool isCordoned = false, params V1Taint[] taints)
        {
            made.Add(name);
            await cluster.AddNodeAsync(name, resource, devices, product, Ct, isCordoned, taints: taints);
        }
        try
        {
            await AddAsync("a1", "nvidia.com/gpu", 8, "nvidia.com/gpu.product=NVIDIA-A100-SXM4-80GB");
            await AddAsync("a2", "nvidia.com/gpu", 8, "nvidia.com/gpu.product=NVIDIA-A100-SXM4-80GB", isCordoned: true);
            await AddAsync("g1", "nvidia.com/gpu", 1, "cloud.google.com/gke-accelerator=nvidia-l4", false, new V1Taint { Key = "nvidia.com/gpu", Value = "present", Effect = "NoSchedule" });
            await AddAsync("m1", "amd.com/gpu", 8, "amd.com/gpu.product-name=AMD_Instinct_MI300X_OAM");
            await AddAsync("x1", "gpu.intel.com/i915", 4, null);
            await AddAsync("t1", "nvidia.com/gpu", 8, "nvidia.com/gpu.product=NVIDIA-H200", false, new V1Taint { Key = "dedicated", Value = "others", Effect = "NoSchedule" });
            var pool = cluster.Pool() with { };
            await using var provider = Provider(pool with { Kubernetes = pool.Kubernetes! with { NodeSelector = new Dictionary<string, string> { ["puces-test"] = "said" } } });
            var offers = (await provider.OffersAsync(Ct)).Select(o => (o.Model, o.Devices, o.Nodes, o.FreeDevices, o.FreeNodes)).ToList();
            Assert.Equal([("MI300X", 8, 1, 8, 1), ("A100-80GB", 8, 1, 8, 1), ("GPU", 4, 1, 4, 1), ("L4", 1, 1, 1, 1)], offers);
            await using var tolerant = Provider(pool with { Kubernetes = pool.Kubernetes with { NodeSelector = null, Tolerations = ["dedicated=others"] } });
            Assert.Contains(await tolerant.OffersAsync(Ct), o => o.Model == "H200");
            await using var none = Provider(pool with { Kubernetes = pool.Kubernetes with { NodeSelector = new Dictionary<string, string> { ["puces-test"] = "never" } } });
            Assert.Contains("other labels than node_selector", Assert.Single(await none.OffersAsync(Ct)).Problem, StringComparison.Ordinal);
        }
        finally
        {
            foreach (var name in made) await cluster.Client.CoreV1.DeleteNodeAsync(name, cancellationToken: Ct);
        }
    }

    [Fact]
    public async Task Somebody_without_rights_is_told_which_are_missing()
    {
        var cluster = await fixture.StartAsync();
        var pool = cluster.Pool();
        await using var provider = Provider(pool with { Kubernetes = pool.Kubernetes! with { Kubeconfig = cluster.Kubeconfig("stranger") } });
        var refused = await Assert.ThrowsAsync<ProviderException>(() => provider.OffersAsync(Ct));
        Assert.Equal(Remedy.Ask, refused.Remedy);
        Assert.Contains("User \"stranger\" cannot list resource \"nodes\"", refused.Message, StringComparison.Ordinal);
        var wrong = await WrongAsync(provider);
        Assert.Equal("rights", wrong.What);
        Assert.StartsWith("we may not create pods, list pods, delete pods, get pods/exec", wrong.Found, StringComparison.Ordinal);
        Assert.Contains("auth can-i create pods", wrong.Hint, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_check_names_the_first_thing_that_is_wrong()
    {
        var cluster = await fixture.StartAsync();
        var pool = cluster.Pool();
        async Task<CheckStep> WrongAsync(Func<KubernetesPool, KubernetesPool> change)
        {
            await using var provider = Provider(pool with { Kubernetes = change(pool.Kubernetes!) });
            return await KubernetesProviderTests.WrongAsync(provider);
        }
        var elsewhere = Path.Combine(cluster.Folder, "elsewhere.kubeconfig");
        await File.WriteAllTextAsync(elsewhere, Regex.Replace(await File.ReadAllTextAsync(cluster.Kubeconfig(), Ct), @"127\.0\.0\.1:\d+", "127.0.0.1:1"), Ct);
        var untrusted = Path.Combine(cluster.Folder, "untrusted.kubeconfig");
        await File.WriteAllTextAsync(untrusted, (await File.ReadAllTextAsync(cluster.Kubeconfig(), Ct)).Replace("pki/ca.crt", "pki/node.crt", StringComparison.Ordinal), Ct);

        Assert.Contains("there is no kubeconfig", (await WrongAsync(k => k with { Kubeconfig = "/nowhere" })).Found, StringComparison.Ordinal);
        Assert.Contains("other", (await WrongAsync(k => k with { Context = "other" })).Found, StringComparison.Ordinal);
        Assert.Contains("does not answer", (await WrongAsync(k => k with { Kubeconfig = elsewhere })).Found, StringComparison.Ordinal);
        Assert.Contains("certificate", (await WrongAsync(k => k with { Kubeconfig = untrusted })).Found, StringComparison.Ordinal);
        Assert.Equal("there is no namespace nobodys", (await WrongAsync(k => k with { Namespace = "nobodys" })).Found);
        Assert.Equal("namespace default has no service account robot", (await WrongAsync(k => k with { ServiceAccount = "robot" })).Found);
        Assert.Contains("no Jobs that Kueue could hold back", (await WrongAsync(k => k with { Queue = "team" })).Found, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Two_pools_of_one_namespace_do_not_see_the_leases_of_each_other()
    {
        var cluster = await fixture.StartAsync();
        await using var provider = Provider(cluster.Pool());
        await using var other = Provider(cluster.Pool() with { Name = "other" });
        var id = NewId();
        await provider.AcquireAsync(Asked(id, nodes: 1, devices: 1), Ct);
        Assert.Empty(await other.ObserveAsync(Ct));
        await other.ReleaseAsync(id, Ct);
        Assert.Contains(await provider.ObserveAsync(Ct), l => l.Id == id && l.State is LeaseState.Waiting or LeaseState.Ready);
    }

    private static async Task<CheckStep> WrongAsync(KubernetesProvider provider)
    {
        await foreach (var step in provider.CheckAsync(Ct))
            if (step.IsGood is false) return step;
        throw new InvalidOperationException("nothing was found to be wrong");
    }

    private static async Task<List<string>> PodsAsync(KubernetesCluster cluster, LeaseId id) =>
        [.. (await cluster.Client.CoreV1.ListNamespacedPodAsync("default", labelSelector: $"puces/lease={id}", cancellationToken: Ct)).Items.Select(p => p.Metadata.Name)];

    private static async Task<Lease?> SeenAsync(KubernetesProvider provider, LeaseId id) => (await provider.ObserveAsync(Ct)).FirstOrDefault(l => l.Id == id);

    private static async Task<Lease> UntilSeenAsync(KubernetesProvider provider, LeaseId id, Predicate<Lease> isIt)
    {
        Lease? lease = null;
        await UntilAsync(async () => (lease = await SeenAsync(provider, id)) is not null && isIt(lease));
        return lease!;
    }

    private static async Task<Lease> UntilReadyAsync(KubernetesProvider provider, LeaseRequest request)
    {
        await provider.AcquireAsync(request, Ct);
        var lease = await UntilSeenAsync(provider, request.Id, l => l.State is not LeaseState.Waiting);
        Assert.True(lease.State is LeaseState.Ready, lease.Reason);
        return lease;
    }
}
