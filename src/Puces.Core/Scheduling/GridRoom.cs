using System.Numerics;

namespace Puces.Core.Scheduling;

// What nodes have, what is free of it, and what they lack.
public sealed partial class Grid
{
    /// <summary>Nodes that are up and could take one part of a way now, whole parts only; of a way for a share of a device whether one could.</summary>
    /// <param name="most">It stops counting there.</param>
    /// <param name="until">They must not close before that.</param>
    public int CountFitting(Way way, int most = int.MaxValue, TimeSpan until = default)
    {
        if (way.Share > 0) return PlaceShare(way, new(until)) is null ? 0 : 1;
        var count = 0;
        foreach (var kind in _kinds)
        {
            if (MaskOf(way, kind) == 0 && way.Devices > 0) continue;
            for (var free = way.Devices; free <= kind.Devices.Count; free++)
                for (var at = kind.With(free).From(0); at >= 0 && count < most; at = kind.With(free).From(at + 1))
                    if (Fits(kind.Members[at], way, way.Devices, new(until))) count++;
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
        return !slot.IsGone && !slot.IsClosedForGood && Allows(way, slot.Kind) && !Avoids(way, slot)
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
            var isFree = parts[i].Share > 0 ? LeftOf(slot, parts[i].Devices) >= parts[i].Share : (slot.Free & parts[i].Devices) == parts[i].Devices;
            if (!IsOpenUntil(slot.Index, until) || !isFree
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
        var devices = way.Share == 0 ? way.Devices - BitOperations.PopCount(FreeOf(way, node)) : ShareAfter(way, node, []) is null ? 1 : 0;
        return new(devices, Least(way, way.Devices, slot.Node) - slot.FreeMilliCpus, way.Memory.Bytes - slot.FreeMemory);
    }

    /// <summary>The room on a node once one more has left it.</summary>
    internal Room Without(Claim leaving, Room room, int node, Way way)
    {
        for (var i = 0; i < leaving.Parts.Count; i++)
            if (leaving.Parts[i].Node == node) room = Add(room, way, leaving.Parts[i]);
        return room;
    }

    // A shared device is free with the last of its parts.
    private Room Add(Room room, Way way, in Part part)
    {
        var left = room.Left;
        var freed = FreedWith(part, ref left);
        // One device is enough that has as much left.
        if (way.Share > 0 && part.Share > 0) freed = left![BitOperations.TrailingZeroCount(part.Devices)] >= way.Share ? part.Devices & ~_slots[part.Node].Promised : 0;
        freed &= _slots[part.Node].Healthy & MaskOf(way, _slots[part.Node].Kind);
        return new(room.Devices - BitOperations.PopCount(freed), room.MilliCpus - part.MilliCpus, room.Memory - part.Memory, left);
    }

    private ulong FreedWith(in Part part, ref Dictionary<int, int>? left)
    {
        if (part.Share == 0) return part.Devices;
        left = new(left ?? _slots[part.Node].Shared!);
        return (left[BitOperations.TrailingZeroCount(part.Devices)] += part.Share) == 1000 ? part.Devices : 0;
    }

    /// <summary>The device of a node that will have enough for a share once these have left, and the least more than that; null where none will. CPUs and memory are not looked at.</summary>
    internal Part? ShareAfter(Way way, int node, IReadOnlyCollection<Claim> leaving)
    {
        var slot = _slots[node];
        var (least, best) = (int.MaxValue, -1);
        foreach (var device in slot.Kind.Devices)
        {
            if ((slot.Healthy & ~slot.Promised & MaskOf(way, slot.Kind)) >> device.Index << 63 == 0) continue;
            var left = LeftOf(slot, 1UL << device.Index);
            foreach (var claim in leaving)
                foreach (var part in claim.Parts)
                    if (part.Node == node && (part.Devices >> device.Index & 1) != 0) left += part.Share > 0 ? part.Share : 1000;
            if (left >= way.Share && left < least) (least, best) = (left, device.Index);
        }
        return best < 0 ? null : new(node, 1UL << best, way.Share, 0, 0);
    }

    /// <summary>What of a node one part of a way will be given once these have left, who make room for it.</summary>
    internal Part PartAfter(Way way, int node, IReadOnlyCollection<Claim> leaving) =>
        way.Share > 0 ? ShareAfter(way, node, leaving)!.Value : new(node, Choose(node, FreeWithout(way, node, leaving), way.Devices), 0, 0, 0);

    /// <summary>Thousandths that are left of one device.</summary>
    internal int LeftOf(int node, ulong device) => LeftOf(_slots[node], device);

    private static int LeftOf(Slot slot, ulong device) =>
        (slot.Free & device) != 0 ? 1000 : slot.Shared?.GetValueOrDefault(BitOperations.TrailingZeroCount(device)) ?? 0;

    /// <summary>Nodes that are open and have free devices that would do; false where there are more than so many.</summary>
    internal bool TryFindPartlyFree(Way way, int most, List<int> found)
    {
        foreach (var kind in _kinds)
        {
            if (MaskOf(way, kind) == 0) continue;
            for (var free = 1; free <= kind.Devices.Count; free++)
                for (var at = kind.With(free).From(0); at >= 0; at = kind.With(free).From(at + 1))
                {
                    if (found.Count == most) return false;
                    found.Add(kind.Members[at].Index);
                }
        }
        return true;
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
}
