using Puces.Core.Packing;
using Puces.Testing.Simulation;
using Xunit;

namespace Puces.Tests.Packing;

public sealed class PackExperimentTests
{
    public static TheoryData<string> Policies => [.. PackPolicies.Names];

    [Theory, MemberData(nameof(Policies))]
    public void Nothing_is_given_twice_and_nobody_is_turned_away_who_has_room(string policy)
    {
        for (var seed = 0; seed < 60; seed++)
        {
            var (nodes, pods) = PackWorlds.Generate(seed);
            var free = nodes.Select(n => (n.MilliCpus, n.MemoryMib, Gpus: Enumerable.Repeat(1000, n.Gpus).ToArray())).ToArray();
            var (asked, given) = (0, 0);
            var result = new PackExperiment(nodes, pods).Run(policy, 1.3, (ulong)seed, (pod, spot) =>
            {
                asked += pod.MilliGpus;
                if (spot is not { } there)
                {
                    Assert.DoesNotContain(nodes.Index(), n => Suits(n.Item, pod) && free[n.Index].MilliCpus >= pod.MilliCpus
                        && free[n.Index].MemoryMib >= pod.MemoryMib && free[n.Index].Gpus.Count(g => g >= pod.MilliOfGpu) >= pod.Gpus);
                    return;
                }
                given += pod.MilliGpus;
                ref var node = ref free[there.Node];
                Assert.True(Suits(nodes[there.Node], pod));
                Assert.True((node.MilliCpus -= pod.MilliCpus) >= 0 && (node.MemoryMib -= pod.MemoryMib) >= 0);
                if (pod.MilliOfGpu is > 0 and < 1000) Assert.True((node.Gpus[there.Gpu] -= pod.MilliOfGpu) >= 0);
                else
                    for (var i = 0; i < pod.Gpus; i++) node.Gpus[Array.IndexOf(node.Gpus, 1000)] = 0;
            });
            var all = nodes.Sum(n => n.Gpus) * 1000.0;
            Assert.Equal((given / all, asked / all), (result.GivenAtEnd, result.Asked));
            Assert.InRange(result.Asked, 0, 1.3);
        }
    }

    [Theory, MemberData(nameof(Policies))]
    public void One_seed_gives_one_result_and_another_seed_another(string policy)
    {
        var (nodes, pods) = PackWorlds.Generate(3);
        var experiment = new PackExperiment(nodes, pods);
        Assert.Equal(experiment.Run(policy, 1.3, 1), experiment.Run(policy, 1.3, 1));
        Assert.NotEqual(Enumerable.Repeat(experiment.Run(policy, 1.3, 1), 5), Enumerable.Range(2, 5).Select(seed => experiment.Run(policy, 1.3, (ulong)seed)));
    }

    [Fact]
    public void Names_and_order_of_the_nodes_change_nothing()
    {
        for (var seed = 0; seed < 60; seed++)
        {
            var (nodes, pods) = PackWorlds.Generate(seed);
            Assert.Equal(new PackExperiment(nodes, pods).Run("puces", 1.3, 7), new PackExperiment(Renamed(nodes, seed), pods).Run("puces", 1.3, 7));
        }
    }

    [Fact]
    public void Our_policy_gives_out_more_than_best_fit_on_generated_mixes()
    {
        var lead = Enumerable.Range(0, 40).Average(seed =>
        {
            var (nodes, pods) = PackWorlds.Generate(seed);
            var experiment = new PackExperiment(nodes, pods);
            return experiment.Run("puces", 1.3, 1).GivenAtEnd - experiment.Run("best-fit", 1.3, 1).GivenAtEnd;
        });
        Assert.InRange(lead, 0.005, 1);
    }

    [Fact]
    public void A_run_that_stops_early_does_not_say_what_was_given_out_at_capacity()
    {
        var (nodes, pods) = ((PackNode[])[PackWorlds.Node("a", 8)], (PackPod[])[PackWorlds.Pod(1)]);
        Assert.Equal(new PackResult(null, 0.5, 0.5, 4, 0), new PackExperiment(nodes, pods).Run("puces", 0.5, 1));
        Assert.Equal(new PackResult(1, 1, 1.25, 10, 2), new PackExperiment(nodes, pods).Run("puces", 1.25, 1));
    }

    internal static PackNode[] Renamed(IReadOnlyList<PackNode> nodes, int seed)
    {
        var luck = new Luck((ulong)seed);
        return [.. nodes.OrderBy(_ => luck.Next()).Select((node, i) => node with { Name = $"renamed-{i}" })];
    }

    private static bool Suits(PackNode node, PackPod pod) => pod.Models.Length == 0 || pod.Models.Split('|').Contains(node.Model);
}
