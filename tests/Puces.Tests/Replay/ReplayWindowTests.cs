using Puces.Core.Replay;
using Puces.Core.Scheduling;
using Xunit;

namespace Puces.Tests.Replay;

/// <summary>Nodes of a replay that are there only for a time.</summary>
public sealed class ReplayWindowTests
{
    private static readonly TimeSpan Hour = TimeSpan.FromHours(1);

    private static TraceJob Job(int id, double hours, bool yields = false) =>
        new($"{id}", TimeSpan.Zero, hours * Hour, 4000) { CanYield = yields, Limit = yields ? null : hours * Hour };

    private static Replayed Run(string pool, IPolicy policy, params TraceJob[] jobs) =>
        Replayer.Run(jobs, NodeGroup.Read(new StringReader(pool), "pool"), policy, ReplayCosts.None);

    [Fact]
    public void What_waits_starts_on_the_nodes_that_open_later() =>
        Assert.Equal([TimeSpan.Zero, 2 * Hour], Run("1x4\n1x4 opens 2h\n", new Fifo(), Job(1, 5), Job(2, 5)).Starts);

    [Fact]
    public void Nothing_starts_that_would_run_into_a_window() =>
        Assert.Equal([6 * Hour, TimeSpan.Zero], Run("1x4 closed 4h..6h\n", new PucesPolicy(), Job(1, 5), Job(2, 3)).Starts);

    [Fact]
    public void Who_can_leave_does_when_the_window_begins_and_goes_on_after_it()
    {
        var told = Run("1x4 closed 4h..6h\n", new PucesPolicy(), Job(1, 5, yields: true));
        Assert.Equal((1, 7 * Hour), (told.Preemptions, told.Ends[0]));
    }

    [Theory]
    [InlineData("1x4 opens"), InlineData("1x4 opens soon"), InlineData("1x4 closed 2h..1h"), InlineData("1x4 closed 2h"), InlineData("1x4 never 2h")]
    public void A_mistake_in_a_time_is_named(string line) => Assert.Equal(
        $"n:1: '{line}': write behind the nodes opens 2d, closes 30d or closed 2d..2d4h, since the first submission, islands 4 (devices) or racks 8 (nodes)",
        Assert.Throws<TraceException>(() => NodeGroup.Read(new StringReader(line), "n")).Message);
}
