using Puces.Core.Fleet;

namespace Puces.Runner.Devices;

/// <summary>The accelerators of this machine, of every vendor; within a Slurm job those that it was given.</summary>
internal static class FoundDevices
{
    public static IReadOnlyList<Device> All(string sysfs = "/sys") =>
        Granted.Of([.. Nvml.Devices(), .. Sysfs.Amd(sysfs), .. Sysfs.Intel(sysfs)], Environment.GetEnvironmentVariable);
}
