using Puces.Core.Fleet;
using Puces.Core.Jobs;
using Puces.Core.Units;
using Puces.Testing.Simulation;
using Xunit;

namespace Puces.Tests.Engine;

/// <summary>Pools of several accelerators and MIG instances: which of them a job is given.</summary>
public sealed class MixedTests
{
    private readonly Cluster _cluster = new();

    private string? Where(params GpuRequest[] gpus)
    {
        var asked = Cluster.Asking() with { Request = new(gpus, 1, 1000, default, []) };
        return _cluster[_cluster.Submit(asked).Id!.Value].State.Held?.ToString();
    }

    private static GpuRequest Need(int gigabytes, int count = 1, int share = 0) => new(count, Vram: new(new Memory(gigabytes * 1_000_000_000L), null), Share: share);

    [Theory]
    [InlineData("A100-1G.5GB", 5, 312.0 / 7)]
    [InlineData("h100-3g.40gb", 40, 989.0 * 3 / 7)]
    [InlineData("H100-1C.3G.40GB", 40, 989.0 / 7)]
    [InlineData("A100-80GB-7G.80GB", 80, 312.0)]
    [InlineData("H100-1G.10GB+ME", 10, 989.0 / 7)]
    public void A_mig_instance_has_its_slices_of_the_speed_and_the_memory_of_its_name(string model, int gigabytes, double speed)
    {
        var instance = Accelerators.Find(model)!;
        Assert.Equal((gigabytes * 1_000_000_000L, speed), (instance.Memory.Bytes, instance.Bf16!.Value));
        Assert.Equal(instance.Weight, Accelerators.WeightOf(model));
    }

    [Theory]
    [InlineData("MI300X-1G.5GB")]
    [InlineData("X99-1G.5GB")]
    [InlineData("A100-9G.5GB")]
    [InlineData("A100-PCIE")]
    public void What_is_no_profile_of_a_known_device_is_not_known(string model) => Assert.Null(Accelerators.Find(model));

    [Fact]
    public void One_that_names_a_device_is_not_given_an_instance_of_it_nor_the_other_way_round()
    {
        _cluster.Node("office/a", gpus: 1, model: "A100").Node("office/b", gpus: 7, model: "A100-1G.5GB");
        Assert.Equal("office/a [0]", Where(new GpuRequest(1, "A100")));
        Assert.Null(Where(new GpuRequest(1, "A100")));
        Assert.Equal("office/b [0]", Where(new GpuRequest(1, "A100-1G.5GB")));
    }

    [Fact]
    public void A_need_is_met_by_the_least_capable_that_will_do()
    {
        _cluster.Node("office/a", gpus: 1).Node("office/b", gpus: 2, model: "H100-1G.10GB").Node("office/c", gpus: 4, model: "L4");
        Assert.Equal("office/c [0]", Where(Need(16)));
        Assert.Equal("office/c [1]", Where(Need(5)));
        Assert.Equal("office/a [0]", Where(Need(40)));
        Assert.Equal("office/b [0,1]", Where(new GpuRequest(2, Bf16: new(130, null))));
        Assert.Equal("office/c [2,3]", Where(Need(16, 2)));
    }

    [Fact]
    public void What_is_needed_fast_is_given_fast()
    {
        _cluster.Node("office/a", gpus: 1).Node("office/b", gpus: 1, model: "L4");
        Assert.Equal("office/a [0]", Where(new GpuRequest(1, Bf16: new(300, null))));
    }

    [Fact]
    public void The_first_alternative_wins_over_the_least_capable()
    {
        _cluster.Node("office/a", gpus: 1).Node("office/b", gpus: 1, model: "L4");
        Assert.Equal("office/a [0]", Where(new GpuRequest(1, "H100"), new GpuRequest(1, "L4")));
    }

    [Fact]
    public void A_need_for_several_is_met_by_one_model_where_one_has_enough()
    {
        var node = Cluster.NodeOf("office/a", gpus: 4);
        _cluster.Node(node with { Devices = [.. node.Devices.Select(d => d.Index == 0 ? d with { Model = "L4", Memory = new(24_000_000_000) } : d)] });
        Assert.Equal("office/a [1,2]", Where(Need(16, 2)));
        Assert.Equal("office/a [0,3]", Where(Need(16, 2)));
    }

    [Fact]
    public void A_part_of_a_need_is_shared_with_others_of_the_same_device()
    {
        _cluster.Node("office/a", gpus: 1).Node("office/b", gpus: 1, model: "L4");
        Assert.Equal(["office/b [0.5 of 0]", "office/b [0.5 of 0]", "office/a [0.5 of 0]"], new[] { Where(Need(16, share: 500)), Where(Need(16, share: 500)), Where(Need(16, share: 500)) });
    }
}
