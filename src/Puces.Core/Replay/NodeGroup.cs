using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using Puces.Core.Fleet;
using Puces.Core.Units;

namespace Puces.Core.Replay;

/// <summary>Equal nodes of a replayed pool.</summary>
/// <param name="Nodes">How many.</param>
/// <param name="Devices">Devices of each.</param>
/// <param name="Accelerator">Their model; empty for any.</param>
/// <param name="MilliCpus">CPUs of each; zero for as many as are asked for.</param>
/// <param name="Memory">Main memory of each; zero for as much as is asked for.</param>
public sealed record NodeGroup(int Nodes, int Devices, string Accelerator = "", int MilliCpus = 0, Memory Memory = default)
{
    private const int MostNodes = 1_000_000;
    private const int MostDevices = 1024;

    /// <summary>The nodes themselves, where they are known; the first <see cref="Nodes"/> of them count.</summary>
    public IReadOnlyList<Node>? Recorded { get; init; }

    /// <summary>
    /// When nodes of it are closed. Of nodes that are not recorded each window is about all of the group, and its times are since 1970 where
    /// the trace's are since its first submission.
    /// </summary>
    public IReadOnlyList<Window> Windows { get; init; } = [];

    /// <summary>So many devices of a node at a time are joined by fast links; zero for none.</summary>
    public int Islands { get; init; }

    /// <summary>So many nodes at a time stand in one rack; zero where nobody said.</summary>
    public int Racks { get; init; }

    /// <summary>Whether a job that asks for that model, or for several with <c>|</c> between, may run here.</summary>
    public bool Takes(string accelerator)
    {
        if (accelerator.Length == 0 || Accelerator.Length == 0) return true;
        foreach (var one in accelerator.AsSpan().Split('|'))
            if (accelerator.AsSpan(one).Equals(Accelerator, StringComparison.OrdinalIgnoreCase)) return true;
        return false;
    }

    /// <summary>Reads <c>16x8</c> or <c>16x8:H100</c>: nodes, devices of each, their model.</summary>
    public static bool TryParse(string text, [NotNullWhen(true)] out NodeGroup? group)
    {
        group = null;
        var colon = text.IndexOf(':', StringComparison.Ordinal);
        var shape = colon < 0 ? text.AsSpan() : text.AsSpan(0, colon);
        var accelerator = colon < 0 ? "" : text[(colon + 1)..].Trim();
        var x = shape.IndexOfAny('x', 'X');
        if (x < 0 || (colon >= 0 && accelerator.Length == 0)) return false;
        if (!int.TryParse(shape[..x], NumberStyles.None, CultureInfo.InvariantCulture, out var nodes) || nodes is < 1 or > MostNodes) return false;
        if (!int.TryParse(shape[(x + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out var devices) || devices is < 1 or > MostDevices) return false;
        group = new(nodes, devices, accelerator);
        return true;
    }

    /// <summary>Reads nodes, one a line under <c>sn,cpu_milli,memory_mib,gpu,model</c>, or groups, one a line such as <c>16x8:H100</c>, with <c>opens 2d</c>, <c>closes 30d</c> or <c>closed 2d..2d4h</c> behind.</summary>
    /// <exception cref="TraceException">A line is wrong, or there is none.</exception>
    public static IReadOnlyList<NodeGroup> Read(TextReader text, string file)
    {
        var groups = new List<NodeGroup>();
        var rows = new TraceRows(text, file);
        if (rows.Find("gpu") is >= 0 and var gpu)
        {
            var (cpus, memory, model) = (rows.Find("cpu_milli"), rows.Find("memory_mib"), rows.Find("model"));
            while (rows.Next())
            {
                var devices = rows.Thousandths(gpu, 1);
                if (devices > MostDevices) throw rows.Wrong(gpu, $"is more than a node has; write at most {MostDevices}");
                var node = new NodeGroup(1, devices, rows.Name(model), rows.Thousandths(cpus, 1), rows.Mebibytes(memory));
                // Equal neighbours are one group; the order of the nodes stays.
                if (groups.Count > 0 && groups[^1] with { Nodes = 1 } == node) groups[^1] = groups[^1] with { Nodes = groups[^1].Nodes + 1 };
                else groups.Add(node);
            }
        }
        else
        {
            Add(string.Join(',', rows.Header), 1);
            while (rows.Next()) Add(rows[0].ToString(), rows.Line);
        }
        return groups.Count > 0 ? groups : throw new TraceException(file, 1, "lists no nodes");

        void Add(string line, int number)
        {
            var written = line.Split('#')[0].Trim();
            if (written.Length == 0) return;
            var words = written.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (!TryParse(words[0], out var group)) throw new TraceException(file, number, $"'{written}' is no group of nodes; write such as 16x8:H100, or a table under sn,cpu_milli,memory_mib,gpu,model");
            groups.Add(group.With(words) ?? throw new TraceException(
                file, number, $"'{written}': write behind the nodes opens 2d, closes 30d or closed 2d..2d4h, since the first submission, islands 4 (devices) or racks 8 (nodes)"));
        }
    }

    /// <summary>The group with what is said behind it; null where that cannot be read.</summary>
    private NodeGroup? With(string[] words)
    {
        var group = this;
        for (var i = 1; i < words.Length; i += 2)
        {
            var next = (words[i], i + 1 < words.Length ? words[i + 1].Split("..") : []) switch
            {
                ("opens", [var t]) when Since(t) is { } at => group.Closed(null, at),
                ("closes", [var t]) when Since(t) is { } at => group.Closed(at, null),
                ("closed", [var f, var t]) when Since(f) < Since(t) => group.Closed(Since(f), Since(t)),
                ("islands", [var n]) when int.TryParse(n, NumberStyles.None, CultureInfo.InvariantCulture, out var size) && size > 0 => group with { Islands = size },
                ("racks", [var n]) when int.TryParse(n, NumberStyles.None, CultureInfo.InvariantCulture, out var size) && size > 0 => group with { Racks = size },
                _ => null,
            };
            if (next is null) return null;
            group = next;
        }
        return group;

        static DateTimeOffset? Since(string text) => Durations.TryParse(text, out var time) ? DateTimeOffset.UnixEpoch + time : null;
    }

    private NodeGroup Closed(DateTimeOffset? from, DateTimeOffset? to) => this with { Windows = [.. Windows, new(0, "", "", DateTimeOffset.MinValue, From: from, To: to)] };

    /// <summary>The pool without some nodes; null where it has not so many of that kind.</summary>
    public static IReadOnlyList<NodeGroup>? Without(IReadOnlyList<NodeGroup> pool, NodeGroup gone)
    {
        var (left, missing) = (new List<NodeGroup>(pool.Count), gone.Nodes);
        for (var i = pool.Count - 1; i >= 0; i--)
        {
            var isKind = pool[i].Devices == gone.Devices && (gone.Accelerator.Length == 0 || pool[i].Accelerator.Equals(gone.Accelerator, StringComparison.OrdinalIgnoreCase));
            var taken = isKind ? Math.Min(missing, pool[i].Nodes) : 0;
            missing -= taken;
            if (pool[i].Nodes > taken) left.Insert(0, pool[i] with { Nodes = pool[i].Nodes - taken });
        }
        return missing == 0 ? left : null;
    }

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Nodes}x{Devices}{(Accelerator.Length > 0 ? ":" + Accelerator : "")}");
}
