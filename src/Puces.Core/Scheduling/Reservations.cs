using System.Numerics;

namespace Puces.Core.Scheduling;

// What the first in line will get, and when: the devices of it that are free already are kept for them.
public sealed partial class Scheduler
{
    /// <summary>How many of those who cannot start have nodes reserved, in the order of the line.</summary>
    public const int MostReservations = 8;

    /// <summary>Who may be stopped is let onto reserved devices if it can stay for so long.</summary>
    public static readonly TimeSpan LeastStay = TimeSpan.FromMinutes(10);

    private readonly List<Reservation> _reservations = [];
    // For each shape: the state of the pass in which nothing was reserved for it, and in which it was no guest.
    private readonly List<PassState> _unreserved = [], _unwelcome = [];
    // Starts and promises of this pass.
    private int _changes;

    /// <summary>Two looks for one shape in one such state find the same.</summary>
    private readonly record struct PassState(long Pass, int Wanted, int Changes);

    /// <summary>Nodes on which a claim is expected to find all that it needs at one time.</summary>
    private sealed class Reservation(Claim claim, Way way, int[] nodes, TimeSpan at)
    {
        public Claim For { get; } = claim;
        public Way Way { get; } = way;
        public int[] Nodes { get; } = nodes;
        public TimeSpan At { get; } = at;
        /// <summary>What is free of it already, and kept from others in this pass.</summary>
        public List<Part> Kept { get; } = [];
        public bool IsWanted { get; set; }
    }

    private Reservation? ReservationOf(Claim claim)
    {
        foreach (var reservation in _reservations)
            if (reservation.For == claim) return reservation;
        return null;
    }

    /// <summary>
    /// Reserves for one that cannot start now, if something that it needs is free and would otherwise go to another. Once made, a
    /// reservation stays where it is until it should have begun: one that wanders with each new guess never comes to anything.
    /// </summary>
    private void Reserve(Claim claim, TimeSpan now)
    {
        if (!policy.Reserves || _wanted >= MostReservations) return;
        var reservation = ReservationOf(claim);
        if (reservation is null && !grid.HasWindows && IsSame(_unreserved, claim.Shape)) return;
        if (reservation is null || reservation.At <= now || Array.Exists(reservation.Nodes, n => !grid.IsUp(n) || grid.OpenFrom(n, reservation.At, StayOf(claim, now)) != reservation.At))
        {
            if (Earliest(claim, now) is not { } earliest)
            {
                Note(_unreserved, claim.Shape);
                return;
            }
            KeepFree(earliest, now);
            if (reservation is null && earliest.Kept.TrueForAll(p => p.Devices == 0 && p.MilliCpus == 0))
            {
                LetGo(earliest);
                Note(_unreserved, claim.Shape);
                return;
            }
            if (reservation is not null) _reservations.Remove(reservation);
            _reservations.Add(reservation = earliest);
            claim.Reserved = new([.. earliest.Nodes], earliest.At);
            _waiting.Moves(claim.Group!);
            _plan.Reserved(claim);
        }
        else KeepFree(reservation, now);
        _wanted++;
        reservation.IsWanted = true;
    }

    private void Restore(Claim claim, Reserved reserved)
    {
        if (claim.Shape.Ways.FirstOrDefault(w => w.Rest == 0 && w.Nodes == reserved.Nodes.Count) is not { } way) return;
        claim.Reserved = reserved;
        _reservations.Add(new(claim, way, [.. reserved.Nodes], reserved.At));
    }

    // Where the node closes before it is wanted nothing is kept: who starts there is gone by then.
    private void KeepFree(Reservation reservation, TimeSpan now)
    {
        foreach (var node in reservation.Nodes)
        {
            if (!grid.IsOpenUntil(node, reservation.At)) continue;
            if (grid.FreePart(node, reservation.Way) is { } part) reservation.Kept.Add(part);
            // Nor are further parts of shared devices given out there: the last of them would end later.
            reservation.Kept.AddRange(grid.SharesLeft(node, reservation.Way));
            if (reservation.Way.Share > 0 && LeftFor(node, reservation.Way, now) is { } left) reservation.Kept.Add(left);
        }
        grid.Hold(reservation.Kept);
    }

    /// <summary>Of the device that is expected to have enough for a share first: what will be needed beside that which others leave by then; null where that is nothing.</summary>
    private Part? LeftFor(int node, Way way, TimeSpan now)
    {
        var gone = new List<Claim>();
        foreach (var next in On(node).OrderBy(h => EndOf(h, now)).ThenBy(h => h.Number).Prepend(null))
        {
            if (next is not null) gone.Add(next);
            if (grid.ShareAfter(way, node, gone) is not { } part) continue;
            var freed = gone.Sum(g => g.Parts.Where(p => p.Node == node && (p.Devices & part.Devices) != 0).Sum(p => p.Share > 0 ? p.Share : 1000));
            return freed < way.Share ? part with { Share = way.Share - freed } : null;
        }
        return null;
    }

    private void LetGo(Reservation reservation)
    {
        grid.LetGo(reservation.Kept);
        reservation.Kept.Clear();
    }

    private void EndReservations()
    {
        for (var i = _reservations.Count - 1; i >= 0; i--)
        {
            LetGo(_reservations[i]);
            if (!_reservations[i].IsWanted) Unreserve(_reservations[i].For);
        }
    }

    private void Unreserve(Claim claim)
    {
        if (claim.Reserved is null) return;
        claim.Reserved = null;
        if (claim.Group is { } group) _waiting.Moves(group);
        for (var i = _reservations.Count - 1; i >= 0; i--)
            if (_reservations[i].For == claim) _reservations.RemoveAt(i);
        if (!claim.IsHolding) _plan.Reserved(claim);
    }

    private PassState State => new(_pass, _wanted, _changes);

    private bool IsSame(List<PassState> states, Shape shape) => shape.Index < states.Count && states[shape.Index] == State;

    private void Note(List<PassState> states, Shape shape)
    {
        while (states.Count <= shape.Index) states.Add(default);
        states[shape.Index] = State;
    }

    /// <summary>
    /// Starts one on devices that are kept for others, if it is surely gone when they are wanted: it ends by its limit, or may be stopped.
    /// </summary>
    private bool TryGuest(Claim claim, TimeSpan now)
    {
        if (_wanted == 0) return false;
        // Whether one that may be stopped is welcome depends on its shape alone.
        var isLikeOthers = claim.CanYield && claim.Shape.Ways[0].Devices > 0;
        if (isLikeOthers && !grid.HasWindows && IsSame(_unwelcome, claim.Shape)) return false;
        var isWelcome = false;
        foreach (var reservation in _reservations)
        {
            if (!reservation.IsWanted || !IsWelcome(claim, reservation, now)) continue;
            LetGo(reservation);
            isWelcome = true;
        }
        if (!isWelcome)
        {
            if (isLikeOthers) Note(_unwelcome, claim.Shape);
            return false;
        }
        var parts = PlaceOf(claim, now, out _);
        if (parts is not null)
        {
            Start(claim, parts, now);
            foreach (var reservation in _reservations)
                if (claim.GuestOf is null && reservation.IsWanted && parts.Any(p => reservation.Nodes.Contains(p.Node))) claim.GuestOf = reservation.For.Number;
        }
        foreach (var reservation in _reservations)
            if (reservation.IsWanted && reservation.Kept.Count == 0) KeepFree(reservation, now);
        if (parts is null && isLikeOthers) Note(_unwelcome, claim.Shape);
        return parts is not null;
    }

    private static bool IsWelcome(Claim claim, Reservation reservation, TimeSpan now) =>
        claim.CanYield && claim.Shape.Ways[0].Devices > 0 && reservation.Way.Devices > 0
            ? reservation.At - now >= LeastStay
            : claim.Limit is { } limit && now + limit <= reservation.At;

    /// <summary>A reservation whose devices are all free, or held by guests: these leave.</summary>
    private bool TryEvict(Claim claim, Reservation reservation, TimeSpan now)
    {
        var way = reservation.Way;
        var until = UntilOf(claim, now);
        if (way.Devices == 0 || !Array.TrueForAll(reservation.Nodes, n => grid.IsOpenUntil(n, until))) return false;
        var parts = new Part[reservation.Nodes.Length];
        for (var i = 0; i < parts.Length; i++)
        {
            var devices = grid.FreeWithout(way, reservation.Nodes[i], On(reservation.Nodes[i]).Where(h => h is { GuestOf: not null, CanYield: true, IsLeaving: false }));
            if (BitOperations.PopCount(devices) < way.Devices) return false;
            parts[i] = new(reservation.Nodes[i], grid.Choose(reservation.Nodes[i], devices, way.Devices), 0, 0, 0);
        }
        var plan = _plan.Stops.Count;
        foreach (var part in parts)
            foreach (var holding in On(part.Node))
                if (holding is { GuestOf: not null, IsLeaving: false } && holding.Parts.Any(p => p.Node == part.Node && (p.Devices & part.Devices) != 0)) Dismiss(holding, claim, StopCause.Reserved);
        if (_plan.Stops.Count == plan) return false;
        Keep(claim, way, parts);
        return true;
    }

    private void Dismiss(Claim victim, Claim? by, StopCause cause)
    {
        (victim.IsLeaving, victim.LeavesToAnother) = (true, by is not null);
        if (by is not null) StoppedForAnother(victim);
        Discount(victim, -1);
        _plan.Add(new Stop(victim, by, cause));
    }
}
