using Puces.Core.Contract;
using Puces.Core.Engine;
using Puces.Core.Jobs;
using Puces.Testing.Simulation;
using Xunit;

namespace Puces.Tests.Engine;

/// <summary>Ranks that start and end together.</summary>
public sealed class GangTests
{
    private readonly Cluster _cluster = new Cluster().Node("office/a", gpus: 4).Node("office/b", gpus: 4);

    private JobId Gang(Retry? retry = null)
    {
        var id = _cluster.Submit(gpus: 4, nodes: 2, retry: retry);
        _cluster.TakeEffects();
        return id;
    }

    private JobState.Ended Ended(JobId id) => Assert.IsType<JobState.Ended>(_cluster[id].State);

    [Fact]
    public void A_gang_starts_whole_or_not_at_all()
    {
        var first = _cluster.Submit(gpus: 1);
        var gang = _cluster.Submit(gpus: 4, nodes: 2);
        Assert.Null(_cluster[gang].State.Held);
        Assert.Equal(4, _cluster.World.Nodes["office/b"].Free.Count);
        _cluster.Exits(first);
        Assert.Equal(["office/a", "office/b"], _cluster[gang].State.Held!.Shares.Select(s => s.Node));
    }

    [Fact]
    public void A_gang_runs_when_all_its_ranks_do()
    {
        var id = Gang();
        _cluster.Runs(id, 1);
        Assert.Equal("starting", _cluster[id].State.Word);
        _cluster.Runs(id, 0);
        Assert.Equal("running", _cluster[id].State.Word);
    }

    [Fact]
    public void A_gang_has_succeeded_when_all_its_ranks_have()
    {
        var id = Gang();
        _cluster.Runs(id, 0, 1).Exits(id, 0, rank: 0);
        Assert.Equal("running", _cluster[id].State.Word);
        Assert.Empty(_cluster.TakeEffects());
        _cluster.Exits(id, 0, rank: 1);
        Assert.Equal((JobResult.Succeeded, TimeSpan.FromSeconds(4)), (Ended(id).Result, _cluster.Attempt(id).Cpu!.Value));
        Assert.Equal([0, 1], _cluster.TakeEffects().Cast<Effect.Acknowledge>().Select(e => e.Rank));
    }

    [Fact]
    public void A_rank_that_has_ended_well_before_the_others_began_does_not_hold_the_gang_up()
    {
        var id = Gang();
        _cluster.Exits(id, 0, rank: 0).Runs(id, 1);
        Assert.Equal("running", _cluster[id].State.Word);
    }

    [Fact]
    public void One_bad_end_stops_the_others_and_no_verdict_is_acknowledged_before_all_are_gone()
    {
        var id = Gang();
        _cluster.Runs(id, 0, 1).Exits(id, 3, rank: 1);
        Assert.Equal([new Effect.Stop(new(id, 1), 0, "office/a", "rank 1 is gone")], _cluster.TakeEffects());
        Assert.Equal("stopping", _cluster[id].State.Word);
        Assert.Empty(_cluster.World.Nodes["office/b"].Free);
        _cluster.Exits(id, 143, rank: 0, cause: ExitCause.Stopped);
        Assert.Equal((JobResult.Failed, 3, "exit code 3"), (Ended(id).Result, Ended(id).ExitCode, Ended(id).Reason));
        Assert.Equal(2, _cluster.TakeEffects().OfType<Effect.Acknowledge>().Count());
    }

    [Fact]
    public void The_rank_that_fell_first_decides()
    {
        var id = Gang();
        _cluster.Runs(id, 0, 1).Exits(id, 7, rank: 1).Exits(id, 9, rank: 0);
        Assert.Equal((7, "exit code 7"), (Ended(id).ExitCode, Ended(id).Reason));
    }

    [Fact]
    public void After_a_restart_a_rank_that_was_only_told_to_stop_does_not_decide()
    {
        var id = Gang();
        _cluster.Runs(id, 0, 1).Exits(id, 7, rank: 1).Restart();
        _cluster.Node(Cluster.NodeOf("office/a", gpus: 4), _cluster.Report(id, RankPhase.Ended, 0, _cluster.Verdict(143, ExitCause.Stopped)));
        Assert.Equal("stopping", _cluster[id].State.Word);
        _cluster.Node(Cluster.NodeOf("office/b", gpus: 4), _cluster.Report(id, RankPhase.Ended, 1, _cluster.Verdict(7)));
        Assert.Equal((JobResult.Failed, 7), (Ended(id).Result, Ended(id).ExitCode));
    }

    [Fact]
    public void A_refused_rank_stops_those_that_run_and_costs_no_retry()
    {
        var id = Gang();
        _cluster.Runs(id, 0).Refuses(id, 1);
        Assert.Equal([new Effect.Stop(new(id, 1), 0, "office/a", "rank 1 is gone")], _cluster.TakeEffects());
        _cluster.Exits(id, 143, rank: 0, cause: ExitCause.Stopped);
        Assert.Equal(("queued", 0, 1), (_cluster[id].State.Word, _cluster[id].Failures, _cluster[id].Refusals));
    }

    [Fact]
    public void A_lost_rank_stops_the_others()
    {
        var id = Gang();
        _cluster.Runs(id, 0, 1).Back("office/b");
        Assert.Equal([new Effect.Stop(new(id, 1), 0, "office/a", "rank 1 is gone")], _cluster.TakeEffects());
        Assert.Equal(StopReason.RankLost, Assert.IsType<JobState.Stopping>(_cluster[id].State).Reason);
    }

    [Fact]
    public void A_gang_waits_for_the_last_word_of_a_node_that_is_down()
    {
        var id = Gang();
        _cluster.Runs(id, 0, 1).Down("office/a").Exits(id, 3, rank: 1);
        _cluster.After(TimeSpan.FromDays(3));
        Assert.Equal("stopping", _cluster[id].State.Word);
        _cluster.Back("office/a");
        Assert.Equal((JobResult.Failed, 3), (Ended(id).Result, Ended(id).ExitCode));
    }
}
