using Puces.Core.Contract;
using Puces.Core.Engine;
using Puces.Core.Jobs;
using Puces.Core.Market;
using Puces.Testing.Simulation;
using Xunit;

namespace Puces.Tests.Engine;

/// <summary>Leases that go on with the next job, and what limits and windows say to leases.</summary>
public sealed class HandOnTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    private readonly Cluster _cluster = new();

    public HandOnTests()
    {
        _cluster.Apply(new Command.SetPool(new("jean", "slurm")), new Command.PoolOpened("jean"));
        // Jobs of this name are known to be short.
        _cluster.Node("office/a", gpus: 1);
        for (var i = 0; i < 10; i++) _cluster.Ran(Cluster.Asking(gpus: 1), Second);
        _cluster.Apply(new Command.NodeGone("office/a"));
        Offers();
        _cluster.TakeEffects();
    }

    private void Offers() => _cluster.Apply(new Command.OffersSeen("jean", [new("gpu", "H100", 4, 64_000, new(256_000_000_000), 8, 32, 8, _cluster.Now)]));

    private JobId Submit(string owner = "ada", string name = "job", int gpus = 1, int priority = 0, Retry? retry = null, string project = "default") =>
        _cluster.Submit(Cluster.Asking(name, gpus, priority: priority, retry: retry) with { Owner = owner, Project = project }).Id!.Value;

    /// <summary>The one lease that the job waits for is given, and it starts there and runs.</summary>
    private LeaseRecord Runs(JobId job)
    {
        var lease = LeaseOf(job)!;
        _cluster.Apply(new Command.LeasesSeen("jean", [.. _cluster.World.Leases.Select(l => new Lease(l.Id, l.IsTaken || l.Id == lease.Id ? LeaseState.Ready : LeaseState.Waiting, l.Nodes ?? (l.Id == lease.Id ? [new("n" + l.Id)] : [])))]));
        _cluster.Node(Cluster.NodeOf($"jean/n{lease.Id}.{lease.Id}", 4)).Runs(job);
        _cluster.TakeEffects();
        return LeaseOf(job)!;
    }

    private LeaseRecord? LeaseOf(JobId job) => _cluster.World.Leases.SingleOrDefault(l => l.Job == job);

    private LeaseId[] Released() => [.. _cluster.TakeEffects().OfType<Effect.Release>().Select(r => r.Lease)];

    [Fact]
    public void A_lease_goes_on_with_the_next_job_like_the_last_one()
    {
        var (first, second) = (Submit(), Submit());
        var (lease, place) = (Runs(first), LeaseOf(second)!);
        _cluster.After(Second).Exits(first, code: 3);
        Assert.Equal(lease.NodeIds(), _cluster[second].State.Held!.Shares.Select(s => s.Node));
        Assert.Equal(lease.Id, LeaseOf(second)!.Id);
        // What it waited for itself is given up: nobody else waits.
        Assert.Equal([place.Id], Released());
        _cluster.Restart();
        _cluster.Node(Cluster.NodeOf(lease.NodeIds().Single(), 4), _cluster.Report(second, RankPhase.Run)).After(Second).Exits(second);
        Assert.Equal([lease.Id], Released());
        Assert.Empty(_cluster.World.Leases);
        Assert.Empty(_cluster.World.Nodes);
    }

    [Fact]
    public void The_place_of_who_goes_on_there_is_for_the_next_who_has_none()
    {
        var jobs = Enumerable.Range(0, World.MostWaitingAt + 3).Select(_ => Submit()).ToList();
        Runs(jobs[0]);
        var (place, without) = (LeaseOf(jobs[1])!, jobs.First(j => LeaseOf(j) is null));
        _cluster.After(Second).Exits(jobs[0]);
        Assert.Equal("starting", _cluster[jobs[1]].State.Word);
        Assert.Equal(place.Id, LeaseOf(without)!.Id);
        Assert.Empty(Released());
        Assert.Equal(World.MostWaitingAt, _cluster.World.Leases.Count);
    }

    [Theory]
    [InlineData("eve", "default", 1)]
    [InlineData("ada", "vision", 1)]
    [InlineData("ada", "default", 2)]
    public void It_goes_back_where_the_next_in_line_is_anothers_or_asks_for_more(string owner, string project, int gpus)
    {
        var first = Submit();
        var lease = Runs(first);
        var next = Submit(owner, gpus: gpus, priority: 1, project: project);
        Submit();
        _cluster.After(Second).Exits(first);
        Assert.Equal([lease.Id], Released());
        Assert.Equal("queued", _cluster[next].State.Word);
    }

    [Fact]
    public void Who_could_not_use_the_pool_is_passed_over()
    {
        var first = Submit();
        Runs(first);
        var large = Submit(gpus: 8, priority: 1);
        var second = Submit();
        _cluster.After(Second).Exits(first);
        Assert.Equal(("queued", "starting"), (_cluster[large].State.Word, _cluster[second].State.Word));
    }

    [Fact]
    public void Long_jobs_stand_in_the_pools_line_themselves()
    {
        var first = Submit();
        var lease = Runs(first);
        _cluster.Node("office/a", gpus: 1);
        for (var i = 0; i < 10; i++) _cluster.Ran(Cluster.Asking("long", gpus: 1), TimeSpan.FromHours(1));
        _cluster.Apply(new Command.NodeGone("office/a"));
        var second = Submit(name: "long");
        _cluster.TakeEffects();
        _cluster.After(Second).Exits(first);
        Assert.Equal([lease.Id], Released());
        Assert.Equal("queued", _cluster[second].State.Word);
    }

    [Fact]
    public void Nobody_keeps_a_lease_from_others_for_long()
    {
        var job = Submit();
        var lease = Runs(job);
        var handed = 0;
        for (; _cluster.World.Leases.Any(l => l.Id == lease.Id); handed++)
        {
            var next = Submit();
            _cluster.After(TimeSpan.FromSeconds(30)).Exits(job);
            job = next;
            if (_cluster[job].State.Word == "starting") _cluster.Runs(job);
        }
        Assert.InRange(handed, 5, (int)(World.LongestHandedOn / TimeSpan.FromSeconds(30)));
    }

    [Fact]
    public void A_lease_whose_nodes_may_be_at_fault_is_given_back()
    {
        var (first, _) = (Submit(retry: new(2, Second, [])), Submit());
        var lease = Runs(first);
        _cluster.After(Second).Exits(first, 0, _cluster.Verdict(1) with { Fault = new(FaultKind.DeviceError, "Xid 48") });
        Assert.Equal([lease.Id], Released());
    }

    [Fact]
    public void A_closed_pool_keeps_no_lease_and_is_asked_for_none()
    {
        var (first, second) = (Submit(), Submit());
        var lease = Runs(first);
        _cluster.Cancel(second);
        var window = _cluster.Close("jean", null, null);
        var third = Submit();
        _cluster.TakeEffects();
        _cluster.After(Second).Exits(first);
        Assert.Equal([lease.Id], Released());
        Offers();
        Assert.Null(LeaseOf(third));
        _cluster.Apply(new Command.RemoveWindow(window.Number));
        Assert.NotNull(LeaseOf(third));
    }

    [Fact]
    public void What_a_project_waits_for_elsewhere_counts_against_its_limit()
    {
        _cluster.Apply(new Command.SetProject(new("vision", Limits: new(Devices: 2))));
        var jobs = Enumerable.Range(0, 3).Select(_ => Submit(project: "vision")).ToList();
        var other = Submit(project: "speech");
        Assert.Equal([true, true, false, true], jobs.Append(other).Select(j => LeaseOf(j) is not null));
        foreach (var job in jobs[..2]) Runs(job);
        Offers();
        Assert.Null(LeaseOf(jobs[2]));
        _cluster.Cancel(jobs[0]);
        _cluster.Exits(jobs[0], 143, cause: ExitCause.Stopped);
        Assert.NotNull(LeaseOf(jobs[2]));
    }

    [Fact]
    public void A_lease_that_comes_when_its_project_may_have_no_more_is_given_back_and_asked_for_again_when_it_may()
    {
        var job = Submit(project: "vision");
        var lease = LeaseOf(job)!;
        _cluster.Apply(new Command.SetProject(new("vision", Limits: new(Devices: 0))));
        _cluster.TakeEffects();
        _cluster.Apply(new Command.LeasesSeen("jean", [new(lease.Id, LeaseState.Ready, [new("n1")])]));
        _cluster.Node(Cluster.NodeOf($"jean/n1.{lease.Id}", 4));
        Assert.Equal(("queued", null), (_cluster[job].State.Word, LeaseOf(job)));
        _cluster.Apply(new Command.SetProject(new("vision")));
        Assert.NotNull(LeaseOf(job));
    }
}
