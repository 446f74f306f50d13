using Puces.Core.Contract;
using Puces.Core.Fleet;
using Puces.Core.Jobs;
using Puces.Core.Market;
using Puces.Core.Units;
using Puces.Providers;
using Puces.Providers.Slurm;
using Puces.Testing;
using Xunit;

namespace Puces.Tests.Providers;

/// <summary>One cluster for all tests of a class.</summary>
public sealed class SlurmFixture : IAsyncLifetime
{
    private SlurmCluster? _cluster;

    /// <summary>Started by the first test, which alone can be skipped.</summary>
    public async Task<SlurmCluster> StartAsync() => _cluster ??= await SlurmCluster.StartAsync(TestContext.Current.CancellationToken);

    public bool IsUp => _cluster is not null;

    public ValueTask InitializeAsync() => default;

    public ValueTask DisposeAsync() => _cluster?.DisposeAsync() ?? default;
}

public sealed class SlurmProviderTests(SlurmFixture fixture) : ProviderSuite, IClassFixture<SlurmFixture>, IAsyncLifetime
{
    protected override async Task<IProvider> OpenAsync() => Provider((await fixture.StartAsync()).Pool());

    protected override LeaseRequest Request(LeaseId id, Offer offer) => Asked(id, nodes: 1, devices: 1, kind: offer.Kind);

    private static LeaseRequest Asked(LeaseId id, int nodes, int devices, TimeSpan? limit = null, TimeSpan grace = default, string kind = "batch") =>
        new(id, "suite", kind, nodes, "fake", devices, 1000, new Memory(256 << 20), limit ?? TimeSpan.FromMinutes(5), grace);

    private static SlurmProvider Provider(Pool pool) => new(pool, NativeRunner.Path, "/dev/null", "suite", TimeProvider.System);

    public ValueTask InitializeAsync() => default;

    /// <summary>Gives back whatever a test has left, and waits until the nodes are ready for the next.</summary>
    public async ValueTask DisposeAsync()
    {
        if (!fixture.IsUp) return;
        await using var provider = Provider((await fixture.StartAsync()).Pool());
        foreach (var lease in await provider.ObserveAsync(Ct)) await provider.ReleaseAsync(lease.Id, Ct);
        await UntilAsync(async () => (await provider.ObserveAsync(Ct)).Count == 0 && (await provider.OffersAsync(Ct)).All(o => o.FreeDevices == 16));
    }

    [Fact]
    public async Task An_offer_counts_what_is_free()
    {
        await using var provider = Provider((await fixture.StartAsync()).Pool());
        var lease = await UntilReadyAsync(provider, Asked(NewId(), nodes: 2, devices: 3));
        var offer = Assert.Single(await provider.OffersAsync(Ct));
        Assert.Equal(("batch", "fake", 4, 4, 10, 2, 16_000), (offer.Kind, offer.Model, offer.Devices, offer.Nodes, offer.FreeDevices, offer.FreeNodes, offer.MilliCpus));
        Assert.Null(offer.Longest);
    }

    [Fact]
    public async Task A_gang_of_two_nodes_is_one_job_and_comes_whole()
    {
        var cluster = await fixture.StartAsync();
        await using var provider = Provider(cluster.Pool());
        var lease = await UntilReadyAsync(provider, Asked(NewId(), nodes: 2, devices: 4));
        Assert.Equal(2, lease.Nodes.Count);
        Assert.Single((await cluster.AskAsync($"squeue -h -o '%i %k' | grep {lease.Id}", Ct)).Split('\n'));
        foreach (var node in lease.Nodes)
        {
            await using var agent = await SuiteAgent.OpenAsync(provider.ShellTo(lease, node), Ct);
            var order = SuiteAgent.Order(7, "echo rank $PUCES_SHARED");
            agent.Say(new ToNode.Start(order));
            Assert.Equal(0, (await agent.UntilAsync(r => r.Phase is RankPhase.Ended, Ct)).Verdict!.ExitCode);
        }
    }

    [Fact]
    public async Task What_waits_says_why_and_until_when()
    {
        await using var provider = Provider((await fixture.StartAsync()).Pool());
        var held = await UntilReadyAsync(provider, Asked(NewId(), nodes: 4, devices: 4));
        var (id, waiting) = (NewId(), default(Lease));
        await provider.AcquireAsync(Asked(id, nodes: 4, devices: 4), Ct);
        await UntilAsync(async () => (waiting = await SeenAsync(provider, id)) is { ExpectedStart: not null, Reason: not "Slurm has not looked at it yet" });
        Assert.Equal((LeaseState.Waiting, "the nodes that it needs are taken (Resources)"), (waiting!.State, waiting.Reason));
        Assert.Empty(waiting.Nodes);
        await provider.ReleaseAsync(held.Id, Ct);
        await UntilAsync(async () => (await SeenAsync(provider, id))!.State is LeaseState.Ready);
    }

    [Fact]
    public async Task Before_its_time_is_over_ranks_are_asked_to_save_themselves()
    {
        await using var provider = Provider((await fixture.StartAsync()).Pool());
        // Slurm's signal comes up to a minute early.
        var lease = await UntilReadyAsync(provider, Asked(NewId(), nodes: 1, devices: 1, TimeSpan.FromMinutes(1), TimeSpan.FromSeconds(50)));
        var order = SuiteAgent.Order(8, "trap 'echo saved; exit 0' USR1; while :; do sleep 0.1; done") with { Checkpoint = new CheckpointSpec(Signal: "USR1") };
        await using var agent = await SuiteAgent.OpenAsync(provider.ShellTo(lease, lease.Nodes[0]), Ct);
        agent.Say(new ToNode.Start(order));
        var verdict = (await agent.UntilAsync(r => r.Phase is RankPhase.Ended, Ct)).Verdict!;
        Assert.Contains("the time of its Slurm job is over", verdict.Detail, StringComparison.Ordinal);
        Assert.Contains("saved", await agent.LogAsync(Ct), StringComparison.Ordinal);
    }

    [Fact]
    public async Task After_somebody_cancels_the_job_its_folder_tells_what_became_of_the_ranks()
    {
        var cluster = await fixture.StartAsync();
        await using var provider = Provider(cluster.Pool());
        var lease = await UntilReadyAsync(provider, Asked(NewId(), nodes: 1, devices: 1));
        await using (var agent = await SuiteAgent.OpenAsync(provider.ShellTo(lease, lease.Nodes[0]), Ct))
        {
            agent.Say(new ToNode.Start(SuiteAgent.Order(9, "exit 3")));
            await agent.UntilAsync(r => r.Phase is RankPhase.Ended, Ct);
            agent.Say(new ToNode.Start(SuiteAgent.Order(10, "sleep 600")));
            await agent.UntilAsync(r => r.Phase is RankPhase.Run, Ct);
        }
        await cluster.AskAsync($"scancel $(squeue -h -o '%i %k' | grep {lease.Id} | cut -d ' ' -f 1)", Ct);
        await UntilAsync(async () => (await SeenAsync(provider, lease.Id))!.State is LeaseState.Ended);
        var ended = (await SeenAsync(provider, lease.Id))!;
        Assert.Contains("cancelled in Slurm", ended.Reason, StringComparison.Ordinal);
        await using var witness = await SuiteAgent.OpenAsync(provider.ShellTo(ended, ended.Nodes[0]), Ct);
        Assert.Equal(3, witness.Hello.Ranks.Single(r => r.Tag == "9-1.0").Verdict!.ExitCode);
        Assert.NotEqual(RankPhase.Run, witness.Hello.Ranks.Single(r => r.Tag == "10-1.0").Phase);
        Assert.Equal("", await cluster.AskAsync($"grep -lz '^PUCES_RANK_FOLDER={cluster.Folder}/.*/10-1.0' /proc/[0-9]*/environ 2>/dev/null", Ct));
        // Nothing starts on the login machine.
        witness.Say(new ToNode.Start(SuiteAgent.Order(11, "echo never")));
        Assert.Equal(RankPhase.Vanished, (await witness.UntilAsync(r => r.Tag == "11-1.0" && r.Phase is not RankPhase.Starting, Ct)).Phase);
    }

    [Fact]
    public async Task A_lease_is_still_there_after_the_controller_was_killed_and_no_second_is_asked_for()
    {
        var cluster = await fixture.StartAsync();
        await using var provider = Provider(cluster.Pool());
        var request = Asked(NewId(), nodes: 1, devices: 1);
        var lease = await UntilReadyAsync(provider, request);
        // One that has run for less than some seconds may be forgotten.
        await Task.Delay(TimeSpan.FromSeconds(6), Ct);
        await cluster.KillControllerAsync(Ct);
        try
        {
            foreach (var ask in (Func<Task>[])[() => provider.ObserveAsync(Ct), () => provider.OffersAsync(Ct), () => provider.AcquireAsync(request, Ct)])
            {
                var silent = await Assert.ThrowsAsync<ProviderException>(ask);
                Assert.Equal(Remedy.Retry, silent.Remedy);
                Assert.Contains("controller does not answer", silent.Message, StringComparison.Ordinal);
            }
            // The way to its nodes does not lead past the controller.
            await using var agent = await SuiteAgent.OpenAsync(provider.ShellTo(lease, lease.Nodes[0]), Ct);
        }
        finally
        {
            await cluster.StartControllerAsync(Ct);
        }
        await UntilAsync(async () => (await provider.AcquireAsync(request, Ct)).State is LeaseState.Ready);
        Assert.Single((await cluster.AskAsync($"squeue -h -o '%i %k' | grep {lease.Id}", Ct)).Split('\n'));
    }

    [Fact]
    public async Task A_job_that_was_asked_for_twice_ends_at_once()
    {
        var cluster = await fixture.StartAsync();
        await using var provider = Provider(cluster.Pool());
        var lease = await UntilReadyAsync(provider, Asked(NewId(), nodes: 1, devices: 1));
        var folder = Path.Combine(cluster.Shared, "suite", "cluster", "leases", lease.Id.Value);
        // The late effect of a submission whose answer was lost.
        var second = await cluster.AskAsync($"sbatch --parsable --comment=puces:suite/cluster:{lease.Id} --output={folder}/slurm.log --open-mode=append --gres=gpu:1 {folder}/job.sh {folder} /bin/false /tmp /tmp", Ct);
        await UntilAsync(async () => (await cluster.AskAsync($"squeue -h -t all -o '%i %T' | grep '^{second} '", Ct)).EndsWith("COMPLETED", StringComparison.Ordinal));
        var seen = await SeenAsync(provider, lease.Id);
        Assert.Equal((LeaseState.Ready, lease.Nodes[0]), (seen!.State, seen.Nodes[0]));
    }

    [Fact]
    public async Task Two_pools_of_one_cluster_do_not_see_the_leases_of_each_other()
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

    [Fact]
    public async Task A_partition_that_is_closed_is_an_offer_with_a_problem()
    {
        var cluster = await fixture.StartAsync();
        await cluster.AskAsync("scontrol update PartitionName=urgent State=DOWN", Ct);
        try
        {
            await using var provider = Provider(cluster.Pool("urgent", "nowhere"));
            var offers = await provider.OffersAsync(Ct);
            Assert.Equal(["the partition urgent is not up", "the cluster has no partition nowhere, or hides it from us"], offers.Select(o => o.Problem));
            var wrong = await StepsAsync(provider);
            Assert.Equal(["urgent", "nowhere"], wrong.Where(s => s.IsGood is false).Select(s => s.What));
            Assert.All(wrong.Where(s => s.IsGood is false), s => Assert.NotNull(s.Hint));
        }
        finally
        {
            await cluster.AskAsync("scontrol update PartitionName=urgent State=UP", Ct);
        }
    }

    [Fact]
    public async Task A_cluster_that_is_not_there_is_said_to_be_down()
    {
        var cluster = await fixture.StartAsync();
        var config = Path.Combine(cluster.Folder, "elsewhere.conf");
        await File.WriteAllTextAsync(config, (await File.ReadAllTextAsync(cluster.Config, Ct)).Replace("SlurmctldPort=", "SlurmctldPort=1", StringComparison.Ordinal), Ct);
        var pool = cluster.Pool();
        await using var provider = Provider(pool with { Slurm = pool.Slurm! with { Config = config } });
        var wrong = (await StepsAsync(provider)).Single(s => s.IsGood is false);
        Assert.Equal("controller", wrong.What);
        Assert.Contains("does not answer", wrong.Found, StringComparison.Ordinal);
        Assert.Contains("slurmctld", wrong.Hint, StringComparison.Ordinal);
    }

    private static async Task<List<CheckStep>> StepsAsync(SlurmProvider provider)
    {
        var steps = new List<CheckStep>();
        await foreach (var step in provider.CheckAsync(Ct)) steps.Add(step);
        return steps;
    }

    private static async Task<Lease?> SeenAsync(SlurmProvider provider, LeaseId id) => (await provider.ObserveAsync(Ct)).FirstOrDefault(l => l.Id == id);

    private static async Task<Lease> UntilReadyAsync(SlurmProvider provider, LeaseRequest request)
    {
        var lease = await provider.AcquireAsync(request, Ct);
        await UntilAsync(async () => (lease = (await SeenAsync(provider, request.Id))!).State is not LeaseState.Waiting);
        Assert.True(lease.State is LeaseState.Ready, lease.Reason);
        return lease;
    }
}
