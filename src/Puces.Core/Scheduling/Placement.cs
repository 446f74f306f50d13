using Puces.Core.Fleet;
using Puces.Core.Jobs;

namespace Puces.Core.Scheduling;

/// <summary>Where a request fits: all nodes of the gang, or none (invariant 5).</summary>
public static class Placement
{
    /// <summary>
    /// The allocation for a request among these nodes, or null. The first alternative that fits is taken; on it, the nodes where
    /// the fewest devices stay free, then the fewest CPUs, then the first by name.
    /// </summary>
    public static Allocation? Find(Request request, IEnumerable<NodeUse> nodes)
    {
        var candidates = nodes as IReadOnlyList<NodeUse> ?? [.. nodes];
        foreach (var gpu in Alternatives(request))
        {
            var fitting = new List<(NodeUse Use, Share Share)>();
            foreach (var use in candidates)
                if (use.IsOpen && Allows(request, use.Node) && Take(request, gpu, use) is { } share) fitting.Add((use, share));
            if (fitting.Count < request.Nodes) continue;
            fitting.Sort((a, b) => Tightness(a.Use, a.Share).CompareTo(Tightness(b.Use, b.Share)) is var order and not 0
                ? order : string.CompareOrdinal(a.Use.Node.Id, b.Use.Node.Id));
            return new([.. fitting.Take(request.Nodes).Select(f => f.Share)]);
        }
        return null;
    }

    /// <summary>Whether one node could ever carry a rank of the request, were it free.</summary>
    public static bool CouldFit(Request request, Node node)
    {
        if (!Allows(request, node)) return false;
        var whole = new NodeUse(node, [.. node.Devices.Where(d => d.IsHealthy).Select(d => d.Index)], node.MilliCpus, node.Memory, []);
        foreach (var gpu in Alternatives(request))
            if (Take(request, gpu, whole) is not null) return true;
        return false;
    }

    /// <summary>How many devices of a node an alternative could use, of those that are free.</summary>
    public static int Matching(GpuRequest? gpu, NodeUse use) => gpu is null ? 0 : use.Free.Count(i => Matches(gpu, DeviceOf(use.Node, i)));

    /// <summary>Thousandths of a device that an alternative finds free: of whole ones, or what is left of the freest one where it asks for a part.</summary>
    public static int MilliFree(GpuRequest gpu, NodeUse use)
    {
        var whole = 1000 * Matching(gpu, use);
        if (gpu.Share == 0) return whole;
        return whole > 0 ? 1000 : (use.Shared ?? []).Where(s => Matches(gpu, DeviceOf(use.Node, s.Index))).Select(s => s.Left).DefaultIfEmpty().Max();
    }

    private static IReadOnlyList<GpuRequest?> Alternatives(Request request) => request.Gpus.Count == 0 ? NoGpu : request.Gpus;

    private static readonly IReadOnlyList<GpuRequest?> NoGpu = [null];

    private static bool Allows(Request request, Node node) =>
        (!request.InContainer || node.Engine is not null) && request.Avoid?.Contains(node.Id) != true && (request.Where.Count == 0 || request.Where.Contains(node.Pool, StringComparer.OrdinalIgnoreCase));

    private static Share? Take(Request request, GpuRequest? gpu, NodeUse use)
    {
        var devices = new List<int>();
        if (gpu is { Share: > 0 } && SharedFor(gpu, use) is { } shared) devices.Add(shared.Index);
        for (var i = 0; gpu is not null && i < use.Free.Count && devices.Count < gpu.Count; i++)
            if (Matches(gpu, DeviceOf(use.Node, use.Free[i]))) devices.Add(use.Free[i]);
        if (gpu is not null && devices.Count < gpu.Count) return null;
        var milli = gpu?.Milli ?? 0;
        if (LeastMilliCpus(request, milli, use.Node) > use.FreeMilliCpus || request.Memory > use.FreeMemory) return null;
        var cpus = request.MilliCpus > 0 ? request.MilliCpus : Math.Min(Portion(milli, use.Node), use.FreeMilliCpus);
        return new(use.Node.Id, devices, cpus, request.Memory, gpu?.Share ?? 0);
    }

    /// <summary>The device that is held in parts already and has the least left that is enough; null where none has.</summary>
    internal static SharedDevice? SharedFor(GpuRequest gpu, NodeUse use)
    {
        SharedDevice? best = null;
        foreach (var shared in use.Shared ?? [])
            if (shared.Left >= gpu.Share && Matches(gpu, DeviceOf(use.Node, shared.Index)) && (best is null || shared.Left < best.Value.Left)) best = shared;
        return best;
    }

    /// <summary>
    /// CPUs without which a rank does not start. Where the request says nothing: one for each device, and at least one, or the node's
    /// portion for these devices where that is less. It gets the whole portion if that is free, so that devices do not starve for CPUs.
    /// </summary>
    /// <param name="milliGpus">Thousandths of a device: a part of one has that part of its CPUs.</param>
    public static int LeastMilliCpus(Request request, int milliGpus, Node node) => request.MilliCpus > 0 ? request.MilliCpus : Least(milliGpus, node);

    /// <summary>The same where the request says nothing.</summary>
    internal static int Least(int milliGpus, Node node) => Math.Min(Math.Max(milliGpus, 1000), Portion(milliGpus, node));

    internal static int Portion(int milliGpus, Node node) =>
        milliGpus > 0 ? (int)((long)node.MilliCpus * milliGpus / (1000 * node.Devices.Count)) : Math.Min(1000, node.MilliCpus);

    /// <summary>Which of a node's devices an alternative could use: one bit for each.</summary>
    internal static ulong Matching(GpuRequest? gpu, IReadOnlyList<Device> devices)
    {
        var mask = 0UL;
        foreach (var device in devices)
            if (gpu is null || Matches(gpu, device)) mask |= 1UL << device.Index;
        return mask;
    }

    private static bool Matches(GpuRequest gpu, Device? device) =>
        device is not null
        && (gpu.Name is null || string.Equals(gpu.Name, device.Model, StringComparison.OrdinalIgnoreCase))
        && (gpu.Vram is not { } vram || vram.Contains(device.Memory))
        && (gpu.Bf16 is not { } bf16 || (Accelerators.Find(device.Model)?.Bf16 is { } speed && bf16.Contains(speed)))
        && (gpu.Vendors is not { Count: > 0 } vendors || vendors.Contains(device.Vendor, StringComparer.OrdinalIgnoreCase));

    private static Device? DeviceOf(Node node, int index)
    {
        if (index < node.Devices.Count && node.Devices[index].Index == index) return node.Devices[index];
        foreach (var device in node.Devices)
            if (device.Index == index) return device;
        return null;
    }

    // A device that is held in parts already goes before any that is whole.
    private static (int, int) Tightness(NodeUse use, Share share) =>
        share.OfDevice > 0 && use.Shared?.FirstOrDefault(s => s.Index == share.Devices[0]).Left is > 0 and var left ? (left - 1001, 0)
        : (use.Free.Count - share.Devices.Count, use.FreeMilliCpus - share.MilliCpus);
}
