namespace Puces.Core.Packing;

/// <summary>Numbers from a seed (SplitMix64): the same on every machine and with every version of .NET.</summary>
internal sealed class SplitMix(ulong seed)
{
    private ulong _state = seed;

    /// <summary>From zero to one below <paramref name="limit"/>.</summary>
    public int Below(int limit) => (int)((Next() >> 32) * (ulong)limit >> 32);

    /// <summary>Puts the things into another order, each order as likely as the next.</summary>
    public void Shuffle<T>(IList<T> things)
    {
        for (var i = things.Count - 1; i > 0; i--)
        {
            var j = Below(i + 1);
            (things[i], things[j]) = (things[j], things[i]);
        }
    }

    private ulong Next()
    {
        unchecked
        {
            var z = _state += 0x9E3779B97F4A7C15;
            z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
            z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
            return z ^ (z >> 31);
        }
    }
}
