using System.Numerics;
using Puces.Core.Scheduling;
using Xunit;

namespace Puces.Tests.Scheduling;

/// <summary>Who may be stopped is kept in order from pass to pass: what is found by it is what a look at every node would find.</summary>
public sealed class VictimOrderTests
{
    private const int Devices = 4;

    private readonly Shapes _shapes = new();
    private readonly Scheduler _scheduler = new(new ByNumber(), new Grid());

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void What_is_found_in_the_kept_order_costs_as_little_as_what_a_look_at_every_node_finds(int seed)
    {
        var luck = new Random(seed);
        var (now, number, stopped) = (TimeSpan.Zero, 1_000_000L, 0);
        foreach (var name in Enumerable.Range(0, 20).OrderBy(_ => luck.Next())) _scheduler.Grid.Set(Testing.Simulation.Cluster.NodeOf($"pool/n{name:D2}", Devices));
        for (var step = 0; step < 300; step++)
        {
            now += TimeSpan.FromSeconds(luck.Next(1, 200));
            // Nodes come with names between those of others.
            if (step % 50 == 49) _scheduler.Grid.Set(Testing.Simulation.Cluster.NodeOf($"pool/n{luck.Next(20):D2}-{step}", Devices));
            foreach (var holding in _scheduler.Holding.OrderBy(c => c.Number).ToList())
            {
                if (luck.Next(30) == 0) _scheduler.End(holding, holding.Attained(now), now);
                else if (luck.Next(20) == 0) holding.Saved = now;
                else if (luck.Next(100) == 0) holding.SavesEvery = luck.Next(2) == 0 ? null : TimeSpan.FromMinutes(luck.Next(20));
            }
            // Some nodes have free devices, most have none.
            while (_scheduler.Grid.FreeDevices > luck.Next(6)) Fill();
            if (luck.Next(4) == 0) now += TimeSpan.FromSeconds(1);
            var urgent = Add(step, luck.Next(1, Devices + 1), canYield: false);
            var expected = Cheapest(urgent);
            var stops = _scheduler.Decide(now).Stops.Select(s => s.Victim).ToList();
            Assert.Equal(expected is null, stops.Count == 0);
            if (expected is { } cheapest)
            {
                Assert.Equal(cheapest.Lost, stops.Sum(s => s.LostAt(now)));
                // Where several nodes lose as little, which one it is hangs on ranks too.
                Assert.Contains(_scheduler.Grid.NodeAt(stops[0].Parts[0].Node).Id, cheapest.Names);
                foreach (var victim in stops) _scheduler.Leave(victim, victim.Attained(now));
                _scheduler.Decide(now);
                stopped++;
            }
            Assert.True(urgent.IsHolding || expected is null);
            if (urgent.IsHolding) _scheduler.End(urgent, default, now);
            else _scheduler.Withdraw(urgent);
        }
        Assert.InRange(stopped, 100, int.MaxValue);

        void Fill()
        {
            var claim = Add(number -= luck.Next(1, 1000), luck.Next(1, Devices + 1), luck.Next(5) > 0);
            // It starts where it fits, and has nobody stopped.
            if (_scheduler.Grid.Place(claim.Shape) is not null) _scheduler.Decide(now);
            if (!claim.IsHolding) _scheduler.Withdraw(claim);
        }

        Claim Add(long number, int devices, bool canYield)
        {
            var claim = new Claim { Number = number, Shape = _shapes.Of(1000 * devices, "", 0, default, [Devices]), CanYield = canYield, SavesEvery = luck.Next(6) == 0 ? TimeSpan.FromMinutes(luck.Next(10)) : null };
            _scheduler.Add(claim, now);
            return claim;
        }

        // What is lost, and on which nodes no more is; null where it starts at once, or nobody can make room.
        (long Lost, List<string> Names)? Cheapest(Claim claim)
        {
            if (_scheduler.Grid.Place(claim.Shape) is not null) return null;
            (long Lost, List<string> Names)? best = null;
            foreach (var on in _scheduler.Holding.GroupBy(c => c.Parts[0].Node))
            {
                Claim[] able = [.. on.Where(c => c.CanYield)];
                for (var set = 1; set < 1 << able.Length; set++)
                {
                    Claim[] leaving = [.. able.Where((_, i) => (set >> i & 1) != 0)];
                    if (BitOperations.PopCount(_scheduler.Grid.SlotAt(on.Key).Free) + leaving.Sum(c => c.Shape.Devices) < claim.Shape.Devices) continue;
                    var (lost, name) = (leaving.Sum(c => c.LostAt(now)), _scheduler.Grid.NodeAt(on.Key).Id);
                    if (best is { } least && lost > least.Lost) continue;
                    if (best is { } same && lost == same.Lost) same.Names.Add(name);
                    else best = (lost, [name]);
                }
            }
            return best;
        }
    }

    [Fact]
    public void Whoever_loses_as_much_as_all_others_is_found_without_a_look_at_every_node()
    {
        for (var i = 0; i < 200; i++) _scheduler.Grid.Set(Testing.Simulation.Cluster.NodeOf($"pool/n{i:D3}", Devices));
        for (var i = 0; i < 400; i++) _scheduler.Add(new() { Number = 1000 + i, Shape = _shapes.Of(i < 396 ? 1000 : 4000, "", 0, default, [Devices]), CanYield = true }, default);
        for (var i = 400; i < 900; i++) _scheduler.Add(new() { Number = 1000 + i, Shape = _shapes.Of(1000, "", 0, default, [Devices]), CanYield = true }, default);
        _scheduler.Decide(default);
        var (looks, tries) = (_scheduler.NodeLooks, _scheduler.VictimTries);
        for (var i = 0; i < 50; i++) _scheduler.Add(new() { Number = i, Shape = _shapes.Of(1000 << i % 3, "", 0, default, [Devices]) }, TimeSpan.FromHours(1));
        Assert.Equal(50, _scheduler.Decide(TimeSpan.FromHours(1)).Stops.Select(s => s.For).Distinct().Count());
        // Each of the fifty would look at 200 nodes, and try 128 sets of victims on each.
        Assert.InRange(_scheduler.NodeLooks - looks, 50, 50 * 4);
        Assert.InRange(_scheduler.VictimTries - tries, 50, 50 * 16);
    }

    [Fact]
    public void A_node_of_whose_devices_most_were_held_for_long_is_not_looked_at_because_one_was_not()
    {
        for (var i = 0; i < 200; i++) _scheduler.Grid.Set(Testing.Simulation.Cluster.NodeOf($"pool/n{i:D3}", Devices));
        for (var i = 0; i < 200; i++) _scheduler.Add(new() { Number = 1000 + i, Shape = _shapes.Of(3000, "", 0, default, [Devices]), CanYield = true }, default);
        _scheduler.Decide(default);
        var later = TimeSpan.FromHours(1);
        for (var i = 0; i < 200; i++) _scheduler.Add(new() { Number = 2000 + i, Shape = _shapes.Of(1000, "", 0, default, [Devices]), CanYield = true }, later);
        _scheduler.Decide(later);
        var saved = _scheduler.Holding.Single(c => c.Number == 1077);
        saved.Saved = later;
        var looks = _scheduler.NodeLooks;
        _scheduler.Add(new() { Number = 1, Shape = _shapes.Of(4000, "", 0, default, [Devices]) }, later);
        var stops = _scheduler.Decide(later + TimeSpan.FromMinutes(1)).Stops;
        Assert.Equal([saved.Parts[0].Node, saved.Parts[0].Node], stops.Select(s => s.Victim.Parts[0].Node));
        // All two hundred have a job that has only just begun.
        Assert.InRange(_scheduler.NodeLooks - looks, 1, 10);
    }

    /// <summary>The lower number goes first, and has others stopped.</summary>
    private sealed class ByNumber : IPolicy
    {
        public string Name => "by-number";
        public bool Stops => true;
        // Each is a group of its own, so that one pass looks at all.
        public bool IsSteady => false;
        public long GroupOf(Claim claim) => claim.Number;
        public long Rank(Claim claim, TimeSpan now) => claim.Number;
        public bool MayStop(Claim holding, Claim waiting, TimeSpan now) => holding.Number > waiting.Number;
    }
}
