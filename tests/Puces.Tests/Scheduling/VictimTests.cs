using Puces.Core.Scheduling;
using Xunit;

namespace Puces.Tests.Scheduling;

/// <summary>Of those that may be stopped for another, who is: whoever loses least work that was not saved.</summary>
public sealed class VictimTests
{
    private static readonly TimeSpan Later = TimeSpan.FromHours(1);

    private readonly Shapes _shapes = new();
    private readonly Scheduler _scheduler = new(new PucesPolicy(), new Grid());
    private long _number;

    [Fact]
    public void Whoever_saved_last_leaves()
    {
        Nodes("a", "b", "c");
        var (_, second, third) = (Add(4), Add(4), Add(4));
        _scheduler.Decide(default);
        (second.Saved, third.Saved) = (Later - TimeSpan.FromMinutes(1), Later - TimeSpan.FromMinutes(2));
        Assert.Equal([second], StoppedFor(Add(4, priority: 1)));
    }

    [Fact]
    public void One_that_loses_much_leaves_before_several_that_lose_more_together()
    {
        Nodes("a", "b");
        Claim[] small = [Add(1), Add(1), Add(1), Add(1)];
        var large = Add(4);
        _scheduler.Decide(default);
        large.Saved = Later - TimeSpan.FromSeconds(10);
        foreach (var one in small) one.Saved = Later - TimeSpan.FromSeconds(11);
        Assert.Equal([large], StoppedFor(Add(4, priority: 1)));
    }

    [Fact]
    public void On_one_node_those_leave_that_lose_least_together()
    {
        // Three devices are wanted: one and two lose less together than three alone, though three lose less for each device than two.
        Nodes("a");
        var (one, two, three) = (Add(1), Add(2), Add(3));
        var grid = _scheduler.Grid;
        grid.Set(grid.NodeAt(0) with { Devices = [.. Enumerable.Range(0, 6).Select(i => new Core.Fleet.Device(i, "H100", "nvidia", default))] });
        _scheduler.Decide(default);
        (one.Saved, two.Saved, three.Saved) = (Later - TimeSpan.FromSeconds(2), Later - TimeSpan.FromSeconds(20), Later - TimeSpan.FromSeconds(15));
        Assert.Equal([one, two], StoppedFor(Add(3, priority: 1)));
    }

    [Fact]
    public void Nobody_leaves_who_is_not_needed()
    {
        Nodes("a");
        var (one, three) = (Add(1), Add(3));
        _scheduler.Decide(default);
        (one.Saved, three.Saved) = (Later, Later);
        Assert.Equal([three], StoppedFor(Add(3, priority: 1)));
    }

    [Fact]
    public void A_lower_priority_leaves_before_a_higher_whatever_is_lost()
    {
        Nodes("a", "b");
        var (_, second) = (Add(4), Add(4, priority: 1));
        _scheduler.Decide(default);
        second.Saved = Later;
        var third = Add(4, priority: 2);
        Assert.DoesNotContain(second, StoppedFor(third));
    }

    [Fact]
    public void Whoever_was_stopped_last_stays_as_long_as_another_will_do()
    {
        Nodes("a", "b");
        var (first, second) = (Add(4), Add(4));
        _scheduler.Decide(default);
        first.Saved = Later;
        var urgent = Add(4, priority: 1);
        Assert.Equal([first], StoppedFor(urgent));
        Leave(first);
        Assert.Equal([urgent], _scheduler.Decide(Later).Starts);
        _scheduler.End(urgent, default, Later);
        Assert.Equal([first], _scheduler.Decide(Later).Starts);
        first.Saved = 2 * Later;
        Add(4, priority: 1);
        Assert.Equal([second], _scheduler.Decide(2 * Later).Stops.Select(s => s.Victim));
    }

    [Fact]
    public void Who_had_to_begin_again_is_left_for_a_while_whoever_asks()
    {
        Nodes("a");
        var first = Add(4);
        _scheduler.Decide(default);
        var urgent = Add(4, priority: 1);
        Assert.Equal([first], StoppedFor(urgent));
        Leave(first);
        _scheduler.Decide(Later);
        _scheduler.End(urgent, default, Later);
        Assert.Equal([first], _scheduler.Decide(Later).Starts);
        Add(4, priority: 1);
        Assert.Empty(_scheduler.Decide(Later).Stops);
        Assert.Equal([first], _scheduler.Decide(Later + 2 * Scheduler.LeastTurn).Stops.Select(s => s.Victim));
    }

    [Fact]
    public void Who_left_for_another_has_nobody_stopped_in_turn()
    {
        var scheduler = new Scheduler(new ByNumber(), new Grid());
        foreach (var name in (string[])["pool/a", "pool/b"]) scheduler.Grid.Set(Testing.Simulation.Cluster.NodeOf(name, 4));
        Claim[] claims = [.. Enumerable.Range(1, 3).Select(i => new Claim { Number = i, Shape = _shapes.Of(4000, "", 0, default, [4]), CanYield = true })];
        foreach (var claim in claims[1..]) scheduler.Add(claim, default);
        Assert.Equal(claims[1..], scheduler.Decide(default).Starts);
        claims[1].Saved = Later;
        scheduler.Add(claims[0], Later);
        Assert.Equal([claims[1]], scheduler.Decide(Later).Stops.Select(s => s.Victim));
        scheduler.Leave(claims[1], default);
        scheduler.Add(claims[1], Later);
        Assert.Equal([claims[0]], scheduler.Decide(Later).Starts);
        Assert.Empty(scheduler.Decide(2 * Later).Stops);
    }

    /// <summary>The lower number goes first, and has others stopped.</summary>
    private sealed class ByNumber : IPolicy
    {
        public string Name => "by-number";
        public bool Stops => true;
        public long Rank(Claim claim, TimeSpan now) => claim.Number;
        public bool MayStop(Claim holding, Claim waiting, TimeSpan now) => holding.Number > waiting.Number;
    }

    private void Nodes(params IEnumerable<string> names)
    {
        foreach (var name in names) _scheduler.Grid.Set(Testing.Simulation.Cluster.NodeOf("pool/" + name, 4));
    }

    private Claim Add(int devices, int priority = 0)
    {
        var claim = new Claim { Number = ++_number, Shape = _shapes.Of(1000 * devices, "", 0, default, [4]), CanYield = true, Priority = priority };
        _scheduler.Add(claim, default);
        return claim;
    }

    private IEnumerable<Claim> StoppedFor(Claim waiting) =>
        _scheduler.Decide(Later).Stops.Where(s => s.For == waiting).Select(s => s.Victim).OrderBy(c => c.Number);

    private void Leave(Claim claim)
    {
        _scheduler.Leave(claim, default);
        _scheduler.Add(claim, Later);
    }
}
