using System.Globalization;

namespace Puces.Core.Scheduling;

// Who leaves one node: of those that would do together, those whose stop costs least.
public sealed partial class Scheduler
{
    /// <summary>Sets of victims that are tried on one node, at most, beyond the first that would do.</summary>
    private const int MostTries = 128;

    // Numbers of those that were stopped last, together, as of the beginning of the pass; and of those that are in it.
    private SortedSet<long> _stoppedLast = [], _stoppedNow = [];
    private bool _isStoppedLastTaken = true;
    private readonly List<(Claim Claim, StopCost Cost)> _victims = [];
    private readonly List<Claim> _leavingNode = [];

    /// <summary>Who was stopped last for another, as text to be stored; null where that is as at the last call.</summary>
    public string? TakeStoppedLast()
    {
        if (_isStoppedLastTaken) return null;
        _isStoppedLastTaken = true;
        return string.Join(' ', (_stoppedNow.Count > 0 ? _stoppedNow : _stoppedLast).Select(n => n.ToString(CultureInfo.InvariantCulture)));
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
        if (_stoppedNow.Count == 0) return;
        (_stoppedLast, _stoppedNow) = (_stoppedNow, _stoppedLast);
        _stoppedNow.Clear();
    }

    internal StopCost CostOf(Claim claim, TimeSpan now) => new(2L * claim.Priority + (_stoppedLast.Contains(claim.Number) ? 1 : 0), claim.LostAt(now), policy.Rank(claim, now));

    /// <summary>Whoever would have to leave the node; null where those who may be stopped are not enough.</summary>
    private Clearing? ClearingOf(int node, Grid.Room room, Claim claim, Way way, TimeSpan now)
    {
        _victims.Clear();
        foreach (var holding in On(node))
            if (holding is { CanYield: true, IsLeaving: false } && holding.Yielders!.Asked == _question && CauseOf(holding, claim, way, now) is not null)
                _victims.Add((holding, CostOf(holding, now)));
        _victims.Sort(ByCost);
        var enough = room;
        var count = 0;
        // Nobody of a higher tier leaves where those of lower ones would do.
        for (; count < _victims.Count && (!enough.IsEnough || _victims[count].Cost.Tier == _victims[count - 1].Cost.Tier); count++)
            enough = grid.Without(_victims[count].Claim, enough, node, way);
        if (!enough.IsEnough) return null;

        List<Claim>? best = null;
        var (least, tries) = (long.MaxValue, MostTries);
        Try(0, room, 0);
        if (best is null) return null;
        // What costs nothing is taken as it comes: who is not needed after all stays.
        for (var i = best.Count - 2; i >= 0; i--)
            if (IsEnoughWithout(best[i])) best.RemoveAt(i);
        var cost = StopCost.None;
        foreach (var (victim, of) in _victims)
            if (best.Contains(victim)) cost = cost.With(of);
        return new(node, cost, best);

        // Each that leaves may change who else may be made to.
        void Try(int from, Grid.Room left, long lost)
        {
            if (left.IsEnough) (best, least) = ([.. _leavingNode], lost);
            for (var i = from; i < count && !left.IsEnough && tries > 0; i++)
            {
                var (victim, of) = _victims[i];
                if (best is not null && lost + of.Lost >= least || IsShared && CauseOf(victim, claim, way, now) is null) continue;
                tries--;
                _leavingNode.Add(victim);
                Discount(victim, -1);
                Try(i + 1, grid.Without(victim, left, node, way), lost + of.Lost);
                Discount(victim, 1);
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

    private static readonly Comparison<(Claim Claim, StopCost Cost)> ByCost = (a, b) =>
        a.Cost.CompareTo(b.Cost) is var order and not 0 ? order : b.Claim.Number.CompareTo(a.Claim.Number);
}
