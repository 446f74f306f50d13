using Puces.Core.Replay;
using Xunit;

namespace Puces.Tests.Replay;

public sealed class NodeGroupTests
{
    [Theory]
    [InlineData("16x8", 16, 8, "")]
    [InlineData("1X4:H100", 1, 4, "H100")]
    public void A_group_is_read(string text, int nodes, int devices, string accelerator)
    {
        Assert.True(NodeGroup.TryParse(text, out var group));
        Assert.Equal(new(nodes, devices, accelerator), group);
    }

    [Theory]
    [InlineData("16"), InlineData("x8"), InlineData("0x8"), InlineData("8x0"), InlineData("8x8:"), InlineData("-1x8"), InlineData("8x9999"), InlineData("")]
    public void Anything_else_is_none(string text) => Assert.False(NodeGroup.TryParse(text, out _));

    [Theory]
    [InlineData("", "H100", true), InlineData("H100", "", true), InlineData("h100", "H100", true), InlineData("A100|H100", "H100", true), InlineData("A100", "H100", false)]
    public void A_model_is_asked_for_by_name_or_by_several(string asked, string had, bool takes) => Assert.Equal(takes, new NodeGroup(1, 8, had).Takes(asked));

    [Fact]
    public void Nodes_are_read_from_a_table_with_equal_neighbours_together() => Assert.Equal(
        [new(2, 2, "P100", 64_000, new(1L << 30)), new(1, 8, "T4", 96_000, new(2L << 30)), new(1, 2, "P100", 64_000, new(1L << 30))],
        NodeGroup.Read(new StringReader("sn,cpu_milli,memory_mib,gpu,model\na,64000,1024,2,P100\nb,64000,1024,2,P100\nc,96000,2048,8,T4\nd,64000,1024,2,P100\n"), "n"));

    [Fact]
    public void Nodes_are_read_from_a_list() =>
        Assert.Equal([new(16, 8, "H100"), new(4, 4)], NodeGroup.Read(new StringReader("# ours\n16x8:H100\n\n4x4  # old ones\n"), "n"));

    [Fact]
    public void What_stands_behind_a_group_is_read()
    {
        var group = Assert.Single(NodeGroup.Read(new StringReader("16x8:H100 islands 4 racks 8 opens 2d  # rented\n"), "n"));
        Assert.Equal((4, 8, DateTimeOffset.UnixEpoch.AddDays(2)), (group.Islands, group.Racks, Assert.Single(group.Windows).To));
    }

    [Theory]
    [InlineData("16x8\nmany\n", "n:2: 'many' is no group of nodes")]
    [InlineData("# none\n", "n:1: lists no nodes")]
    [InlineData("sn,gpu,model\na,two,T4\n", "n:2: gpu 'two' is no amount")]
    public void A_mistake_is_named(string text, string error) =>
        Assert.StartsWith(error, Assert.Throws<TraceException>(() => NodeGroup.Read(new StringReader(text), "n")).Message, StringComparison.Ordinal);

    [Fact]
    public void Nodes_are_taken_from_the_end_of_their_kind()
    {
        NodeGroup[] pool = [new(2, 8, "H100"), new(4, 4, "T4"), new(3, 8, "H100")];
        Assert.Equal([new(1, 8, "H100"), new(4, 4, "T4")], NodeGroup.Without(pool, new(4, 8, "H100")));
        Assert.Equal([new(2, 8, "H100"), new(4, 4, "T4")], NodeGroup.Without(pool, new(3, 8)));
        Assert.Null(NodeGroup.Without(pool, new(6, 8)));
        Assert.Null(NodeGroup.Without(pool, new(1, 8, "T4")));
    }
}
