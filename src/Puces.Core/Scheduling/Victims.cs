using System.Globalization;
using System.Numerics;
using System.Runtime.InteropServices;

namespace Puces.Core.Scheduling;

// Who leaves one node: of those that would do together, those whose stop costs least.
public sealed partial class Scheduler
{
    /// <summary>Sets of victims that are tried on one node, at most, beyond the first that would do.</summary>
    private const int MostTries = 128;

    // Numbers of those that were stopped last, together, as of the beginning of the pass; and of those that are in it.
    private HashSet<long> _stoppedLast = [], _stoppedNow = [];
    private bool _isStoppedLastTaken = true;
    private readonly List<Victim> _victims = [];
    private readonly List<Claim> _leavingNode = [];

    /// <summary>One that may be stopped, what that costs, and how many devices of the node are its.</summary>
    private record struct Victim(Claim Claim, StopCost Cost, int Devices);

    /// <summary>Who was stopped last for another, as text to be stored; null where that is as at the last call.</summary>
    public string? TakeStoppedLast()
    {
        if (_isStoppedLastTaken) return null;
        _isStoppedLastTaken = true;
        return string.Join(' ', (_stoppedNow.Count > 0 ? _stoppedNow : _stoppedLast).Order().Select(n => n.ToString(CultureInfo.InvariantCulture)));
    }

    /// <summary>What was stored of that before this scheduler was made.</summary>
    public void LoadStoppedLast(string stored) =>
        _stoppedLast.UnionWith(stored.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(n => long.Parse(n, CultureInfo.InvariantCulture)));

    private void StoppedForAnother(Claim victim)
    {
        _isStoppedLastTaken = false;
        _stoppedNow.Add(victim.Number);
    }

    private void BeginPass()
    {
        _pass++;
        _begun++;
        if (_stoppedNow.Count == 0) return;
        (_stoppedLast, _stoppedNow) = (_stoppedNow, _stoppedLast);
        _stoppedNow.Clear();
    }

    internal StopCost CostOf(Claim claim, TimeSpan now) => new(2L * claim.Priority + (_stoppedLast.Contains(claim.Number) ? 1 : 0), claim.LostAt(now), policy.Rank(claim, now));

    /// <summary>
    /// Finds who on a node may be stopped for the claim, in the order of what that costs, and how many of them are to be thought of: nobody of a higher
    /// tier leaves where those of lower ones would do. Zero where all together are not enough.
    /// </summary>
    private int FindVictims(int node, Grid.Room room, Claim claim, Way way, TimeSpan now)
    {
        _victims.Clear();
        foreach (var holding in On(node))
            if (holding is { CanYield: true, IsLeaving: false } && holding.Yielders!.Asked == _question && CauseOf(holding, claim, way, now) is not null)
                _victims.Add(new(holding, CostOf(holding, now), DevicesOn(node, holding)));
        _victims.Sort(ByCost);
        var count = 0;
        for (; count < _victims.Count && (!room.IsEnough || _victims[count].Cost.Tier == _victims[count - 1].Cost.Tier); count++)
            if (!room.IsEnough) room = grid.Without(_victims[count].Claim, room, node, way);
        return room.IsEnough ? count : 0;
    }

    /// <summary>
    /// What clearing a node costs at least; null where it cannot be cleared. Found by devices alone, and as if part of a job could be stopped: for most
    /// nodes it costs too much already, and the best set of victims need not be looked for.
    /// </summary>
    private StopCost? LeastCostOn(int node, Grid.Room room, Claim claim, Way way, TimeSpan now)
    {
        var count = FindVictims(node, room, claim, way, now);
        if (count == 0) return null;
        var victims = CollectionsMarshal.AsSpan(_victims)[..count];
        var tier = victims[^1].Cost.Tier;
        var needed = Math.Max(room.Devices, 0);
        // Whoever frees more than is needed is no cheaper for it.
        foreach (ref var victim in victims) victim.Devices = Math.Min(victim.Devices, needed);
        if (needed == 0)
        {
            var (cheapest, highest) = (long.MaxValue, long.MinValue);
            foreach (ref var victim in victims) (cheapest, highest) = (Math.Min(cheapest, victim.Cost.Lost), Math.Max(highest, victim.Cost.Rank));
            return new(tier, cheapest, highest);
        }
        victims.Sort(ByRank);
        var (rank, left) = (long.MaxValue, needed);
        for (var i = 0; i < count && left > 0; i++) (rank, left) = victims[i].Devices > 0 ? (victims[i].Cost.Rank, left - victims[i].Devices) : (rank, left);
        victims.Sort(ByLostForOne);
        var lost = 0L;
        left = needed;
        for (var i = 0; i < count && left > 0 && victims[i].Devices > 0; left -= victims[i++].Devices)
            lost += left < victims[i].Devices ? victims[i].Cost.Lost * left / victims[i].Devices : victims[i].Cost.Lost;
        return new(tier, lost, rank);
    }

    /// <summary>Whoever would have to leave the node; null where those who may be stopped are not enough.</summary>
    private Clearing? ClearingOf(int node, Grid.Room room, Claim claim, Way way, TimeSpan now)
    {
        var count = FindVictims(node, room, claim, way, now);
        if (count == 0) return null;
        List<Claim>? best = null;
        var (least, tries) = (long.MaxValue, MostTries);
        Try(0, room, 0);
        if (best is null) return null;
        // What costs nothing is taken as it comes: who is not needed after all stays.
        for (var i = best.Count - 2; i >= 0; i--)
            if (IsEnoughWithout(best[i])) best.RemoveAt(i);
        var cost = StopCost.None;
        foreach (var victim in _victims)
            if (best.Contains(victim.Claim)) cost = cost.With(victim.Cost);
        return new(node, cost, best);

        // Each that leaves may change who else may be made to.
        void Try(int from, Grid.Room left, long lost)
        {
            if (left.IsEnough)
            {
                best ??= [];
                best.Clear();
                best.AddRange(_leavingNode);
                least = lost;
            }
            for (var i = from; i < count && !left.IsEnough && tries > 0; i++)
            {
                var (victim, of) = (_victims[i].Claim, _victims[i].Cost);
                if (best is not null && lost + of.Lost >= least || IsShared && CauseOf(victim, claim, way, now) is null) continue;
                tries--;
                VictimTries++;
                _leavingNode.Add(victim);
                if (IsShared) Discount(victim, -1);
                Try(i + 1, grid.Without(victim, left, node, way), lost + of.Lost);
                if (IsShared) Discount(victim, 1);
                _leavingNode.RemoveAt(_leavingNode.Count - 1);
            }
        }

        bool IsEnoughWithout(Claim one)
        {
            var left = room;
            foreach (var other in best)
                if (other != one) left = grid.Without(other, left, node, way);
            return left.IsEnough;
        }
    }

    /// <summary>Devices of a node that are one's or of which one has a share: no more are free when it has left.</summary>
    internal static int DevicesOn(int node, Claim claim)
    {
        var devices = 0;
        for (var i = 0; i < claim.Parts.Count; i++)
            if (claim.Parts[i].Node == node) devices += BitOperations.PopCount(claim.Parts[i].Devices);
        return devices;
    }

    private static readonly Comparison<Victim> ByCost = (a, b) =>
        a.Cost.CompareTo(b.Cost) is var order and not 0 ? order : b.Claim.Number.CompareTo(a.Claim.Number);

    private static readonly Comparison<Victim> ByRank = (a, b) => b.Cost.Rank.CompareTo(a.Cost.Rank);

    // Those that free nothing last.
    private static readonly Comparison<Victim> ByLostForOne = (a, b) =>
        a.Devices == 0 || b.Devices == 0 ? b.Devices.CompareTo(a.Devices) : ((Int128)a.Cost.Lost * b.Devices).CompareTo((Int128)b.Cost.Lost * a.Devices);
}
