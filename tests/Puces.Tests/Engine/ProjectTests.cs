using Puces.Core.Contract;
using Puces.Core.Engine;
using Puces.Core.Jobs;
using Puces.Core.Queues;
using Puces.Testing.Simulation;
using Xunit;

namespace Puces.Tests.Engine;

/// <summary>Projects in the engine: limits at the door, what is stored, and what people are told.</summary>
public sealed class ProjectTests
{
    private static readonly byte[] Spec = "{}"u8.ToArray();
    private readonly Cluster _cluster = new Cluster().Node("office/a", gpus: 4, cpus: 64);

    private static NewJob Of(string project, int gpus = 1, string owner = "ada", bool canYield = true, TimeSpan? limit = null) =>
        Cluster.Asking(gpus: gpus) with { Project = project, Owner = owner, CanYield = canYield, Limit = limit };

    private void Set(Project project) => _cluster.Apply(new Command.SetProject(project));

    [Fact]
    public void A_submit_over_the_waiting_limit_is_refused_and_told_what_to_do()
    {
        Set(new("lab", Limits: new(Waiting: 1)));
        for (var i = 0; i < 4; i++) Assert.Null(_cluster.Submit(Of("lab/a")).Error);
        Assert.Null(_cluster.Submit(Of("lab/a")).Error);
        Assert.Equal("project lab may have 1 waiting jobs, and has 1: submit again when some have started, or cancel one that waits", _cluster.Submit(Of("lab/b")).Error);
        Assert.Null(_cluster.Submit(Of("firm")).Error);
    }

    [Fact]
    public void Of_jobs_that_come_together_all_are_taken_or_none()
    {
        Set(new("lab", Limits: new(Waiting: 2)));
        NewJob[] jobs = [Of("lab"), Of("lab/a"), Of("lab/b")];
        var answers = _cluster.Apply([.. jobs.Select(j => new Command.Submit(j, Spec, Together: jobs))]);
        Assert.All(answers, a => Assert.Equal("project lab may have 2 waiting jobs, and has 0; this adds 3: submit again when some have started, or cancel one that waits", a.Error));
        Assert.Empty(_cluster.World.Jobs);
    }

    [Fact]
    public void A_run_is_as_long_as_its_project_allows()
    {
        Set(new("lab", Limits: new(RunTime: TimeSpan.FromDays(2))));
        var error = _cluster.Submit(Of("lab/a", limit: TimeSpan.FromDays(3))).Error;
        Assert.Equal("limit 3d is longer than project lab allows, 2d: write limit: 2d or less, and save checkpoints to go on in a next run", error);
        var id = _cluster.Submit(Of("lab/a")).Id!.Value;
        Assert.Equal(TimeSpan.FromDays(2), _cluster[id].Limit);
        Assert.Equal(TimeSpan.FromDays(2), _cluster.TakeEffects().OfType<Effect.Start>().Single().Limit);
        Assert.Equal(TimeSpan.FromDays(1), _cluster[_cluster.Submit(Of("lab/a", limit: TimeSpan.FromDays(1))).Id!.Value].Limit);
    }

    [Fact]
    public void One_that_is_cancelled_stays_so_whoever_is_promised_its_devices()
    {
        Set(new("a", Quota: new Dictionary<string, int> { ["H100"] = 4 }));
        var borrower = _cluster.Submit(Of("b", gpus: 4)).Id!.Value;
        _cluster.Runs(borrower).After(TimeSpan.FromMinutes(1)).Cancel(borrower);
        var owner = _cluster.Submit(Of("a", gpus: 4)).Id!.Value;
        Assert.Equal(StopReason.Cancelled, Assert.IsType<JobState.Stopping>(_cluster[borrower].State).Reason);
        _cluster.Exits(borrower, code: 143);
        Assert.Equal(("cancelled", "starting"), (_cluster[borrower].State.Word, _cluster[owner].State.Word));
    }

    [Fact]
    public void A_limit_that_is_set_holds_for_what_was_promised_too()
    {
        Set(new("a", Quota: new Dictionary<string, int> { ["H100"] = 4 }));
        var borrower = _cluster.Submit(Of("b", gpus: 4)).Id!.Value;
        _cluster.Runs(borrower).After(TimeSpan.FromMinutes(1));
        var owner = _cluster.Submit(Of("a", gpus: 4)).Id!.Value;
        Set(new("a", Quota: new Dictionary<string, int> { ["H100"] = 4 }, Limits: new(Devices: 3)));
        _cluster.Exits(borrower, code: 143, cause: ExitCause.Stopped);
        Assert.Equal(("queued", "starting"), (_cluster[owner].State.Word, _cluster[borrower].State.Word));
    }

    [Fact]
    public void Whoever_must_leave_is_told_why()
    {
        Set(new("a", Quota: new Dictionary<string, int> { ["H100"] = 4 }));
        var borrower = _cluster.Submit(Of("b", gpus: 4)).Id!.Value;
        _cluster.Runs(borrower).After(TimeSpan.FromMinutes(1));
        var owner = _cluster.Submit(Of("a", gpus: 4)).Id!.Value;
        Assert.Equal($"job {borrower} (job) saves and leaves its devices to job {owner} (job), whose project owns what project b had borrowed",
            _cluster.Last.Events.Single(e => e.Kind == "preempted").Text);
        Assert.Equal("whose project owns what project b had borrowed", Assert.IsType<JobState.Stopping>(_cluster[borrower].State).Why);
    }

    [Theory, InlineData(false), InlineData(true)]
    public void The_borrower_leaves_that_saved_last_also_after_a_restart(bool isRestarted)
    {
        Set(new("a", Quota: new Dictionary<string, int> { ["H100"] = 4 }));
        var (saved, unsaved) = (_cluster.Submit(Of("b", gpus: 2)).Id!.Value, _cluster.Submit(Of("b", gpus: 2)).Id!.Value);
        _cluster.Runs(saved).Runs(unsaved).After(TimeSpan.FromHours(1)).Apply(new Command.Checkpointed(_cluster[saved].Attempt, "step-1"));
        if (isRestarted) _cluster.Restart().Node(Cluster.NodeOf("office/a", 4, cpus: 64), _cluster.Report(saved, RankPhase.Run), _cluster.Report(unsaved, RankPhase.Run));
        _cluster.Submit(Of("a", gpus: 2));
        Assert.Equal(("stopping", "running"), (_cluster[saved].State.Word, _cluster[unsaved].State.Word));
    }

    [Fact]
    public void A_restarted_daemon_knows_the_projects_and_what_they_have_used_to_the_last_bit()
    {
        Set(new("lab/a", Weight: 3, Quota: new Dictionary<string, int> { ["H100"] = 2 }, Limits: new(Devices: 3, RunTime: TimeSpan.FromHours(7))));
        var first = _cluster.Submit(Of("lab/a")).Id!.Value;
        var second = _cluster.Submit(Of("firm", gpus: 2)).Id!.Value;
        _cluster.Runs(first).Runs(second).After(TimeSpan.FromHours(3.3)).Exits(second).After(TimeSpan.FromHours(1));
        var before = Standing(_cluster.World);
        _cluster.Restart();
        Assert.Equal(before, Standing(_cluster.World));
        _cluster.Node("office/a", gpus: 4, cpus: 64).After(TimeSpan.FromHours(5));
        Assert.Equal("project lab/a may hold 3 devices at once, and this asks for 4: ask for fewer, or have the limit raised",
            _cluster.World.Shares.OverDevices(_cluster.World.Shares.Find("lab/a"), "ada", 4000));
    }

    [Fact]
    public void A_removed_project_is_as_any_other_and_keeps_its_usage()
    {
        Set(new("a", Weight: 3));
        var id = _cluster.Submit(Of("a")).Id!.Value;
        _cluster.Runs(id).After(TimeSpan.FromHours(1)).Exits(id);
        var used = _cluster.World.Shares.Find("a").UsageAt(_cluster.Now - DateTimeOffset.UnixEpoch);
        _cluster.Apply(new Command.RemoveProject("a"));
        Assert.Equal("there is no project a", _cluster.Apply(new Command.RemoveProject("a"))[0].Error);
        _cluster.Restart();
        Assert.Equal(1, _cluster.World.Shares.Find("a").Project.Weight);
        Assert.True(used > 3_000_000);
        Assert.Equal(used, _cluster.World.Shares.Find("a").UsageAt(_cluster.Now - DateTimeOffset.UnixEpoch));
    }

    private string Standing(World world) => string.Join('\n', world.Shares.Accounts.OrderBy(a => a.Name, StringComparer.Ordinal).Select(a =>
        $"{a.Name} {a.Project} {a.UsageAt(_cluster.Now - DateTimeOffset.UnixEpoch):R} {a.Pace} {a.Milli} {a.Held("H100")} {a.Waiting}"));
}
