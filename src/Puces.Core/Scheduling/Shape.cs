using Puces.Core.Jobs;
using Puces.Core.Units;

namespace Puces.Core.Scheduling;

/// <summary>What a job needs, with the ways in which it can be given, in order of preference. Equal needs share one instance.</summary>
public sealed class Shape
{
    internal Shape(int index, IReadOnlyList<Way> ways, int devices)
    {
        (Index, Ways, Devices) = (index, ways, devices);
    }

    /// <summary>Counts from 0 in the order in which the grid first saw them.</summary>
    public int Index { get; }

    public IReadOnlyList<Way> Ways { get; }

    /// <summary>Devices of the whole gang, in the first way; at least 1, so that a job without any weighs as one with.</summary>
    public int Devices { get; }
}

/// <summary>One way to give what is needed: equal parts on as many nodes, and perhaps a smaller part on one more.</summary>
/// <param name="Gpu">Which devices will do; null for any.</param>
/// <param name="Nodes">Nodes with <paramref name="Devices"/> each.</param>
/// <param name="Devices">Whole devices on each of them; zero where none are needed, and where a share of one will do.</param>
/// <param name="Rest">Devices on one further node; zero for none.</param>
/// <param name="Share">Thousandths of one device; zero where whole ones are asked for.</param>
/// <param name="MilliCpus">On each node; zero takes the node's portion for the devices.</param>
/// <param name="Memory">Main memory on each node.</param>
/// <param name="Where">Pools that may serve it; empty for all.</param>
/// <param name="InContainer">Its nodes need a container engine.</param>
/// <param name="Avoid">Nodes that shall not serve it; null for none.</param>
public sealed record Way(
    GpuRequest? Gpu, int Nodes, int Devices, int Rest = 0, int Share = 0, int MilliCpus = 0, Memory Memory = default,
    IReadOnlyList<string>? Where = null, bool InContainer = false, IReadOnlyList<string>? Avoid = null)
{
    // For each kind of node by its index: the devices that will do. Filled by the grid when it first meets the kind.
    internal ulong[] Masks { get; set; } = [];
    // The same way for each model that meets its need, the least capable first, as of that many kinds.
    internal Way[] Narrowed { get; set; } = [];
    internal int NarrowedBy { get; set; }

    /// <summary>All devices of the gang; a share counts as one.</summary>
    public int Total => Share > 0 ? 1 : Nodes * Devices + Rest;

    /// <summary>Thousandths of a device for the whole gang.</summary>
    public long Milli => Share > 0 ? Share : 1000L * Total;
}
