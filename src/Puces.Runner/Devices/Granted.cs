using System.Globalization;
using Puces.Core.Fleet;

namespace Puces.Runner.Devices;

/// <summary>
/// Within a Slurm job, those devices of a node that the job was given. Slurm says them in the variables of the vendors' own libraries, by number or by
/// name; where it also confines the job to them, they are all that there is, and the numbers begin at 0 again
/// (https://slurm.schedmd.com/gres.html, "GPU Management").
/// </summary>
internal static class Granted
{
    private static readonly (string Vendor, string[] Variables)[] Lists =
        [("nvidia", ["CUDA_VISIBLE_DEVICES"]), ("amd", ["ROCR_VISIBLE_DEVICES", "GPU_DEVICE_ORDINAL"]), ("intel", ["ZE_AFFINITY_MASK"])];

    /// <param name="variable">Of this process's environment.</param>
    public static IReadOnlyList<Device> Of(IReadOnlyList<Device> devices, Func<string, string?> variable)
    {
        if (variable("SLURM_JOB_ID") is not { Length: > 0 }) return devices;
        var granted = devices;
        foreach (var (vendor, names) in Lists)
        {
            if (names.Select(variable).FirstOrDefault(v => v is { Length: > 0 }) is not { } list) continue;
            var words = list.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
            granted = [.. granted.Where(d => d.Vendor != vendor || words.Any(w => Names(w, d)))];
        }
        return granted;
    }

    private static bool Names(string word, Device device) =>
        int.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out var index) ? index == device.Index
            : device.Uuid is { } uuid && uuid.StartsWith(word, StringComparison.OrdinalIgnoreCase);
}
