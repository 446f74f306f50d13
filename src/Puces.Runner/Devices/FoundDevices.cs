using Puces.Core.Fleet;

namespace Puces.Runner.Devices;

/// <summary>The accelerators of this machine, of every vendor.</summary>
internal static class FoundDevices
{
    public static IReadOnlyList<Device> All(string sysfs = "/sys") =>
        [.. Nvml.Devices(), .. Sysfs.Amd(sysfs), .. Sysfs.Intel(sysfs)];
}
