using Puces.Core.Contract;
using Puces.Core.Engine;
using Puces.Core.Jobs;
using Puces.Testing.Simulation;
using Xunit;

namespace Puces.Tests.Engine;

/// <summary>The life of an attempt of one rank.</summary>
public sealed class AttemptTests
{
    private readonly Cluster _cluster = new Cluster().Node("office/a", gpus: 4);

    private JobState.Ended Ended(JobId id) => Assert.IsType<JobState.Ended>(_cluster[id].State);

    [Fact]
    public void A_start_is_stored_with_its_attempt_before_anything_is_done()
    {
        var id = _cluster.Submit(gpus: 2);
        var state = Assert.IsType<JobState.Starting>(_cluster[id].State);
        Assert.Equal([0, 1], Assert.Single(state.Allocation.Shares).Devices);
        Assert.Equal(["office/a"], _cluster.Attempt(id).Nodes);
        Assert.Equal((_cluster.Now, null, null), (_cluster.Attempt(id).Decided, _cluster.Attempt(id).Started, _cluster.Attempt(id).Ended));
        Assert.Same(state.Allocation, Assert.Single(_cluster.TakeEffects().OfType<Effect.Start>()).Allocation);
        Assert.Equal([2, 3], _cluster.World.Nodes["office/a"].Free);
        Assert.Equal([id], _cluster.World.Nodes["office/a"].Jobs);
    }

    [Fact]
    public void A_job_runs_from_the_moment_that_its_node_says()
    {
        var id = _cluster.Submit(gpus: 1);
        var began = _cluster.Now.AddSeconds(-1);
        _cluster.Apply(new Command.Started(new(id, 1), 0, "office/a", began));
        Assert.Equal(began, Assert.IsType<JobState.Running>(_cluster[id].State).Since);
        Assert.Equal(began, _cluster.Attempt(id).Started);
        _cluster.Runs(id);
        Assert.Empty(_cluster.Last.Changes);
    }

    [Fact]
    public void A_verdict_ends_the_job_frees_its_devices_and_is_acknowledged()
    {
        var id = _cluster.Submit(gpus: 4);
        _cluster.Runs(id).TakeEffects();
        _cluster.Exits(id);
        Assert.Equal((JobResult.Succeeded, 0, _cluster.Now, null), (Ended(id).Result, Ended(id).ExitCode, Ended(id).At, Ended(id).Reason));
        Assert.Equal((0, TimeSpan.FromSeconds(2), 1L << 20), (_cluster.Attempt(id).ExitCode, _cluster.Attempt(id).Cpu, _cluster.Attempt(id).PeakMemory));
        Assert.Equal([0, 1, 2, 3], _cluster.World.Nodes["office/a"].Free);
        Assert.Equal([new Effect.Acknowledge(new(id, 1), 0, "office/a")], _cluster.TakeEffects());
        Assert.Empty(_cluster.World.Jobs);
    }

    [Fact]
    public void A_verdict_without_a_word_of_the_beginning_says_when_it_began()
    {
        var id = _cluster.Submit(gpus: 1);
        _cluster.Exits(id, 0, _cluster.Verdict() with { Started = _cluster.Now.AddSeconds(-9) });
        Assert.Equal(_cluster.Now.AddSeconds(-9), Ended(id).Started);
    }

    [Fact]
    public void A_verdict_that_is_told_again_is_acknowledged_again()
    {
        var id = _cluster.Submit(gpus: 1);
        _cluster.Exits(id).TakeEffects();
        _cluster.Exits(id, 3);
        Assert.Equal([new Effect.Acknowledge(new(id, 1), 0, "office/a")], _cluster.TakeEffects());
        Assert.Empty(_cluster.Last.Changes);
        Assert.Equal(0, _cluster.Attempt(id).ExitCode);
    }

    [Fact]
    public void News_of_an_older_attempt_does_not_touch_the_newer_one()
    {
        var id = _cluster.Submit(gpus: 1, retry: new(3, TimeSpan.Zero, []));
        _cluster.Runs(id).Exits(id, 1).After(TimeSpan.FromSeconds(1));
        Assert.Equal(2, _cluster[id].Attempts);
        _cluster.TakeEffects();
        _cluster.Apply(new Command.Exited(new(id, 1), 0, "office/a", _cluster.Verdict()), new Command.Vanished(new(id, 1), 0, "office/a", "gone"));
        _cluster.Apply(new Command.Lost(new(id, 1), 0, "office/a", "gone"), new Command.Checkpointed(new(id, 1), "step-1"));
        Assert.Equal("starting", _cluster[id].State.Word);
        Assert.Null(_cluster.Attempt(id).Checkpoint);
        Assert.All(_cluster.TakeEffects(), e => Assert.Equal(new Effect.Acknowledge(new(id, 1), 0, "office/a"), e));
    }

    [Fact]
    public void A_rank_that_begins_when_its_attempt_is_over_is_stopped()
    {
        var id = _cluster.Submit(gpus: 1);
        _cluster.Refuses(id).TakeEffects();
        _cluster.Apply(new Command.Started(new(id, 1), 0, "office/a", _cluster.Now));
        Assert.Equal([new Effect.Stop(new(id, 1), 0, "office/a", "this attempt is over")], _cluster.TakeEffects());
    }

    [Fact]
    public void Of_an_attempt_that_is_lost_the_work_up_to_its_newest_checkpoint_is_kept()
    {
        var id = _cluster.Submit(gpus: 1);
        _cluster.Runs(id).After(TimeSpan.FromHours(2)).Apply(new Command.Checkpointed(new(id, 1), "step-1"));
        _cluster.After(TimeSpan.FromHours(1)).Apply(new Command.Vanished(new(id, 1), 0, "office/a", "gone"));
        Assert.Equal(TimeSpan.FromHours(2), _cluster[id].Worked);
    }

    [Fact]
    public void The_newest_checkpoint_is_kept_and_told_once()
    {
        var id = _cluster.Submit(gpus: 1);
        _cluster.Runs(id).Apply(new Command.Checkpointed(new(id, 1), "step-1"));
        Assert.Equal("checkpoint", Assert.Single(_cluster.Last.Events).Kind);
        _cluster.Apply(new Command.Checkpointed(new(id, 1), "step-1"));
        Assert.Empty(_cluster.Last.Events);
        _cluster.Apply(new Command.Checkpointed(new(id, 1), "step-2"));
        _cluster.Exits(id);
        Assert.Equal("step-2", _cluster.Attempt(id).Checkpoint);
    }

    [Theory]
    [InlineData(3, ExitCause.Exit, "run", null, 3, "exit code 3")]
    [InlineData(3, ExitCause.Exit, "setup", "no such file", 3, "exit code 3 in setup: no such file")]
    [InlineData(143, ExitCause.Limit, "run", null, 143, "ran longer than its limit")]
    [InlineData(0, ExitCause.Limit, "run", null, 1, "ran longer than its limit")]
    [InlineData(137, ExitCause.OutOfMemory, "run", null, 137, "used more memory than it asked for")]
    [InlineData(137, ExitCause.OutOfMemory, "run", "used more than 8GB", 137, "used more than 8GB")]
    public void A_bad_end_fails_the_job_and_says_why(int code, ExitCause cause, string phase, string? detail, int stored, string reason)
    {
        var id = _cluster.Submit(gpus: 1);
        _cluster.Runs(id).Exits(id, 0, _cluster.Verdict(code, cause, detail) with { Phase = phase });
        Assert.Equal((JobResult.Failed, stored, reason), (Ended(id).Result, Ended(id).ExitCode, Ended(id).Reason));
        Assert.Equal((code, reason), (_cluster.Attempt(id).ExitCode, _cluster.Attempt(id).Reason));
    }

    [Fact]
    public void News_of_what_never_was_changes_nothing()
    {
        AttemptId nobody = new(new(99), 1);
        var answers = _cluster.Apply(
            new Command.Started(nobody, 0, "office/a", _cluster.Now), new Command.Lost(nobody, 0, "office/a", ""), new Command.Checkpointed(nobody, "x"),
            new Command.Exited(nobody, 7, "office/a", _cluster.Verdict()), new Command.NodeGone("office/z"), new Command.Tick());
        Assert.All(answers, a => Assert.Null(a.Error));
        Assert.Empty(_cluster.Last.Changes);
        Assert.Empty(_cluster.Last.Events);
        var id = _cluster.Submit(gpus: 1);
        _cluster.Apply(new Command.Started(new(id, 1), 5, "office/a", _cluster.Now), new Command.Lost(new(id, 1), 5, "office/a", ""), new Command.Refused(new(id, 1), 5, "office/a", ""));
        Assert.Equal("starting", _cluster[id].State.Word);
    }

    [Theory]
    [InlineData(RankPhase.Starting)]
    [InlineData(RankPhase.Refused)]
    public void A_report_before_the_beginning_does_not_say_that_it_began(RankPhase phase)
    {
        var report = new RankReport("1-1.0", phase, 0);
        Assert.DoesNotContain(World.News(report, new(new(1), 1), 0, "office/a"), c => c is Command.Started);
    }

    [Fact]
    public void A_report_stands_for_what_it_says()
    {
        var (id, verdict) = (new AttemptId(new(1), 1), _cluster.Verdict());
        Assert.Equal([new Command.Started(id, 0, "n", _cluster.Now)], World.News(new("1-1.0", RankPhase.Setup, 0, _cluster.Now), id, 0, "n"));
        Assert.Equal([new Command.Checkpointed(id, "c"), new Command.Exited(id, 0, "n", verdict)], World.News(new("1-1.0", RankPhase.Ended, 0, _cluster.Now, verdict, "c"), id, 0, "n"));
        Assert.Equal([new Command.Vanished(id, 0, "n", "its watcher is gone", _cluster.Now)], World.News(new("1-1.0", RankPhase.Vanished, 0, _cluster.Now), id, 0, "n"));
        Assert.Equal([new Command.Refused(id, 0, "n", "no reason given")], World.News(new("1-1.0", RankPhase.Refused, 0), id, 0, "n"));
    }
}
