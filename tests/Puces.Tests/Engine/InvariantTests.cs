using Puces.Core.Engine;
using Puces.Core.Jobs;
using Puces.Testing.Simulation;
using Xunit;

namespace Puces.Tests.Engine;

/// <summary>The check bites: each scene is right, then one thing in it is made wrong.</summary>
public sealed class InvariantTests
{
    private readonly Cluster _cluster = new Cluster().Node("office/a", gpus: 4).Node("office/b", gpus: 4);

    private Scene Now() => new(Living.Of(_cluster.World, _cluster.Now), _cluster.Store, [], _ => null, _ => false, [], _cluster.Now, _cluster.Last);

    private Process ProcessOf(JobId id, int rank = 0) => new(_cluster.Attempt(id).Nodes[rank], _cluster[id].Attempt, rank, _cluster[id].State.Held!.Shares[rank]);

    private static void Breaks(Invariant invariant, Scene scene) => Assert.Equal(invariant, Assert.Throws<BrokenException>(() => Invariants.Check(scene)).Invariant);

    [Fact]
    public void Nothing_runs_that_no_stored_row_names()
    {
        var id = _cluster.Submit(gpus: 1);
        var right = Now() with { Processes = [ProcessOf(id)] };
        Invariants.Check(right);
        Breaks(Invariant.IntentBeforeEffect, right with { Processes = [ProcessOf(id) with { Attempt = new(id, 2) }] });
        Breaks(Invariant.IntentBeforeEffect, right with { Processes = [ProcessOf(id) with { Node = "office/b" }] });
    }

    [Fact]
    public void Nothing_is_left_on_a_node_at_the_end()
    {
        var id = _cluster.Submit(gpus: 1);
        _cluster.Exits(id);
        var right = Now() with { Ends = _ => new(_cluster.Verdict()), IsFinal = true };
        Invariants.Check(right);
        Breaks(Invariant.IntentBeforeEffect, right with { Kept = _ => true });
    }

    [Fact]
    public void A_rank_runs_once()
    {
        var id = _cluster.Submit(gpus: 4, nodes: 2);
        var right = Now() with { Processes = [ProcessOf(id), ProcessOf(id, 1)] };
        Invariants.Check(right);
        Breaks(Invariant.OneAttempt, right with { Processes = [ProcessOf(id), ProcessOf(id)] });
    }

    [Fact]
    public void An_attempt_that_is_over_does_not_run()
    {
        var id = _cluster.Submit(gpus: 1);
        var process = ProcessOf(id);
        _cluster.Exits(id);
        var settled = Now() with { Ends = _ => new(_cluster.Verdict()) };
        Invariants.Check(settled);
        Breaks(Invariant.CannotSeeIsNotDead, settled with { Processes = [process] });
        Breaks(Invariant.OneAttempt, settled with { Committed = null, Processes = [process] });
    }

    [Fact]
    public void What_is_stored_of_an_end_is_what_truly_was()
    {
        var id = _cluster.Submit(gpus: 1);
        _cluster.Exits(id, 3);
        Invariants.Check(Now() with { Ends = _ => new(_cluster.Verdict(3)) });
        Breaks(Invariant.VerdictKept, Now() with { Ends = _ => new(_cluster.Verdict(4)) });
        var lost = _cluster.Submit(gpus: 1);
        _cluster.Runs(lost).Back("office/a");
        Invariants.Check(Now() with { Ends = _ => TrueEnd.Vanished });
        Breaks(Invariant.VerdictKept, Now() with { Ends = _ => new(_cluster.Verdict(4)) });
    }

    [Fact]
    public void A_device_is_held_once_and_a_gang_whole()
    {
        var first = _cluster.Submit(gpus: 3);
        var right = Now();
        Invariants.Check(right);
        var twice = _cluster[first] with { Id = new(9) };
        Breaks(Invariant.GangWhole, right with { World = right.World! with { Jobs = [_cluster[first], twice] } });
        var half = _cluster[first] with { Request = _cluster[first].Request with { Nodes = 2 } };
        Breaks(Invariant.GangWhole, right with { World = right.World! with { Jobs = [half] } });
        Breaks(Invariant.GangWhole, right with { World = right.World! with { Jobs = [] } });
    }

    [Fact]
    public void A_lower_job_that_takes_what_a_higher_one_waits_for_is_noticed()
    {
        var running = _cluster.Submit(gpus: 4, nodes: 2);
        var (high, low) = (_cluster.Submit(gpus: 4), _cluster.Submit(gpus: 1));
        Invariants.Check(Now());
        var stolen = new Effect.Start(new(low, 1), new([_cluster[running].State.Held!.Shares[0] with { Devices = [3] }]));
        Breaks(Invariant.NoInversion, Now() with { Committed = _cluster.Last with { Effects = [stolen] } });
        Assert.Equal("queued", _cluster[high].State.Word);
    }

    [Fact]
    public void An_allocation_does_not_change()
    {
        var id = _cluster.Submit(gpus: 2);
        var process = ProcessOf(id);
        Breaks(Invariant.FrozenAllocation, Now() with { Processes = [process with { Share = process.Share with { Devices = [2, 3] } }] });
    }

    [Fact]
    public void Who_is_first_in_line_and_fits_does_not_wait_and_who_is_held_is_woken()
    {
        var id = _cluster.Submit(gpus: 8);
        var right = Now();
        Invariants.Check(right);
        var small = _cluster[id] with { Request = Cluster.Asking(gpus: 1).Request };
        Breaks(Invariant.WaitExplained, right with { World = right.World! with { Jobs = [small] } });
        var held = _cluster[id] with { State = new JobState.Queued(_cluster.Now, _cluster.Now.AddSeconds(5)) };
        Breaks(Invariant.WaitExplained, right with { World = right.World! with { Jobs = [held] } });
    }

    [Fact]
    public void An_acknowledged_job_is_kept_and_ends_once()
    {
        var id = _cluster.Submit(gpus: 1);
        var right = Now() with { Acknowledged = [id] };
        Invariants.Check(right);
        Breaks(Invariant.JobKept, right with { Acknowledged = [id, new(2)] });
        Breaks(Invariant.JobKept, right with { IsFinal = true });
        _cluster.Exits(id);
        var ended = Now() with { Ends = _ => new(_cluster.Verdict()), IsFinal = true };
        Invariants.Check(ended);
        var again = _cluster.Last.Events.Single(e => e.Kind == "ended") with { Seq = _cluster.Store.Events[^1].Seq + 1 };
        _cluster.Store.Commit([], [again]);
        Breaks(Invariant.JobKept, ended);
    }

    [Fact]
    public void One_key_gives_one_job()
    {
        var key = new IdempotencyKey(new(1, 2), 3);
        _cluster.Submit(Cluster.Asking(gpus: 1), key);
        Invariants.Check(Now());
        _cluster.Store.Commit([new Change.JobSet(_cluster[new(1)] with { Id = new(2) }, "{}"u8.ToArray(), key)], []);
        Breaks(Invariant.JobKept, Now());
    }

    [Fact]
    public void The_feed_has_no_gap()
    {
        _cluster.Submit(gpus: 1);
        Invariants.Check(Now());
        _cluster.Store.Commit([], [_cluster.Last.Events[^1] with { Seq = 100 }]);
        Breaks(Invariant.FeedWhole, Now());
    }

    [Fact]
    public void What_lives_is_what_is_stored()
    {
        var id = _cluster.Submit(gpus: 1);
        var right = Now();
        Invariants.Check(right);
        Breaks(Invariant.StoreTellsAll, right with { World = right.World! with { Jobs = [_cluster[id] with { Failures = 1 }] } });
        _cluster.Store.Commit([new Change.JobSet(_cluster[id] with { Id = new(7), State = new JobState.Queued(_cluster.Now) }, "{}"u8.ToArray())], []);
        Breaks(Invariant.StoreTellsAll, right);
    }
}
