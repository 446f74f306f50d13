using System.Numerics;
using Puces.Core.Fleet;

namespace Puces.Core.Scheduling;

/// <summary>One node of the grid: what it is and what is free on it.</summary>
internal sealed class Slot(int index, Node node, Kind kind)
{
    public int Index { get; } = index;
    public Node Node { get; set; } = node;
    public Kind Kind { get; set; } = kind;
    /// <summary>Its place among the nodes of its kind.</summary>
    public int Local { get; set; }
    public ulong Healthy { get; set; }
    /// <summary>Devices that somebody holds, whole or in shares.</summary>
    public ulong Held { get; set; }
    public int FreeMilliCpus { get; set; } = node.MilliCpus;
    public long FreeMemory { get; set; } = node.Memory.Bytes;
    /// <summary>Thousandths left of each device that is shared; null where none is.</summary>
    public Dictionary<int, int>? Shared { get; set; }
    /// <summary>Devices that are promised to somebody whole: no more parts of them are given out.</summary>
    public ulong Promised { get; set; }
    public bool IsGone { get; set; }

    /// <summary>Where it stands; null where nobody said.</summary>
    public Rack? Rack { get; set; }
    /// <summary>When it is closed, by when that begins.</summary>
    public Closing[] Closings { get; set; } = Closing.None;
    /// <summary>Its windows are others than at its last turn.</summary>
    public bool IsTurning { get; set; }
    public bool IsClosed { get; private set; }
    /// <summary>When it closes next; the end of time where it does not.</summary>
    public TimeSpan ClosesAt { get; private set; } = TimeSpan.MaxValue;

    public bool IsUp => Node.IsUp && !IsGone;
    public bool IsOpen => IsUp && !IsClosed;
    /// <summary>It is closed, and never opens again.</summary>
    public bool IsClosedForGood => IsClosed && Array.Exists(Closings, c => c.To == TimeSpan.MaxValue && c.From < ClosesAt);

    /// <summary>Must not be listed.</summary>
    public void Turn(TimeSpan now)
    {
        (IsClosed, IsTurning, ClosesAt) = (false, false, TimeSpan.MaxValue);
        foreach (var closing in Closings)
        {
            if (closing.From > now && closing.From < ClosesAt) ClosesAt = closing.From;
            else if (closing.From <= now && closing.To > now) IsClosed = true;
        }
    }

    /// <summary>Healthy devices that nobody holds.</summary>
    public ulong Free => Healthy & ~Held;

    public int FreeCount => BitOperations.PopCount(Free);
}

/// <summary>Nodes of one pool with the same devices, all with a container engine or all without, in order of their names, by how many devices are free.</summary>
internal sealed class Kind
{
    private readonly List<Slot> _members = [];
    private readonly NodeSet[] _byFree;
    // By how many of the free devices fast links join at most as well; empty where there are no islands.
    private readonly NodeSet[,] _byIsland;
    private readonly NodeSet _sharing = new(64);

    public Kind(int index, string pool, IReadOnlyList<Device> devices, bool hasEngine)
    {
        (Index, Pool, Devices, HasEngine) = (index, pool, devices, hasEngine);
        _byFree = new NodeSet[devices.Count + 1];
        for (var i = 0; i < _byFree.Length; i++) _byFree[i] = new(64);
        Islands = Scheduling.Islands.Of(devices);
        _byIsland = Islands.Count > 0 ? new NodeSet[_byFree.Length, _byFree.Length] : new NodeSet[0, 0];
        for (var free = 0; free < _byIsland.GetLength(0); free++)
            for (var joined = 0; joined <= free; joined++) _byIsland[free, joined] = new(64);
    }

    public int Index { get; }
    public string Pool { get; }
    public IReadOnlyList<Device> Devices { get; }
    /// <summary>They can run containers.</summary>
    public bool HasEngine { get; }
    /// <summary>Devices that are joined by fast links, by the lowest; none where all are, or nobody knows.</summary>
    public IReadOnlyList<ulong> Islands { get; }
    public IReadOnlyList<Slot> Members => _members;

    /// <summary>Members that are open and have exactly this many free devices.</summary>
    public NodeSet With(int free) => _byFree[free];

    /// <summary>Of these, the ones whose emptiest island has exactly so many of them. Only where there are islands.</summary>
    public NodeSet With(int free, int joined) => _byIsland[free, joined];

    /// <summary>Members that are open and have a shared device.</summary>
    public NodeSet Sharing => _sharing;

    /// <summary>The slot must not be listed.</summary>
    public void Insert(Slot slot)
    {
        if (_members.Count == 0 || string.CompareOrdinal(_members[^1].Node.Id, slot.Node.Id) < 0)
        {
            slot.Local = _members.Count;
            _members.Add(slot);
            foreach (var set in All) set.Grow(_members.Count);
            return;
        }
        _members.Insert(~_members.BinarySearch(slot, ByName), slot);
        Renumber(slot);
    }

    /// <summary>The slot must not be listed.</summary>
    public void Remove(Slot slot)
    {
        _members.RemoveAt(slot.Local);
        Renumber(null);
    }

    public void List(Slot slot)
    {
        if (!slot.IsOpen) return;
        _byFree[slot.FreeCount].Add(slot.Local);
        if (Islands.Count > 0) _byIsland[slot.FreeCount, Scheduling.Islands.Most(slot.Free, Islands)].Add(slot.Local);
        if (slot.Shared is not null) _sharing.Add(slot.Local);
    }

    public void Unlist(Slot slot)
    {
        if (!slot.IsOpen) return;
        _byFree[slot.FreeCount].Remove(slot.Local);
        if (Islands.Count > 0) _byIsland[slot.FreeCount, Scheduling.Islands.Most(slot.Free, Islands)].Remove(slot.Local);
        if (slot.Shared is not null) _sharing.Remove(slot.Local);
    }

    private IEnumerable<NodeSet> All => _byFree.Append(_sharing).Concat(_byIsland.Cast<NodeSet?>().OfType<NodeSet>());

    // Nodes mostly come in order of their names, and seldom leave.
    private void Renumber(Slot? unlisted)
    {
        foreach (var set in All)
        {
            set.Clear();
            set.Grow(_members.Count);
        }
        for (var i = 0; i < _members.Count; i++)
        {
            _members[i].Local = i;
            if (_members[i] != unlisted) List(_members[i]);
        }
    }

    /// <summary>By pool, number of devices, whether they can run containers, and what the devices are; no two kinds are alike in all of that.</summary>
    public static readonly Comparer<Kind> ByDevices = Comparer<Kind>.Create((a, b) =>
    {
        var order = string.CompareOrdinal(a.Pool, b.Pool);
        if (order == 0) order = a.Devices.Count.CompareTo(b.Devices.Count);
        if (order == 0) order = a.HasEngine.CompareTo(b.HasEngine);
        for (var i = 0; order == 0 && i < a.Devices.Count; i++)
        {
            var (one, other) = (a.Devices[i], b.Devices[i]);
            order = string.CompareOrdinal(one.Model, other.Model);
            if (order == 0) order = string.CompareOrdinal(one.Vendor, other.Vendor);
            if (order == 0) order = one.Memory.CompareTo(other.Memory);
            if (order == 0) order = one.Index.CompareTo(other.Index);
            if (order == 0) order = Comparer<int?>.Default.Compare(one.Island, other.Island);
        }
        return order;
    });

    private static readonly Comparer<Slot> ByName = Comparer<Slot>.Create((a, b) => string.CompareOrdinal(a.Node.Id, b.Node.Id));
}
