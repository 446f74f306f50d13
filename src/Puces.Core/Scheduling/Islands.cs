using System.Numerics;
using Puces.Core.Fleet;

namespace Puces.Core.Scheduling;

/// <summary>Devices of one node that are joined by fast links: one bit for each device, one word for each island.</summary>
internal static class Islands
{
    /// <summary>The islands by their lowest device; none where there is nothing to choose, since all are in one or nobody knows of any.</summary>
    public static IReadOnlyList<ulong> Of(IReadOnlyList<Device> devices)
    {
        var islands = new SortedDictionary<int, ulong>();
        var first = new Dictionary<int, int>();
        foreach (var device in devices.OrderBy(d => d.Index))
        {
            // One that is joined to none is an island of its own.
            var lowest = device.Island is not { } island ? device.Index : first.TryGetValue(island, out var known) ? known : first[island] = device.Index;
            islands[lowest] = islands.GetValueOrDefault(lowest) | 1UL << device.Index;
        }
        return islands.Count > 1 && first.Count > 0 ? [.. islands.Values] : [];
    }

    /// <summary>Whether one island has as many of these devices.</summary>
    public static bool IsWhole(ulong free, int count, IReadOnlyList<ulong> islands) => islands.Count == 0 || Most(free, islands) >= count;

    /// <summary>How many of these devices one island has, at most.</summary>
    public static int Most(ulong free, IReadOnlyList<ulong> islands)
    {
        var most = 0;
        for (var i = 0; i < islands.Count; i++) most = Math.Max(most, BitOperations.PopCount(free & islands[i]));
        return most;
    }

    /// <summary>
    /// So many of these devices: of the island with the fewest that are enough, so that larger ones stay whole; where none has enough, those
    /// with the most first. Ties go to the lower device.
    /// </summary>
    public static ulong Take(ulong free, int count, IReadOnlyList<ulong> islands)
    {
        var taken = 0UL;
        while (islands.Count > 0 && count > 0)
        {
            var (best, most) = (0UL, 0);
            for (var i = 0; i < islands.Count; i++)
            {
                var (mine, has) = (free & islands[i], BitOperations.PopCount(free & islands[i]));
                if (has > 0 && (most == 0 || (has >= count ? most < count || has < most : most < count && has > most))) (best, most) = (mine, has);
            }
            if (most == 0) return taken;
            var part = Lowest(best, Math.Min(count, most));
            (taken, free, count) = (taken | part, free & ~part, count - BitOperations.PopCount(part));
        }
        return taken | Lowest(free, count);
    }

    private static ulong Lowest(ulong devices, int count)
    {
        var taken = 0UL;
        for (var i = 0; i < count; i++)
        {
            var lowest = devices & (~devices + 1);
            taken |= lowest;
            devices ^= lowest;
        }
        return taken;
    }
}
