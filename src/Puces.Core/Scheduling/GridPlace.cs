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
    public IReadOnlyList<Part>? Place(Shape shape, bool restOnFreest = false)
    {
        foreach (var way in shape.Ways)
            if (Place(way, new(), restOnFreest) is { } parts) return parts;
        return null;
    }

    /// <summary>What a claim asks of a node beside room on it.</summary>
    /// <param name="Until">The node must not close before that.</param>
    /// <param name="IsWhole">The devices must be in one island.</param>
    internal readonly record struct Terms(TimeSpan Until = default, bool IsWhole = false);

    /// <summary>The last look passed a node over because it closes before the claim would be done with it.</summary>
    internal bool ClosesTooSoon { get; private set; }

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
            || Avoids(way, slot)
            || terms.IsWhole && !Islands.IsWhole(slot.Free & MaskOf(way, slot.Kind), devices, slot.Kind.Islands)) return false;
        if (slot.ClosesAt >= terms.Until) return true;
        ClosesTooSoon = true;
        return false;
    }

    private static int Least(Way way, int devices, Node node) =>
        way.MilliCpus > 0 ? way.MilliCpus : Placement.Least(Milli(way, devices), node);

    private static int Milli(Way way, int devices) => way.Share > 0 ? way.Share : 1000 * devices;

    private bool Serves(Way way, Kind kind) => way is { Devices: 0, Share: 0 } ? Allows(way, kind) : MaskOf(way, kind) != 0;

    private static bool Avoids(Way way, Slot slot) => way.Avoid is { } avoid && avoid.Contains(slot.Node.Id);

    private static bool Allows(Way way, Kind kind) =>
        (!way.InContainer || kind.HasEngine) && (way.Where is not { Count: > 0 } pools || pools.Contains(kind.Pool, StringComparer.OrdinalIgnoreCase));

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
