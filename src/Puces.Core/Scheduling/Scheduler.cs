using Puces.Core.Queues;

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
    private readonly Order _order = new();
    // For each shape: the last pass that found it to fit nowhere.
    private readonly List<long> _blocked = [];
    private bool _isChanged, _isTick;
    private int _wanted;
    // How many of those that hold may be stopped.
    private int _yielding;
    // Passes and starts.
    private long _pass, _begun;
    private TimeSpan? _ticked;
    private long _freed = -1;

    public IPolicy Policy => policy;
    public Grid Grid => grid;

    /// <summary>What it has learned.</summary>
    public History History => _history;

    public int WaitingCount => _waiting.Count;

    /// <summary>What one pass looks at, at most: those that stand for all who wait alike.</summary>
    internal int Groups => _waiting.Groups.Count;

    /// <summary>How often a single node was looked at to find who leaves it when, or who could be stopped on it: what a pass costs grows with that.</summary>
    internal long NodeLooks { get; private set; }

    /// <summary>How many sets of victims were tried.</summary>
    internal long VictimTries { get; private set; }

    /// <summary>How often one that stands for all who wait alike was looked at.</summary>
    internal long GroupLooks { get; private set; }

    /// <summary>Devices that all who wait ask for together.</summary>
    public long WantedDevices => _waiting.Wanted;

    /// <summary>Who waits, in no order.</summary>
    public IReadOnlyList<Claim> Waiting => _waiting.Claims;

    /// <summary>Who holds devices, in no order.</summary>
    public IReadOnlyList<Claim> Holding => _holding;

    /// <summary>Time has come to a moment. What happens then is told after this, so that nothing of it is known at the tick before.</summary>
    public void Advance(TimeSpan now)
    {
        if (policy.Learns && TickBefore(now) is { } tick) _history.Note(tick);
    }

    /// <summary>A claim joins the line.</summary>
    /// <param name="reserved">What was kept for it before this scheduler was made.</param>
    /// <param name="hasLeft">It waits because it has left its devices to another, which this scheduler has not seen.</param>
    public void Add(Claim claim, TimeSpan now, Reserved? reserved = null, bool hasLeft = false)
    {
        claim.HasLeft |= hasLeft;
        if (claim.Batch is null && policy.Learns) Arrive(claim);
        if (reserved is not null && policy.Reserves) Restore(claim, reserved);
        Count(claim);
        _waiting.Add(claim, now);
        _isChanged = true;
    }

    /// <summary>A claim that held these parts before this scheduler was made.</summary>
    /// <param name="devices">What they were then, such as <c>H100:8</c>; null where the grid knows the nodes.</param>
    /// <param name="speed">How fast it works on them, in thousandths of an H100.</param>
    public void Restore(Claim claim, IReadOnlyList<Part> parts, long? guestOf, TimeSpan since, string? devices = null, int speed = 1000)
    {
        if (policy.Learns) Arrive(claim);
        grid.Hold(parts);
        Begin(claim, parts, since, devices ?? "", speed);
        claim.GuestOf = guestOf;
    }

    /// <summary>A claim starts on nodes that are there for it alone, whatever its place in line.</summary>
    public void StartOn(Claim claim, IReadOnlyList<Part> parts, TimeSpan now)
    {
        _promises.RemoveAll(p => p.For == claim && Break(p));
        Start(claim, parts, now);
        // What it has would be nobody else's if it were stopped.
        claim.IsCommitted = true;
        _isChanged = true;
    }

    /// <summary>A claim leaves the line without having started.</summary>
    public void Withdraw(Claim claim)
    {
        Unwait(claim);
        if (policy.Learns) Ended(claim, null, claim.Submitted);
        Unreserve(claim);
        _isChanged = true;
        _promises.RemoveAll(p => p.For == claim && Break(p));
    }

    /// <summary>A claim that held devices has ended by itself, having worked this long in all.</summary>
    public void End(Claim claim, TimeSpan worked, TimeSpan now)
    {
        var gained = claim.Gained + claim.GainOf(worked - claim.Worked);
        GiveBack(claim);
        claim.Gained = gained;
        if (policy.Learns) Ended(claim, worked, now);
    }

    /// <summary>A claim has left its devices before its end; of its work this much was kept in all. It does not wait until it is added again.</summary>
    public void Leave(Claim claim, TimeSpan worked)
    {
        claim.HasLeft = claim.LeavesToAnother;
        claim.Gained += claim.GainOf(worked - claim.Worked);
        GiveBack(claim);
        claim.Worked = worked;
        if (!policy.Learns) return;
        History.Reach(claim, claim.Progress(default));
        _waiting.Learned();
    }

    /// <summary>A claim is not like those any more that it came together with: where it waits, it does so for itself.</summary>
    internal void Regroup(Claim claim, TimeSpan now)
    {
        if (claim.Group is null) return;
        _waiting.Remove(claim);
        _waiting.Add(claim, now);
    }

    /// <summary>Everybody who waits, in the order in which they would be looked at now.</summary>
    public IReadOnlyList<Claim> Line(TimeSpan now)
    {
        var line = Waiting.ToList();
        line.Sort((a, b) => StandingOf(a, now).CompareTo(StandingOf(b, now)));
        return line;
    }

    /// <summary>Whether one would be looked at before another, if both waited now.</summary>
    public bool GoesBefore(Claim one, Claim other, TimeSpan now) => StandingOf(one, now).CompareTo(StandingOf(other, now)) < 0;

    /// <summary>Who starts, who shall stop, and what is reserved since the last call. Valid until the next.</summary>
    public Plan Decide(TimeSpan now)
    {
        _plan.Clear();
        Advance(now);
        grid.Turn(now);
        Settle(now);
        if (grid.HasWindows) EmptyClosed();
        Fulfil(now);
        _plan.Look = grid.NextTurn;
        if (_waiting.Count == 0) return _plan;
        var last = TickBefore(now) ?? _ticked;
        _isTick = last != _ticked;
        // Where time alone lets nobody start, what is decided does not depend on how often this is asked.
        if (_isChanged || _isTick && IsTimed || _freed != grid.Freed)
        {
            _ticked = last;
            if (_isTick) Look(last!.Value);
            // Until nothing is left to decide now: what follows must not wait for whatever happens next.
            do
            {
                _isChanged = false;
                BeginPass();
                if (policy.IsStrict) InLine(now);
                else InOrder(now);
                _freed = grid.Freed;
                Fulfil(now);
            }
            while (_isChanged && _waiting.Count > 0);
        }
        if (_waiting.Count > 0 && IsTimed && policy.Tick is { } next && (_plan.Look is not { } turn || last + next < turn)) _plan.Look = last + next;
        return _plan;
    }

    // Somebody may be stopped.
    private bool IsTimed => policy.Stops && _yielding > 0;

    /// <summary>A tick has come: how far those that hold have come counts, and what all jobs told, and the policy looks at everybody.</summary>
    internal void Look(TimeSpan tick)
    {
        if (policy.Learns)
        {
            foreach (var holding in _holding)
                if (holding.Since <= tick) History.Reach(holding, holding.Progress(tick));
            _history.Digest();
        }
        policy.Look(this, tick);
        _waiting.MoveAll();
    }

    // Ticks are moments of the clock, not of this object: whoever takes over has the same.
    internal TimeSpan? TickBefore(TimeSpan now) => policy.Tick is { } each ? new TimeSpan(now.Ticks - now.Ticks % each.Ticks) : null;

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
        _waiting.Arrange(now);
        _order.Begin(_pass, _waiting.Lanes, this, now);
        _wanted = 0;
        foreach (var reservation in _reservations) reservation.IsWanted = false;
        var isBlocked = false;
        while (_order.TryTake(this, now) is { } group)
        {
            GroupLooks++;
            var head = group.Head!;
            if (head.IsPromised || IsHeldBack(head)) continue;
            if (isBlocked && head.IsDue)
            {
                (head.IsDue, head.LookedAt) = (false, 0);
                Again(group, now);
                continue;
            }
            var (wanted, changes) = (_wanted, _changes);
            if (TryStart(head, now) || TryStop(head, now) || TryGuest(head, now)) Again(group, now);
            else
            {
                // Who is due and cannot start now goes first wherever it can; those behind it do not stop others past it.
                if (head.IsDue) isBlocked = true;
                if (MayHave(head)) Reserve(head, now);
                if ((wanted, changes) == (_wanted, _changes) && AreAllRefusedWith(group.Lane!.Key)) _order.Rest(untilReserved: IsRefusedWhateverStarts(group.Lane!.Key));
            }
            if ((wanted, changes) != (_wanted, _changes)) _order.Wake(wanted != _wanted, this, now);
        }
        EndReservations();
    }

    // Its first is another now, or its rank is.
    private void Again(Group group, TimeSpan now)
    {
        _waiting.Place(group, now);
        if (group.Head is { IsPromised: false }) _order.Again(group, this);
    }

    /// <summary>Where one of a lane gets nothing, none of those behind it does.</summary>
    private bool AreAllRefusedWith(in LaneKey lane) =>
        !lane.IsApart && !(policy.Stops && _ticked is null) && (!grid.HasWindows || lane.CanYield || lane.Limit is not null);

    // Starts only take: where there was no room there is none, and whoever had nothing to be reserved still has not. They change what is owed
    // of a quota, though, and who could be stopped where nobody could.
    private bool IsRefusedWhateverStarts(in LaneKey lane) =>
        !grid.HasWindows && _blocked[lane.Shape.Index] == _pass && (!policy.Stops || _yielding > 0) && !(HasQuotas && Shares.HasOwn(lane.Account));

    private void Arrive(Claim claim)
    {
        _history.Arrive(claim, claim.Kin);
        if (claim.Reached > 0) _waiting.Learned();
        policy.Arrived(claim);
    }

    private void Ended(Claim claim, TimeSpan? worked, TimeSpan now)
    {
        _history.End(claim, worked + claim.Gained);
        if (policy.Tick is null) _history.DigestAtOnce();
        _waiting.Learned();
        policy.Ended(claim, worked, now);
    }

    private Standing StandingOf(Claim claim, TimeSpan now) => new(IsBeyond(claim), claim.Priority, PathOf(claim.Account, now), policy.Rank(claim, now), claim.Number);

    private bool TryStart(Claim claim, TimeSpan now)
    {
        var shape = claim.Shape;
        while (_blocked.Count <= shape.Index) _blocked.Add(-1);
        if (_blocked[shape.Index] == _pass) return false;
        if (PlaceOf(claim, now, out var isFull) is not { } parts)
        {
            if (isFull) _blocked[shape.Index] = _pass;
            return false;
        }
        Start(claim, parts, now);
        return true;
    }

    private void Start(Claim claim, IReadOnlyList<Part> parts, TimeSpan now)
    {
        Unwait(claim);
        grid.Hold(parts);
        Begin(claim, parts, now);
    }

    private void Begin(Claim claim, IReadOnlyList<Part> parts, TimeSpan now, string devices = "", int? restoredSpeed = null)
    {
        Run(claim, parts, now, devices, restoredSpeed is not null);
        claim.Speed = restoredSpeed ?? SpeedOf(claim, parts);
        (claim.Parts, claim.Since, claim.HoldingAt) = (parts, now, _holding.Count);
        (claim.Saved, claim.HasLeft, claim.LeavesToAnother) = (null, false, false);
        claim.IsCommitted = claim.IsDue;
        claim.Attempts++;
        Unreserve(claim);
        _holding.Add(claim);
        if (claim.CanYield)
        {
            YieldersOf(claim.Account).Add(claim);
            _yielding++;
        }
        _leastPriority = Math.Min(_leastPriority, claim.Priority);
        _changes++;
        _begun++;
        for (var i = 0; i < parts.Count && !policy.IsStrict; i++)
        {
            while (_onNode.Count <= parts[i].Node) _onNode.Add([]);
            _onNode[parts[i].Node].Add(claim);
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
        Rest(claim);
        claim.Yielders?.Remove(claim);
        if (claim.CanYield) _yielding--;
        for (var i = 0; i < claim.Parts.Count && !policy.IsStrict; i++) _onNode[claim.Parts[i].Node].Remove(claim);
        grid.Release(claim.Parts);
        (claim.Parts, claim.Speed) = ([], 1000);
        (claim.IsLeaving, claim.GuestOf, claim.ExpectedEnd, claim.IsCommitted) = (false, null, default, false);
        Collect();
    }
}
