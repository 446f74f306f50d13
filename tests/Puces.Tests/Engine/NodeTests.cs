using Puces.Core.Contract;
using Puces.Core.Engine;
using Puces.Core.Fleet;
using Puces.Core.Jobs;
using Puces.Testing.Simulation;
using Xunit;

namespace Puces.Tests.Engine;

/// <summary>What nodes say of themselves, and pools that change.</summary>
public sealed class NodeTests
{
    private readonly Cluster _cluster = new Cluster().Node("office/a", gpus: 4);

    private JobId Running()
    {
        var id = _cluster.Submit(gpus: 4);
        _cluster.Runs(id).TakeEffects();
        return id;
    }

    [Fact]
    public void A_node_that_cannot_be_reached_ends_nothing_and_starts_nothing()
    {
        var id = Running();
        _cluster.Down("office/a").After(TimeSpan.FromDays(30));
        Assert.Equal("running", _cluster[id].State.Word);
        var next = _cluster.Submit(cpus: 1);
        Assert.Equal("queued", _cluster[next].State.Word);
        Assert.Empty(_cluster.TakeEffects());
    }

    [Fact]
    public void A_job_with_an_image_starts_where_there_is_a_container_engine_and_nowhere_else()
    {
        var inside = Cluster.Asking(gpus: 1) with { Request = Cluster.Asking(gpus: 1).Request with { InContainer = true } };
        var id = _cluster.Submit(inside).Id!.Value;
        Assert.Equal("needs a container engine (Docker, Podman, Apptainer or Enroot): none on office/a", _cluster.Reason(id));
        _cluster.Node(Cluster.NodeOf("office/b", gpus: 4) with { Engine = "podman" });
        Assert.Equal("office/b", _cluster.Attempt(id).Nodes.Single());
        _cluster.Exits(id).Node(Cluster.NodeOf("office/a", gpus: 4) with { Engine = "docker" });
        Assert.Equal("office/a", _cluster.Attempt(_cluster.Submit(inside).Id!.Value).Nodes.Single());
    }

    [Fact]
    public void A_node_that_comes_back_with_its_ranks_goes_on()
    {
        var id = Running();
        _cluster.Down("office/a").Back("office/a", _cluster.Report(id, RankPhase.Run));
        Assert.Equal("running", _cluster[id].State.Word);
        Assert.Empty(_cluster.TakeEffects());
    }

    [Fact]
    public void A_node_that_was_not_asked_for_its_ranks_is_no_evidence()
    {
        var id = Running();
        _cluster.Apply(new Command.NodeSeen(Cluster.NodeOf("office/a", gpus: 4)));
        Assert.Equal("running", _cluster[id].State.Word);
    }

    [Fact]
    public void Up_and_down_are_told_when_they_change()
    {
        Assert.Equal("node-up", Assert.Single(_cluster.Last.Events).Kind);
        Assert.Empty(_cluster.Back("office/a").Last.Events);
        Assert.Equal("office/a cannot be reached: no route", Assert.Single(_cluster.Down("office/a").Last.Events).Text);
        Assert.Empty(_cluster.Down("office/a").Last.Events);
        Assert.Equal("node-up", Assert.Single(_cluster.Back("office/a").Last.Events).Kind);
    }

    [Fact]
    public void An_order_that_did_not_arrive_is_given_again_however_often()
    {
        var id = _cluster.Submit(gpus: 4);
        var allocation = _cluster[id].State.Held;
        _cluster.TakeEffects();
        for (var i = 0; i < 20; i++)
        {
            _cluster.Down("office/a").Back("office/a");
            var order = Assert.IsType<Effect.StartRank>(Assert.Single(_cluster.TakeEffects()));
            Assert.Equal((new AttemptId(id, 1), 0), (order.Attempt, order.Rank));
            Assert.Same(allocation, order.Allocation);
            Assert.Empty(_cluster.Last.Changes);
        }
        Assert.Equal(("starting", 1), (_cluster[id].State.Word, _cluster[id].Attempts));
    }

    [Fact]
    public void A_rank_that_began_and_is_not_there_any_more_is_lost()
    {
        var id = Running();
        _cluster.Back("office/a");
        Assert.Equal("queued", _cluster[id].State.Word);
        Assert.Equal(4, _cluster.World.Nodes["office/a"].Free.Count);
    }

    [Fact]
    public void A_vanished_rank_is_lost()
    {
        var id = Running();
        _cluster.Back("office/a", _cluster.Report(id, RankPhase.Vanished));
        Assert.Equal("queued", _cluster[id].State.Word);
        Assert.Contains(new Effect.Acknowledge(new(id, 1), 0, "office/a"), _cluster.TakeEffects());
    }

    [Fact]
    public void A_verdict_that_waited_on_the_node_is_taken()
    {
        var id = Running();
        _cluster.Down("office/a").Back("office/a", _cluster.Report(id, RankPhase.Ended, verdict: _cluster.Verdict()));
        Assert.Equal("succeeded", _cluster[id].State.Word);
    }

    [Fact]
    public void What_nobody_knows_is_stopped_and_then_forgotten()
    {
        _cluster.TakeEffects();
        _cluster.Back("office/a", new RankReport("77-2.1", RankPhase.Run, 0, _cluster.Now), new RankReport("not-a-tag", RankPhase.Run, 0, _cluster.Now));
        Assert.Contains(new Effect.Stop(new(new(77), 2), 1, "office/a", "this attempt is over"), _cluster.TakeEffects());
        _cluster.Back("office/a", new RankReport("77-2.1", RankPhase.Ended, 0, _cluster.Now, _cluster.Verdict()));
        Assert.Equal([new Effect.Acknowledge(new(new(77), 2), 1, "office/a")], _cluster.TakeEffects());
        Assert.Empty(_cluster.World.Jobs);
    }

    [Fact]
    public void A_node_that_left_its_pool_takes_what_ran_there_with_it()
    {
        var id = Running();
        _cluster.Apply(new Command.NodeGone("office/a"));
        Assert.Empty(_cluster.World.Nodes);
        Assert.Equal(["node-gone", "requeued"], _cluster.Last.Events.Select(e => e.Kind));
        Assert.Equal("lost on office/a: the node has left its pool", _cluster.Attempt(id).Reason);
        _cluster.Node("office/b", gpus: 4).After(TimeSpan.FromMinutes(1));
        Assert.Equal("office/b", _cluster[id].State.Held!.Shares[0].Node);
    }

    [Fact]
    public void A_job_whose_order_was_on_its_way_to_a_node_that_left_goes_elsewhere()
    {
        var id = _cluster.Submit(gpus: 4);
        _cluster.TakeEffects();
        _cluster.Apply(new Command.NodeGone("office/a"));
        Assert.Equal("queued", _cluster[id].State.Word);
        Assert.DoesNotContain(_cluster.TakeEffects(), e => e is Effect.StartRank);
    }

    [Fact]
    public void A_node_that_left_while_the_daemon_was_away_still_ends_what_ran_there()
    {
        var id = Running();
        _cluster.Restart().Apply(new Command.NodeGone("office/a"));
        Assert.Equal("queued", _cluster[id].State.Word);
        _cluster.Apply(new Command.NodeGone("office/a"));
        Assert.Empty(_cluster.Last.Events);
    }

    [Fact]
    public void The_outcome_shows_each_node_that_is_used_otherwise()
    {
        var id = _cluster.Submit(gpus: 3);
        Assert.Equal([3], Assert.Single(_cluster.Last.Nodes).Free);
        _cluster.Exits(id);
        Assert.Equal(4, Assert.Single(_cluster.Last.Nodes).Free.Count);
        _cluster.Apply(new Command.NodeGone("office/a"));
        var gone = Assert.Single(_cluster.Last.Nodes).Node;
        Assert.Equal(("office/a", "office", false, default), (gone.Id, gone.Pool, gone.IsUp, gone.Since));
    }

    [Fact]
    public void A_device_that_is_not_healthy_is_not_given()
    {
        var node = Cluster.NodeOf("office/a", gpus: 4);
        _cluster.Node(node with { Devices = [.. node.Devices.Select(d => d with { IsHealthy = d.Index != 1 })] });
        var id = _cluster.Submit(gpus: 3);
        Assert.Equal([0, 2, 3], _cluster[id].State.Held!.Shares[0].Devices);
    }

    [Fact]
    public void A_new_pool_is_stored_and_opened()
    {
        var pool = new Pool("office", Nodes: 2);
        Assert.Null(_cluster.Apply(new Command.SetPool(pool))[0].Error);
        Assert.Equal([new Change.PoolSet(pool)], _cluster.Last.Changes);
        Assert.Contains(new Effect.OpenPool(pool), _cluster.TakeEffects());
        Assert.Equal([pool], _cluster.World.Pools);
        Assert.Empty(_cluster.World.Nodes);
    }

    [Fact]
    public void A_late_word_from_a_node_that_the_pool_had_before_gives_it_no_job()
    {
        _cluster.Apply(new Command.SetPool(new("attic")), new Command.PoolOpened("attic"));
        _cluster.Node("attic/host", gpus: 2, model: "L4");
        _cluster.Apply(new Command.SetPool(new("attic", Nodes: 2)), new Command.SetPool(new("attic", Nodes: 3, Cpus: 8)));
        _cluster.Node("attic/host", gpus: 2, model: "L4");
        _cluster.Apply(new Command.PoolOpened("attic"));
        _cluster.Node("attic/n2", gpus: 2, model: "L4");
        var id = _cluster.Submit(gpus: 1, model: "L4");
        Assert.IsType<JobState.Queued>(_cluster[id].State);
        _cluster.Apply(new Command.PoolOpened("attic"));
        _cluster.Node("attic/n3", gpus: 2, model: "L4");
        Assert.Equal("attic/n3", _cluster[id].State.Held!.Shares[0].Node);
    }

    [Fact]
    public void A_pool_that_is_held_does_not_change()
    {
        var (first, _) = (_cluster.Submit(gpus: 1), _cluster.Submit(gpus: 1));
        _cluster.TakeEffects();
        Assert.Equal("office/a is held by job 1 and 1 more: wait for them, or drain it (puces pools drain office --node a), then change the pool", _cluster.Apply(new Command.SetPool(new("office", Nodes: 2)))[0].Error);
        _cluster.Exits(first);
        Assert.StartsWith("office/a is held by job 2:", _cluster.Apply(new Command.SetPool(new("office")))[0].Error);
        Assert.Empty(_cluster.World.Pools);
        Assert.Null(_cluster.Apply(new Command.SetPool(new("off")))[0].Error);
        Assert.Single(_cluster.World.Nodes);
    }

    [Fact]
    public void Nodes_that_are_declared_as_before_do_not_notice_that_their_pool_is_changed()
    {
        var id = _cluster.Apply(new Command.SetPool(Hosts("a", "b")), new Command.PoolOpened("lab")).Count;
        _cluster.Node("lab/a", gpus: 4, model: "L4").Node("lab/b", gpus: 4, model: "L4");
        var job = _cluster.Submit(gpus: 4, model: "L4");
        Assert.Equal("lab/a", _cluster[job].State.Held!.Shares[0].Node);
        Assert.Null(_cluster.Apply(new Command.SetPool(Hosts("a", "c")))[0].Error);
        Assert.Equal(["lab/a", "office/a"], _cluster.World.Nodes.Keys.Order());
        // Of the node that stays, news is believed before the pool is open; of the others it is not.
        _cluster.Node("lab/a", gpus: 2, model: "L4").Node("lab/c", gpus: 4, model: "L4");
        Assert.Equal((2, 2, false), (id, _cluster.World.Nodes["lab/a"].Node.Devices.Count, _cluster.World.Nodes.ContainsKey("lab/c")));
        Assert.StartsWith("lab/a is held by job 1:", _cluster.Apply(new Command.SetPool(Hosts("c")))[0].Error);
    }

    [Fact]
    public void A_pool_is_removed_with_its_windows_unless_a_job_is_on_it()
    {
        _cluster.Apply(new Command.SetPool(Hosts("a")), new Command.PoolOpened("lab"));
        _cluster.Node("lab/a", gpus: 4, model: "L4");
        var job = _cluster.Submit(gpus: 4, model: "L4");
        Assert.StartsWith("lab/a is held by job 1:", _cluster.Apply(new Command.RemovePool("lab"))[0].Error);
        _cluster.Exits(job);
        _cluster.Apply(new Command.SetWindow(new(0, "lab", "drained", default, From: _cluster.Now)));
        Assert.Null(_cluster.Apply(new Command.RemovePool("lab"))[0].Error);
        Assert.Contains(new Effect.ClosePool("lab"), _cluster.TakeEffects());
        Assert.Equal(["office/a"], _cluster.World.Nodes.Keys);
        // The same name again is open at once.
        _cluster.Apply(new Command.PoolOpened("lab"), new Command.SetPool(Hosts("a")), new Command.PoolOpened("lab"));
        _cluster.Node("lab/a", gpus: 4, model: "L4");
        Assert.Equal("lab/a", _cluster[_cluster.Submit(gpus: 1, model: "L4")].State.Held!.Shares[0].Node);
        Assert.Equal("there is no pool attic", _cluster.Apply(new Command.RemovePool("attic"))[0].Error);
    }

    private static Pool Hosts(params string[] names) => new("lab", "ssh", Ssh: new([.. names.Select(n => new SshHost(n))]));
}
