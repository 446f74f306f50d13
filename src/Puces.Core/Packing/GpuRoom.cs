using System.Runtime.CompilerServices;

namespace Puces.Core.Packing;

/// <summary>What is free on each GPU of a node, in thousandths. Slots behind the node's last GPU are full.</summary>
[InlineArray(PackNode.MostGpus)]
internal struct GpuRoom : IEquatable<GpuRoom>, IComparable<GpuRoom>
{
    private short _first;

    public static GpuRoom Of(int gpus)
    {
        var room = new GpuRoom();
        for (var i = 0; i < gpus; i++) room[i] = PackPod.WholeGpu;
        return room;
    }

    public readonly int Sum()
    {
        var sum = 0;
        foreach (var free in (ReadOnlySpan<short>)this) sum += free;
        return sum;
    }

    /// <summary>How many of the GPUs have at least so much free.</summary>
    public readonly int Count(int milli)
    {
        var count = 0;
        foreach (var free in (ReadOnlySpan<short>)this)
            if (free >= milli) count++;
        return count;
    }

    /// <summary>How many shares of that size fit, all GPUs together; these are sorted.</summary>
    public readonly int SortedShares(int milli)
    {
        var count = 0;
        foreach (var free in (ReadOnlySpan<short>)this)
        {
            if (free < milli) break;
            count += free / milli;
        }
        return count;
    }

    /// <summary>The first GPU with exactly so much free.</summary>
    public readonly int With(int milli) => ((ReadOnlySpan<short>)this).IndexOf((short)milli);

    /// <summary>The same GPUs, the fullest last: two nodes differ then only where it matters.</summary>
    public readonly GpuRoom Sorted()
    {
        var sorted = this;
        Span<short> slots = sorted;
        slots.Sort(static (a, b) => b - a);
        return sorted;
    }

    public readonly int CompareTo(GpuRoom other) => ((ReadOnlySpan<short>)this).SequenceCompareTo(other);
    public readonly bool Equals(GpuRoom other) => ((ReadOnlySpan<short>)this).SequenceEqual(other);
    public override readonly bool Equals(object? obj) => obj is GpuRoom other && Equals(other);

    public override readonly int GetHashCode()
    {
        var hash = new HashCode();
        hash.AddBytes(System.Runtime.InteropServices.MemoryMarshal.AsBytes((ReadOnlySpan<short>)this));
        return hash.ToHashCode();
    }
}
