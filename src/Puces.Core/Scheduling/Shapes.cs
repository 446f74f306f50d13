using Puces.Core.Jobs;
using Puces.Core.Units;

namespace Puces.Core.Scheduling;

/// <summary>Keeps one <see cref="Shape"/> for equal needs.</summary>
public sealed class Shapes
{
    private readonly Dictionary<Request, Shape> _byRequest = [];
    private readonly Dictionary<(int, string, int, long), Shape> _byTotal = [];
    private static readonly string?[] NoModel = [null];
    private readonly List<Shape> _all = [];

    /// <summary>By its index.</summary>
    public Shape this[int index] => _all[index];

    /// <summary>What a job file asks for: each alternative on its own.</summary>
    public Shape Of(Request request)
    {
        if (_byRequest.TryGetValue(request, out var shape)) return shape;
        IReadOnlyList<Way> ways = request.Gpus.Count == 0
            ? [new(null, request.Nodes, 0, MilliCpus: request.MilliCpus, Memory: request.Memory, Where: request.Where, InContainer: request.InContainer, Avoid: request.Avoid)]
            : [.. request.Gpus.Select(g => new Way(g, request.Nodes, g.Share > 0 ? 0 : g.Count, Share: g.Share, MilliCpus: request.MilliCpus, Memory: request.Memory, Where: request.Where, InContainer: request.InContainer, Avoid: request.Avoid))];
        return _byRequest[request] = Add(ways);
    }

    /// <summary>
    /// Devices of one gang, as traces have them: on one node if it has as many, else on whole nodes and the rest on one more.
    /// </summary>
    /// <param name="milliGpus">Thousandths of a device; below 1000 it is a share of one.</param>
    /// <param name="models">Models that will do, with <c>|</c> between; empty for any.</param>
    /// <param name="sizes">Devices of the pool's nodes, each number once.</param>
    public Shape Of(int milliGpus, string models, int milliCpus, Memory memory, IReadOnlyList<int> sizes)
    {
        if (_byTotal.TryGetValue((milliGpus, models, milliCpus, memory.Bytes), out var shape)) return shape;
        var ways = new List<Way>();
        var devices = milliGpus / 1000;
        foreach (var model in models.Length == 0 ? NoModel : models.Split('|'))
        {
            var gpu = model is null ? null : new GpuRequest(Math.Max(devices, 1), model);
            if (devices == 0) ways.Add(new(gpu, 1, 0, Share: milliGpus, MilliCpus: milliCpus, Memory: memory));
            foreach (var size in sizes.Where(_ => devices > 0).OrderDescending())
            {
                var whole = size > 0 ? devices / size : 0;
                var way = whole == 0 || devices == size
                    ? new Way(gpu, 1, devices, MilliCpus: milliCpus, Memory: memory)
                    : new Way(gpu, whole, size, devices % size, MilliCpus: (int)((long)milliCpus * size / devices), Memory: new(memory.Bytes * size / devices));
                if (!ways.Contains(way)) ways.Add(way);
            }
        }
        return _byTotal[(milliGpus, models, milliCpus, memory.Bytes)] = Add(ways);
    }

    private Shape Add(IReadOnlyList<Way> ways)
    {
        _all.Add(new(_all.Count, ways, Math.Max(1, ways[0].Total)));
        return _all[^1];
    }
}
