using System.Globalization;
using System.Text.RegularExpressions;
using Puces.Core.Engine;

namespace Puces.Runner.Health;

/// <summary>
/// What NVIDIA's driver says of its devices in the kernel's log: <c>NVRM: Xid (PCI:0000:3b:00): 79, pid=1234, GPU has fallen off the bus.</c>
/// Which numbers mean the hardware is from the catalogue, https://docs.nvidia.com/deploy/xid-errors/. The others are mostly the program's
/// own doing (13, 31, 43, 45 and 68: it faulted, or was ended), and are nobody's fault here.
/// </summary>
internal static partial class Xids
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
            if (Xid().Match(line) is not { Success: true } match) continue;
            var (bus, code) = (match.Groups["bus"].Value.ToLowerInvariant(), int.Parse(match.Groups["code"].ValueSpan, CultureInfo.InvariantCulture));
            if (!Hardware.TryGetValue(code, out var meaning) || names.Count > 0 && !names.ContainsKey(bus)) continue;
            var kind = Array.IndexOf(Lost, code) >= 0 ? FaultKind.DeviceLost : FaultKind.DeviceError;
            var fault = new NodeFault(kind, $"Xid {code} on {names.GetValueOrDefault(bus, bus)}: {meaning}");
            if (found is null || kind is FaultKind.DeviceLost && found.Kind is not FaultKind.DeviceLost) found = fault;
        }
        return found;
    }

    // Some drivers say the function of the device too: 0000:3b:00.0.
    [GeneratedRegex(@"NVRM: Xid \((?:PCI:)?(?<bus>[0-9A-Fa-f]{4,8}:[0-9A-Fa-f]{2}:[0-9A-Fa-f]{2})(?:\.\d)?[^)]*\): (?<code>\d{1,4})\b", RegexOptions.CultureInvariant)]
    private static partial Regex Xid();
}
