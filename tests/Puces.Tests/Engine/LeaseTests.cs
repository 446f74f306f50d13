using Puces.Core.Engine;
using Puces.Core.Fleet;
using Puces.Core.Market;
using Puces.Testing.Simulation;
using Xunit;

namespace Puces.Tests.Engine;

/// <summary>Pools with a line of their own: nodes are asked for, one gang at a time.</summary>
public sealed class LeaseTests
{
    private readonly Cluster _cluster = new();

    public LeaseTests()
    {
        foreach (var pool in (string[])["jean", "zay"]) Declare(new(pool, "slurm"));
    }

    private void Declare(Pool pool)
    {
        _cluster.Apply(new Command.SetPool(pool), new Command.PoolOpened(pool.Name));
        _cluster.TakeEffects();
    }

    private Cluster Offers(string pool = "jean", int devices = 4, string? model = "H100", int nodes = 8, TimeSpan? longest = null, string? problem = null)
    {
        _cluster.Apply(new Command.OffersSeen(pool, [new("gpu", model, devices, 64_000, new(256_000_000_000), nodes, devices * nodes, nodes, _cluster.Now, longest, problem)]));
        return _cluster;
    }

    private LeaseRequest[] Asked() => [.. _cluster.TakeEffects().OfType<Effect.Acquire>().Select(a => a.Request)];

    private static Lease Ready(LeaseRequest request, params string[] nodes) => new(request.Id, LeaseState.Ready, [.. nodes.Select(n => new LeaseNode(n))]);

    /// <summary>The pool gives it, and its machines say hello.</summary>
    private void Give(LeaseRequest request, string pool = "jean", int gpus = 4, string model = "H100", params string[] nodes)
    {
        _cluster.Apply(new Command.LeasesSeen(pool, [Ready(request, nodes)]));
        foreach (var node in nodes) _cluster.Node(Cluster.NodeOf($"{pool}/{node}.{request.Id}", gpus, model));
    }

    [Fact]
    public void A_job_that_nothing_here_can_start_is_asked_for_where_it_fits_and_starts_when_all_its_nodes_are_up()
    {
        Offers();
        var id = _cluster.Submit(gpus: 4, nodes: 2);
        var request = Asked().Single();
        Assert.Equal(("gpu", 2, 4, "H100"), (request.Kind, request.Nodes, request.Devices, request.Model));
        _cluster.Apply(new Command.LeasesSeen("jean", [Ready(request, "n1", "n2")]));
        Assert.Equal(2, _cluster.TakeEffects().OfType<Effect.OpenLease>().Single().Lease.Nodes.Count);
        _cluster.Node(Cluster.NodeOf($"jean/n2.{request.Id}", 4));
        Assert.Equal("queued", _cluster[id].State.Word);
        _cluster.Node(Cluster.NodeOf($"jean/n1.{request.Id}", 4));
        Assert.Equal([$"jean/n1.{request.Id}", $"jean/n2.{request.Id}"], _cluster[id].State.Held!.Shares.Select(s => s.Node));
        Assert.Single(_cluster.TakeEffects().OfType<Effect.Start>());
    }

    [Fact]
    public void Nodes_that_cannot_run_the_jobs_image_are_given_back_and_not_asked_for_again_at_once()
    {
        Offers();
        var id = _cluster.Submit(Cluster.Asking(gpus: 1) with { Request = Cluster.Asking(gpus: 1).Request with { InContainer = true } }).Id!.Value;
        Give(Asked().Single(), nodes: "n1");
        Assert.Equal("queued", _cluster[id].State.Word);
        Assert.Single(_cluster.TakeEffects().OfType<Effect.Release>());
        Assert.Contains(_cluster.Store.Events, e => e.Kind == "lease-over" && e.Text.EndsWith("has no container engine (Docker, Podman, Apptainer or Enroot)", StringComparison.Ordinal));
        _cluster.After(TimeSpan.FromMinutes(10));
        Offers();
        Assert.Empty(Asked());
    }

    [Fact]
    public void A_lease_is_its_jobs_alone_and_is_given_back_when_the_attempt_is_over()
    {
        Offers();
        var first = _cluster.Submit(gpus: 1);
        Give(Asked().Single(), nodes: "n1");
        var second = _cluster.Submit(gpus: 2);
        Assert.Equal(("starting", "queued"), (_cluster[first].State.Word, _cluster[second].State.Word));
        var next = Asked().Single();
        _cluster.Runs(first).Exits(first);
        var effects = _cluster.TakeEffects().ToList();
        Assert.True(effects.FindIndex(e => e is Effect.Acknowledge) < effects.FindIndex(e => e is Effect.Release));
        Assert.Empty(_cluster.World.Nodes);
        Assert.Equal([next.Id], _cluster.World.Leases.Select(l => l.Id));
    }

    [Fact]
    public void Of_several_pools_the_first_that_is_ready_has_the_job_and_the_others_are_withdrawn_before_it_starts()
    {
        Offers("jean");
        Offers("zay");
        var id = _cluster.Submit(gpus: 4);
        var asked = _cluster.TakeEffects().OfType<Effect.Acquire>().ToList();
        Assert.Equal(["jean", "zay"], asked.Select(a => a.Pool));
        _cluster.Apply(new Command.LeasesSeen("jean", [new(asked[0].Request.Id, LeaseState.Waiting, [], "Priority")]));
        Give(asked[1].Request, "zay", nodes: "z1");
        var effects = _cluster.TakeEffects().ToList();
        Assert.InRange(effects.FindIndex(e => e == new Effect.Release("jean", asked[0].Request.Id)), 0, effects.FindIndex(e => e is Effect.Start) - 1);
        Assert.Equal("zay/z1." + asked[1].Request.Id, _cluster[id].State.Held!.Shares[0].Node);
    }

    [Fact]
    public void Devices_here_that_become_free_first_have_the_job_and_its_leases_are_withdrawn()
    {
        _cluster.Node("office/a", gpus: 4);
        var running = _cluster.Submit(gpus: 4);
        Offers();
        var id = _cluster.Submit(gpus: 4);
        var request = Asked().Single();
        _cluster.Runs(running).Exits(running);
        Assert.Equal("office/a", _cluster[id].State.Held!.Shares[0].Node);
        var effects = _cluster.TakeEffects().ToList();
        Assert.InRange(effects.IndexOf(new Effect.Release("jean", request.Id)), 0, effects.FindIndex(e => e is Effect.Start) - 1);
        // Given all the same: it had been on its way.
        _cluster.Apply(new Command.LeasesSeen("jean", [Ready(request, "n1")]));
        Assert.Contains(new Effect.Release("jean", request.Id), _cluster.TakeEffects());
    }

    [Fact]
    public void What_nobody_knows_of_is_given_back_and_what_is_gone_costs_its_job_one_attempt()
    {
        _cluster.Apply(new Command.LeasesSeen("jean", [new(new("stray"), LeaseState.Waiting, [])]));
        Assert.Equal([new Effect.Release("jean", new("stray"))], _cluster.TakeEffects());
        Offers();
        var id = _cluster.Submit(gpus: 4);
        Give(Asked().Single(), nodes: "n1");
        _cluster.Runs(id).Apply(new Command.LeasesSeen("jean", []));
        Assert.Equal("queued", _cluster[id].State.Word);
        Assert.StartsWith("lost on jean/n1.", _cluster.Attempt(id).Reason, StringComparison.Ordinal);
        _cluster.After(TimeSpan.FromMinutes(1));
        Assert.NotEqual(new LeaseId("l1"), Asked().Single().Id);
    }

    [Fact]
    public void A_lease_that_has_ended_and_left_nothing_to_read_costs_its_job_one_attempt_at_once()
    {
        Offers();
        var id = _cluster.Submit(gpus: 4);
        var request = Asked().Single();
        Give(request, nodes: "n1");
        _cluster.Runs(id).Apply(new Command.LeasesSeen("jean", [new(request.Id, LeaseState.Ended, [], "its pod was evicted")]));
        Assert.Equal("queued", _cluster[id].State.Word);
        Assert.Contains(_cluster.Last.Events, e => e.Text.Contains("its pod was evicted", StringComparison.Ordinal));
        Assert.Contains(_cluster.TakeEffects(), e => e is Effect.Release { Lease: var lease } && lease == request.Id);
    }

    [Fact]
    public void A_job_takes_its_image_along_and_one_without_does_not_keep_it_waiting()
    {
        Offers();
        _cluster.Submit(Cluster.Asking(gpus: 4));
        _cluster.Apply(new Command.LeaseRefused(Asked().Single().Id, "the job names no image"));
        _cluster.Submit(Cluster.Asking(gpus: 4) with { Image = "train:1" });
        Assert.Equal("train:1", Asked().Single().Image);
    }

    [Fact]
    public void A_pool_that_refuses_is_left_alone_for_a_while()
    {
        Offers();
        var id = _cluster.Submit(gpus: 4);
        _cluster.Apply(new Command.LeaseRefused(Asked().Single().Id, "the account has no hours left"));
        Assert.Contains("the account has no hours left", _cluster.Last.Events.Single().Text, StringComparison.Ordinal);
        Assert.Equal("pool jean gives it no nodes: the account has no hours left", _cluster.Store.Notes[LeaseNotes.Refusal(id)]);
        Assert.Empty(Asked());
        _cluster.After(World.FirstRest);
        Offers();
        Give(Asked().Single(), nodes: "n1");
        Assert.Equal("starting", _cluster[id].State.Word);
        Assert.DoesNotContain(LeaseNotes.Refusal(id), _cluster.Store.Notes.Keys);
    }

    [Theory]
    [InlineData(8, 1, null, null)]
    [InlineData(4, 9, null, null)]
    [InlineData(4, 1, "A100", null)]
    [InlineData(4, 1, null, "the partition is down")]
    public void What_does_not_fit_an_offer_is_not_asked_for(int gpus, int nodes, string? model, string? problem)
    {
        Offers(problem: problem);
        _cluster.Submit(gpus: gpus, nodes: nodes, model: model ?? "H100");
        Assert.Empty(Asked());
    }

    [Fact]
    public void A_job_goes_only_where_it_may_and_no_longer_than_a_lease_lasts()
    {
        Offers(longest: TimeSpan.FromHours(1));
        _cluster.Submit(gpus: 1, where: ["office"]);
        _cluster.Submit(Cluster.Asking(gpus: 1) with { Limit = TimeSpan.FromHours(2) });
        Assert.Empty(Asked());
        _cluster.Submit(Cluster.Asking(gpus: 1, where: ["jean"]) with { Limit = TimeSpan.FromHours(1) });
        Assert.Equal(TimeSpan.FromHours(1), Asked().Single().Limit);
    }

    [Fact]
    public void After_a_restart_what_was_asked_for_is_asked_again_by_the_same_name_and_what_runs_goes_on()
    {
        Offers();
        var runs = _cluster.Submit(gpus: 4);
        var taken = Asked().Single();
        Give(taken, nodes: "n1");
        _cluster.Runs(runs);
        _cluster.Submit(gpus: 4);
        var request = Asked().Single();
        _cluster.Restart();
        Assert.Equal(request.Id, _cluster.World.Resume().OfType<Effect.Acquire>().Single().Request.Id);
        _cluster.Apply(new Command.PoolOpened("jean"), new Command.LeasesSeen("jean", [Ready(taken, "n1"), new(request.Id, LeaseState.Waiting, [])]));
        Assert.Equal(taken.Id, _cluster.TakeEffects().OfType<Effect.OpenLease>().Single().Lease.Id);
        Assert.Equal("running", _cluster[runs].State.Word);
    }

    [Fact]
    public void A_cancelled_job_waits_nowhere_any_more()
    {
        Offers();
        var id = _cluster.Submit(gpus: 4);
        var request = Asked().Single();
        _cluster.Cancel(id);
        Assert.Equal([new Effect.Release("jean", request.Id)], _cluster.TakeEffects());
        Assert.DoesNotContain(_cluster.Store.Notes, n => n.Key.StartsWith("lease/", StringComparison.Ordinal));
    }

    [Fact]
    public void A_machine_that_says_hello_after_its_lease_was_given_back_is_nobodys()
    {
        Offers();
        var first = _cluster.Submit(gpus: 1);
        var request = Asked().Single();
        _cluster.Apply(new Command.LeasesSeen("jean", [Ready(request, "n1")]));
        _cluster.Cancel(first);
        var second = _cluster.Submit(gpus: 1);
        _cluster.Node(Cluster.NodeOf($"jean/n1.{request.Id}", 4));
        Assert.Equal("queued", _cluster[second].State.Word);
        Assert.Empty(_cluster.World.Nodes);
    }

    [Fact]
    public void Where_nodes_come_one_by_one_gangs_are_asked_for_one_after_another()
    {
        Declare(new("kube", "kubernetes", Kubernetes: new()));
        Offers("kube");
        var jobs = Enumerable.Range(0, 3).Select(_ => _cluster.Submit(gpus: 1, nodes: 2)).ToList();
        var alone = _cluster.Submit(gpus: 1);
        var asked = Asked();
        Assert.Equal([$"puces-{jobs[0]}-{_cluster[jobs[0]].Name}", $"puces-{alone}-{_cluster[alone].Name}"], asked.Select(a => a.Name));
        Give(asked[0], "kube", nodes: ["p0", "p1"]);
        Assert.Equal("starting", _cluster[jobs[0]].State.Word);
        Assert.StartsWith($"puces-{jobs[1]}-", Asked().Single().Name, StringComparison.Ordinal);
        // The next is asked for when the one before it does not want it any more.
        _cluster.Cancel(jobs[1]);
        Assert.StartsWith($"puces-{jobs[2]}-", Asked().Single().Name, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("slurm", null)]
    [InlineData("kubernetes", "team")]
    public void Where_gangs_come_whole_they_wait_side_by_side(string provider, string? queue)
    {
        Declare(new("whole", provider, Kubernetes: queue is null ? null : new(Queue: queue)));
        Offers("whole");
        foreach (var _ in Enumerable.Range(0, 3)) _cluster.Submit(gpus: 1, nodes: 2);
        Assert.Equal(3, Asked().Length);
    }

    [Fact]
    public void Machines_with_other_devices_than_were_offered_are_given_back()
    {
        Offers();
        var id = _cluster.Submit(gpus: 4);
        Give(Asked().Single(), gpus: 2, nodes: "n1");
        Assert.Equal("queued", _cluster[id].State.Word);
        Assert.Contains(_cluster.TakeEffects(), e => e is Effect.Release);
        Assert.Contains(_cluster.Last.Events, e => e.Text.Contains("other devices than were asked for", StringComparison.Ordinal));
    }

    [Fact]
    public void A_lease_that_is_lost_before_its_job_could_start_is_asked_for_anew()
    {
        Offers();
        var id = _cluster.Submit(gpus: 4);
        var first = Asked().Single();
        _cluster.Apply(new Command.LeasesSeen("jean", [Ready(first, "n1")]));
        _cluster.Apply(new Command.LeasesSeen("jean", [Ready(first, "n1") with { State = LeaseState.Lost, Reason = "NODE_FAIL" }]));
        var effects = _cluster.TakeEffects();
        Assert.Contains(new Effect.Release("jean", first.Id), effects);
        Assert.NotEqual(first.Id, effects.OfType<Effect.Acquire>().Single().Request.Id);
        Assert.Equal("queued", _cluster[id].State.Word);
    }

    [Fact]
    public void Waiting_in_another_line_costs_a_write_only_where_something_is_new()
    {
        Offers();
        _cluster.Submit(gpus: 4);
        var waits = new Lease(Asked().Single().Id, LeaseState.Waiting, [], "Priority", _cluster.Now.AddHours(1));
        _cluster.Apply(new Command.LeasesSeen("jean", [waits]));
        Assert.Single(_cluster.Last.Changes);
        _cluster.Apply(new Command.LeasesSeen("jean", [waits with { ExpectedStart = waits.ExpectedStart!.Value.AddSeconds(30) }]));
        Assert.Empty(_cluster.Last.Changes);
        _cluster.Apply(new Command.LeasesSeen("jean", [waits with { Reason = "Resources" }]));
        Assert.Single(_cluster.Last.Changes);
    }
}
