using Puces.Core.Fleet;
using Puces.Core.Scheduling;

namespace Puces.Core.Replay;

/// <summary>The nodes of a replay, all free, and what the jobs of a trace need of them.</summary>
internal sealed class ReplayPool
{
    private readonly Shapes _shapes = new();
    private readonly int[] _sizes;
    private readonly bool _hasCpus, _hasMemory;
    private readonly List<bool> _possible = [];

    public ReplayPool(IReadOnlyList<NodeGroup> nodes)
    {
        _sizes = [.. nodes.Select(n => n.Devices).Distinct()];
        (_hasCpus, _hasMemory) = (nodes.Any(n => n.MilliCpus > 0), nodes.Any(n => n.Memory.Bytes > 0));
        var number = 0;
        var windows = new List<Window>();
        foreach (var group in nodes)
        {
            // A group with windows of its own is a pool of its own.
            var pool = group is { Windows.Count: > 0, Recorded: null } ? $"replay-{number}" : "replay";
            foreach (var window in group.Windows) windows.Add(group.Recorded is null ? window with { Number = -1 - windows.Count, Pool = pool } : window);
            if (group.Recorded is { } recorded)
            {
                foreach (var node in recorded.Take(group.Nodes)) Grid.Set(node);
                continue;
            }
            var model = group.Accelerator.Length == 0 ? "any" : group.Accelerator;
            var accelerator = Accelerators.Find(model);
            Device[] devices = [.. Enumerable.Range(0, group.Devices).Select(i => new Device(i, model, accelerator?.Vendor ?? "any", accelerator?.Memory ?? default, Island: group.Islands > 0 ? i / group.Islands : null))];
            var first = number;
            for (var i = 0; i < group.Nodes; i++)
                Grid.Set(new($"{pool}/{number++:D7}", pool, devices, group.MilliCpus, group.Memory, IsVirtual: true, IsUp: true, default,
                    Place: group.Racks > 0 ? $"{first}/rack{i / group.Racks}" : null));
        }
        var news = windows.Distinct().Select(w => (At: Clock(w.Announced), Window: w with { Removed = null }))
            .Concat(windows.Distinct().Where(w => w.Removed is not null).Select(w => (At: Clock(w.Removed!.Value), Window: w)));
        News = [.. news.OrderBy(n => n.At).ThenBy(n => n.Window.Number)];
    }

    private static TimeSpan Clock(DateTimeOffset at) => at - DateTimeOffset.UnixEpoch;

    /// <summary>Windows with when they became known, and again with when they were removed; in this order.</summary>
    public IReadOnlyList<(TimeSpan At, Window Window)> News { get; }

    public Grid Grid { get; } = new();

    /// <summary>What a job needs: as it asked for it where that is known, else CPUs and memory only where the pool has any.</summary>
    public Shape ShapeOf(TraceJob job) => job.Request is { } request ? _shapes.Of(request)
        : _shapes.Of(job.MilliGpus, job.Accelerator, _hasCpus ? job.MilliCpus : 0, _hasMemory ? job.Memory : default, _sizes);

    /// <summary>Whether the nodes could carry the job, were all of them free.</summary>
    public bool CouldCarry(Shape shape)
    {
        while (_possible.Count <= shape.Index) _possible.Add(Grid.CouldEver(_shapes[_possible.Count]));
        return _possible[shape.Index];
    }
}
