using System.Globalization;
using Puces.Core.Engine;
using Puces.Core.Fleet;
using Puces.Runner.Containers;

namespace Puces.Runner.Health;

/// <summary>
/// What <c>nvidia-smi</c> says of a rank's devices when it has ended badly: a program of its own, since a broken device can hang whoever asks.
/// </summary>
internal static class Smi
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);
    private static readonly string[] Query = ["nvidia-smi", "--query-gpu=uuid,pci.bus_id,ecc.errors.uncorrected.volatile.total", "--format=csv,noheader,nounits"];

    /// <summary>The devices that are seen, and what is wrong with those of the rank. Null where nobody can tell.</summary>
    public static (IReadOnlyDictionary<string, string> Names, NodeFault? Fault)? Look(IReadOnlyList<Device> devices)
    {
        var said = Tool.Run(Query, Patience, () => false);
        // There is none on the node.
        if (said.ExitCode == 127 && said.Words.EndsWith("command not found", StringComparison.Ordinal)) return null;
        return Read(devices, said);
    }

    /// <param name="devices">Of NVIDIA's, and not instances of one: these have names that are not listed.</param>
    public static (IReadOnlyDictionary<string, string> Names, NodeFault? Fault) Read(IReadOnlyList<Device> devices, Said said)
    {
        var (names, seen) = (new Dictionary<string, string>(StringComparer.Ordinal), new Dictionary<string, string>(StringComparer.Ordinal));
        foreach (var line in said.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            if (line.Split(',', StringSplitOptions.TrimEntries) is not [var uuid, var bus, var errors]) continue;
            seen[uuid] = errors;
            if (devices.Any(d => d.Uuid == uuid)) names[Address(bus)] = uuid;
        }
        foreach (var device in devices)
        {
            if (device.Uuid is not { } uuid || !uuid.StartsWith("GPU-", StringComparison.Ordinal)) continue;
            if (!seen.TryGetValue(uuid, out var errors))
                return (names, new(FaultKind.DeviceLost, $"{uuid} is not there any more{(said.IsDone ? "" : $"; nvidia-smi: {FirstLine(said.Words)}")}"));
            if (errors.Contains("Unknown Error", StringComparison.OrdinalIgnoreCase) || errors.Contains("lost", StringComparison.OrdinalIgnoreCase))
                return (names, new(FaultKind.DeviceLost, $"{uuid} does not answer; nvidia-smi: {errors}"));
            if (long.TryParse(errors, NumberStyles.None, CultureInfo.InvariantCulture, out var count) && count > 0)
                return (names, new(FaultKind.DeviceError, $"{uuid} has had {count} uncorrected memory error{(count == 1 ? "" : "s")} since its driver was loaded"));
        }
        return (names, null);
    }

    /// <summary>As the kernel writes it: <c>00000000:3B:00.0</c> is <c>0000:3b:00</c> there.</summary>
    private static string Address(string bus)
    {
        var text = bus.ToLowerInvariant();
        var dot = text.IndexOf('.', StringComparison.Ordinal);
        if (dot > 0) text = text[..dot];
        return text.Length > 10 ? text[^10..] : text;
    }

    private static string FirstLine(string words) => words.Split('\n', 2)[0];
}
