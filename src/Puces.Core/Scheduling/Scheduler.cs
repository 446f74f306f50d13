namespace Puces.Core.Scheduling;

/// <summary>
/// Decides who starts, who is stopped for whom, and when to look again: pure, deterministic, and the same live, in replay and in
/// simulation. It is told of every change and keeps what it needs between passes, so that a pass costs what there is to decide.
/// </summary>
public sealed partial class Scheduler(IPolicy policy, Grid grid)
{
    private readonly History _history = new();
    private readonly Waitlist _waiting = new(policy);
    private readonly List<Claim> _holding = [];
    private readonly Plan _plan = new();
    private readonly PriorityQueue<Group, Standing> _order = new();
    // For each shape: the last pass that found it to fit nowhere.
    private readonly List<long> _blocked = [];
    private bool _isChanged, _isTick;
    private int _wanted;
    // How many of those that hold may be stopped.
    private int _yielding;
    private long _pass;
    private TimeSpan? _ticked;
    private long _freed = -1;

    public IPolicy Policy => policy;
    public Grid Grid => grid;

    /// <summary>What it has learned.</summary>
    public History History => _history;

    public int WaitingCount => _waiting.Count;

    /// <summary>What one pass looks at, at most: those that stand for all who wait alike.</summary>
    internal int Groups => _waiting.Groups.Count;

    /// <summary>Devices that all who wait ask for together.</summary>
    public long WantedDevices => _waiting.Wanted;

    /// <summary>Who holds devices, in no order.</summary>
    public IReadOnlyList<Claim> Holding => _holding;

    /// <summary>A claim joins the line.</summary>
    /// <param name="reserved">What was kept for it before this scheduler was made.</param>
    public void Add(Claim claim, TimeSpan now, Reserved? reserved = null)
    {
        if (claim.Batch is null && policy.Learns) _history.Arrive(claim, claim.Kin);
        if (reserved is not null && policy.Reserves) Restore(claim, reserved);
        _waiting.Add(claim, now);
        _isChanged = true;
    }

    /// <summary>A claim that held these parts before this scheduler was made.</summary>
    public void Restore(Claim claim, IReadOnlyList<Part> parts, long? guestOf, TimeSpan since)
    {
        if (policy.Learns) _history.Arrive(claim, claim.Kin);
        grid.Hold(parts);
        Begin(claim, parts, since);
        claim.GuestOf = guestOf;
    }

    /// <summary>A claim leaves the line without having started.</summary>
    public void Withdraw(Claim claim)
    {
        _waiting.Remove(claim);
        if (policy.Learns) _history.End(claim, null);
        Unreserve(claim);
        _isChanged = true;
        _promises.RemoveAll(p => p.For == claim && Break(p));
    }

    /// <summary>A claim that held devices has ended by itself, having worked this long in all.</summary>
    public void End(Claim claim, TimeSpan worked)
    {
        GiveBack(claim);
        if (policy.Learns) _history.End(claim, worked);
    }

    /// <summary>A claim has left its devices before its end; of its work this much was kept in all. It does not wait until it is added again.</summary>
    public void Leave(Claim claim, TimeSpan worked)
    {
        GiveBack(claim);
        claim.Worked = worked;
        if (policy.Learns) History.Reach(claim, worked);
    }

    /// <summary>Everybody who waits, in the order in which they would be looked at now.</summary>
    public IReadOnlyList<Claim> Line(TimeSpan now)
    {
        var line = _waiting.Groups.SelectMany(g => g.Claims).ToList();
        line.Sort((a, b) => StandingOf(a, now).CompareTo(StandingOf(b, now)));
        return line;
    }

    /// <summary>Whether one would be looked at before another, if both waited now.</summary>
    public bool GoesBefore(Claim one, Claim other, TimeSpan now) => StandingOf(one, now).CompareTo(StandingOf(other, now)) < 0;

    /// <summary>Who starts, who shall stop, and what is reserved since the last call. Valid until the next.</summary>
    public Plan Decide(TimeSpan now)
    {
        _plan.Clear();
        Fulfil(now);
        if (_waiting.Count == 0) return _plan;
        // Ticks are moments of the clock, not of this object: whoever takes over has the same.
        var last = policy.Tick is { } tick ? new TimeSpan(now.Ticks - now.Ticks % tick.Ticks) : _ticked;
        _isTick = last != _ticked;
        if (_isChanged || _isTick || _freed != grid.Freed)
        {
            _ticked = last;
            if (_isTick && policy.Learns) foreach (var holding in _holding) History.Reach(holding, holding.Attained(last!.Value));
            _isChanged = false;
            _pass++;
            if (policy.IsStrict) InLine(now);
            else InOrder(now);
            _freed = grid.Freed;
        }
        _plan.Look = _waiting.Count > 0 && policy.Stops && _yielding > 0 && policy.Tick is { } next ? last + next : null;
        return _plan;
    }

    private void InLine(TimeSpan now)
    {
        while (First() is { } head)
            if (!TryStart(head, now)) return;

        Claim? First()
        {
            Group? first = null;
            foreach (var group in _waiting.Groups)
                if (group.Count > 0 && (first is null || group.Key.Priority > first.Key.Priority)) first = group;
            return first?.Head;
        }
    }

    private void InOrder(TimeSpan now)
    {
        _waiting.Tidy();
        _order.Clear();
        _wanted = 0;
        foreach (var reservation in _reservations) reservation.IsWanted = false;
        foreach (var group in _waiting.Groups)
            if (group.Head is { } head) _order.Enqueue(group, StandingOf(head, now));
        while (_order.TryDequeue(out var group, out _))
        {
            if (group.Head is not { } head || IsPromised(head)) continue;
            if (TryStart(head, now) || TryStop(head, now) || TryGuest(head, now))
            {
                if (group.Head is { } next && !IsPromised(next)) _order.Enqueue(group, StandingOf(next, now));
            }
            else Reserve(head, now);
        }
        EndReservations();
    }

    private Standing StandingOf(Claim claim, TimeSpan now) => new(claim.Priority, policy.Rank(claim, now), claim.Number);

    private bool TryStart(Claim claim, TimeSpan now)
    {
        var shape = claim.Shape;
        while (_blocked.Count <= shape.Index) _blocked.Add(-1);
        if (_blocked[shape.Index] == _pass) return false;
        if (grid.Place(shape, claim.Avoid, policy.IsStrict) is not { } parts)
        {
            if (claim.Avoid is null) _blocked[shape.Index] = _pass;
            return false;
        }
        _waiting.Remove(claim);
        grid.Hold(parts);
        Begin(claim, parts, now);
        return true;
    }

    private void Begin(Claim claim, IReadOnlyList<Part> parts, TimeSpan now)
    {
        (claim.Parts, claim.Since, claim.HoldingAt) = (parts, now, _holding.Count);
        Unreserve(claim);
        _holding.Add(claim);
        if (claim.CanYield) _yielding++;
        foreach (var part in policy.IsStrict ? [] : parts)
        {
            while (_onNode.Count <= part.Node) _onNode.Add([]);
            _onNode[part.Node].Add(claim);
        }
        _plan.Add(claim);
    }

    private void GiveBack(Claim claim)
    {
        var last = _holding[^1];
        _holding[claim.HoldingAt] = last;
        last.HoldingAt = claim.HoldingAt;
        _holding.RemoveAt(_holding.Count - 1);
        claim.HoldingAt = -1;
        if (claim.CanYield) _yielding--;
        foreach (var part in policy.IsStrict ? [] : claim.Parts) _onNode[part.Node].Remove(claim);
        grid.Release(claim.Parts);
        claim.Parts = [];
        (claim.IsLeaving, claim.GuestOf, claim.ExpectedEnd) = (false, null, default);
        Collect();
    }

    private readonly record struct Standing(int Priority, long Rank, long Number) : IComparable<Standing>
    {
        public int CompareTo(Standing other) =>
            Priority != other.Priority ? other.Priority.CompareTo(Priority)
            : Rank != other.Rank ? Rank.CompareTo(other.Rank) : Number.CompareTo(other.Number);
    }
}
