using System.Numerics;

namespace Puces.Core.Scheduling;

/// <summary>A set of small numbers that gives the lowest at once: one bit for each, and one above for each word that has any.</summary>
internal sealed class NodeSet
{
    private ulong[] _words;
    private ulong[] _any;

    public NodeSet(int capacity)
    {
        var words = (capacity + 63) / 64;
        (_words, _any) = (new ulong[words], new ulong[(words + 63) / 64]);
    }

    public int Count { get; private set; }

    public void Grow(int capacity)
    {
        var words = (capacity + 63) / 64;
        if (words <= _words.Length) return;
        Array.Resize(ref _words, Math.Max(words, 2 * _words.Length));
        Array.Resize(ref _any, (_words.Length + 63) / 64);
    }

    public void Clear()
    {
        Array.Clear(_words);
        Array.Clear(_any);
        Count = 0;
    }

    /// <summary>The number must be below the capacity.</summary>
    public bool Contains(int at) => (_words[at >> 6] >> at & 1) != 0;

    /// <summary>The number must not be in the set.</summary>
    public void Add(int at)
    {
        _words[at >> 6] |= 1UL << at;
        _any[at >> 12] |= 1UL << (at >> 6);
        Count++;
    }

    /// <summary>The number must be in the set.</summary>
    public void Remove(int at)
    {
        if ((_words[at >> 6] &= ~(1UL << at)) == 0) _any[at >> 12] &= ~(1UL << (at >> 6));
        Count--;
    }

    /// <summary>The lowest number that is at least this; -1 for none.</summary>
    public int From(int at)
    {
        var word = at >> 6;
        if (Count == 0 || word >= _words.Length) return -1;
        var rest = _words[word] >> at;
        if (rest != 0) return at + BitOperations.TrailingZeroCount(rest);
        if (++word >= _words.Length) return -1;
        var block = word >> 6;
        var any = _any[block] >> word << word;
        while (any == 0)
        {
            if (++block >= _any.Length) return -1;
            any = _any[block];
        }
        word = (block << 6) + BitOperations.TrailingZeroCount(any);
        return (word << 6) + BitOperations.TrailingZeroCount(_words[word]);
    }
}
