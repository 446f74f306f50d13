namespace Puces.Core.Scheduling;

/// <summary>
/// What stopping one, or several together, costs: smaller goes first. The lower priority leaves before the higher, so that who was stopped does not stop
/// others in turn; whoever was stopped last of all stays as long as another will do; then whoever loses least leaves; then whoever stands furthest back.
/// </summary>
/// <param name="Tier">Twice the priority, and one more for whoever was stopped last.</param>
/// <param name="Lost">Work since the last checkpoint, in thousandths of device-seconds.</param>
/// <param name="Rank">The policy's.</param>
internal readonly record struct StopCost(long Tier, long Lost, long Rank) : IComparable<StopCost>
{
    /// <summary>Nobody is stopped.</summary>
    public static readonly StopCost None = new(long.MinValue, 0, long.MaxValue);

    /// <summary>Nothing costs more.</summary>
    public static readonly StopCost Most = new(long.MaxValue, long.MaxValue, long.MinValue);

    /// <summary>Both are stopped: no less than either.</summary>
    public StopCost With(StopCost other) => new(Math.Max(Tier, other.Tier), Lost + other.Lost, Math.Min(Rank, other.Rank));

    public int CompareTo(StopCost other)
    {
        if (Tier != other.Tier) return Tier < other.Tier ? -1 : 1;
        if (Lost != other.Lost) return Lost < other.Lost ? -1 : 1;
        return other.Rank.CompareTo(Rank);
    }
}
