using Puces.Core.Contract;
using Puces.Core.Engine;
using Puces.Core.Jobs;
using Puces.Testing.Simulation;
using Xunit;

namespace Puces.Tests.Engine;

public sealed class CancelTests
{
    private readonly Cluster _cluster = new Cluster().Node("office/a", gpus: 4);

    private JobState.Ended Ended(JobId id) => Assert.IsType<JobState.Ended>(_cluster[id].State);

    [Fact]
    public void A_waiting_job_ends_at_once()
    {
        var id = _cluster.Submit(gpus: 8);
        Assert.Null(_cluster.Cancel(id).Error);
        Assert.Equal((JobResult.Cancelled, 143, "cancelled by ada before it started"), (Ended(id).Result, Ended(id).ExitCode, Ended(id).Reason));
        Assert.Empty(_cluster.World.Jobs);
        Assert.Empty(_cluster.Node("office/b", gpus: 8).TakeEffects());
    }

    [Fact]
    public void A_job_that_is_held_back_ends_and_is_not_tried_again()
    {
        var id = _cluster.Submit(gpus: 1, retry: new(3, TimeSpan.FromSeconds(10), []));
        _cluster.Runs(id).Exits(id, 1).TakeEffects();
        Assert.NotNull(_cluster.World.NextTick);
        _cluster.Cancel(id);
        Assert.Null(_cluster.World.NextTick);
        _cluster.After(TimeSpan.FromHours(1));
        Assert.Equal(JobResult.Cancelled, Ended(id).Result);
        Assert.Empty(_cluster.TakeEffects());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_job_on_its_nodes_is_stopped_and_keeps_its_devices_until_it_is_gone(bool isRunning)
    {
        var (id, next) = (_cluster.Submit(gpus: 4), _cluster.Submit(gpus: 4));
        if (isRunning) _cluster.Runs(id);
        _cluster.TakeEffects();
        Assert.Equal("stopping", _cluster.Cancel(id).Job!.State.Word);
        Assert.Equal(new Effect.Stop(new(id, 1), 0, "office/a", "cancelled by ada"), Assert.Single(_cluster.TakeEffects()));
        Assert.Equal("queued", _cluster[next].State.Word);
        _cluster.Exits(id, 143, cause: ExitCause.Stopped);
        Assert.Equal((JobResult.Cancelled, 143, "cancelled"), (Ended(id).Result, Ended(id).ExitCode, Ended(id).Reason));
        Assert.Equal("starting", _cluster[next].State.Word);
    }

    [Fact]
    public void A_job_that_ends_well_before_it_hears_of_its_stop_has_succeeded()
    {
        var id = _cluster.Submit(gpus: 1);
        _cluster.Runs(id).Cancel(id);
        _cluster.Exits(id);
        Assert.Equal(JobResult.Succeeded, Ended(id).Result);
    }

    [Fact]
    public void A_stopped_job_that_saved_itself_and_ended_with_zero_is_cancelled()
    {
        var id = _cluster.Submit(gpus: 1);
        _cluster.Runs(id).Cancel(id);
        _cluster.Exits(id, 0, cause: ExitCause.Stopped);
        Assert.Equal((JobResult.Cancelled, 143), (Ended(id).Result, Ended(id).ExitCode));
    }

    [Fact]
    public void What_one_hello_asks_for_is_not_started_when_another_of_the_same_batch_ends_it()
    {
        var id = _cluster.Submit();
        var node = _cluster.World.Nodes[_cluster.Attempt(id).Nodes[0]].Node;
        _cluster.TakeEffects();
        _cluster.Apply(new Command.NodeSeen(node, []), new Command.Cancel(id, "ada"), new Command.NodeSeen(node, []));
        Assert.Equal(JobResult.Cancelled, Ended(id).Result);
        Assert.DoesNotContain(_cluster.TakeEffects(), e => e is Effect.Start or Effect.StartRank);
    }

    [Fact]
    public void A_job_whose_order_never_arrived_is_cancelled_when_its_node_answers()
    {
        var id = _cluster.Submit(gpus: 1);
        _cluster.Down("office/a").Cancel(id);
        Assert.Equal("stopping", _cluster[id].State.Word);
        _cluster.Back("office/a");
        Assert.Equal((JobResult.Cancelled, 143, null), (Ended(id).Result, Ended(id).ExitCode, Ended(id).Started));
        Assert.Null(_cluster.Attempt(id).ExitCode);
    }

    [Theory]
    [InlineData(RankPhase.Starting)]
    [InlineData(RankPhase.Run)]
    public void A_stop_that_was_lost_is_sent_again_when_the_node_answers(RankPhase phase)
    {
        var id = _cluster.Submit(gpus: 1);
        _cluster.Down("office/a").Cancel(id);
        _cluster.TakeEffects();
        _cluster.Back("office/a", _cluster.Report(id, phase));
        Assert.Equal((0, "office/a"), Assert.Single(_cluster.TakeEffects()) is Effect.Stop stop ? (stop.Rank, stop.Node) : default);
        Assert.Equal("stopping", _cluster[id].State.Word);
    }

    [Fact]
    public void A_rank_that_vanishes_while_it_is_stopped_is_gone()
    {
        var id = _cluster.Submit(gpus: 1);
        _cluster.Runs(id).Cancel(id);
        _cluster.Apply(new Command.Vanished(new(id, 1), 0, "office/a", "its watcher is gone"));
        Assert.Equal((JobResult.Cancelled, 143), (Ended(id).Result, Ended(id).ExitCode));
    }

    [Fact]
    public void Cancelling_twice_changes_nothing_more()
    {
        var id = _cluster.Submit(gpus: 1);
        _cluster.Cancel(id);
        _cluster.TakeEffects();
        var again = _cluster.Cancel(id);
        Assert.True(again.IsRepeat);
        Assert.Equal("stopping", again.Job!.State.Word);
        Assert.Empty(_cluster.Last.Changes);
        Assert.Empty(_cluster.TakeEffects());
    }

    [Fact]
    public void A_job_that_is_stopped_for_a_lost_rank_may_still_be_cancelled()
    {
        _cluster.Node("office/b", gpus: 4);
        var id = _cluster.Submit(gpus: 4, nodes: 2, retry: new(3, TimeSpan.Zero, []));
        _cluster.Runs(id, 0, 1).Exits(id, 1, rank: 1);
        Assert.False(_cluster.Cancel(id).IsRepeat);
        Assert.Equal("cancelling", Assert.Single(_cluster.Last.Events).Kind);
        _cluster.Exits(id, 143, rank: 0, cause: ExitCause.Stopped);
        Assert.Equal((JobResult.Cancelled, 1), (Ended(id).Result, Ended(id).ExitCode));
    }

    [Fact]
    public void A_job_that_is_not_live_cannot_be_cancelled()
    {
        var id = _cluster.Submit(gpus: 1);
        _cluster.Exits(id);
        Assert.Equal("job 1 is not live", _cluster.Cancel(id).Error);
        Assert.Equal("job 77 is not live", _cluster.Cancel(new(77)).Error);
        Assert.Empty(_cluster.Last.Changes);
    }
}
