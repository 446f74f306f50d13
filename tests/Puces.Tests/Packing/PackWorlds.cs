using Puces.Core.Packing;
using Puces.Testing.Simulation;

namespace Puces.Tests.Packing;

/// <summary>Small nodes and pods for tests, and generated ones.</summary>
internal static class PackWorlds
{
    public static PackNode Node(string name, int gpus, int cpus = 64, int gib = 256, string model = "T4") => new(name, cpus * 1000, gib * 1024, gpus, model);

    /// <param name="gpus">Below 1 a share.</param>
    public static PackPod Pod(double gpus, int cpus = 1, int gib = 1, string models = "") =>
        new(cpus * 1000, gib * 1024, (int)Math.Ceiling(gpus), (int)(Math.Min(gpus, 1) * 1000), models);

    /// <summary>Where each pod goes: <c>node</c>, <c>node:gpu</c> for a share, <c>-</c> where it has no room.</summary>
    public static string Place(string policy, PackNode[] nodes, params PackPod[] pods)
    {
        var went = new List<string>();
        new PackExperiment(nodes, pods).RunInOrder(policy, (_, spot) =>
            went.Add(spot is not { } there ? "-" : nodes[there.Node].Name + (there.Gpu < 0 ? "" : $":{there.Gpu}")));
        return string.Join(' ', went);
    }

    /// <summary>Nodes of several kinds with pods of several shapes, another world for each seed.</summary>
    public static (PackNode[] Nodes, PackPod[] Pods) Generate(int seed)
    {
        var luck = new Luck((ulong)seed);
        string[] models = ["A", "B", "C"];
        var kinds = Enumerable.Range(0, 4).Select(_ => (Gpus: luck.Of(1, 2, 4, 8), Cpus: luck.Between(4, 96), Gib: luck.Between(16, 512), Model: luck.Of(models))).ToArray();
        var nodes = Enumerable.Range(0, luck.Between(4, 30)).Select(i => luck.Of(kinds) is var kind ? Node($"n{i:00}", kind.Gpus, kind.Cpus, kind.Gib, kind.Model) : null!);
        var shapes = Enumerable.Range(0, 12).Select(_ => Pod(
            luck.Of(0, 0.16, 0.32, 0.47, 0.81, 1, 1, 1, 2, 4, 8), luck.Between(1, 16), luck.Between(1, 64), luck.Chance(20) ? luck.Of("A", "B|C", "C") : "")).Append(Pod(1)).ToArray();
        return ([.. nodes], [.. Enumerable.Range(0, 60).Select(_ => luck.Of(shapes)).Append(Pod(1))]);
    }
}
