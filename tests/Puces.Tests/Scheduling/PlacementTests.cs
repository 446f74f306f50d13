using Puces.Core.Fleet;
using Puces.Core.Jobs;
using Puces.Core.Scheduling;
using Puces.Core.Units;
using Puces.Testing.Simulation;
using Xunit;

namespace Puces.Tests.Scheduling;

/// <summary>Where a request fits.</summary>
public sealed class PlacementTests
{
    private static Request Ask(params GpuRequest[] gpus) => new(gpus, 1, 0, default, []);

    private static NodeUse Use(Node node, int held = 0, int? cpus = null, int? gigabytes = null) => new(
        node, [.. node.Devices.Where(d => d.IsHealthy).Select(d => d.Index).Skip(held)], cpus * 1000 ?? node.MilliCpus, gigabytes is { } g ? Gb(g) : node.Memory, []);

    private static NodeUse Use(string id, int gpus = 0, string model = "H100", int held = 0, int cpus = 16, int gigabytes = 64) => Use(Cluster.NodeOf(id, gpus, model, cpus, gigabytes), held);

    private static Memory Gb(int gigabytes) => new(gigabytes * 1_000_000_000L);

    private static string? Find(Request request, params NodeUse[] nodes) => Placement.Find(request, nodes)?.ToString();

    [Theory]
    [InlineData("H100", "p/h [0,1]")]
    [InlineData("h100", "p/h [0,1]")]
    [InlineData("MI300X", "p/m [0,1]")]
    [InlineData("A100", null)]
    public void Devices_are_found_by_name(string name, string? where) =>
        Assert.Equal(where, Find(Ask(new GpuRequest(2, name)), Use("p/h", 4), Use("p/m", 2, "MI300X")));

    [Theory]
    [InlineData(80, null, "p/h [0]")]
    [InlineData(81, null, "p/m [0]")]
    [InlineData(192, null, "p/m [0]")]
    [InlineData(193, null, null)]
    [InlineData(null, 40, "p/a [0]")]
    [InlineData(41, 79, null)]
    [InlineData(null, 39, null)]
    public void Devices_are_found_by_memory_with_both_ends_included(int? least, int? most, string? where) => Assert.Equal(where, Find(
        Ask(new GpuRequest(1, Vram: new(least is { } l ? Gb(l) : null, most is { } m ? Gb(m) : null))),
        Use("p/h", 1), Use("p/m", 4, "MI300X"), Use("p/a", 2, "A100")));

    [Theory]
    [InlineData(900, null, "p/h [0]")]
    [InlineData(1000, null, "p/m [0]")]
    [InlineData(null, 400, "p/a [0]")]
    [InlineData(2000, null, null)]
    public void Devices_are_found_by_speed(int? least, int? most, string? where) => Assert.Equal(where, Find(
        Ask(new GpuRequest(1, Bf16: new(least, most))), Use("p/h", 1), Use("p/m", 2, "MI300X"), Use("p/a", 3, "A100"), Use("p/t", 1, "T4"), Use("p/x", 1, "Unheard-of")));

    [Theory]
    [InlineData("amd", "p/m [0]")]
    [InlineData("AMD", "p/m [0]")]
    [InlineData("nvidia", "p/h [0]")]
    [InlineData("intel", null)]
    public void Devices_are_found_by_vendor(string vendor, string? where) =>
        Assert.Equal(where, Find(Ask(new GpuRequest(1, Vendors: [vendor])), Use("p/h", 1), Use("p/m", 1, "MI300X")));

    [Fact]
    public void All_needs_hold_for_one_device()
    {
        var need = new GpuRequest(1, Vram: new(Gb(100), null), Vendors: ["nvidia"]);
        Assert.Null(Find(Ask(need), Use("p/h", 1), Use("p/m", 1, "MI300X")));
        Assert.Equal("p/b [0]", Find(Ask(need), Use("p/h", 1), Use("p/m", 1, "MI300X"), Use("p/b", 1, "B200")));
    }

    [Fact]
    public void Alternatives_are_taken_in_their_order_even_where_a_later_one_fits_tighter()
    {
        var request = Ask(new GpuRequest(2, "H100"), new(1, "A100"));
        Assert.Equal("p/h [0,1]", Find(request, Use("p/a", 1, "A100"), Use("p/h", 8)));
        Assert.Equal("p/a [0]", Find(request, Use("p/a", 1, "A100"), Use("p/h", 8, held: 7)));
    }

    [Fact]
    public void Only_matching_devices_of_a_mixed_node_are_taken()
    {
        var node = Cluster.NodeOf("p/mixed", 4);
        node = node with { Devices = [.. node.Devices.Select(d => d.Index % 2 == 0 ? d : d with { Model = "L4" })] };
        Assert.Equal("p/mixed [1,3]", Find(Ask(new GpuRequest(2, "L4")), Use(node)));
        Assert.Null(Find(Ask(new GpuRequest(3, "L4")), Use(node)));
    }

    [Fact]
    public void Devices_may_be_numbered_with_gaps()
    {
        var node = Cluster.NodeOf("p/gaps", 2);
        node = node with { Devices = [.. node.Devices.Select(d => d with { Index = d.Index * 3 + 1 })] };
        Assert.Equal("p/gaps [1,4]", Find(Ask(new GpuRequest(2, "H100")), Use(node)));
    }

    [Fact]
    public void The_node_where_the_fewest_devices_stay_free_is_taken_then_the_fewest_cpus_then_the_first_by_name()
    {
        Assert.Equal("p/b [2]", Find(Ask(new GpuRequest(1, "H100")), Use("p/a", 4), Use("p/b", 4, held: 2), Use("p/c", 3)));
        Assert.Equal("p/b", Find(Ask(), Use("p/a", cpus: 16), Use("p/b", cpus: 4), Use("p/c", 1, cpus: 2)));
        Assert.Equal("p/a", Find(Ask(), Use("p/b"), Use("p/a"), Use("p/c")));
    }

    [Fact]
    public void Memory_and_cpus_must_be_free_too()
    {
        var node = Cluster.NodeOf("p/a", 4);
        var request = Ask(new GpuRequest(1, "H100")) with { MilliCpus = 3000, Memory = Gb(10) };
        Assert.Equal("p/a [0]", Find(request, Use(node, cpus: 3, gigabytes: 10)));
        Assert.Null(Find(request, Use(node, cpus: 2, gigabytes: 10)));
        Assert.Null(Find(request, Use(node, cpus: 3, gigabytes: 9)));
    }

    [Theory]
    [InlineData(1, 4000)]
    [InlineData(2, 8000)]
    [InlineData(4, 16000)]
    [InlineData(0, 1000)]
    public void Without_a_word_of_cpus_a_rank_takes_the_share_of_its_devices_or_one(int gpus, int milliCpus) =>
        Assert.Equal(milliCpus, Placement.Find(gpus == 0 ? Ask() : Ask(new GpuRequest(gpus, "H100")), [Use("p/a", 4)])!.Shares[0].MilliCpus);

    [Theory]
    [InlineData(6, 6000)]
    [InlineData(2, 2000)]
    [InlineData(1, null)]
    public void Where_its_portion_of_the_cpus_is_not_free_one_for_each_device_is_enough(int freeCpus, int? milliCpus) =>
        Assert.Equal(milliCpus, Placement.Find(Ask(new GpuRequest(2, "H100")), [Use(Cluster.NodeOf("p/a", 4), cpus: freeCpus)])?.Shares[0].MilliCpus);

    [Fact]
    public void A_rank_without_a_word_of_cpus_fits_a_node_with_less_than_one()
    {
        var node = Cluster.NodeOf("p/a") with { MilliCpus = 500 };
        Assert.Equal(500, Placement.Find(Ask(), [Use(node)])!.Shares[0].MilliCpus);
    }

    [Theory]
    [InlineData("attic", "attic/b")]
    [InlineData("ATTIC", "attic/b")]
    [InlineData("cellar", null)]
    public void Only_pools_that_were_named_are_used(string where, string? found) =>
        Assert.Equal(found, Find(Ask() with { Where = [where] }, Use("office/a"), Use("attic/b")));

    [Fact]
    public void Any_of_several_pools_will_do() =>
        Assert.Equal("attic/b", Find(Ask() with { Where = ["cellar", "attic"] }, Use("office/a"), Use("attic/b")));

    [Fact]
    public void A_node_that_is_down_takes_nothing_and_could_one_day()
    {
        var node = Cluster.NodeOf("p/a", 4, isUp: false);
        Assert.Null(Find(Ask(new GpuRequest(1, "H100")), Use(node)));
        Assert.True(Placement.CouldFit(Ask(new GpuRequest(4, "H100")), node));
        Assert.False(Placement.CouldFit(Ask(new GpuRequest(5, "H100")), node));
        Assert.False(Placement.CouldFit(Ask() with { Memory = Gb(65) }, node));
        Assert.False(Placement.CouldFit(Ask() with { MilliCpus = 16_001 }, node));
        Assert.False(Placement.CouldFit(Ask() with { Where = ["q"] }, node));
    }

    [Fact]
    public void A_gang_gets_as_many_nodes_as_it_asks_for_the_tightest_or_none()
    {
        var request = Ask(new GpuRequest(2, "H100")) with { Nodes = 2 };
        Assert.Equal("p/c [0,1], p/b [1,2]", Find(request, Use("p/a", 4), Use("p/b", 3, held: 1), Use("p/c", 2)));
        Assert.Null(Find(request, Use("p/a", 4), Use("p/b", 1)));
    }

    [Fact]
    public void A_gang_is_of_one_alternative()
    {
        var request = Ask(new GpuRequest(2, "H100"), new(2, "A100")) with { Nodes = 2 };
        Assert.Null(Find(request, Use("p/a", 2), Use("p/b", 2, "A100")));
        Assert.Equal("p/b [0,1], p/c [0,1]", Find(request, Use("p/a", 2), Use("p/b", 2, "A100"), Use("p/c", 2, "A100")));
    }
}
