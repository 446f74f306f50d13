using Puces.Core.Engine;
using Puces.Core.Jobs;
using Puces.Testing.Simulation;
using Xunit;

namespace Puces.Tests.Engine;

public sealed class RetryTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);
    private readonly Cluster _cluster = new Cluster().Node("office/a", gpus: 1);

    private JobState.Queued Queued(JobId id) => Assert.IsType<JobState.Queued>(_cluster[id].State);

    [Fact]
    public void A_failed_job_is_tried_again_as_often_as_it_asks_and_each_wait_doubles()
    {
        var id = _cluster.Submit(gpus: 1, retry: new(2, 10 * Second, []));
        _cluster.Runs(id).Exits(id, 1);
        Assert.Equal(_cluster.Now + 10 * Second, Queued(id).NotBefore);
        Assert.Equal("job 1 (job) is tried again in 10 s: exit code 1", _cluster.Last.Events[^1].Text);
        _cluster.After(9 * Second);
        Assert.Equal(1, _cluster[id].Attempts);
        _cluster.After(Second).Runs(id).Exits(id, 1);
        Assert.Equal(_cluster.Now + 20 * Second, Queued(id).NotBefore);
        _cluster.After(20 * Second).Runs(id).Exits(id, 1);
        Assert.Equal("failed", _cluster[id].State.Word);
        Assert.Equal((3, 3), (_cluster[id].Attempts, _cluster[id].Failures));
    }

    [Fact]
    public void Others_run_while_a_job_is_held_back()
    {
        var id = _cluster.Submit(gpus: 1, retry: new(1, 10 * Second, []), priority: 100);
        var next = _cluster.Submit(gpus: 1);
        _cluster.Runs(id).Exits(id, 1);
        Assert.Equal("starting", _cluster[next].State.Word);
    }

    [Fact]
    public void A_job_that_is_held_back_says_when_to_wake_and_then_takes_its_old_place()
    {
        var first = _cluster.Submit(gpus: 1, retry: new(1, 10 * Second, []));
        var (second, third) = (_cluster.Submit(gpus: 1), _cluster.Submit(gpus: 1));
        _cluster.Runs(first).Exits(first, 1);
        Assert.Equal(_cluster.Now + 10 * Second, _cluster.World.NextTick);
        Assert.Equal(_cluster.World.NextTick, _cluster.Last.NextTick);
        _cluster.After(10 * Second);
        Assert.Null(_cluster.World.NextTick);
        Assert.Null(Queued(first).NotBefore);
        _cluster.Exits(second);
        Assert.Equal(("starting", "queued"), (_cluster[first].State.Word, _cluster[third].State.Word));
    }

    [Fact]
    public void A_job_without_back_off_is_tried_again_at_the_next_tick()
    {
        var id = _cluster.Submit(gpus: 1, retry: new(1, TimeSpan.Zero, []));
        _cluster.Exits(id, 1);
        Assert.Equal(_cluster.Now, _cluster.World.NextTick);
        Assert.Equal("starting", _cluster.After(TimeSpan.Zero)[id].State.Word);
    }

    [Fact]
    public void A_restart_code_costs_no_retry()
    {
        var id = _cluster.Submit(gpus: 1, retry: new(0, TimeSpan.Zero, [75, 3]));
        for (var i = 0; i < 20; i++) _cluster.Runs(id).Exits(id, i % 2 == 0 ? 75 : 3).After(TimeSpan.Zero);
        Assert.Equal((21, 0, "starting"), (_cluster[id].Attempts, _cluster[id].Failures, _cluster[id].State.Word));
    }

    [Theory]
    [InlineData(ExitCause.Term, "stopped itself: the daemon was not heard for its term")]
    [InlineData(ExitCause.Fenced, "stopped itself: a newer attempt runs")]
    [InlineData(ExitCause.Stopped, "was stopped")]
    public void What_is_not_the_fault_of_the_job_costs_no_retry(ExitCause cause, string reason)
    {
        var id = _cluster.Submit(gpus: 1);
        _cluster.Runs(id).Exits(id, 143, cause: cause);
        Assert.Equal(("queued", 0), (_cluster[id].State.Word, _cluster[id].Failures));
        Assert.Equal(reason, _cluster.Attempt(id).Reason);
    }

    [Fact]
    public void A_lost_job_costs_no_retry()
    {
        var id = _cluster.Submit(gpus: 1);
        _cluster.Runs(id).Back("office/a");
        Assert.Equal(("queued", 0), (_cluster[id].State.Word, _cluster[id].Failures));
        Assert.Equal("lost on office/a: the node answers and has nothing of it", _cluster.Attempt(id).Reason);
        Assert.Null(_cluster.Attempt(id).ExitCode);
    }

    [Fact]
    public void A_limit_is_final()
    {
        var id = _cluster.Submit(gpus: 1, retry: new(5, Second, [143]));
        _cluster.Runs(id).Exits(id, 143, cause: ExitCause.Limit);
        Assert.Equal("failed", _cluster[id].State.Word);
    }

    [Fact]
    public void Out_of_memory_costs_a_retry()
    {
        var id = _cluster.Submit(gpus: 1, retry: new(1, Second, []));
        _cluster.Runs(id).Exits(id, 137, cause: ExitCause.OutOfMemory);
        Assert.Equal(("queued", 1), (_cluster[id].State.Word, _cluster[id].Failures));
    }

    [Fact]
    public void A_job_that_is_refused_again_and_again_is_given_up()
    {
        var id = _cluster.Submit(gpus: 1, retry: new(0, TimeSpan.Zero, []));
        for (var i = 1; i < World.RefusalLimit; i++)
        {
            _cluster.Refuses(id);
            Assert.Equal(("queued", i), (_cluster[id].State.Word, _cluster[id].Refusals));
            _cluster.After(TimeSpan.Zero);
        }
        _cluster.Refuses(id);
        Assert.Equal("office/a could not start it: the disk is full", Assert.IsType<JobState.Ended>(_cluster[id].State).Reason);
    }

    [Fact]
    public void Refusals_are_counted_across_a_restart()
    {
        var id = _cluster.Submit(gpus: 1, retry: new(0, TimeSpan.Zero, []));
        for (var i = 1; i <= World.RefusalLimit; i++)
        {
            _cluster.Refuses(id).Restart().Node("office/a", gpus: 1);
            _cluster.After(TimeSpan.Zero);
        }
        Assert.Equal("failed", _cluster[id].State.Word);
    }

    [Fact]
    public void Attempts_that_began_do_not_count_as_refused()
    {
        var id = _cluster.Submit(gpus: 1, retry: new(0, TimeSpan.Zero, [75]));
        for (var i = 0; i < World.RefusalLimit * 2; i++)
        {
            _cluster.Runs(id).Exits(id, 75).After(TimeSpan.Zero).Refuses(id).After(TimeSpan.Zero);
            Assert.Equal("starting", _cluster[id].State.Word);
        }
    }

    [Fact]
    public void The_wait_doubles_to_an_hour_and_no_further()
    {
        var retry = new Retry(9, 10 * Second, []);
        Assert.Equal([10 * Second, 20 * Second, 40 * Second, 80 * Second], Enumerable.Range(1, 4).Select(retry.After));
        Assert.Equal(TimeSpan.FromHours(1), retry.After(50));
        Assert.Equal(TimeSpan.Zero, (retry with { Backoff = TimeSpan.Zero }).After(50));
    }
}
