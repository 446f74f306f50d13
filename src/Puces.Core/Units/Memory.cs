using System.Globalization;

namespace Puces.Core.Units;

/// <summary>An amount of memory, in whole bytes. Written with decimal (<c>80GB</c>) or binary (<c>16GiB</c>) units.</summary>
public readonly record struct Memory(long Bytes) : IComparable<Memory>
{
    private static readonly (string Suffix, long Factor)[] Units =
    [
        ("TiB", 1L << 40), ("GiB", 1L << 30), ("MiB", 1L << 20), ("KiB", 1L << 10),
        ("TB", 1_000_000_000_000), ("GB", 1_000_000_000), ("MB", 1_000_000), ("KB", 1_000), ("B", 1),
    ];

    public static Memory operator +(Memory a, Memory b) => new(a.Bytes + b.Bytes);
    public static Memory operator -(Memory a, Memory b) => new(a.Bytes - b.Bytes);
    public static bool operator <(Memory a, Memory b) => a.Bytes < b.Bytes;
    public static bool operator >(Memory a, Memory b) => a.Bytes > b.Bytes;
    public static bool operator <=(Memory a, Memory b) => a.Bytes <= b.Bytes;
    public static bool operator >=(Memory a, Memory b) => a.Bytes >= b.Bytes;

    public int CompareTo(Memory other) => Bytes.CompareTo(other.Bytes);

    /// <summary>Reads <c>80GB</c>, <c>1.5 TiB</c> or <c>512MB</c>; false where the unit is missing or unknown, or the amount is not above zero.</summary>
    public static bool TryParse(string text, out Memory memory)
    {
        memory = default;
        var trimmed = text.AsSpan().Trim();
        foreach (var (suffix, factor) in Units)
        {
            if (!trimmed.EndsWith(suffix, StringComparison.OrdinalIgnoreCase)) continue;
            var number = trimmed[..^suffix.Length].TrimEnd();
            if (!decimal.TryParse(number, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var amount)) return false;
            if (amount <= 0 || amount > long.MaxValue / factor) return false;
            memory = new((long)(amount * factor));
            return memory.Bytes > 0;
        }
        return false;
    }

    /// <summary>The shortest text that says it exactly, with at most one decimal: <c>80GB</c>, <c>1.5GiB</c>.</summary>
    public override string ToString()
    {
        var shortest = string.Create(CultureInfo.InvariantCulture, $"{Bytes}B");
        foreach (var (suffix, factor) in Units)
        {
            if (Bytes < factor || Bytes % factor * 10 % factor != 0) continue;
            var text = string.Create(CultureInfo.InvariantCulture, $"{(decimal)Bytes / factor:0.#}{suffix}");
            if (text.Length < shortest.Length) shortest = text;
        }
        return shortest;
    }
}
