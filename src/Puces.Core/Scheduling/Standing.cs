using Puces.Core.Queues;

namespace Puces.Core.Scheduling;

/// <summary>
/// A place in the order: what is within its project's quota, then the higher priority, then the project that has used least for its weight,
/// level by level from the top, then the policy's rank, then the lower number.
/// </summary>
internal readonly record struct Standing(bool IsBeyond, int Priority, Account.Step[] Path, long Rank, long Number) : IComparable<Standing>
{
    public int CompareTo(Standing other)
    {
        if (IsBeyond != other.IsBeyond) return IsBeyond ? 1 : -1;
        if (Priority != other.Priority) return other.Priority.CompareTo(Priority);
        if (Compare(Path, other.Path) is var order and not 0) return order;
        return Rank != other.Rank ? Rank.CompareTo(other.Rank) : Number.CompareTo(other.Number);
    }

    private static int Compare(Account.Step[] one, Account.Step[] other)
    {
        if (ReferenceEquals(one, other)) return 0;
        for (var i = 0; i < one.Length && i < other.Length; i++)
        {
            if (one[i].Standing != other[i].Standing) return one[i].Standing.CompareTo(other[i].Standing);
            if (string.CompareOrdinal(one[i].Name, other[i].Name) is var order and not 0) return order;
        }
        return 0;
    }
}

/// <summary>The same among those of one project: small, since a pass compares many.</summary>
internal readonly record struct Rung(long Tier, long Rank, long Number) : IComparable<Rung>
{
    public static readonly Rung First = new(long.MinValue, 0, 0);

    public static long TierOf(bool isBeyond, int priority) => (isBeyond ? 1L << 33 : 0) - priority;

    public Mark Mark => new(Rank, Number);
    public bool IsBeyond => Tier > 1L << 32;

    public int CompareTo(Rung other)
    {
        if (Tier != other.Tier) return Tier < other.Tier ? -1 : 1;
        if (Rank != other.Rank) return Rank < other.Rank ? -1 : 1;
        return Number.CompareTo(other.Number);
    }
}
