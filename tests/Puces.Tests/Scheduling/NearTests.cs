using Puces.Core.Engine;
using Puces.Core.Fleet;
using Puces.Core.Jobs;
using Puces.Core.Scheduling;
using Puces.Testing.Simulation;
using Xunit;

namespace Puces.Tests.Scheduling;

/// <summary>Fast links and racks are kept whole where they can be, and nobody waits for that.</summary>
public sealed class NearTests
{
    private readonly Cluster _cluster = new();

    /// <summary>A node whose devices are joined so many at a time.</summary>
    private static Node Joined(string id, int gpus, int islands) => Cluster.Joined(Cluster.NodeOf(id, gpus), islands);

    private Cluster Standing(params (string Id, string? Place)[] nodes)
    {
        foreach (var (id, place) in nodes) _cluster.Node(Cluster.NodeOf(id, 8) with { Place = place });
        return _cluster;
    }

    private Share[] Shares(JobId job) => [.. _cluster[job].State.Held!.Shares];
    private int[] Devices(JobId job) => [.. Shares(job).Single().Devices];
    private string[] Nodes(JobId job) => [.. Shares(job).Select(s => s.Node).Order(StringComparer.Ordinal)];

    [Fact]
    public void A_part_lies_in_one_island_the_one_with_the_fewest_free_devices_that_are_enough()
    {
        _cluster.Node(Joined("p/a", 8, 4));
        Assert.Equal([0], Devices(_cluster.Submit(gpus: 1)));
        Assert.Equal([4, 5, 6, 7], Devices(_cluster.Submit(gpus: 4)));
        Assert.Equal([1, 2], Devices(_cluster.Submit(gpus: 2)));
    }

    [Fact]
    public void A_small_part_leaves_the_whole_island_to_a_large_one()
    {
        _cluster.Node(Joined("p/a", 8, 4));
        var first = _cluster.Submit(gpus: 3);
        Assert.Equal([0, 1, 2], Devices(first));
        Assert.Equal([3], Devices(_cluster.Submit(gpus: 1)));
        Assert.Equal([4, 5, 6, 7], Devices(_cluster.Submit(gpus: 4)));
    }

    [Fact]
    public void A_part_that_no_island_has_room_for_lies_over_as_few_as_possible()
    {
        _cluster.Node(Joined("p/a", 8, 2));
        Assert.Equal([0], Devices(_cluster.Submit(gpus: 1)));
        Assert.Equal([2, 3, 4, 5], Devices(_cluster.Submit(gpus: 4)));
        Assert.Equal([1, 6, 7], Devices(_cluster.Submit(gpus: 3)));
    }

    [Fact]
    public void A_node_with_a_whole_island_goes_before_a_tighter_one_without()
    {
        _cluster.Node(Joined("p/a", 4, 2)).Node(Joined("p/b", 8, 4));
        Assert.Equal("p/b", Shares(_cluster.Submit(gpus: 3)).Single().Node);
    }

    [Fact]
    public void Where_no_links_are_known_the_lowest_devices_of_the_tightest_node_are_taken()
    {
        _cluster.Node("p/a", 8).Node("p/b", 4);
        var job = _cluster.Submit(gpus: 3);
        Assert.Equal(("p/b", 3), (Shares(job)[0].Node, Devices(job).Length));
    }

    [Fact]
    public void A_gang_takes_the_rack_with_the_fewest_free_nodes_that_are_enough()
    {
        Standing(("p/a", "r1"), ("p/b", "r2"), ("p/c", "r1"), ("p/d", "r2"), ("p/e", "r1"), ("p/f", null));
        Assert.Equal(["p/b", "p/d"], Nodes(_cluster.Submit(gpus: 8, nodes: 2)));
        Assert.Equal(["p/a", "p/c", "p/e"], Nodes(_cluster.Submit(gpus: 8, nodes: 3)));
    }

    [Fact]
    public void A_gang_that_no_rack_has_room_for_stays_under_one_switch_and_in_as_few_racks_as_possible()
    {
        Standing(("p/a", "x/r1"), ("p/b", "x/r1"), ("p/c", "x/r2"), ("p/d", "y/r3"), ("p/e", "y/r3"), ("p/f", "y/r4"), ("p/g", "y/r5"));
        Assert.Equal(["p/a", "p/b", "p/c"], Nodes(_cluster.Submit(gpus: 8, nodes: 3)));
        Assert.Equal(["p/d", "p/e", "p/f"], Nodes(_cluster.Submit(gpus: 8, nodes: 3)));
    }

    [Fact]
    public void A_gang_is_never_refused_for_where_its_nodes_stand()
    {
        Standing(("p/a", "x/r1"), ("p/b", "y/r2"), ("p/c", null));
        Assert.Equal(["p/a", "p/b", "p/c"], Nodes(_cluster.Submit(gpus: 8, nodes: 3)));
    }

    [Fact]
    public void The_order_in_which_nodes_are_first_seen_makes_no_difference()
    {
        (string, string?)[] nodes = [("p/a", null), ("p/b", "r2"), ("p/c", "r1"), ("p/d", "r2"), ("p/e", "r1"), ("p/f", "r1")];
        Standing(nodes);
        var forth = Nodes(_cluster.Submit(gpus: 4, nodes: 2));
        var other = new NearTests();
        other.Standing([.. nodes.Reverse()]);
        Assert.Equal(forth, other.Nodes(other._cluster.Submit(gpus: 4, nodes: 2)));
    }

    [Fact]
    public void A_rack_is_counted_right_whatever_becomes_of_its_nodes()
    {
        Standing(("p/a", "r1"), ("p/b", "r1"), ("p/c", "r2"), ("p/d", "r2"), ("p/e", "r2"));
        _cluster.Down("p/b");
        Assert.Equal(["p/c", "p/d"], Nodes(_cluster.Submit(gpus: 4, nodes: 2)));
        _cluster.Back("p/b");
        Assert.Equal(["p/a", "p/b"], Nodes(_cluster.Submit(gpus: 8, nodes: 2)));
        _cluster.Apply(new Command.NodeGone("p/e"));
        Assert.Equal(["p/c", "p/d"], Nodes(_cluster.Submit(gpus: 4, nodes: 2)));
    }

    [Fact]
    public void Islands_are_told_in_words()
    {
        Assert.Equal((" in 2 islands of 4", "", " in islands of 4, 2"), (Waiting.Links(Joined("p/a", 8, 4)), Waiting.Links(Joined("p/a", 8, 8)), Waiting.Links(Joined("p/a", 6, 4))));
        Assert.Equal((" (one island)", " (2 islands)", ""), (Waiting.Links(Joined("p/a", 8, 4), [4, 5]), Waiting.Links(Joined("p/a", 8, 4), [3, 4]), Waiting.Links(Cluster.NodeOf("p/a", 8), [3, 4])));
    }
}
