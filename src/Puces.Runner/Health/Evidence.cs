using Puces.Core.Contract;
using Puces.Core.Engine;

namespace Puces.Runner.Health;

/// <summary>What was wrong with the node when a rank ended badly.</summary>
internal static class Evidence
{
    // Less than this left on a disk is nothing.
    private const long Nothing = 1 << 20;

    /// <param name="kernel">What the kernel said while the rank ran.</param>
    /// <param name="name">Its control group's, or what its engine calls its container.</param>
    /// <param name="exitCode">The rank's.</param>
    /// <param name="cause">Its own doing, or that it was told to stop.</param>
    /// <param name="folder">Where it worked.</param>
    /// <returns>Null where nothing was found, or the node is configured for trials.</returns>
    public static NodeFault? Find(RankOrder order, IReadOnlyList<string> kernel, string name, int exitCode, ExitCause cause, string folder)
    {
        if (!order.EnforceLimits) return null;
        // One that was told to stop may be the one that hung on a broken device; it ended for no want of memory or room.
        return cause is ExitCause.Stopped ? Devices(order, kernel, asks: false) : Devices(order, kernel, asks: true) ?? Memory(order, kernel, name, exitCode) ?? Disk(folder);
    }

    /// <param name="asks">Take the time to ask the driver's own tool too.</param>
    private static NodeFault? Devices(RankOrder order, IReadOnlyList<string> kernel, bool asks)
    {
        var nvidia = order.Devices.Where(d => d.Vendor == "nvidia").ToList();
        if (nvidia.Count > 0)
        {
            var seen = asks || kernel.Any(l => l.Contains("NVRM: Xid", StringComparison.Ordinal)) ? Smi.Look(nvidia) : null;
            var xid = Xids.Find(kernel, seen?.Names ?? new Dictionary<string, string>());
            if (xid is { Kind: FaultKind.DeviceLost } || seen?.Fault is null && xid is not null) return xid;
            if (seen?.Fault is { } fault) return fault;
        }
        // As drivers/gpu/drm/amd/amdgpu/amdgpu_ras.c writes it.
        return order.Devices.Any(d => d.Vendor == "amd") && kernel.FirstOrDefault(l => l.Contains("amdgpu", StringComparison.Ordinal) && l.Contains("uncorrectable hardware errors detected", StringComparison.Ordinal)) is { } line
            ? new(FaultKind.DeviceError, line.Trim()) : null;
    }

    /// <summary>
    /// The kernel ended a process for want of memory in the whole machine. Of a rank that asked for none in particular nobody knows whose fault
    /// that was, so it is its own.
    /// </summary>
    private static NodeFault? Memory(RankOrder order, IReadOnlyList<string> kernel, string name, int exitCode)
    {
        if (order.Memory == 0 || exitCode != 137) return null;
        foreach (var line in kernel)
            if (line.Contains("oom-kill:constraint=CONSTRAINT_NONE", StringComparison.Ordinal) && line.Contains(name, StringComparison.Ordinal))
                return new(FaultKind.HostMemory, $"the node had no memory left, and its kernel ended a rank within its {new Core.Units.Memory(order.Memory)}");
        return null;
    }

    private static NodeFault? Disk(string folder)
    {
        try
        {
            var disk = new DriveInfo(folder);
            return disk.AvailableFreeSpace < Nothing ? new(FaultKind.DiskFull, $"the disk of {folder} is full") : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return null;
        }
    }
}
