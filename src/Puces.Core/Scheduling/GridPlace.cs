using System.Numerics;
using Puces.Core.Fleet;

namespace Puces.Core.Scheduling;

// Where a way fits.
public sealed partial class Grid
{
    private readonly List<Part> _found = [];

    /// <summary>
    /// The parts for a shape, or null: all nodes of the gang, or none (invariant 5). The first way that fits is taken; on it, the node
    /// where the fewest devices stay free, then the lowest name. Nothing is held by this.
    /// </summary>
    /// <param name="restOnFreest">A gang's smaller part goes to the freest node instead of the tightest, as published simulators do.</param>
    public IReadOnlyList<Part>? Place(Shape shape, IReadOnlySet<string>? avoid = null, bool restOnFreest = false)
    {
        foreach (var way in shape.Ways)
            if (Place(way, new(avoid), restOnFreest) is { } parts) return parts;
        return null;
    }

    /// <summary>What a claim asks of a node beside room on it.</summary>
    /// <param name="Avoid">Names of nodes that it shall not be given; null for none.</param>
    /// <param name="Until">The node must not close before that.</param>
    /// <param name="IsWhole">The devices must be in one island.</param>
    internal readonly record struct Terms(IReadOnlySet<string>? Avoid, TimeSpan Until = default, bool IsWhole = false);

    /// <summary>The last look passed a node over because it closes before the claim would be done with it.</summary>
    internal bool ClosesTooSoon { get; private set; }

    /// <summary>Nodes that are up and could take one part of a way now, whole parts only.</summary>
    /// <param name="most">It stops counting there.</param>
    /// <param name="until">They must not close before that.</param>
    public int CountFitting(Way way, int most = int.MaxValue, TimeSpan until = default)
    {
        var count = 0;
        foreach (var kind in _kinds)
        {
            if (MaskOf(way, kind) == 0 && way.Devices > 0) continue;
            for (var free = way.Devices; free <= kind.Devices.Count; free++)
                for (var at = kind.With(free).From(0); at >= 0 && count < most; at = kind.With(free).From(at + 1))
                    if (Fits(kind.Members[at], way, way.Devices, new(null, until))) count++;
        }
        return count;
    }

    /// <summary>Whether the nodes that are there could carry the shape, if nobody held anything.</summary>
    public bool CouldEver(Shape shape)
    {
        foreach (var way in shape.Ways)
        {
            var missing = way.Nodes + (way.Rest > 0 ? 1 : 0);
            for (var node = 0; node < _slots.Count && missing > 0; node++)
                if (CouldCarry(way, node)) missing--;
            if (missing == 0) return true;
        }
        return false;
    }

    /// <summary>Whether a node could carry a part of the way if nobody held anything of it.</summary>
    public bool CouldCarry(Way way, int node)
    {
        var slot = _slots[node];
        return !slot.IsGone && !slot.IsClosedForGood && Allows(way, slot.Kind)
            && BitOperations.PopCount(slot.Healthy & MaskOf(way, slot.Kind)) >= Math.Max(way.Devices, way.Share > 0 ? 1 : 0)
            && Least(way, way.Devices, slot.Node) <= slot.Node.MilliCpus && way.Memory.Bytes <= slot.Node.Memory.Bytes;
    }

    /// <summary>The parts as they would be held, with the CPUs and memory of the nodes; null where one does not fit.</summary>
    internal Part[]? CanHold(Way way, IReadOnlyList<Part> parts, TimeSpan until)
    {
        var held = new Part[parts.Count];
        for (var i = 0; i < held.Length; i++)
        {
            var slot = _slots[parts[i].Node];
            var devices = BitOperations.PopCount(parts[i].Devices);
            if (!IsOpenUntil(slot.Index, until) || (slot.Free & parts[i].Devices) != parts[i].Devices
                || Least(way, devices, slot.Node) > slot.FreeMilliCpus || way.Memory.Bytes > slot.FreeMemory) return null;
            held[i] = parts[i] with { MilliCpus = Cpus(way, devices, slot), Memory = way.Memory.Bytes };
        }
        return held;
    }

    /// <summary>As much of one part of a way as is free on a node; null where nothing is.</summary>
    internal Part? FreePart(int node, Way way)
    {
        var slot = _slots[node];
        if (!slot.IsOpen) return null;
        var part = PartOn(slot, way, Math.Min(way.Devices, BitOperations.PopCount(FreeOf(way, node))));
        return part with { MilliCpus = Math.Min(Least(way, way.Devices, slot.Node), slot.FreeMilliCpus), Memory = Math.Min(way.Memory.Bytes, slot.FreeMemory) };
    }

    /// <summary>The models that a way could be given, by name.</summary>
    internal IEnumerable<string> ModelsFor(Way way)
    {
        var models = new SortedSet<string>(StringComparer.Ordinal);
        if (way.Devices == 0 && way.Share == 0) return models;
        foreach (var kind in _kinds)
        {
            var mask = MaskOf(way, kind);
            foreach (var device in kind.Devices)
                if ((mask >> device.Index & 1) != 0) models.Add(device.Model);
        }
        return models;
    }

    /// <summary>Devices of a model that nobody holds.</summary>
    internal int FreeOf(string model)
    {
        var free = 0;
        foreach (var kind in _kinds)
        {
            var ofModel = 0;
            foreach (var device in kind.Devices)
                if (device.Model == model) ofModel++;
            if (ofModel == 0) continue;
            for (var count = 1; count <= kind.Devices.Count; count++)
                if (ofModel == kind.Devices.Count) free += count * kind.With(count).Count;
                else for (var at = kind.With(count).From(0); at >= 0; at = kind.With(count).From(at + 1))
                    foreach (var device in kind.Devices)
                        if (device.Model == model && (kind.Members[at].Free >> device.Index & 1) != 0) free++;
        }
        return free;
    }

    /// <summary>Devices of a model that nobody holds and that a part would take, or begin to share.</summary>
    internal int Opens(Part part, string model) => NodeAt(part.Node).Devices.Count(d => d.Model == model && ((part.Devices & _slots[part.Node].Free) >> d.Index & 1) != 0);

    /// <summary>What is left of the node's shared devices that would do, as parts of them.</summary>
    internal IEnumerable<Part> SharesLeft(int node, Way way)
    {
        var slot = _slots[node];
        if (slot.Shared is null || way.Devices == 0) yield break;
        foreach (var device in slot.Kind.Devices)
            if ((MaskOf(way, slot.Kind) >> device.Index & 1) != 0 && slot.Shared.GetValueOrDefault(device.Index) is > 0 and var left)
                yield return new(node, 1UL << device.Index, left, 0, 0);
    }

    /// <summary>What a node still lacks to carry one part of a way; nothing where a number is not above zero.</summary>
    /// <param name="Left">Thousandths that are left of shared devices once what was added is given back; null before the first.</param>
    internal readonly record struct Room(int Devices, int MilliCpus, long Memory, Dictionary<int, int>? Left = null)
    {
        public bool IsEnough => Devices <= 0 && MilliCpus <= 0 && Memory <= 0;
    }

    internal Room RoomOn(Way way, int node)
    {
        var slot = _slots[node];
        return new(way.Devices - BitOperations.PopCount(FreeOf(way, node)), Least(way, way.Devices, slot.Node) - slot.FreeMilliCpus, way.Memory.Bytes - slot.FreeMemory);
    }

    /// <summary>The room once a part on the node is given back. A shared device is free with the last of its parts.</summary>
    internal Room Add(Room room, Way way, in Part part)
    {
        var left = room.Left;
        var freed = FreedWith(part, ref left) & _slots[part.Node].Healthy & MaskOf(way, _slots[part.Node].Kind);
        return new(room.Devices - BitOperations.PopCount(freed), room.MilliCpus - part.MilliCpus, room.Memory - part.Memory, left);
    }

    private ulong FreedWith(in Part part, ref Dictionary<int, int>? left)
    {
        if (part.Share == 0) return part.Devices;
        left ??= new(_slots[part.Node].Shared!);
        return (left[BitOperations.TrailingZeroCount(part.Devices)] += part.Share) == 1000 ? part.Devices : 0;
    }

    /// <summary>Devices of a node that are free and will do.</summary>
    internal ulong FreeOf(Way way, int node) => _slots[node].Free & MaskOf(way, _slots[node].Kind);

    /// <summary>So many of these devices of a node, in as few islands as possible.</summary>
    internal ulong Choose(int node, ulong devices, int count) => Islands.Take(devices, count, _slots[node].Kind.Islands);

    /// <summary>The same once these have left.</summary>
    internal ulong FreeWithout(Way way, int node, IEnumerable<Claim> leaving)
    {
        var freed = 0UL;
        Dictionary<int, int>? left = null;
        foreach (var claim in leaving)
            foreach (var part in claim.Parts)
                if (part.Node == node) freed |= FreedWith(part, ref left);
        return FreeOf(way, node) | freed & _slots[node].Healthy & MaskOf(way, _slots[node].Kind);
    }

    /// <summary>The same for one way: a need is met by devices of one model, of the least capable that will do and are free; of several models only where none has enough.</summary>
    internal Part[]? Place(Way way, in Terms terms, bool restOnFreest)
    {
        ClosesTooSoon = false;
        foreach (var narrow in NarrowedOf(way))
            if (PlaceAny(narrow, terms, restOnFreest) is { } parts) return parts;
        return PlaceAny(way, terms, restOnFreest);
    }

    private Way[] NarrowedOf(Way way)
    {
        if (way.Gpu is not { Name: null } need) return [];
        if (way.NarrowedBy != _kinds.Count)
        {
            var models = ModelsFor(way).ToList();
            way.Narrowed = models.Count < 2 ? [] : [.. models.OrderBy(Accelerators.WeightOf).ThenBy(m => Accelerators.Find(m)?.Memory ?? default).ThenBy(m => m, StringComparer.Ordinal)
                .Select(m => way with { Gpu = need with { Name = m }, Masks = [], Narrowed = [] })];
            way.NarrowedBy = _kinds.Count;
        }
        return way.Narrowed;
    }

    private Part[]? PlaceAny(Way way, in Terms terms, bool restOnFreest)
    {
        if (way.Share > 0) return PlaceShare(way, terms);
        if (way.Total > FreeDevices) return null;
        if (way is { Nodes: 1, Rest: 0 }) return Tightest(way, way.Devices, terms) is { } slot ? [PartOn(slot, way, way.Devices)] : null;

        _found.Clear();
        if (_hasPlaces && way.Nodes > 1) FindNear(way, terms);
        else
        {
            if (_hasIslands && way.Devices > 1) FindTight(way, terms with { IsWhole = true });
            FindTight(way, terms);
        }
        if (_found.Count < way.Nodes) return null;
        if (way.Rest > 0)
        {
            // The nodes chosen for whole parts are out of the question for the rest.
            Hold(_found);
            var rest = restOnFreest ? Freest(way, way.Rest, terms) : Tightest(way, way.Rest, terms);
            if (rest is not null && _found.Exists(p => p.Node == rest.Index)) rest = null;
            var part = rest is null ? default : PartOn(rest, way, way.Rest);
            foreach (var held in _found) Change(held, 1);
            if (rest is null) return null;
            _found.Add(part);
        }
        return [.. _found];
    }

    /// <summary>Adds the nodes with the fewest free devices that are enough, as many as the way still needs.</summary>
    private void FindTight(Way way, in Terms terms)
    {
        var known = _found.Count;
        for (var free = way.Devices; free <= _largest && _found.Count < way.Nodes; free++)
        {
            foreach (var kind in _inOrder)
            {
                if (free > kind.Devices.Count || !Serves(way, kind)) continue;
                if (!terms.IsWhole || kind.Islands.Count == 0) Take(kind, kind.With(free), terms);
                else for (var joined = way.Devices; joined <= free; joined++) Take(kind, kind.With(free, joined), terms);
            }
        }

        void Take(Kind kind, NodeSet set, in Terms terms)
        {
            for (var at = set.From(0); at >= 0 && _found.Count < way.Nodes; at = set.From(at + 1))
                if (Fits(kind.Members[at], way, way.Devices, terms) && !IsFound(kind.Members[at], known)) _found.Add(PartOn(kind.Members[at], way, way.Devices));
        }
    }

    private bool IsFound(Slot slot, int known)
    {
        for (var i = 0; i < known; i++)
            if (_found[i].Node == slot.Index) return true;
        return false;
    }

    /// <summary>The node with the fewest free devices that are enough: first among those where fast links join as many.</summary>
    private Slot? Tightest(Way way, int devices, in Terms terms) =>
        (_hasIslands && devices > 1 ? Tightest(way, devices, terms with { IsWhole = true }, devices) : null) ?? Tightest(way, devices, terms, devices);

    private Slot? Tightest(Way way, int devices, in Terms terms, int least)
    {
        for (var free = least; free <= _largest; free++)
            if (FirstWith(free, way, devices, terms) is { } slot) return slot;
        return null;
    }

    private Slot? Freest(Way way, int devices, in Terms terms)
    {
        for (var free = _largest; free >= devices; free--)
            if (FirstWith(free, way, devices, terms) is { } slot) return slot;
        return null;
    }

    private Slot? FirstWith(int free, Way way, int devices, in Terms terms)
    {
        Slot? best = null;
        foreach (var kind in _kinds)
        {
            if (free > kind.Devices.Count || !Serves(way, kind)) continue;
            if (First(kind, free, way, devices, terms) is { } slot && (best is null || Goes(slot, best, devices))) best = slot;
        }
        return best;
    }

    private Slot? First(Kind kind, int free, Way way, int devices, in Terms terms)
    {
        if (!terms.IsWhole || kind.Islands.Count == 0) return First(kind, kind.With(free), way, devices, terms);
        Slot? best = null;
        for (var joined = devices; joined <= free; joined++)
            if (First(kind, kind.With(free, joined), way, devices, terms) is { } slot && (best is null || Goes(slot, best, devices))) best = slot;
        return best;
    }

    private Slot? First(Kind kind, NodeSet set, Way way, int devices, in Terms terms)
    {
        Slot? best = null;
        for (var at = set.From(0); at >= 0; at = set.From(at + 1))
        {
            var slot = kind.Members[at];
            if (!Fits(slot, way, devices, terms)) continue;
            if (devices > 0) return slot;
            if (best is null || Goes(slot, best, devices)) best = slot;
        }
        return best;
    }

    // Where no device is asked for, CPUs are what is packed.
    private static bool Goes(Slot slot, Slot before, int devices) =>
        devices == 0 && slot.FreeMilliCpus != before.FreeMilliCpus
            ? slot.FreeMilliCpus < before.FreeMilliCpus
            : string.CompareOrdinal(slot.Node.Id, before.Node.Id) < 0;

    private Part[]? PlaceShare(Way way, in Terms terms)
    {
        // The shared device with the least left that is enough, so that whole devices stay whole.
        var (least, on, device) = (1001, default(Slot), 0);
        foreach (var kind in _kinds)
        {
            if (!Serves(way, kind)) continue;
            for (var at = kind.Sharing.From(0); at >= 0; at = kind.Sharing.From(at + 1))
            {
                var slot = kind.Members[at];
                if (!Fits(slot, way, 0, terms)) continue;
                foreach (var (index, left) in slot.Shared!)
                    if (left >= way.Share && (slot.Healthy & ~slot.Promised & MaskOf(way, kind)) >> index << 63 != 0
                        && (left < least || left == least && (on is null || Goes(slot, on, 1) || slot == on && index < device))) (least, on, device) = (left, slot, index);
            }
        }
        if (on is not null) return [new(on.Index, 1UL << device, way.Share, Cpus(way, 1, on), way.Memory.Bytes)];
        return Tightest(way, 1, terms) is { } whole ? [PartOn(whole, way, 1) with { Share = way.Share }] : null;
    }

    private Part PartOn(Slot slot, Way way, int devices)
    {
        var taken = Islands.Take(slot.Free & MaskOf(way, slot.Kind), devices, slot.Kind.Islands);
        return new(slot.Index, taken, 0, Cpus(way, devices, slot), way.Memory.Bytes);
    }

    private static int Cpus(Way way, int devices, Slot slot) =>
        way.MilliCpus > 0 ? way.MilliCpus : Math.Min(Placement.Portion(Milli(way, devices), slot.Node), slot.FreeMilliCpus);

    private bool Fits(Slot slot, Way way, int devices, in Terms terms)
    {
        if (devices > 0 && BitOperations.PopCount(slot.Free & MaskOf(way, slot.Kind)) < devices
            || Least(way, devices, slot.Node) > slot.FreeMilliCpus || way.Memory.Bytes > slot.FreeMemory
            || terms.Avoid is { } avoid && avoid.Contains(slot.Node.Id)
            || terms.IsWhole && !Islands.IsWhole(slot.Free & MaskOf(way, slot.Kind), devices, slot.Kind.Islands)) return false;
        if (slot.ClosesAt >= terms.Until) return true;
        ClosesTooSoon = true;
        return false;
    }

    private static int Least(Way way, int devices, Node node) =>
        way.MilliCpus > 0 ? way.MilliCpus : Placement.Least(Milli(way, devices), node);

    private static int Milli(Way way, int devices) => way.Share > 0 ? way.Share : 1000 * devices;

    private bool Serves(Way way, Kind kind) => way is { Devices: 0, Share: 0 } ? Allows(way, kind) : MaskOf(way, kind) != 0;

    private static bool Allows(Way way, Kind kind) =>
        way.Where is not { Count: > 0 } pools || pools.Contains(kind.Pool, StringComparer.OrdinalIgnoreCase);

    private ulong MaskOf(Way way, Kind kind)
    {
        if (way.Masks.Length <= kind.Index)
        {
            var known = way.Masks.Length;
            var masks = way.Masks;
            Array.Resize(ref masks, _kinds.Count);
            for (var i = known; i < masks.Length; i++) masks[i] = Allows(way, _kinds[i]) ? Placement.Matching(way.Gpu, _kinds[i].Devices) : 0;
            way.Masks = masks;
        }
        return way.Masks[kind.Index];
    }
}
