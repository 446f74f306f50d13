using System.Globalization;
using System.Numerics;
using Puces.Core.Fleet;
using Puces.Core.Jobs;
using Puces.Core.Units;

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
        var (up, what) = (able.Where(n => n.IsOpen).ToList(), request.Nodes > 1 ? "a part" : "it");
        if (up.Count >= request.Nodes) return Missing(request, able, up) + Opening(able);
        if (able.Where(n => n is { Node.IsUp: true, Closed: not null }).MinBy(n => n.Closed!.To ?? DateTimeOffset.MaxValue) is { } shut)
            return $"needs {request}; {shut.Node.Id} could carry {what} and {Closed(shut)}";
        var down = able.First(n => !n.Node.IsUp).Node;
        return $"needs {request}; {down.Id} could carry {what} and cannot be reached: {down.Problem ?? "no answer"}";
    }

    // A node that is only closed to a job has what closes it still before it.
    private static string Closed(NodeUse use) => ReferenceEquals(use.Closed, use.Closes)
        ? $"closes {Moments.Text(use.Closes!.From!.Value)}, before it would be done{Noted(use.Closes)}" : "is closed " + use.Closed!.Until;

    private static string Noted(Window window) => window.Note.Length > 0 ? ": " + window.Note : "";

    /// <summary>What opens next of the nodes that could carry it; empty where nothing does.</summary>
    private static string Opening(IReadOnlyList<NodeUse> able)
    {
        var closed = able.Where(n => n is { Node.IsUp: true, Closed.To: not null } && !ReferenceEquals(n.Closed, n.Closes)).ToList();
        if (closed.Count == 0) return "";
        var at = closed.Min(n => n.Closed!.To!.Value);
        var models = Models(closed.Where(n => n.Closed!.To == at).SelectMany(n => n.Node.Devices));
        return $"; {(models.Length > 0 ? models : Count(closed.Count(n => n.Closed!.To == at), "node"))} open on {Moments.Text(at)}";
    }

    private static string Missing(Request request, List<NodeUse> able, List<NodeUse> up)
    {
        if (request.Nodes > 1)
        {
            var free = up.Count(n => Placement.Find(request with { Nodes = 1 }, [n]) is not null);
            return $"needs {request}; {Count(free, "node")} of {able.Count} could take a part now";
        }
        var gpu = request.Gpus.FirstOrDefault(g => up.Any(n => Placement.CouldFit(request with { Gpus = [g] }, n.Node)));
        if (gpu is not null)
        {
            var best = up.MaxBy(n => Placement.MilliFree(gpu, n))!;
            var free = Placement.MilliFree(gpu, best);
            if (free < gpu.Milli)
                return gpu.Share > 0 ? $"needs {Request.Text(gpu)}; {best.Node.Id} has the most left of one device, {Number(free)}"
                    : $"needs {Count(gpu.Count, gpu.Name ?? "device")} on one node; {best.Node.Id} has the most free, {Number(free)}";
            up.RemoveAll(n => Placement.MilliFree(gpu, n) < gpu.Milli);
        }
        var roomy = up.MaxBy(n => n.FreeMemory)!;
        if (request.Memory > roomy.FreeMemory) return $"needs {request.Memory} of memory on one node; {roomy.Node.Id} has {roomy.FreeMemory} free";
        var most = up.Where(n => n.FreeMemory >= request.Memory).MaxBy(n => n.FreeMilliCpus)!;
        return $"needs {Cpus(Placement.LeastMilliCpus(request, gpu?.Milli ?? 0, most.Node))} on one node; {most.Node.Id} has {Number(most.FreeMilliCpus)} free";
    }

    /// <summary>The same for one job: what is kept for others is not free to it.</summary>
    public static string Reason(Job job, Vacancies vacancies)
    {
        if (vacancies.ClosingOn(job) is { } closing)
            return $"would fit now on {closing.Node.Id}, which closes {Moments.Text(closing.Closes!.From!.Value)}, before it {(job.CanYield ? "could do much" : "would be done")}{Noted(closing.Closes)}";
        var free = vacancies.For(job);
        if (ReferenceEquals(free, vacancies.Nodes) || Placement.Find(job.Request, vacancies.Nodes) is null || Placement.Find(job.Request, free) is not null)
            return Reason(job.Request, free);
        var host = vacancies.HostOf(job)!;
        return $"would fit now, on devices that are kept for job {host.Id} from about {Clock(((JobState.Queued)host.State).Reserved!.At)}";
    }

    /// <summary>What would let it start now; empty where nothing short of waiting would.</summary>
    public static IReadOnlyList<string> Hints(Request request, IReadOnlyCollection<NodeUse> nodes) => HintsOf(request, nodes);

    private static List<string> HintsOf(Request request, IReadOnlyCollection<NodeUse> nodes)
    {
        if (Placement.Find(request, nodes) is not null) return [];
        var hints = new List<string>();
        if (request.Gpus is [{ } first, ..])
        {
            foreach (var model in nodes.Where(n => n.IsOpen).SelectMany(n => n.Node.Devices).Select(d => d.Model).Distinct().Order(StringComparer.Ordinal))
            {
                if (Asked(request, model) || Placement.Find(request with { Gpus = [new(first.Count, model, Share: first.Share)] }, nodes) is not { } there) continue;
                var free = nodes.First(n => n.Node.Id == there.Shares[0].Node);
                hints.Add(first.Share > 0 ? $"{model}:{first.Amount} is free on {free.Node.Id}: add {model}:{first.Amount} to gpus"
                    : request.Nodes > 1
                    ? $"{first.Count} × {model} are free on {request.Nodes} nodes: add {model}:{first.Count} to gpus"
                    : $"{Are(Placement.Matching(new(1, model), free), model)} free on {free.Node.Id}: add {model}:{first.Count} to gpus");
            }
            if (first.Share > 0 && nodes.Where(n => n.IsOpen).Max(n => Placement.MilliFree(first, n)) is > 0 and var left && left < first.Share
                && first with { Share = left } is var less && Placement.Find(request with { Gpus = [less] }, nodes) is not null)
                hints.Add($"{Request.Text(less)} would start now: ask for less");
            for (var count = first.Count - 1; count > 0; count--)
            {
                if (Placement.Find(request with { Gpus = [first with { Count = count }] }, nodes) is null) continue;
                hints.Add($"{Count(count, first.Name ?? "device")} on {(request.Nodes > 1 ? $"{request.Nodes} nodes" : "one node")} would start now: ask for fewer");
                break;
            }
        }
        for (var count = request.Nodes - 1; count > 0; count--)
        {
            if (Placement.Find(request with { Nodes = count }, nodes) is null) continue;
            hints.Add($"{Count(count, "node")} would start now: ask for fewer");
            break;
        }
        if (request.MilliCpus > 0 && Most(request with { MilliCpus = 1 }, nodes, n => n.FreeMilliCpus) is > 0 and var cpus)
            hints.Add($"{Cpus((int)cpus)}{Each(request)} would start now: ask for fewer CPUs");
        if (request.Memory > default(Memory) && Most(request with { Memory = default }, nodes, n => n.FreeMemory.Bytes) is >= 1_000_000_000 and var memory)
            hints.Add($"{memory / 1_000_000_000} GB of memory{Each(request)} would start now: ask for less");
        if (request.Where.Count > 0 && Placement.Find(request with { Where = [] }, nodes) is { } elsewhere)
            hints.Add($"pool {string.Join(", ", elsewhere.Shares.Select(s => nodes.First(n => n.Node.Id == s.Node).Node.Pool).Where(p => !request.Where.Contains(p, StringComparer.OrdinalIgnoreCase)).Distinct())} has room: add it to where");
        return hints;
    }

    /// <summary>The same for one job, with what would let it onto devices that are kept for another.</summary>
    public static IReadOnlyList<string> Hints(Job job, Vacancies vacancies, DateTimeOffset now)
    {
        var hints = HintsOf(job.Request, vacancies.For(job));
        if (vacancies.ClosingOn(job) is { Closes.From: { } end } && !job.CanYield)
        {
            hints.Insert(0, $"what closes on {Moments.Text(end)} would do until then: add checkpoint, so that it can leave and go on later");
            if ((int)(end - now).TotalMinutes is > 0 and var left) hints.Insert(1, $"what closes on {Moments.Text(end)} is free until then: add a limit of at most {left} min");
        }
        if (vacancies.HostOf(job) is not { State: JobState.Queued { Reserved: { } kept } } host) return hints;
        var guest = new List<string>();
        if (!job.CanYield && job.Request.Gpus.Count > 0 && host.Request.Gpus.Count > 0 && kept.At - now >= Scheduler.LeastStay)
            guest.Add($"what is kept for job {host.Id} would do until that starts: add checkpoint, so that it can leave and go on later");
        if ((int)(kept.At - now).TotalMinutes is > 0 and var minutes && !(job.CanYield && job.Request.Gpus.Count > 0) && !(job.Limit <= kept.At - now))
            guest.Add($"what is kept for job {host.Id} is free until about {Clock(kept.At)}: add a limit of at most {minutes} min");
        return [.. guest, .. hints];
    }

    /// <summary>The node that has most of something left among as many as are needed; zero where there are not as many.</summary>
    private static long Most(Request without, IReadOnlyCollection<NodeUse> nodes, Func<NodeUse, long> left)
    {
        if (Placement.Find(without, nodes) is null) return 0;
        var fitting = nodes.Where(n => Placement.Find(without with { Nodes = 1 }, [n]) is not null).Select(left).OrderDescending().ToList();
        return fitting[without.Nodes - 1];
    }

    private static string Each(Request request) => request.Nodes > 1 ? " on each node" : "";

    private static string Are(int count, string model) => $"{count} × {model} {(count == 1 ? "is" : "are")}";

    /// <summary>A time of day.</summary>
    public static string Clock(DateTimeOffset at) => at.UtcDateTime.ToString("HH:mm", CultureInfo.InvariantCulture) + " UTC";

    private static string Impossible(Request request, IReadOnlyCollection<NodeUse> nodes, int able)
    {
        if (request.Nodes > 1 && able > 0) return $"needs {request.Nodes} nodes with {request with { Nodes = 1 }}; there {(able == 1 ? "is" : "are")} only {able}";
        if (request.Avoid is { } avoid && nodes.Count(n => Placement.CouldFit(request with { Avoid = null }, n.Node)) >= request.Nodes)
            return $"needs {request}; it avoids {string.Join(", ", avoid)}, where it failed for no fault of its own";
        if (request.InContainer && nodes.Where(n => Placement.CouldFit(request with { Nodes = 1, InContainer = false }, n.Node)).Select(n => n.Node.Id).ToList() is { Count: > 0 } bare)
            return $"needs a container engine ({Request.Engines}): none on {string.Join(", ", bare.Take(3))}{(bare.Count > 3 ? $" and {bare.Count - 3} more" : "")}";
        var pools = request.Where.Count > 0 ? " of " + string.Join(", ", request.Where) : "";
        var largest = nodes.MaxBy(n => (n.Node.Devices.Count, n.Node.MilliCpus))!.Node;
        var has = largest.Devices.Count == 0 ? "no accelerator" : Models(largest);
        return $"no node{pools} can ever carry {request with { Nodes = 1 }}; the largest, {largest.Id}, has {has}, {Cpus(largest.MilliCpus)} and {largest.Memory.Bytes / 1_000_000_000} GB";
    }

    /// <summary>Such as <c> in 2 islands of 4</c>: devices that are joined by fast links; empty where that makes no difference.</summary>
    public static string Links(Node node)
    {
        var sizes = Islands.Of(node.Devices).Select(BitOperations.PopCount).OrderDescending().ToList();
        if (sizes.Count == 0) return "";
        return sizes[0] == sizes[^1] ? $" in {sizes.Count} islands of {sizes[0]}" : " in islands of " + string.Join(", ", sizes);
    }

    /// <summary>Such as <c> (one island)</c>: over how many islands held devices lie; empty where that makes no difference.</summary>
    public static string Links(Node node, IReadOnlyList<int> devices)
    {
        if (devices.Count < 2) return "";
        var touched = Islands.Of(node.Devices).Count(i => devices.Any(d => (i >> d & 1) != 0));
        return touched switch { 0 => "", 1 => " (one island)", _ => string.Create(CultureInfo.InvariantCulture, $" ({touched} islands)") };
    }

    /// <summary>Such as <c>8 × H100</c>; empty for none.</summary>
    public static string Models(Node node) => Models(node.Devices);

    /// <summary>The same of any devices.</summary>
    public static string Models(IEnumerable<Device> devices) => string.Join(" + ", devices.GroupBy(d => d.Model).Select(g => $"{g.Count()} × {g.Key}"));

    private static bool Asked(Request request, string model) =>
        request.Gpus.Any(g => string.Equals(g.Name, model, StringComparison.OrdinalIgnoreCase));

    private static string Count(int count, string what) => string.Create(CultureInfo.InvariantCulture, $"{count} {what}{(count == 1 ? "" : "s")}");

    private static string Cpus(int milli) => Number(milli) + (milli == 1000 ? " CPU" : " CPUs");

    private static string Number(int milli) => (milli / 1000m).ToString("0.###", CultureInfo.InvariantCulture);
}
