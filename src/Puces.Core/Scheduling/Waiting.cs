using System.Globalization;
using Puces.Core.Fleet;
using Puces.Core.Jobs;

namespace Puces.Core.Scheduling;

/// <summary>Why a job waits, in words and numbers (invariant 9). CLI, API and dashboard show the same text.</summary>
public static class Waiting
{
    /// <summary>One sentence; the same for all jobs of one request, so that a long line is cheap to explain.</summary>
    public static string Reason(Request request, IReadOnlyCollection<NodeUse> nodes)
    {
        if (nodes.Count == 0) return "no node has answered yet";
        if (nodes.All(n => !n.Node.IsUp)) return $"no node can be reached; {nodes.First().Node.Id}: {nodes.First().Node.Problem ?? "no answer"}";
        var able = nodes.Where(n => Placement.CouldFit(request, n.Node)).ToList();
        if (able.Count < request.Nodes) return Impossible(request, nodes, able.Count);
        if (Placement.Find(request, nodes) is not null) return "would fit now, and goes after the jobs ahead of it";
        var up = able.Where(n => n.Node.IsUp).ToList();
        if (up.Count < request.Nodes)
        {
            var down = able.First(n => !n.Node.IsUp).Node;
            return $"needs {request}; {down.Id} could carry {(request.Nodes > 1 ? "a part" : "it")} and cannot be reached: {down.Problem ?? "no answer"}";
        }
        if (request.Nodes > 1)
        {
            var free = up.Count(n => Placement.Find(request with { Nodes = 1 }, [n]) is not null);
            return $"needs {request}; {Count(free, "node")} of {able.Count} could take a part now";
        }
        var gpu = request.Gpus.FirstOrDefault(g => up.Any(n => Placement.CouldFit(request with { Gpus = [g] }, n.Node)));
        if (gpu is not null)
        {
            var best = up.MaxBy(n => Placement.Matching(gpu, n))!;
            if (Placement.Matching(gpu, best) < gpu.Count)
                return $"needs {Count(gpu.Count, gpu.Name ?? "device")} on one node; {best.Node.Id} has the most free, {Placement.Matching(gpu, best)}";
            up.RemoveAll(n => Placement.Matching(gpu, n) < gpu.Count);
        }
        var roomy = up.MaxBy(n => n.FreeMemory)!;
        if (request.Memory > roomy.FreeMemory) return $"needs {request.Memory} of memory on one node; {roomy.Node.Id} has {roomy.FreeMemory} free";
        var most = up.Where(n => n.FreeMemory >= request.Memory).MaxBy(n => n.FreeMilliCpus)!;
        return $"needs {Cpus(Placement.LeastMilliCpus(request, gpu?.Count ?? 0, most.Node))} on one node; {most.Node.Id} has {Number(most.FreeMilliCpus)} free";
    }

    /// <summary>What would let it start now; empty where nothing short of waiting would.</summary>
    public static IReadOnlyList<string> Hints(Request request, IReadOnlyCollection<NodeUse> nodes)
    {
        var hints = new List<string>();
        if (request.Gpus is [{ } first, ..] && Placement.Find(request, nodes) is null)
        {
            var other = nodes.Where(n => n.Node.IsUp).SelectMany(n => n.Free.Select(i => (n, n.Node.Devices.First(d => d.Index == i).Model)))
                .GroupBy(p => (p.Model, p.n.Node.Id)).Where(g => g.Count() >= first.Count && !Asked(request, g.Key.Model))
                .OrderBy(g => g.Key.Model, StringComparer.Ordinal).FirstOrDefault();
            if (other is not null) hints.Add($"{other.Count()} × {other.Key.Model} are free on {other.Key.Id}: add {other.Key.Model}:{first.Count} to gpus");
            var most = nodes.Where(n => n.Node.IsUp).Select(n => Placement.Matching(first, n)).DefaultIfEmpty().Max();
            if (most > 0 && most < first.Count) hints.Add($"{Count(most, first.Name ?? "device")} on one node would start now: ask for fewer");
        }
        if (request.Where.Count > 0 && Placement.Find(request with { Where = [] }, nodes) is not null) hints.Add("another pool has room: widen where");
        return hints;
    }

    private static string Impossible(Request request, IReadOnlyCollection<NodeUse> nodes, int able)
    {
        if (request.Nodes > 1 && able > 0) return $"needs {request.Nodes} nodes with {request with { Nodes = 1 }}; there {(able == 1 ? "is" : "are")} only {able}";
        var pools = request.Where.Count > 0 ? " of " + string.Join(", ", request.Where) : "";
        var largest = nodes.MaxBy(n => (n.Node.Devices.Count, n.Node.MilliCpus))!.Node;
        var has = largest.Devices.Count == 0 ? "no accelerator" : Models(largest);
        return $"no node{pools} can ever carry {request with { Nodes = 1 }}; the largest, {largest.Id}, has {has}, {Cpus(largest.MilliCpus)} and {largest.Memory.Bytes / 1_000_000_000} GB";
    }

    /// <summary>Such as <c>8 × H100</c>; empty for none.</summary>
    public static string Models(Node node) => string.Join(" + ", node.Devices.GroupBy(d => d.Model).Select(g => $"{g.Count()} × {g.Key}"));

    private static bool Asked(Request request, string model) =>
        request.Gpus.Any(g => string.Equals(g.Name, model, StringComparison.OrdinalIgnoreCase));

    private static string Count(int count, string what) => string.Create(CultureInfo.InvariantCulture, $"{count} {what}{(count == 1 ? "" : "s")}");

    private static string Cpus(int milli) => Number(milli) + (milli == 1000 ? " CPU" : " CPUs");

    private static string Number(int milli) => (milli / 1000m).ToString("0.###", CultureInfo.InvariantCulture);
}
