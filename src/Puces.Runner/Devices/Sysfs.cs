using System.Globalization;
using Puces.Core.Fleet;
using Puces.Core.Units;

namespace Puces.Runner.Devices;

/// <summary>AMD and Intel devices, as the kernel shows them.</summary>
internal static class Sysfs
{
    // Where the driver gives no product name, the PCI number does.
    private static readonly Dictionary<string, string> Known = new()
    {
        ["0x740c"] = "MI250X",
        ["0x740f"] = "MI210",
        ["0x738c"] = "MI100",
        ["0x74a0"] = "MI300A",
        ["0x74a1"] = "MI300X",
        ["0x74a5"] = "MI325X",
        ["0x75a0"] = "MI350X",
        ["0x75a3"] = "MI355X",
        ["0x744c"] = "RX7900XTX",
        ["0x0bd5"] = "Max1550",
        ["0x0bda"] = "Max1100",
        ["0x56a0"] = "ArcA770",
        ["0x56a1"] = "ArcA750",
        ["0x56c0"] = "Flex170",
        ["0x56c1"] = "Flex140",
        ["0xe20b"] = "ArcB580",
        ["0xe20c"] = "ArcB570",
    };

    public static List<Device> Amd(string sysfs)
    {
        // A display chip that the compute driver does not have is no accelerator; without that driver none is.
        if (!Directory.Exists(Path.Combine(sysfs, "class/kfd"))) return [];
        var cards = Cards(sysfs, "0x1002").Where(card => Read(card, "device/mem_info_vram_total") is not null).ToList();
        var devices = Number(cards, "amd", card => Parse(Read(card, "device/mem_info_vram_total")!));
        var addresses = cards.ConvertAll(Address);
        var joined = Xgmi(Path.Combine(sysfs, "class/kfd/kfd/topology/nodes"));
        Links.Join(devices, (a, b) => addresses[a] is { } one && addresses[b] is { } other && (joined.Contains((one, other)) || joined.Contains((other, one))));
        return devices;
    }

    /// <summary>A card's PCI address as the compute driver writes it: domain, and bus, device and function in one number.</summary>
    private static (long Domain, long Location)? Address(string card)
    {
        var slot = Read(card, "device/uevent")?.Split('\n').FirstOrDefault(l => l.StartsWith("PCI_SLOT_NAME=", StringComparison.Ordinal))?["PCI_SLOT_NAME=".Length..];
        if (slot?.Split(':', '.') is not [var domain, var bus, var device, var function]) return null;
        return (Parse("0x" + domain), Parse("0x" + bus) << 8 | Parse("0x" + device) << 3 | Parse("0x" + function));
    }

    /// <summary>Pairs of devices that xGMI joins (links of type 11, HSA_IOLINKTYPE_XGMI).</summary>
    private static HashSet<((long, long), (long, long))> Xgmi(string nodes)
    {
        var pairs = new HashSet<((long, long), (long, long))>();
        if (!Directory.Exists(nodes)) return pairs;
        foreach (var node in Directory.EnumerateDirectories(nodes))
        {
            var links = Path.Combine(node, "io_links");
            foreach (var link in Directory.Exists(links) ? Directory.EnumerateDirectories(links) : [])
                if (Property(link, "type") == 11 && Property(link, "node_to") is { } to) pairs.Add((Of(node), Of(Path.Combine(nodes, to.ToString(CultureInfo.InvariantCulture)))));
        }
        return pairs;

        static (long, long) Of(string node) => (Property(node, "domain") ?? 0, Property(node, "location_id") ?? 0);
    }

    private static long? Property(string folder, string name) =>
        Read(folder, "properties")?.Split('\n').FirstOrDefault(l => l.StartsWith(name + " ", StringComparison.Ordinal)) is { } line ? Parse(line[(name.Length + 1)..].Trim()) : null;

    public static List<Device> Intel(string sysfs) => Number(Cards(sysfs, "0x8086"), "intel", card =>
    {
        var memory = Read(card, "device/tile0/vram0/size") ?? Read(card, "lmem_total_bytes")
            ?? Read(card, "device/lmem_total_bytes");
        // Class 0x0380 is a display controller without a screen: a data centre card. Others count where they have memory of their own.
        return memory is not null ? Parse(memory) : Read(card, "device/class")?.StartsWith("0x0380", StringComparison.Ordinal) == true ? 0 : null;
    });

    private static List<Device> Number(IEnumerable<string> cards, string vendor, Func<string, long?> memoryOf)
    {
        var devices = new List<Device>();
        foreach (var card in cards)
        {
            if (memoryOf(card) is not { } memory) continue;
            var name = Read(card, "device/product_name") is { Length: > 0 } product ? Models.Normalise(product)
                : Read(card, "device/device") is { } id ? Known.GetValueOrDefault(id.ToLowerInvariant(), $"{vendor}-{id}") : "unknown";
            devices.Add(new(devices.Count, name, vendor, new Memory(memory), Read(card, "device/unique_id")));
        }
        return devices;
    }

    /// <summary>In the order of their numbers: <c>card0</c>, <c>card1</c>, <c>card10</c>; <c>card0-DP-1</c> is a socket of one.</summary>
    private static IEnumerable<string> Cards(string sysfs, string vendor)
    {
        var folder = Path.Combine(sysfs, "class/drm");
        if (!Directory.Exists(folder)) return [];
        return Directory.EnumerateFileSystemEntries(folder, "card*")
            .Select(path => (Path: path, IsCard: int.TryParse(Path.GetFileName(path)[4..], NumberStyles.None, CultureInfo.InvariantCulture, out var number), Number: number))
            .Where(card => card.IsCard && Read(card.Path, "device/vendor") == vendor)
            .OrderBy(card => card.Number).Select(card => card.Path);
    }

    private static string? Read(string card, string file)
    {
        try
        {
            return File.ReadAllText(Path.Combine(card, file)).Trim();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static long Parse(string text) => text.StartsWith("0x", StringComparison.Ordinal)
        ? long.TryParse(text.AsSpan(2), NumberStyles.HexNumber, CultureInfo.InvariantCulture, out var hex) ? hex : 0
        : long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : 0;
}
