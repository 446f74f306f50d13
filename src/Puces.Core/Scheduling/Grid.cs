using System.Numerics;
using System.Runtime.InteropServices;
using Puces.Core.Fleet;

namespace Puces.Core.Scheduling;

/// <summary>
/// The nodes and what is free on them, laid out so that the best node for a part is found without looking at the others: nodes of one
/// kind are kept in one set for each number of free devices, the lowest name first.
/// </summary>
public sealed partial class Grid
{
    private readonly List<Slot> _slots = [];
    private readonly Dictionary<string, int> _byName = new(StringComparer.Ordinal);
    private readonly List<Kind> _kinds = [];
    // Gangs take nodes kind by kind: not in the order in which they were first seen, which is another after a restart and in replay.
    private readonly List<Kind> _inOrder = [];
    // Nodes that changed, in the order in which they did; the first of them are forgotten when they are many.
    private readonly List<int> _changed = [];
    private int[] _places = [];
    private long _forgotten;
    private int _largest;
    private bool _hasIslands;

    /// <summary>Nodes ever seen; the indexes of parts are below it.</summary>
    public int Count => _slots.Count;

    /// <summary>Counts what could let somebody start who could not before: releases, and nodes that came or changed.</summary>
    public long Freed { get; private set; }

    /// <summary>Changes with the nodes, and not with who holds what of them.</summary>
    public long Layout { get; private set; }

    /// <summary>Healthy devices on nodes that are up, held or not.</summary>
    public int Devices { get; private set; }

    /// <summary>Of those, the ones that nobody holds.</summary>
    public int FreeDevices { get; private set; }

    /// <summary>Counts changes of single nodes, so that who keeps something of each need only look at those that <see cref="ChangedSince"/> tells.</summary>
    internal long Changes => _forgotten + _changed.Count;

    /// <summary>Nodes that changed since there were so many changes, some perhaps more than once; false where that is forgotten.</summary>
    internal bool ChangedSince(long changes, out ReadOnlySpan<int> nodes)
    {
        nodes = changes < _forgotten ? default : CollectionsMarshal.AsSpan(_changed)[(int)(changes - _forgotten)..];
        return changes >= _forgotten;
    }

    public Node NodeAt(int index) => _slots[index].Node;

    public int Find(string name) => _byName.GetValueOrDefault(name, -1);

    /// <summary>It is up, has not left, and is in no window.</summary>
    public bool IsOpen(int index) => _slots[index].IsOpen;

    internal Slot SlotAt(int index) => _slots[index];

    /// <summary>Where a node stands among all that were ever seen, by name.</summary>
    internal int PlaceOf(int index)
    {
        if (_places.Length != _slots.Count)
        {
            var byName = _slots.ToArray();
            Array.Sort(byName, (a, b) => string.CompareOrdinal(a.Node.Id, b.Node.Id));
            _places = new int[byName.Length];
            for (var i = 0; i < byName.Length; i++) _places[byName[i].Index] = i;
        }
        return _places[index];
    }

    internal IReadOnlyList<Kind> Kinds => _kinds;

    /// <summary>Adds a node, or notes how it is now. What is held on it stays held.</summary>
    public void Set(Node node)
    {
        var kind = KindOf(node);
        if (!_byName.TryGetValue(node.Id, out var index))
        {
            _byName[node.Id] = index = _slots.Count;
            _slots.Add(new(index, node, kind) { Healthy = Healthy(node) });
            Note(_slots[index]);
            kind.Insert(_slots[index]);
            Schedule(_slots[index]);
            _slots[index].Turn(_turned);
        }
        else
        {
            var slot = _slots[index];
            Unlist(slot);
            Leave(slot);
            slot.FreeMilliCpus += node.MilliCpus - slot.Node.MilliCpus;
            slot.FreeMemory += node.Memory.Bytes - slot.Node.Memory.Bytes;
            if (slot.Kind != kind)
            {
                slot.Kind.Remove(slot);
                slot.Kind = kind;
                kind.Insert(slot);
            }
            (slot.Node, slot.IsGone, slot.Healthy) = (node, false, Healthy(node));
        }
        Join(_slots[index]);
        List(_slots[index]);
        Freed++;
        Layout++;
    }

    /// <summary>The same nodes with nothing held; a way means the same on both.</summary>
    internal Grid Emptied()
    {
        var empty = new Grid();
        // A way knows the kinds of nodes by their order.
        foreach (var kind in _kinds) empty.Add(new Kind(kind.Index, kind.Pool, kind.Devices, kind.HasEngine));
        foreach (var slot in _slots)
            if (!slot.IsGone) empty.Set(slot.IsClosed ? slot.Node with { IsUp = false } : slot.Node);
        return empty;
    }

    /// <summary>The index of a node, which may not have been seen yet: something is held on it from before.</summary>
    public int IndexOf(string name)
    {
        if (Find(name) is >= 0 and var index) return index;
        Set(new(name, name.Split('/')[0], [], 0, default, IsVirtual: false, IsUp: false, default));
        return Find(name);
    }

    /// <summary>A node left for good. What is held on it stays held until it is given back.</summary>
    public void Remove(string name)
    {
        if (Find(name) is not (>= 0 and var index)) return;
        Unlist(_slots[index]);
        _slots[index].IsGone = true;
        Layout++;
    }

    /// <summary>Takes the parts away from what is free.</summary>
    public void Hold(IReadOnlyList<Part> parts)
    {
        for (var i = 0; i < parts.Count; i++) Change(parts[i], -1);
    }

    /// <summary>Gives the parts back.</summary>
    public void Release(IReadOnlyList<Part> parts)
    {
        for (var i = 0; i < parts.Count; i++) Change(parts[i], 1);
        Freed++;
    }

    /// <summary>Gives back what was only kept from others within a pass: nobody could start who could not before.</summary>
    internal void LetGo(IReadOnlyList<Part> parts)
    {
        for (var i = 0; i < parts.Count; i++) Change(parts[i], 1);
    }

    private void Change(in Part part, int sign)
    {
        var slot = _slots[part.Node];
        Unlist(slot);
        slot.FreeMilliCpus += sign * part.MilliCpus;
        slot.FreeMemory += sign * part.Memory;
        if (part.Share > 0) ChangeShare(slot, BitOperations.TrailingZeroCount(part.Devices), sign * part.Share);
        else if (sign > 0) slot.Held &= ~part.Devices;
        else slot.Held |= part.Devices;
        List(slot);
    }

    private static void ChangeShare(Slot slot, int device, int change)
    {
        var shared = slot.Shared ??= [];
        var left = shared.GetValueOrDefault(device, 1000) + change;
        if (left < 1000)
        {
            shared[device] = left;
            slot.Held |= 1UL << device;
            return;
        }
        shared.Remove(device);
        slot.Held &= ~(1UL << device);
        if (shared.Count == 0) slot.Shared = null;
    }

    private void List(Slot slot)
    {
        slot.Kind.List(slot);
        if (!slot.IsOpen) return;
        slot.Rack?.Count(slot.FreeCount, 1);
        Devices += BitOperations.PopCount(slot.Healthy);
        FreeDevices += slot.FreeCount;
    }

    private void Unlist(Slot slot)
    {
        Note(slot);
        slot.Kind.Unlist(slot);
        if (!slot.IsOpen) return;
        slot.Rack?.Count(slot.FreeCount, -1);
        Devices -= BitOperations.PopCount(slot.Healthy);
        FreeDevices -= slot.FreeCount;
    }

    /// <summary>Something is different about who holds what of a node.</summary>
    internal void Touch(int node) => Note(_slots[node]);

    private void Note(Slot slot)
    {
        if (_changed.Count > 4096 + 2 * _slots.Count)
        {
            // The older half: whoever looks often forgets nothing.
            var old = _changed.Count / 2;
            _forgotten += old;
            _changed.RemoveRange(0, old);
        }
        _changed.Add(slot.Index);
    }

    private static ulong Healthy(Node node)
    {
        var mask = 0UL;
        foreach (var device in node.Devices)
            if (device.IsHealthy) mask |= 1UL << device.Index;
        return mask;
    }

    private Kind KindOf(Node node)
    {
        foreach (var kind in _kinds)
            if (kind.Pool == node.Pool && kind.HasEngine == node.Engine is not null && (ReferenceEquals(kind.Devices, node.Devices) || Same(kind.Devices, node.Devices))) return kind;
        Add(new Kind(_kinds.Count, node.Pool, node.Devices, node.Engine is not null));
        return _kinds[^1];
    }

    private void Add(Kind kind)
    {
        _kinds.Add(kind);
        _inOrder.Insert(~_inOrder.BinarySearch(kind, Kind.ByDevices), kind);
        _largest = Math.Max(_largest, kind.Devices.Count);
        _hasIslands |= kind.Islands.Count > 0;
    }

    private static bool Same(IReadOnlyList<Device> a, IReadOnlyList<Device> b)
    {
        if (a.Count != b.Count) return false;
        for (var i = 0; i < a.Count; i++)
            if (a[i].Index != b[i].Index || a[i].Model != b[i].Model || a[i].Vendor != b[i].Vendor || a[i].Memory != b[i].Memory
                || a[i].Island != b[i].Island) return false;
        return true;
    }
}
