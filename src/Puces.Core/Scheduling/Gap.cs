using Puces.Core.Fleet;
using Puces.Core.Jobs;
using Puces.Core.Units;

namespace Puces.Core.Scheduling;

/// <summary>How what is free of one accelerator lies, and what could start on it now.</summary>
/// <param name="Model">The accelerator.</param>
/// <param name="Devices">Devices on nodes that are up and not closed.</param>
/// <param name="Free">Of these, the ones that nobody holds.</param>
/// <param name="Scattered">Of the free ones, those on nodes that are used in part: what a whole node is asked for cannot use.</param>
/// <param name="OnOneNode">Devices of the largest job on one node that would start now; what is kept for others is not free to it.</param>
/// <param name="OverNodes">Nodes of the largest gang that would start now.</param>
/// <param name="EachNode">Its devices on each of them.</param>
public sealed record Gap(string Model, int Devices, int Free, int Scattered, int OnOneNode, int OverNodes, int EachNode)
{
    /// <summary>The share of the free devices that lies on nodes that are used in part; zero where none is free.</summary>
    public double Fragmentation => Free == 0 ? 0 : (double)Scattered / Free;

    /// <summary>For each accelerator of these nodes, in order of the names.</summary>
    /// <param name="nodes">The nodes of a pool.</param>
    /// <param name="vacancies">The same without what is kept for those who wait.</param>
    public static IReadOnlyList<Gap> Of(IReadOnlyList<NodeUse> nodes, IReadOnlyList<NodeUse> vacancies) =>
        [.. nodes.SelectMany(n => n.Node.Devices).Select(d => d.Model).Distinct().Order(StringComparer.Ordinal).Select(m => Of(m, nodes, vacancies))];

    private static Gap Of(string model, IReadOnlyList<NodeUse> nodes, IReadOnlyList<NodeUse> vacancies)
    {
        var one = new GpuRequest(1, model);
        var (devices, free, scattered) = (0, 0, 0);
        foreach (var use in nodes)
        {
            var have = use.Node.Devices.Count(d => d.IsHealthy && d.Model == model);
            if (!use.IsOpen || have == 0) continue;
            var left = Placement.Matching(one, use);
            (devices, free) = (devices + have, free + left);
            if (left < have) scattered += left;
        }
        var parts = vacancies.Where(n => n.IsOpen).Select(n => LargestOn(n, model)).Where(n => n > 0).OrderDescending().ToList();
        var (over, each) = (0, 0);
        // The smallest part of a gang is what all its nodes have at least.
        for (var i = 0; i < parts.Count; i++)
            if ((i + 1) * parts[i] > over * each) (over, each) = (i + 1, parts[i]);
        return new(model, devices, free, scattered, parts.Count > 0 ? parts[0] : 0, over, each);
    }

    private static int LargestOn(NodeUse use, string model)
    {
        for (var count = Placement.Matching(new(1, model), use); count > 0; count--)
            if (Placement.Find(new Request([new(count, model)], 1, 0, default(Memory), []), [use]) is not null) return count;
        return 0;
    }
}
