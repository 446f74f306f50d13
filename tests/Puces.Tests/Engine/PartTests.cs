using Puces.Core.Engine;
using Puces.Core.Fleet;
using Puces.Core.Jobs;
using Puces.Core.Scheduling;
using Puces.Testing.Simulation;
using Xunit;

namespace Puces.Tests.Engine;

/// <summary>Jobs that ask for a part of one device, in small worlds.</summary>
public sealed class PartTests
{
    private readonly Cluster _cluster = new Cluster().Node("office/a", gpus: 2, model: "L4", cpus: 16);

    private JobId Submit(int share, string model = "L4", double cpus = 0, int priority = 0) => _cluster.Submit(Cluster.Asking("job", 1, model, cpus: cpus, share: share, priority: priority)).Id!.Value;

    private string? Where(JobId job) => _cluster[job].State.Held?.ToString();

    [Fact]
    public void Two_halves_share_one_device_and_leave_the_other_whole()
    {
        var (one, other, whole) = (Submit(500), Submit(500), _cluster.Submit(gpus: 1, model: "L4"));
        Assert.Equal(("office/a [0.5 of 0]", "office/a [0.5 of 0]", "office/a [1]"), (Where(one), Where(other), Where(whole)));
    }

    [Fact]
    public void A_part_goes_where_the_least_is_left_that_is_enough()
    {
        var jobs = new[] { Submit(700), Submit(400), Submit(300), Submit(250) };
        Assert.Equal(["office/a [0.7 of 0]", "office/a [0.4 of 1]", "office/a [0.3 of 0]", "office/a [0.25 of 1]"], jobs.Select(Where));
        Assert.Equal([new(0, 0), new(1, 350)], _cluster.World.Nodes["office/a"].Shared!);
    }

    [Fact]
    public void A_whole_device_is_never_one_that_is_shared()
    {
        var (part, whole) = (Submit(100), _cluster.Submit(gpus: 2, model: "L4"));
        Assert.Equal("queued", _cluster[whole].State.Word);
        _cluster.Exits(part);
        Assert.Equal("office/a [0,1]", Where(whole));
    }

    [Fact]
    public void A_part_of_a_device_gets_that_part_of_its_cpus() => Assert.Equal(4000, _cluster[Submit(500)].State.Held!.Shares[0].MilliCpus);

    [Fact]
    public void One_that_waits_for_a_part_is_told_why_and_until_when()
    {
        var jobs = new[] { Submit(700), Submit(900) };
        foreach (var job in jobs) _cluster.Runs(job);
        var waiting = _cluster[Submit(500)];
        NodeUse[] nodes = [.. _cluster.World.Nodes.Values];
        Assert.Equal("needs L4:0.5; office/a has the most left of one device, 0.3", Waiting.Reason(waiting.Request, nodes));
        Assert.Equal(["L4:0.3 would start now: ask for less"], Waiting.Hints(waiting.Request, nodes));
        Assert.NotNull(_cluster.Foresee().EstimateOf(waiting.Id)?.Expected);
    }

    [Fact]
    public void A_part_of_another_model_is_a_hint()
    {
        var full = Submit(1000 - 1);
        _cluster.Submit(gpus: 1, model: "L4");
        _cluster.Node("office/b", gpus: 1, model: "A10");
        var waiting = Submit(500);
        Assert.Equal(["L4:0.001 would start now: ask for less", "A10:0.5 is free on office/b: add A10:0.5 to gpus"],
            Waiting.Hints(_cluster[waiting].Request, [.. _cluster.World.Nodes.Values]).Order(StringComparer.Ordinal).Reverse());
        Assert.Equal("office/a [0.999 of 0]", Where(full));
    }

    [Fact]
    public void Parts_are_held_across_a_restart()
    {
        var jobs = new[] { Submit(500), Submit(250) };
        foreach (var job in jobs) _cluster.Runs(job);
        _cluster.Restart().Node(Cluster.NodeOf("office/a", 2, "L4"), _cluster.Report(jobs[0], Puces.Core.Contract.RankPhase.Run), _cluster.Report(jobs[1], Puces.Core.Contract.RankPhase.Run));
        Assert.Equal([new(0, 250)], _cluster.World.Nodes["office/a"].Shared!);
        Assert.Equal("office/a [0.25 of 0]", Where(Submit(250)));
        Assert.Equal([1], _cluster.World.Nodes["office/a"].Free);
    }

    [Fact]
    public void A_project_holds_a_part_as_that_part()
    {
        _cluster.Apply(new Command.SetProject(new("default", Limits: new(Devices: 1))));
        var (one, other, third) = (Submit(500), Submit(400), Submit(250));
        Assert.Equal(("starting", "starting", "queued"), (_cluster[one].State.Word, _cluster[other].State.Word, _cluster[third].State.Word));
        var account = _cluster.World.Shares.Find("default");
        Assert.Equal((900, 900, 61L + 48), (account.Milli, account.Held("L4"), account.Pace));
        Assert.Equal("project default may hold 1 devices at once, and holds 0.9: this starts when it has given enough back",
            _cluster.World.Shares.OverDevices(account, "ada", 250));
    }

    [Fact]
    public void Those_that_share_a_device_leave_it_together_for_one_that_goes_before_them()
    {
        var shared = new[] { Yielding(500, 0), Yielding(500, 0), Yielding(500, 0), Yielding(500, 0) };
        foreach (var job in shared) _cluster.Runs(job);
        _cluster.After(TimeSpan.FromMinutes(10));
        var urgent = Yielding(0, 100);
        var leaving = shared.Where(j => _cluster[j].State is JobState.Stopping).ToList();
        Assert.Equal(2, leaving.Count);
        Assert.Single(leaving.Select(j => _cluster[j].State.Held!.Shares[0].Devices[0]).Distinct());
        _cluster.Exits(leaving[0]);
        // What the first has left is not given to another part meanwhile.
        var late = Submit(300);
        Assert.Equal("queued", _cluster[late].State.Word);
        _cluster.Exits(leaving[1]);
        Assert.Equal("starting", _cluster[urgent].State.Word);
    }

    [Fact]
    public void For_one_that_waits_for_a_part_as_much_is_kept_as_it_will_need()
    {
        var cluster = new Cluster().Node("office/a", gpus: 1, model: "L4", cpus: 16);
        JobId Add(int share) => cluster.Submit(Cluster.Asking("job", 1, "L4", share: share, cpus: 1)).Id!.Value;
        var (first, second) = (Add(600), Add(200));
        cluster.Runs(first).Runs(second).After(TimeSpan.FromMinutes(1));
        var waiting = Add(700);
        Assert.Equal(["office/a"], Assert.IsType<JobState.Queued>(cluster[waiting].State).Reserved!.Nodes);
        // A fifth is left. With the six tenths that the first will leave, a tenth of the device is enough for it.
        var (late, small) = (Add(200), Add(100));
        Assert.Equal(("queued", "starting"), (cluster[late].State.Word, cluster[small].State.Word));
        cluster.Exits(first);
        Assert.Equal(("queued", "starting"), (cluster[late].State.Word, cluster[waiting].State.Word));
    }

    [Fact]
    public void For_one_that_waits_for_a_part_as_few_leave_as_will_do_and_no_other_gets_between()
    {
        var (large, small, other) = (Yielding(600, 0), Yielding(400, 0), _cluster.Submit(gpus: 1, model: "L4"));
        _cluster.Runs(large).Runs(small).Runs(other).After(TimeSpan.FromMinutes(10));
        var urgent = Submit(500, priority: 100);
        Assert.Equal(("stopping", "running"), (_cluster[large].State.Word, _cluster[small].State.Word));
        _cluster.Exits(small);
        Assert.Equal("queued", _cluster[Submit(300)].State.Word);
        _cluster.Exits(large, code: 143, cause: ExitCause.Stopped);
        Assert.Equal("office/a [0.5 of 0]", Where(urgent));
    }

    private JobId Yielding(int share, int priority) =>
        _cluster.Submit(Cluster.Asking("job", 1, "L4", priority: priority, share: share) with { CanYield = true }).Id!.Value;
}
