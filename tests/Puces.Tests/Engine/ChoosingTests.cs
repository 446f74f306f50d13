using Puces.Core.Engine;
using Puces.Core.Jobs;
using Puces.Core.Market;
using Puces.Core.Units;
using Puces.Testing.Simulation;
using Xunit;

namespace Puces.Tests.Engine;

/// <summary>Which of several pools with lines of their own a job goes to.</summary>
public sealed class ChoosingTests
{
    private readonly Cluster _cluster = new();

    /// <summary>A pool of eight nodes with four devices each, of which so many nodes are free.</summary>
    private ChoosingTests Pool(string name, int free, string? price = null)
    {
        if (!_cluster.World.Pools.Any(p => p.Name == name))
            _cluster.Apply(new Command.SetPool(new(name, "slurm", Price: price is not null && Money.TryParse(price, out var money) ? money : null)), new Command.PoolOpened(name));
        _cluster.Apply(new Command.OffersSeen(name, [new("gpu", "H100", 4, 64_000, new(256_000_000_000), 8, free * 4, free, _cluster.Now)]));
        return this;
    }

    private JobId Submit(Preference prefer = Preference.Soonest) => _cluster.Submit(Cluster.Asking(gpus: 4) with { Prefer = prefer }).Job!.Id;

    private IEnumerable<string> Asked() => _cluster.TakeEffects().OfType<Effect.Acquire>().Select(a => a.Pool);

    private LeaseRecord LeaseOf(JobId job, string pool) => _cluster.World.Leases.Single(l => l.Job == job && l.Pool == pool);

    private void Waits(LeaseRecord lease, TimeSpan? expected = null) =>
        _cluster.Apply(new Command.LeasesSeen(lease.Pool, [.. _cluster.World.Leases.Where(l => l.Pool == lease.Pool)
            .Select(l => new Lease(l.Id, l.State ?? LeaseState.Waiting, [], null, l.Id == lease.Id ? _cluster.Now + expected : l.ExpectedStart))]));

    [Fact]
    public void A_job_is_asked_for_where_it_could_start_at_once_before_it_is_where_it_would_wait()
    {
        Pool("full", free: 0).Pool("idle", free: 8).Pool("busy", free: 0);
        Submit();
        Assert.Equal(["idle", "busy"], Asked());
    }

    [Fact]
    public void What_others_of_ours_wait_for_is_not_free_to_the_next()
    {
        Pool("one", free: 1).Pool("two", free: 3);
        Submit();
        Submit();
        Assert.Equal(["one", "two", "two", "one"], Asked());
    }

    [Fact]
    public void Of_two_lines_the_one_that_is_expected_to_be_shorter_goes_first()
    {
        Pool("long", free: 0).Pool("short", free: 0);
        var first = Submit();
        Waits(LeaseOf(first, "long"), TimeSpan.FromHours(3));
        Waits(LeaseOf(first, "short"), TimeSpan.FromMinutes(20));
        _cluster.TakeEffects();
        Submit();
        Assert.Equal(["short", "long"], Asked());
    }

    [Fact]
    public void How_long_leases_have_waited_lately_is_remembered_also_after_a_restart()
    {
        Pool("a", free: 0).Pool("b", free: 0);
        var first = Submit();
        var lease = LeaseOf(first, "b");
        _cluster.After(TimeSpan.FromMinutes(10)).Apply(new Command.LeasesSeen("b", [new(lease.Id, LeaseState.Ready, [new("n1")])]));
        _cluster.Node(Cluster.NodeOf($"b/n1.{lease.Id}", 4));
        _cluster.Restart();
        Pool("a", free: 0).Pool("b", free: 0);
        _cluster.TakeEffects();
        Submit();
        Assert.Equal(["b", "a"], Asked());
    }

    [Fact]
    public void A_pool_that_has_become_free_takes_the_place_of_the_longest_line()
    {
        Pool("a", free: 0).Pool("b", free: 0).Pool("c", free: 0);
        var job = Submit();
        Waits(LeaseOf(job, "a"), TimeSpan.FromMinutes(30));
        Waits(LeaseOf(job, "b"), TimeSpan.FromHours(2));
        _cluster.TakeEffects();
        Pool("c", free: 8);
        Assert.Equal(["a", "c"], _cluster.World.Leases.Select(l => l.Pool).Order());
        Assert.Equal("b", _cluster.TakeEffects().OfType<Effect.Release>().Single().Pool);
    }

    [Fact]
    public void Who_wants_it_cheap_waits_where_a_device_costs_least()
    {
        Pool("dear", free: 8, "3 EUR").Pool("cheap", free: 0, "1.20 EUR");
        Submit(Preference.Cheapest);
        Assert.Equal(["cheap"], Asked());
    }

    [Fact]
    public void Who_wants_it_cheap_waits_for_machines_of_our_own()
    {
        _cluster.Node("office/a", gpus: 4);
        Submit();
        Pool("cheap", free: 8, "1.20 EUR");
        Submit(Preference.Cheapest);
        Assert.Empty(Asked());
        Submit();
        Assert.Equal(["cheap"], Asked());
    }

    [Fact]
    public void Prices_are_in_one_currency()
    {
        Pool("a", free: 8, "3 EUR");
        var answers = _cluster.Apply(new Command.SetPool(new("b", "slurm", Price: new(2_000_000, "USD"))));
        Assert.Equal("the price is in USD, and that of pool a in EUR: write all in one currency", answers[0].Error);
    }
}
