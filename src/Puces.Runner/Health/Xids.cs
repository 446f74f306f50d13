using System.Globalization;
using Puces.Core.Engine;

namespace Puces.Runner.Health;

/// <summary>
/// What NVIDIA's driver says of its devices in the kernel's log: <c>NVRM: Xid (PCI:0000:3b:00): 79, pid=1234, GPU has fallen off the bus.</c>
/// Which numbers mean the hardware is from the catalogue, https://docs.nvidia.com/deploy/xid-errors/. The others are mostly the program's
/// own doing (13, 31, 43, 45 and 68: it faulted, or was ended), and are nobody's fault here.
/// </summary>
internal static class Xids
{
    private static readonly Dictionary<int, string> Hardware = new()
    {
        [48] = "uncorrectable memory error (double bit ECC)",
        [62] = "internal micro-controller halt",
        [63] = "a row or page of memory is being taken out of use",
        [64] = "a bad row or page of memory could not be taken out of use",
        [74] = "NVLink error",
        [79] = "the device has fallen off the bus",
        [92] = "many single bit ECC errors",
        [94] = "contained ECC error",
        [95] = "uncontained ECC error",
        [119] = "the device's system processor does not answer",
        [120] = "error of the device's system processor",
        [140] = "unrecovered ECC error",
        [143] = "the device could not be initialised",
    };

    // Until it is reset or replaced, nothing on the node can do with it.
    private static readonly int[] Lost = [64, 79, 119, 143];

    /// <summary>The first error of the hardware, one after which a device is lost before all others; null where there is none.</summary>
    /// <param name="lines">Of the kernel's log.</param>
    /// <param name="names">Address on the PCI bus, as <c>0000:3b:00</c> → the device's UUID; of devices that are not among them nothing is heard, unless it is empty.</param>
    public static NodeFault? Find(IEnumerable<string> lines, IReadOnlyDictionary<string, string> names)
    {
        NodeFault? found = null;
        foreach (var line in lines)
        {
            if (Read(line) is not var (bus, code) || !Hardware.TryGetValue(code, out var meaning) || names.Count > 0 && !names.ContainsKey(bus)) continue;
            var kind = Array.IndexOf(Lost, code) >= 0 ? FaultKind.DeviceLost : FaultKind.DeviceError;
            var fault = new NodeFault(kind, $"Xid {code} on {names.GetValueOrDefault(bus, bus)}: {meaning}");
            if (found is null || kind is FaultKind.DeviceLost && found.Kind is not FaultKind.DeviceLost) found = fault;
        }
        return found;
    }

    /// <summary>The address and the number of a line such as <c>NVRM: Xid (PCI:0000:3b:00): 79, …</c>; some drivers say the function too, as in <c>0000:3b:00.0</c>.</summary>
    private static (string Bus, int Code)? Read(string line)
    {
        const string begin = "NVRM: Xid (";
        if (line.IndexOf(begin, StringComparison.Ordinal) is not (>= 0 and var at)) return null;
        var rest = line.AsSpan(at + begin.Length);
        if (rest.IndexOf("): ") is not (> 0 and var close)) return null;
        var bus = rest[..close];
        var code = rest[(close + 3)..];
        if (bus.StartsWith("PCI:")) bus = bus[4..];
        if (bus.IndexOfAny('.', ' ') is > 0 and var end) bus = bus[..end];
        if (code.IndexOfAnyExceptInRange('0', '9') is >= 0 and var digits) code = code[..digits];
        return int.TryParse(code, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? (bus.ToString().ToLowerInvariant(), number) : null;
    }
}
