using Puces.Core.Contract;
using Puces.Core.Fleet;
using Puces.Core.Scheduling;
using Puces.Testing.Simulation;
using Xunit;

namespace Puces.Tests.Scheduling;

/// <summary>How what is free lies.</summary>
public sealed class GapTests
{
    private static NodeUse Use(string id, int gpus, int free, string model = "H100", int freeCpus = 16)
    {
        var node = Cluster.NodeOf(id, gpus, model);
        return new(node, [.. Enumerable.Range(0, free)], freeCpus * 1000, node.Memory, []);
    }

    private static Gap Of(params NodeUse[] nodes) => Assert.Single(Gap.Of(nodes, nodes));

    [Fact]
    public void Devices_on_nodes_that_are_used_in_part_are_scattered()
    {
        var gap = Of(Use("p/a", 8, 8), Use("p/b", 8, 3), Use("p/c", 8, 1), Use("p/d", 8, 0));
        Assert.Equal(("H100", 32, 12, 4), (gap.Model, gap.Devices, gap.Free, gap.Scattered));
        Assert.Equal(4 / 12.0, gap.Fragmentation);
    }

    [Fact]
    public void Where_nothing_is_free_nothing_is_scattered() => Assert.Equal(0, Of(Use("p/a", 8, 0)).Fragmentation);

    [Fact]
    public void The_largest_gang_has_the_most_devices_in_equal_parts()
    {
        var gap = Of(Use("p/a", 8, 8), Use("p/b", 8, 6), Use("p/c", 8, 6), Use("p/d", 8, 1));
        Assert.Equal((8, 3, 6), (gap.OnOneNode, gap.OverNodes, gap.EachNode));
    }

    [Fact]
    public void A_device_without_a_CPU_for_it_starts_nothing()
    {
        var gap = Of(Use("p/a", 4, 4, freeCpus: 2));
        Assert.Equal((4, 2), (gap.Free, gap.OnOneNode));
    }

    [Fact]
    public void What_is_kept_for_others_is_free_and_starts_nothing()
    {
        var gap = Assert.Single(Gap.Of([Use("p/a", 8, 4)], [Use("p/a", 8, 0)]));
        Assert.Equal((4, 0, 0), (gap.Free, gap.OnOneNode, gap.OverNodes));
    }

    [Fact]
    public void Each_accelerator_is_counted_for_itself() =>
        Assert.Equal(["A100", "H100"], Gap.Of([Use("p/b", 8, 8), Use("p/a", 4, 4, "A100")], []).Select(g => g.Model));

    [Theory]
    [InlineData(0, 0.0, 0, 0, 0, "")]
    [InlineData(12, 0.25, 8, 3, 6, ", 25 % of it on nodes used in part; the largest job that would start now: 8 on one node, over nodes 3 × 6")]
    [InlineData(4, 1.0, 4, 1, 4, ", 100 % of it on nodes used in part; the largest job that would start now: 4 on one node")]
    [InlineData(4, 1.0, 0, 0, 0, ", 100 % of it on nodes used in part; no job would start on it now")]
    public void It_is_said_in_words(int free, double fragmentation, int one, int over, int each, string text) =>
        Assert.Equal(text, GapText.Of(new("H100", 32, free, fragmentation, one, over, each)));
}
