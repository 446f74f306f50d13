using Puces.Core.Engine;
using Puces.Core.Jobs;
using Puces.Testing.Simulation;
using Xunit;

namespace Puces.Tests.Engine;

/// <summary>Attempts that die of their node, and what becomes of both.</summary>
public sealed class FaultTests
{
    private static readonly NodeFault Ecc = new(FaultKind.DeviceError, "Xid 48 on GPU-1: uncorrectable memory"), OffTheBus = new(FaultKind.DeviceLost, "Xid 79 on GPU-1: fallen off the bus");

    private readonly Cluster _cluster = new Cluster().Node("p/a", 4).Node("p/b", 4).Node("p/c", 4).Node("p/d", 4);

    private string NodeOf(JobId job) => _cluster.Attempt(job).Nodes[0];

    /// <summary>The job's attempt dies of its node, and it is tried again as soon as it may be.</summary>
    private Cluster Dies(JobId job, NodeFault? fault = null, int rank = 0)
    {
        _cluster.Runs(job).Exits(job, rank, _cluster.Verdict(1) with { Fault = fault ?? Ecc });
        return _cluster.After(TimeSpan.FromHours(1));
    }

    private IEnumerable<string> Said(string kind) => _cluster.Store.Events.Where(e => e.Kind == kind).Select(e => e.Text);

    [Fact]
    public void What_dies_of_its_node_loses_no_retry_and_goes_on_elsewhere()
    {
        var job = _cluster.Submit(gpus: 4);
        Assert.Equal("p/a", NodeOf(job));
        Dies(job);
        Assert.Equal(("starting", 0, 2, "p/b"), (_cluster[job].State.Word, _cluster[job].Failures, _cluster[job].Attempts, NodeOf(job)));
        Assert.Equal("p/a failed it: Xid 48 on GPU-1: uncorrectable memory", _cluster.Store.Attempts[new(job, 1)].Attempt.Reason);
        Assert.Equal(["p/a has failed job 1 (job): Xid 48 on GPU-1: uncorrectable memory"], Said("fault"));
        Assert.Equal("p/a", NodeOf(_cluster.Submit(gpus: 4)));
    }

    [Fact]
    public void The_same_exit_code_without_a_fault_costs_a_retry()
    {
        var job = _cluster.Submit(gpus: 4);
        _cluster.Runs(job).Exits(job, 1);
        Assert.Equal("failed", _cluster[job].State.Word);
    }

    [Fact]
    public void A_node_that_fails_two_jobs_in_a_day_gets_no_more_until_a_person_takes_it_back()
    {
        Dies(_cluster.Submit(gpus: 4));
        var second = _cluster.Submit(gpus: 4);
        Assert.Equal("p/a", NodeOf(second));
        Dies(second);
        var window = _cluster.World.Nodes["p/a"].Closed!;
        Assert.Equal((null, "2 faults in 24 h, the last: Xid 48 on GPU-1: uncorrectable memory"), (window.To, window.Note));
        Assert.Equal([$"p/a is drained: {window.Note}; puces pools reopen {window.Number} takes it back"], Said("drained"));
        for (var i = 0; i < 2; i++) _cluster.Submit(gpus: 4);
        Assert.Empty(_cluster.World.Nodes["p/a"].Jobs);
        _cluster.Restart().Node("p/a", 4).Node("p/b", 4).Node("p/c", 4).Node("p/d", 4);
        Assert.Empty(_cluster.World.Nodes["p/a"].Jobs);
        _cluster.Apply(new Command.RemoveWindow(window.Number));
        Assert.NotEmpty(_cluster.World.Nodes["p/a"].Jobs);
    }

    [Fact]
    public void A_device_that_fell_off_the_bus_drains_its_node_at_once()
    {
        Dies(_cluster.Submit(gpus: 4), OffTheBus);
        Assert.Equal("Xid 79 on GPU-1: fallen off the bus", _cluster.World.Nodes["p/a"].Closed!.Note);
    }

    [Fact]
    public void Two_faults_more_than_a_day_apart_drain_nothing()
    {
        Dies(_cluster.Submit(gpus: 4));
        _cluster.After(TimeSpan.FromHours(24));
        Dies(_cluster.Submit(gpus: 4));
        Assert.All(_cluster.World.Nodes.Values, n => Assert.Null(n.Closed));
    }

    [Fact]
    public void The_first_fault_is_remembered_by_the_next_daemon()
    {
        var job = _cluster.Submit(gpus: 4);
        _cluster.Runs(job).Exits(job, 0, _cluster.Verdict(1) with { Fault = Ecc });
        _cluster.Restart().Node("p/a", 4).Node("p/b", 4).Node("p/c", 4).Node("p/d", 4).After(TimeSpan.FromHours(1));
        Assert.Equal("p/b", NodeOf(job));
        var next = _cluster.Submit(gpus: 4);
        Assert.Equal("p/a", NodeOf(next));
        Dies(next);
        Assert.NotNull(_cluster.World.Nodes["p/a"].Closed);
    }

    [Fact]
    public void A_job_that_dies_on_three_different_nodes_is_suspected_itself_and_drains_no_more()
    {
        var job = _cluster.Submit(gpus: 4, retry: new(1, TimeSpan.FromSeconds(1), []));
        for (var i = 0; i < 2; i++) Dies(job);
        Assert.Equal((0, "p/c"), (_cluster[job].Failures, NodeOf(job)));
        Dies(job);
        Assert.Equal((1, "starting"), (_cluster[job].Failures, _cluster[job].State.Word));
        Assert.Equal("job 1 (job) has failed on 3 different nodes, and is suspected itself; p/c: Xid 48 on GPU-1: uncorrectable memory", Said("fault").Last());
        Dies(job, OffTheBus);
        Assert.Equal("failed", _cluster[job].State.Word);
        Assert.Empty(Said("drained"));
    }

    [Fact]
    public void With_nowhere_else_to_go_the_same_node_is_better_than_none_until_it_is_drained()
    {
        var cluster = new Cluster().Node("p/a", 4);
        var job = cluster.Submit(gpus: 4);
        for (var i = 0; i < 2; i++) cluster.Runs(job).Exits(job, 0, cluster.Verdict(1) with { Fault = Ecc }).After(TimeSpan.FromHours(1));
        Assert.Equal((2, "queued"), (cluster[job].Attempts, cluster[job].State.Word));
        Assert.Equal("needs H100:4; p/a could carry it and is closed for good: 2 faults in 24 h, the last: Xid 48 on GPU-1: uncorrectable memory", cluster.Reason(job));
    }

    [Fact]
    public void Who_avoids_a_node_waits_for_another_and_is_let_back_when_there_is_none_or_a_person_says_so()
    {
        var cluster = new Cluster().Node("p/a", 4).Node("p/b", 4);
        var job = cluster.Submit(gpus: 4);
        var other = cluster.Submit(gpus: 4);
        cluster.Runs(job).Exits(job, 0, cluster.Verdict(1) with { Fault = Ecc }).After(TimeSpan.FromHours(1));
        Assert.Equal("queued", cluster[job].State.Word);
        Assert.Equal("needs 4 H100s on one node; p/b has the most free, 0", cluster.Reason(job));
        cluster.Runs(other).Apply(new Command.NodeGone("p/b"));
        Assert.Equal(("starting", "p/a"), (cluster[job].State.Word, cluster.Attempt(job).Nodes[0]));
    }

    [Fact]
    public void Who_avoids_a_node_is_let_back_when_all_others_are_drained()
    {
        var cluster = new Cluster().Node("p/a", 4).Node("p/b", 4);
        var job = cluster.Submit(gpus: 4);
        cluster.Submit(gpus: 4);
        cluster.Runs(job).Exits(job, 0, cluster.Verdict(1) with { Fault = Ecc }).After(TimeSpan.FromHours(1));
        Assert.Equal("queued", cluster[job].State.Word);
        cluster.Close("p/b", TimeSpan.Zero, null);
        Assert.Equal(("starting", "p/a"), (cluster[job].State.Word, cluster.Attempt(job).Nodes[0]));
    }

    [Fact]
    public void In_a_gang_the_rank_on_the_faulty_node_is_why_whoever_fell_first()
    {
        var job = _cluster.Submit(gpus: 4, nodes: 2);
        _cluster.Runs(job, 0, 1).Exits(job, 1, rank: 0).Exits(job, 1, _cluster.Verdict(143, ExitCause.Stopped) with { Fault = OffTheBus }).After(TimeSpan.FromHours(1));
        Assert.Equal("p/b failed it: Xid 79 on GPU-1: fallen off the bus", _cluster.Store.Attempts[new(job, 1)].Attempt.Reason);
        Assert.Equal((0, "p/a", "p/c"), (_cluster[job].Failures, _cluster.Attempt(job).Nodes[0], _cluster.Attempt(job).Nodes[1]));
    }

    [Fact]
    public void A_cancelled_job_stays_cancelled_and_its_node_is_known_to_be_faulty()
    {
        var job = _cluster.Submit(gpus: 4);
        _cluster.Runs(job).Cancel(job);
        _cluster.Exits(job, 0, _cluster.Verdict(143, ExitCause.Stopped) with { Fault = OffTheBus });
        Assert.Equal("cancelled", _cluster[job].State.Word);
        Assert.NotNull(_cluster.World.Nodes["p/a"].Closed);
    }
}
