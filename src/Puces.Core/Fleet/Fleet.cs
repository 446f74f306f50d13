using System.Globalization;
using System.Text.Json.Serialization;
using Puces.Core.Units;

namespace Puces.Core.Fleet;

/// <summary>One accelerator of a node.</summary>
/// <param name="Index">Its number on the node, as the vendor's tools count.</param>
/// <param name="Model">The accelerator's catalogue name, such as <c>H100</c>, or what the driver calls it.</param>
/// <param name="Vendor">nvidia, amd, intel.</param>
/// <param name="Memory">Device memory; zero where unknown.</param>
public sealed record Device(int Index, string Model, string Vendor, Memory Memory, string? Uuid = null, bool IsHealthy = true);

/// <summary>A machine of a pool, as last seen.</summary>
/// <param name="Id"><c>pool/name</c>.</param>
/// <param name="IsVirtual">Its devices or sizes were configured for trials, not found.</param>
/// <param name="IsUp">False while it cannot be reached: nothing new starts there; what runs there is not taken for dead.</param>
public sealed record Node(
    string Id, string Pool, IReadOnlyList<Device> Devices, int MilliCpus, Memory Memory, bool IsVirtual, bool IsUp, DateTimeOffset Since, string? Problem = null);

/// <summary>The devices, CPUs and memory of one node that an attempt holds.</summary>
/// <param name="OfDevice">Thousandths of its one device, the rest of which others may hold; zero where devices are held whole.</param>
public sealed record Share(string Node, IReadOnlyList<int> Devices, int MilliCpus, Memory Memory,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)] int OfDevice = 0)
{
    /// <summary>Thousandths of a device, all together.</summary>
    public int Milli => OfDevice > 0 ? OfDevice : 1000 * Devices.Count;
}

/// <summary>What an attempt holds: one share for each rank, in rank order.</summary>
public sealed record Allocation(IReadOnlyList<Share> Shares)
{
    public override string ToString() => string.Join(", ", Shares.Select(s =>
        s.Devices.Count == 0 ? s.Node : string.Create(CultureInfo.InvariantCulture,
            $"{s.Node} [{(s.OfDevice > 0 ? (s.OfDevice / 1000m).ToString("0.###", CultureInfo.InvariantCulture) + " of " : "")}{string.Join(",", s.Devices)}]")));
}

/// <summary>Capacity of one provider under one name, as configured.</summary>
/// <param name="Provider">The provider's name; <c>local</c> now.</param>
/// <param name="Nodes">Virtual nodes on this machine; one is the machine itself.</param>
/// <param name="Gpus">Virtual devices of each node, such as <c>H100:8</c>; null uses those that are found.</param>
/// <param name="Cpus">CPUs that each node says it has; null uses what is found.</param>
/// <param name="Memory">Memory that each node says it has; null uses what is found.</param>
public sealed record Pool(string Name, string Provider = "local", int Nodes = 1, string? Gpus = null, double? Cpus = null, Memory? Memory = null)
{
    public bool IsVirtual => Nodes > 1 || Gpus is not null || Cpus is not null || Memory is not null;
}
