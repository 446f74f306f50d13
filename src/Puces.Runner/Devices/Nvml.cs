using System.Runtime.InteropServices;
using System.Text;
using Puces.Core.Fleet;
using Puces.Core.Units;

namespace Puces.Runner.Devices;

/// <summary>
/// NVIDIA devices, through the driver's own library where there is one. Functions and structures are those of <c>nvml.h</c>, as the
/// NVML API reference describes them; a driver that is older than MIG lacks some.
/// </summary>
internal static unsafe class Nvml
{
    private const int Success = 0, NameLength = 96, MigEnabled = 1;

    public static List<Device> Devices()
    {
        if (!NativeLibrary.TryLoad("libnvidia-ml.so.1", out var library)) return [];
        if (Find(library, "nvmlInit_v2") is var init && init == 0 || ((delegate* unmanaged<int>)init)() != Success) return [];
        try
        {
            return Read(library);
        }
        finally
        {
            if (Find(library, "nvmlShutdown") is var shutdown && shutdown != 0) _ = ((delegate* unmanaged<int>)shutdown)();
        }
    }

    private static List<Device> Read(nint library)
    {
        var devices = new List<Device>();
        var count = (delegate* unmanaged<uint*, int>)Find(library, "nvmlDeviceGetCount_v2");
        var byIndex = (delegate* unmanaged<uint, nint*, int>)Find(library, "nvmlDeviceGetHandleByIndex_v2");
        uint found = 0;
        if (count == null || byIndex == null || count(&found) != Success) return devices;
        for (uint i = 0; i < found; i++)
        {
            nint handle;
            if (byIndex(i, &handle) != Success)
            {
                devices.Add(new((int)i, "unknown", "nvidia", default, IsHealthy: false));
                continue;
            }
            // A device that is cut up is not given out itself.
            if (HasMig(library, handle))
            {
                AddInstances(library, handle, devices, (int)found);
                continue;
            }
            devices.Add(Read(library, handle, (int)i));
        }
        return [.. devices.OrderBy(d => d.Index)];
    }

    /// <summary>The MIG instances of a device. No tool counts them through: their numbers follow those of the whole devices.</summary>
    private static void AddInstances(nint library, nint device, List<Device> devices, int whole)
    {
        var most = (delegate* unmanaged<nint, uint*, int>)Find(library, "nvmlDeviceGetMaxMigDeviceCount");
        var byIndex = (delegate* unmanaged<nint, uint, nint*, int>)Find(library, "nvmlDeviceGetMigDeviceHandleByIndex");
        uint count = 0;
        if (most == null || byIndex == null || most(device, &count) != Success) return;
        for (uint i = 0; i < count; i++)
        {
            nint handle;
            // Where an instance was taken away there is a gap.
            if (byIndex(device, i, &handle) == Success) devices.Add(Read(library, handle, Math.Max(whole, devices.Select(d => d.Index + 1).DefaultIfEmpty().Max())));
        }
    }

    private static bool HasMig(nint library, nint device)
    {
        var get = (delegate* unmanaged<nint, uint*, uint*, int>)Find(library, "nvmlDeviceGetMigMode");
        uint current = 0, pending = 0;
        return get != null && get(device, &current, &pending) == Success && current == MigEnabled;
    }

    private static Device Read(nint library, nint handle, int index)
    {
        var isNamed = Text(library, "nvmlDeviceGetName", handle, out var name);
        var hasId = Text(library, "nvmlDeviceGetUUID", handle, out var uuid);
        var isSized = Total(library, handle, out var total);
        // A device that has fallen off the bus still has a handle, and answers nothing.
        return new(index, isNamed ? Models.Normalise(name) : "unknown", "nvidia", new Memory(total), hasId ? uuid : null, isNamed && isSized);
    }

    private static bool Text(nint library, string function, nint handle, out string text)
    {
        var buffer = stackalloc byte[NameLength];
        var get = (delegate* unmanaged<nint, byte*, uint, int>)Find(library, function);
        var isGiven = get != null && get(handle, buffer, NameLength) == Success;
        text = isGiven ? Encoding.UTF8.GetString(MemoryMarshal.CreateReadOnlySpanFromNullTerminated(buffer)) : "";
        return isGiven;
    }

    /// <summary><c>nvmlMemory_t</c>: total, free, used.</summary>
    private static bool Total(nint library, nint handle, out long total)
    {
        var memory = stackalloc ulong[3];
        var get = (delegate* unmanaged<nint, ulong*, int>)Find(library, "nvmlDeviceGetMemoryInfo");
        var isGiven = get != null && get(handle, memory) == Success;
        total = isGiven ? (long)memory[0] : 0;
        return isGiven;
    }

    private static nint Find(nint library, string function) => NativeLibrary.TryGetExport(library, function, out var address) ? address : 0;
}
