using Puces.Core.Engine;
using Puces.Core.Jobs;
using Puces.Testing.Simulation;
using Xunit;

namespace Puces.Tests.Engine;

/// <summary>Maintenance, and capacity that begins and ends: known in advance.</summary>
public sealed class WindowTests
{
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1), Hour = TimeSpan.FromHours(1);

    private readonly Cluster _cluster = new Cluster().Node("p/a", 4);

    private static NewJob Limited(double hours) => Cluster.Asking("limited", 4) with { Limit = hours * Hour };
    private static NewJob Yielding => Cluster.Asking("yielding", 4) with { CanYield = true };

    private JobId Submit(NewJob job) => _cluster.Submit(job).Id!.Value;
    private bool Holds(JobId job) => _cluster[job].State.Held is not null;

    private bool HoldsAfter(TimeSpan time, JobId job)
    {
        _cluster.After(time);
        return Holds(job);
    }

    [Theory, InlineData(20, "closed", "pool office is closed until Sun 1 Mar 12:30 UTC"), InlineData(40, "opened", "pool office was closed until Sun 1 Mar 12:30 UTC, and is open again")]
    public void What_closed_or_opened_while_no_daemon_ran_is_told_once_by_the_next(int minutes, string kind, string text)
    {
        var cluster = new Cluster().Node("office/a", gpus: 1);
        cluster.Close("office", TimeSpan.FromMinutes(10), TimeSpan.FromMinutes(30));
        cluster.Pass(TimeSpan.FromMinutes(minutes)).Restart().After(default);
        var told = Assert.Single(cluster.Last.Events);
        Assert.Equal((kind, text), (told.Kind, told.Text));
        cluster.Restart().After(TimeSpan.FromMinutes(1));
        Assert.Empty(cluster.Last.Events);
    }

    [Fact]
    public void Nothing_starts_on_a_node_that_is_closed_and_what_waits_starts_when_it_opens()
    {
        _cluster.Close("p/a", -Minute, 2 * Hour, "new switch");
        var job = Submit(Cluster.Asking(gpus: 1));
        Assert.False(Holds(job));
        Assert.Equal("needs H100:1; p/a could carry it and is closed until Sun 1 Mar 14:00 UTC: new switch", _cluster.Reason(job));
        Assert.Equal(_cluster.Now + 2 * Hour, _cluster.World.NextTick);
        Assert.True(HoldsAfter(2 * Hour, job));
        Assert.Contains(_cluster.Store.Events, e => e is { Kind: "opened", Text: "p/a is open again" });
    }

    [Fact]
    public void A_job_whose_limit_reaches_into_the_window_waits_and_one_that_is_done_before_starts()
    {
        _cluster.Close("p/a", 3 * Hour, 5 * Hour);
        var (slow, brief) = (Submit(Limited(4)), Submit(Limited(3)));
        Assert.Equal((false, true), (Holds(slow), Holds(brief)));
        _cluster.Exits(brief);
        Assert.True(HoldsAfter(5 * Hour, slow));
    }

    [Fact]
    public void A_job_without_a_limit_starts_where_nine_in_ten_of_its_kind_would_be_done_before_the_window()
    {
        for (var i = 0; i < 20; i++) _cluster.Ran(Cluster.Asking("hour", 4), Hour);
        for (var i = 0; i < 20; i++) _cluster.Ran(Cluster.Asking("day", 4), 24 * Hour);
        _cluster.Close("p/a", 3 * Hour, 5 * Hour);
        var (day, hour) = (Submit(Cluster.Asking("day", 4)), Submit(Cluster.Asking("hour", 4)));
        Assert.Equal((false, true), (Holds(day), Holds(hour)));
    }

    [Fact]
    public void A_job_that_saves_itself_starts_before_the_window_leaves_when_it_begins_and_goes_on_after_it()
    {
        _cluster.Close("p/a", Hour, 2 * Hour, "new switch");
        var job = Submit(Yielding);
        _cluster.Runs(job).After(Hour);
        var stopping = Assert.IsType<JobState.Stopping>(_cluster[job].State);
        Assert.Equal((StopReason.Closed, null, "p/a, which is closed until Sun 1 Mar 14:00 UTC: new switch"), (stopping.Reason, stopping.For, stopping.Why));
        Assert.Contains(_cluster.Store.Events, e => e is { Kind: "preempted", Text: "job 1 (yielding) saves and leaves p/a, which is closed until Sun 1 Mar 14:00 UTC: new switch" });
        _cluster.Exits(job, 143, cause: ExitCause.Stopped);
        Assert.Null(Assert.IsType<JobState.Queued>(_cluster[job].State).NotBefore);
        Assert.True(HoldsAfter(Hour, job));
    }

    [Fact]
    public void A_job_that_saves_itself_moves_to_an_open_node()
    {
        _cluster.Node("p/b", 4).Close("p/a", Hour, 2 * Hour);
        var job = Submit(Yielding);
        Assert.Equal(["p/a"], _cluster.Attempt(job).Nodes);
        _cluster.Runs(job).After(Hour).Exits(job, 143, cause: ExitCause.Stopped);
        Assert.Equal(["p/b"], _cluster.Attempt(job).Nodes);
    }

    [Fact]
    public void A_job_that_saves_itself_does_not_start_where_it_could_not_stay_ten_minutes()
    {
        _cluster.Close("p/a", 9 * Minute, Hour);
        Assert.False(Holds(Submit(Yielding)));
    }

    [Fact]
    public void A_job_that_cannot_be_stopped_runs_on_in_the_window()
    {
        var job = Submit(Cluster.Asking(gpus: 2));
        _cluster.Runs(job).Close("p/a", Minute, Hour);
        _cluster.After(2 * Minute);
        Assert.IsType<JobState.Running>(_cluster[job].State);
        Assert.NotNull(_cluster.World.Nodes["p/a"].Closed);
        Assert.False(Holds(Submit(Cluster.Asking(gpus: 1))));
    }

    [Fact]
    public void One_that_is_being_cancelled_stays_cancelled_when_its_node_closes()
    {
        var job = Submit(Yielding);
        _cluster.Runs(job).Cancel(job);
        _cluster.Close("p/a", -Minute, Hour);
        Assert.Equal(StopReason.Cancelled, Assert.IsType<JobState.Stopping>(_cluster[job].State).Reason);
    }

    [Fact]
    public void A_window_that_is_removed_closes_nothing()
    {
        var window = _cluster.Close("p/a", -Minute, Hour);
        var job = Submit(Yielding);
        Assert.False(Holds(job));
        _cluster.Apply(new Command.RemoveWindow(window.Number));
        Assert.True(Holds(job));
        Assert.Equal("there is no window 1, or it is over", _cluster.Apply(new Command.RemoveWindow(window.Number))[0].Error);
    }

    [Fact]
    public void Windows_are_known_after_a_restart_and_their_numbers_are_not_given_again()
    {
        _cluster.Close("p", Hour, 2 * Hour);
        _cluster.Apply(new Command.RemoveWindow(_cluster.Close("p/a", Hour, 2 * Hour).Number));
        _cluster.Restart().Node("p/a", 4);
        Assert.False(Holds(Submit(Limited(2))));
        Assert.Equal(3, _cluster.Close("p", Hour, 2 * Hour).Number);
    }

    [Fact]
    public void Who_is_on_a_closed_node_after_a_restart_leaves_it()
    {
        var job = Submit(Yielding);
        _cluster.Runs(job).Close("p/a", Hour, 2 * Hour);
        var report = _cluster.Report(job, Core.Contract.RankPhase.Run);
        _cluster.Restart().After(Hour).Node(Cluster.NodeOf("p/a", 4), report);
        Assert.Equal(StopReason.Closed, Assert.IsType<JobState.Stopping>(_cluster[job].State).Reason);
    }

    [Fact]
    public void Capacity_that_opens_on_a_day_is_waited_for_until_then()
    {
        _cluster.Node("p/b", 8).Close("p/b", null, 44 * Hour);
        var (first, wide) = (Submit(Cluster.Asking("first", 4)), Submit(Cluster.Asking("wide", 8)));
        Assert.Equal((true, false), (Holds(first), Holds(wide)));
        Assert.Equal("needs H100:8; p/b could carry it and is closed until Tue 3 Mar 08:00 UTC", _cluster.Reason(wide));
        Assert.Equal(_cluster.Now + 44 * Hour, _cluster.Foresee().EstimateOf(wide)!.Expected);
        var other = Submit(Cluster.Asking("other", 4));
        Assert.Equal("needs 4 H100s on one node; p/a has the most free, 0; 8 × H100 open on Tue 3 Mar 08:00 UTC", _cluster.Reason(other));
    }

    [Fact]
    public void Capacity_that_ends_takes_nothing_that_would_outlast_it_and_is_gone_afterwards()
    {
        _cluster.Close("p/a", 2 * Hour, null);
        var (slow, brief) = (Submit(Limited(3)), Submit(Limited(1)));
        Assert.Equal((false, true), (Holds(slow), Holds(brief)));
        Assert.Null(_cluster.Exits(brief).After(2 * Hour).Foresee().EstimateOf(slow));
    }

    [Fact]
    public void A_gang_starts_when_its_last_node_opens()
    {
        _cluster.Node("p/b", 4).Close("p/b", -Minute, 3 * Hour);
        var gang = Submit(Cluster.Asking("gang", 4, nodes: 2));
        Assert.Equal(_cluster.Now + 3 * Hour, _cluster.Foresee().EstimateOf(gang)!.Expected);
        Assert.True(HoldsAfter(3 * Hour, gang));
    }

    [Fact]
    public void What_is_reserved_waits_for_the_end_of_the_window()
    {
        var first = Submit(Limited(2) with { Expected = 2 * Hour });
        _cluster.Close("p/a", 3 * Hour, 5 * Hour);
        var slow = Submit(Limited(2));
        Assert.Equal(_cluster.Now + 5 * Hour, _cluster.Foresee().EstimateOf(slow)!.Expected);
        _cluster.After(Hour).Exits(first);
        Assert.True(Holds(slow));
    }

    [Fact]
    public void Nobody_is_woken_for_windows_that_are_over()
    {
        _cluster.Close("p/a", Minute, 2 * Minute);
        Assert.Null(_cluster.After(Hour).World.NextTick);
        Assert.DoesNotContain(_cluster.Store.Events, e => e.Kind == "node-down");
    }
}
