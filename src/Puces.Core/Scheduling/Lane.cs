using System.Runtime.InteropServices;
using Puces.Core.Queues;

namespace Puces.Core.Scheduling;

/// <summary>Where the first of a group stands among those of its project and priority.</summary>
internal readonly record struct Mark(long Rank, long Number) : IComparable<Mark>
{
    public static readonly Mark First = new(long.MinValue, long.MinValue), Last = new(long.MaxValue, long.MaxValue);

    public int CompareTo(Mark other) => Rank != other.Rank ? Rank.CompareTo(other.Rank) : Number.CompareTo(other.Number);
}

/// <summary>What the firsts of the groups of a lane have in common: all that tells whether they could be given anything.</summary>
/// <param name="IsApart">They are due, or have something reserved: each of them must be looked at for itself.</param>
internal readonly record struct LaneKey(Account? Account, Shape Shape, int Priority, bool CanYield, TimeSpan? Limit, bool IsApart);

/// <summary>Groups whose firsts differ in nothing but their rank, in its order: where the first of them gets nothing, none of them does.</summary>
internal sealed class Lane(LaneKey key)
{
    private readonly List<(Mark Mark, Group Group)> _groups = [];

    public LaneKey Key => key;
    public int Count => _groups.Count;
    public Group First => _groups[0].Group;
    public Mark LastMark => _groups[^1].Mark;

    // Of one pass; kept by the order.
    public Order.Queue? Queue { get; set; }
    public bool IsBeyond { get; set; }
    /// <summary>Up to here all were looked at, or need no look.</summary>
    public Mark Passed { get; set; }
    /// <summary>Which of its turns is the valid one.</summary>
    public int Turn { get; set; }

    public void Clear() => _groups.Clear();

    public void Append(Group group) => _groups.Add((group.Mark, group));

    public void Sort() => CollectionsMarshal.AsSpan(_groups).Sort(ByMark);

    public void Insert(Group group) => _groups.Insert(After(group.Mark), (group.Mark, group));

    public void Remove(Group group) => _groups.RemoveAt(After(group.Mark) - 1);

    /// <summary>The first group behind a mark; null where there is none.</summary>
    public Group? NextAfter(Mark mark) => After(mark) is var at && at < _groups.Count ? _groups[at].Group : null;

    private int After(Mark mark)
    {
        var (from, to) = (0, _groups.Count);
        while (from < to)
        {
            var middle = (from + to) / 2;
            if (_groups[middle].Mark.CompareTo(mark) <= 0) from = middle + 1;
            else to = middle;
        }
        return from;
    }

    private static readonly Comparison<(Mark Mark, Group Group)> ByMark = (a, b) => a.Mark.CompareTo(b.Mark);
}
