using Puces.Core.Packing;
using Xunit;
using static Puces.Tests.Packing.PackWorlds;

namespace Puces.Tests.Packing;

public sealed class PackPolicyTests
{
    [Fact]
    public void Two_halves_share_one_gpu() => Assert.Equal("a:0 a:0", Place("puces", [Node("a", gpus: 2)], Pod(0.5), Pod(0.5)));

    [Fact]
    public void A_share_goes_onto_the_gpu_that_it_fills() =>
        // 0.47 and 0.81 are there; 0.53 is the rest of the one and has no room beside the other.
        Assert.Equal("a:0 a:1 a:0", Place("puces", [Node("a", gpus: 2)], Pod(0.47), Pod(0.81), Pod(0.53)));

    [Fact]
    public void An_empty_node_stays_empty_for_a_pod_that_needs_all_of_it()
    {
        PackPod[] pods = [Pod(4), Pod(1), Pod(1), Pod(1), Pod(1), Pod(4)];
        Assert.Equal("a b b b b c", Place("puces", [Node("a", gpus: 4), Node("b", gpus: 4), Node("c", gpus: 4)], pods));
    }

    [Fact]
    public void A_scarce_model_is_kept_for_the_pods_that_ask_for_it() =>
        Assert.Equal("t1 g1 t2 g2", Place(
            "puces", [Node("t1", 1, model: "T4"), Node("t2", 1, model: "T4"), Node("g1", 1, model: "G2"), Node("g2", 1, model: "G2")],
            Pod(1, models: "T4"), Pod(1), Pod(1, models: "T4|T4"), Pod(1)));

    [Fact]
    public void A_large_node_is_kept_for_the_pods_that_nothing_else_holds() =>
        Assert.Equal("large small large", Place(
            "puces", [Node("large", gpus: 2, cpus: 64), Node("small", gpus: 1, cpus: 16)], Pod(1, cpus: 32), Pod(1, cpus: 8), Pod(1, cpus: 32)));

    [Fact]
    public void A_gpu_with_little_cpu_is_not_spoilt_by_a_share_that_takes_all_of_it()
    {
        // The light pod makes a whole GPU of it, the share with its eight CPUs would leave half of it to nobody.
        PackNode[] nodes = [Node("poor", gpus: 1, cpus: 8), Node("rich", gpus: 1, cpus: 64)];
        Assert.EndsWith("rich:0 rich:0", Place("puces", nodes, Pod(1, cpus: 2), Pod(0.5, cpus: 8), Pod(0.5, cpus: 8)), StringComparison.Ordinal);
    }

    [Fact]
    public void A_pod_without_gpus_goes_where_no_gpu_needs_the_cpus() =>
        Assert.Equal("a a b", Place("puces", [Node("a", gpus: 1, cpus: 16), Node("b", gpus: 1, cpus: 16)], Pod(1, cpus: 4), Pod(0, cpus: 12), Pod(1, cpus: 8)));

    [Fact]
    public void Memory_counts_too() =>
        Assert.Equal("a - b", Place("puces", [Node("a", 2, gib: 32), Node("b", 2, gib: 64)], Pod(1, gib: 32), Pod(1, gib: 65), Pod(1, gib: 64)));

    [Fact]
    public void Best_fit_takes_the_node_where_least_is_left() =>
        Assert.Equal("b b a", Place("best-fit", [Node("a", gpus: 8), Node("b", gpus: 2)], Pod(1), Pod(1), Pod(1)));

    [Fact]
    public void Packing_takes_a_gpu_in_use_then_a_node_in_use_then_the_smallest_node() =>
        Assert.Equal("b:0 b:0 b a", Place("packing", [Node("a", gpus: 8), Node("b", gpus: 2)], Pod(0.4), Pod(0.4), Pod(1), Pod(1)));

    [Fact]
    public void Fragmentation_gradient_descent_avoids_fragments_and_takes_the_smallest_name_of_equals()
    {
        PackNode[] nodes = [Node("b", gpus: 2), Node("a", gpus: 2)];
        Assert.Equal("a a", Place("fgd", nodes, Pod(1), Pod(1)));
        Assert.Equal("a:0 a:0", Place("fgd", nodes, Pod(0.6), Pod(0.4)));
    }

    [Fact]
    public void Random_takes_any_node_with_room()
    {
        var went = Place("random", [Node("a", 8), Node("b", 8), Node("full", 0)], [.. Enumerable.Repeat(Pod(1), 16)]).Split(' ');
        Assert.Equal((8, 8), (went.Count(n => n == "a"), went.Count(n => n == "b")));
        Assert.NotEqual(went.Order(StringComparer.Ordinal), went);
    }

    [Theory]
    [InlineData("fdg", "there is no policy 'fdg'; did you mean 'fgd'?")]
    [InlineData("x", "there is no policy 'x'; there are random, packing, best-fit, fgd, puces")]
    public void An_unknown_policy_is_answered_with_those_that_there_are(string name, string mistake) => Assert.Equal(mistake, PackPolicies.Mistake(name));
}
