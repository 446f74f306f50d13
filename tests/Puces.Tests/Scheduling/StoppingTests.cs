using Puces.Core.Scheduling;
using Xunit;

namespace Puces.Tests.Scheduling;

/// <summary>Who is stopped for whom, on one node.</summary>
public sealed class StoppingTests
{
    private readonly Shapes _shapes = new();
    private readonly Scheduler _scheduler = new(new PucesPolicy(), new Grid());
    private long _number;

    public StoppingTests() => _scheduler.Grid.Set(new("pool/a", "pool", [new(0, "H100", "nvidia", default), new(1, "H100", "nvidia", default)], 0, default, IsVirtual: true, IsUp: true, default));

    [Fact]
    public void Two_that_share_a_device_free_one_and_not_two()
    {
        var (one, two) = (Add(500), Add(500));
        var other = Add(1000, canYield: false);
        Assert.Equal([one, two, other], _scheduler.Decide(default).Starts);
        Add(2000, priority: 1);
        Assert.Empty(_scheduler.Decide(default).Stops);
    }

    [Fact]
    public void A_device_that_is_shared_is_freed_by_the_last_who_leaves_it()
    {
        var (one, two) = (Add(500), Add(500));
        Assert.Equal([one, two], _scheduler.Decide(default).Starts);
        var whole = Add(2000, priority: 1);
        Assert.Equal([one, two], _scheduler.Decide(default).Stops.Select(s => s.Victim).OrderBy(c => c.Number));
        foreach (var leaving in (Claim[])[one, two])
        {
            Assert.Empty(_scheduler.Decide(default).Starts);
            _scheduler.Leave(leaving, default);
        }
        Assert.Equal([whole], _scheduler.Decide(default).Starts);
    }

    [Fact]
    public void A_device_that_one_shares_who_may_not_be_stopped_is_not_freed()
    {
        Add(500);
        Add(500, canYield: false);
        _scheduler.Decide(default);
        Add(2000, priority: 1);
        Assert.Empty(_scheduler.Decide(default).Stops);
    }

    private Claim Add(int milliGpus, int priority = 0, bool canYield = true)
    {
        var claim = new Claim { Number = ++_number, Shape = _shapes.Of(milliGpus, "", 0, default, [2]), CanYield = canYield, Priority = priority };
        _scheduler.Add(claim, default);
        return claim;
    }
}
