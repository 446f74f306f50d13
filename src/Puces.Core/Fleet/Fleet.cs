using System.Globalization;
using System.Text.Json.Serialization;
using Puces.Core.Units;

namespace Puces.Core.Fleet;

/// <summary>One accelerator of a node.</summary>
/// <param name="Index">Its number on the node, as the vendor's tools count.</param>
/// <param name="Model">The accelerator's catalogue name, such as <c>H100</c>, or what the driver calls it.</param>
/// <param name="Vendor">nvidia, amd, intel.</param>
/// <param name="Memory">Device memory; zero where unknown.</param>
/// <param name="Island">
/// Devices of a node with the same number are joined by fast links (NVLink, xGMI); null where it has none, or nobody knows.
/// </param>
public sealed record Device(int Index, string Model, string Vendor, Memory Memory, string? Uuid = null, bool IsHealthy = true, int? Island = null);

/// <summary>A machine of a pool, as last seen.</summary>
/// <param name="Id"><c>pool/name</c>.</param>
/// <param name="IsVirtual">Its devices or sizes were configured for trials, not found.</param>
/// <param name="Place">
/// Where it stands, the nearest switch last, such as <c>dc1/row2/rack7</c>; null where nobody said. Nodes of one place are near each other.
/// </param>
/// <param name="Address">
/// Where other nodes reach it, for the rendezvous of a gang; null where all ranks stand on one machine.
/// </param>
/// <param name="IsUp">False while it cannot be reached: nothing new starts there; what runs there is not taken for dead.</param>
/// <param name="Engine">What it runs containers with, such as <c>podman</c>; null where it has nothing for that.</param>
public sealed record Node(
    string Id, string Pool, IReadOnlyList<Device> Devices, int MilliCpus, Memory Memory, bool IsVirtual, bool IsUp, DateTimeOffset Since, string? Problem = null,
    string? Place = null, string? Address = null, string? Engine = null);

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
