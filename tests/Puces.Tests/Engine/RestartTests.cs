using Puces.Core.Contract;
using Puces.Core.Engine;
using Puces.Core.Fleet;
using Puces.Core.Jobs;
using Puces.Testing.Simulation;
using Xunit;

namespace Puces.Tests.Engine;

/// <summary>A world that begins from what is stored.</summary>
public sealed class RestartTests
{
    private static readonly Node A = Cluster.NodeOf("office/a", gpus: 4);
    private readonly Cluster _cluster = new Cluster().Node(A);

    [Fact]
    public void Pools_are_opened_again_and_nothing_else_is_done_before_nodes_answer()
    {
        _cluster.Apply(new Command.SetPool(new("office")), new Command.SetPool(new("attic", Nodes: 3)), new Command.PoolOpened("office"));
        var id = _cluster.Node(A).Submit(gpus: 1);
        Assert.Equal("starting", _cluster[id].State.Word);
        Assert.Equal([new Effect.OpenPool(new("attic", Nodes: 3)), new Effect.OpenPool(new("office"))], _cluster.Restart().TakeEffects());
        _cluster.Apply(new Command.Tick());
        Assert.Empty(_cluster.TakeEffects());
    }

    [Fact]
    public void What_is_held_stays_held_before_its_node_has_answered()
    {
        var id = _cluster.Submit(gpus: 3);
        var next = _cluster.Submit(gpus: 2);
        _cluster.Restart().Node(A, _cluster.Report(id, RankPhase.Run));
        Assert.Equal([3], _cluster.World.Nodes["office/a"].Free);
        Assert.Equal(("running", "queued"), (_cluster[id].State.Word, _cluster[next].State.Word));
    }

    [Fact]
    public void An_attempt_that_was_stored_and_never_sent_is_started_and_no_other()
    {
        var id = _cluster.Submit(gpus: 1);
        _cluster.Restart().Node(A);
        Assert.Equal(new AttemptId(id, 1), Assert.IsType<Effect.StartRank>(Assert.Single(_cluster.TakeEffects())).Attempt);
        Assert.Equal(1, _cluster[id].Attempts);
    }

    [Fact]
    public void A_running_job_that_is_gone_is_lost_after_a_restart_too()
    {
        var id = _cluster.Submit(gpus: 1);
        _cluster.Runs(id).Restart().Node(A);
        Assert.Equal("queued", _cluster[id].State.Word);
        Assert.DoesNotContain(_cluster.TakeEffects(), e => e is Effect.StartRank);
    }

    [Fact]
    public void A_verdict_whose_acknowledgement_was_lost_is_acknowledged_when_it_comes_again()
    {
        var id = _cluster.Submit(gpus: 1);
        var report = _cluster.Report(id, RankPhase.Ended, verdict: _cluster.Verdict());
        _cluster.Runs(id).Exits(id).Restart().Node(A, report);
        Assert.Equal([new Effect.Acknowledge(new(id, 1), 0, "office/a")], _cluster.TakeEffects());
        Assert.Equal("succeeded", _cluster[id].State.Word);
    }

    [Fact]
    public void A_job_that_was_being_stopped_is_stopped_again()
    {
        var id = _cluster.Submit(gpus: 1);
        _cluster.Runs(id).Cancel(id);
        _cluster.Restart().Node(A, _cluster.Report(id, RankPhase.Run));
        Assert.IsType<Effect.Stop>(Assert.Single(_cluster.TakeEffects()));
        _cluster.Exits(id, 143, cause: ExitCause.Stopped);
        Assert.Equal("cancelled", _cluster[id].State.Word);
    }

    [Fact]
    public void A_job_that_was_held_back_is_held_back_as_long()
    {
        var id = _cluster.Submit(gpus: 1, retry: new(1, TimeSpan.FromSeconds(10), []));
        _cluster.Runs(id).Exits(id, 1);
        var until = _cluster.World.NextTick;
        _cluster.Restart().Node(A);
        Assert.Equal(until, _cluster.World.NextTick);
        Assert.Equal("starting", _cluster.After(TimeSpan.FromSeconds(10))[id].State.Word);
    }

    [Fact]
    public void The_line_keeps_its_order()
    {
        _cluster.Submit(gpus: 4);
        JobId[] ids = [_cluster.Submit(gpus: 4, priority: -100), _cluster.Submit(gpus: 4), _cluster.Submit(gpus: 4, priority: 100), _cluster.Submit(gpus: 4)];
        _cluster.Restart().Node(A, _cluster.Report(new(1), RankPhase.Run));
        var order = new List<JobId>();
        for (var current = new JobId(1); order.Count < 4;)
        {
            _cluster.Exits(current);
            order.Add(current = _cluster.World.Jobs.Single(j => j.State is JobState.Starting).Id);
        }
        Assert.Equal([ids[2], ids[1], ids[3], ids[0]], order);
    }

    [Fact]
    public void Jobs_of_one_request_share_it_in_memory()
    {
        for (var i = 0; i < 3; i++) _cluster.Submit(gpus: 8);
        _cluster.Restart();
        Assert.Single(_cluster.World.Jobs.Select(j => j.Request).Distinct(ReferenceEqualityComparer.Instance));
    }

    [Fact]
    public void The_feed_goes_on_with_the_next_number()
    {
        _cluster.Submit(gpus: 1);
        var last = _cluster.Store.Events[^1].Seq;
        _cluster.Restart().Submit(gpus: 8);
        Assert.Equal(last + 1, _cluster.Last.Events[0].Seq);
    }
}
