namespace Puces.Core.Scheduling;

/// <summary>The nodes of one place, in order of their names, and how many of them have how much free.</summary>
internal sealed class Rack(string place)
{
    private readonly List<Slot> _members = [];
    private int[] _byFree = [];

    public string Place { get; } = place;
    public IReadOnlyList<Slot> Members => _members;

    public void Add(Slot slot) => _members.Insert(~_members.BinarySearch(slot, ByName), slot);

    public void Remove(Slot slot) => _members.RemoveAt(_members.BinarySearch(slot, ByName));

    /// <summary>A member is open and has exactly this many free devices, or (-1) is not any more.</summary>
    public void Count(int free, int change)
    {
        if (free >= _byFree.Length) Array.Resize(ref _byFree, free + 1);
        _byFree[free] += change;
    }

    /// <summary>Open members with at least so many free devices: no fewer than could take a part.</summary>
    public int CountFrom(int devices)
    {
        var count = 0;
        for (var free = devices; free < _byFree.Length; free++) count += _byFree[free];
        return count;
    }

    private static readonly Comparer<Slot> ByName = Comparer<Slot>.Create((a, b) => string.CompareOrdinal(a.Node.Id, b.Node.Id));
}

// Where nodes stand. A gang takes nodes that are near each other if it can, and is never refused for that.
public sealed partial class Grid
{
    private readonly SortedDictionary<string, Rack> _racks = new(StringComparer.Ordinal);
    private readonly List<(Rack Rack, List<Slot> Fitting)> _near = [];
    private bool _hasPlaces;

    private void Join(Slot slot)
    {
        if (slot.Node.Place is null && !_hasPlaces) return;
        if (!_hasPlaces)
        {
            // Those that nobody placed are together far from all others.
            _hasPlaces = true;
            foreach (var other in _slots)
                if (other != slot && other.Rack is null) Enter(other, isListed: other.IsOpen);
        }
        Enter(slot, isListed: false);
    }

    private void Enter(Slot slot, bool isListed)
    {
        var place = slot.Node.Place ?? "";
        if (!_racks.TryGetValue(place, out var rack)) _racks[place] = rack = new(place);
        slot.Rack = rack;
        rack.Add(slot);
        if (isListed) rack.Count(slot.FreeCount, 1);
    }

    // The slot must not be listed.
    private static void Leave(Slot slot)
    {
        slot.Rack?.Remove(slot);
        slot.Rack = null;
    }

    /// <summary>
    /// Adds the nodes for a gang: of the racks that have enough the one with the fewest, so that emptier ones stay whole. Where none has, the
    /// first place from there upwards that has; within it those racks go first that have the most, and the last is again the tightest.
    /// </summary>
    private void FindNear(Way way, in Terms terms)
    {
        var free = 0;
        var enough = new List<(int Count, Rack Rack)>();
        foreach (var rack in _racks.Values)
        {
            var count = rack.CountFrom(way.Devices);
            free += count;
            if (count >= way.Nodes && rack.Place.Length > 0) enough.Add((count, rack));
        }
        if (free < way.Nodes) return;
        // The counts know nothing of models, CPUs and memory: only a rack that is looked at is known to do.
        foreach (var (_, rack) in enough.OrderBy(e => e.Count))
        {
            var fitting = FittingIn(rack, way, terms);
            if (fitting.Count < way.Nodes) continue;
            TakeTightest(fitting, way.Nodes, way);
            return;
        }
        FindAcross(way, terms);
    }

    private List<Slot> FittingIn(Rack rack, Way way, in Terms terms)
    {
        var fitting = new List<Slot>();
        foreach (var slot in rack.Members)
            if (slot.IsOpen && Serves(way, slot.Kind) && Fits(slot, way, way.Devices, terms)) fitting.Add(slot);
        return fitting;
    }

    private void TakeTightest(List<Slot> fitting, int count, Way way)
    {
        fitting.Sort((a, b) => Tighter(a, b, way));
        for (var i = 0; i < count && i < fitting.Count; i++) _found.Add(PartOn(fitting[i], way, way.Devices));
    }

    private void FindAcross(Way way, in Terms terms)
    {
        _near.Clear();
        foreach (var rack in _racks.Values)
            if (rack.CountFrom(way.Devices) > 0 && FittingIn(rack, way, terms) is { Count: > 0 } fitting) _near.Add((rack, fitting));
        var depth = 0;
        foreach (var (rack, _) in _near) depth = Math.Max(depth, rack.Place.Split('/').Length);
        for (; depth > 0; depth--)
            if (Smallest(depth, way.Nodes) is { } above)
            {
                _near.RemoveAll(n => Above(n.Rack.Place, depth) != above);
                break;
            }
        while (_found.Count < way.Nodes && _near.Count > 0)
        {
            var missing = way.Nodes - _found.Count;
            var best = _near[0];
            foreach (var other in _near)
                if (other.Fitting.Count >= missing ? best.Fitting.Count < missing || other.Fitting.Count < best.Fitting.Count
                    : best.Fitting.Count < missing && other.Fitting.Count > best.Fitting.Count) best = other;
            _near.Remove(best);
            TakeTightest(best.Fitting, missing, way);
        }
    }

    /// <summary>Of the places at a depth that have so many nodes, the one with the fewest; null where none has.</summary>
    private string? Smallest(int depth, int nodes)
    {
        var counts = new SortedDictionary<string, int>(StringComparer.Ordinal);
        foreach (var (rack, fitting) in _near)
            if (Above(rack.Place, depth) is { } above) counts[above] = counts.GetValueOrDefault(above) + fitting.Count;
        return counts.Where(c => c.Value >= nodes).OrderBy(c => c.Value).Select(c => c.Key).FirstOrDefault();
    }

    /// <summary>The first parts of a place; null where it has fewer.</summary>
    private static string? Above(string place, int depth)
    {
        if (place.Length == 0) return null;
        var parts = place.Split('/');
        return parts.Length < depth ? null : string.Join('/', parts.Take(depth));
    }

    private int Tighter(Slot a, Slot b, Way way)
    {
        var whole = !Islands.IsWhole(a.Free & MaskOf(way, a.Kind), way.Devices, a.Kind.Islands);
        var other = !Islands.IsWhole(b.Free & MaskOf(way, b.Kind), way.Devices, b.Kind.Islands);
        if (whole != other) return whole.CompareTo(other);
        return a.FreeCount != b.FreeCount ? a.FreeCount.CompareTo(b.FreeCount) : string.CompareOrdinal(a.Node.Id, b.Node.Id);
    }
}
