using System.Runtime.InteropServices;
using Puces.Core.Queues;

namespace Puces.Core.Scheduling;

/// <summary>
/// Those of one project that hold devices and may be stopped, those first whose stop costs least: a clearing costs no less than any who leaves for it,
/// so that most nodes need no look. They are kept in order from pass to pass: time makes all stops of one class dearer alike.
/// </summary>
/// <param name="account">The project; null where nobody has one.</param>
internal sealed class Yielders(Account? account, Grid grid)
{
    private readonly List<Claim> _claims = [];
    private readonly List<Claim> _fresh = [];
    private readonly Dictionary<YieldKey, YieldClass> _byKey = [];
    private readonly List<YieldClass> _classes = [];
    private long _ordered = -1, _counted = -1, _ranked = -1, _highest;
    private int _fewest, _entries, _gone, _unranked;

    public Account? Account => account;

    public int Count => _claims.Count;

    /// <summary>Those that have begun since the others were put in order.</summary>
    public IReadOnlyList<Claim> Fresh => _fresh;

    /// <summary>The last question in which they were not ruled out.</summary>
    public long Asked { get; set; }

    public void Add(Claim claim)
    {
        (claim.Yielders, claim.YieldsAt) = (this, _claims.Count);
        claim.YieldStamp++;
        _claims.Add(claim);
        _fresh.Add(claim);
        _fewest = Math.Min(_fewest, claim.Take.Milli);
    }

    public void Remove(Claim claim)
    {
        var last = _claims[^1];
        _claims[claim.YieldsAt] = last;
        last.YieldsAt = claim.YieldsAt;
        _claims.RemoveAt(_claims.Count - 1);
        claim.Yielders = null;
        Unlist(claim);
        // Only within a pass is the order of use, and within a pass nobody leaves.
        _ordered = -1;
    }

    /// <summary>It has saved itself, or does so in another way: its stop costs something else now.</summary>
    public void Saved(Claim claim)
    {
        Unlist(claim);
        _fresh.Add(claim);
        _ordered = -1;
        for (var i = 0; i < claim.Parts.Count; i++) grid.Touch(claim.Parts[i].Node);
    }

    // It stays in the order until it comes to the front, or many are not there any more.
    private void Unlist(Claim claim)
    {
        if (claim.ListedStamp == claim.YieldStamp) _gone += claim.Parts.Count;
        claim.YieldStamp++;
    }

    /// <summary>The least that one of them holds, in thousandths of a device, or held when the pass began.</summary>
    public int FewestMilli(long pass)
    {
        if (_counted == pass) return _fewest;
        (_counted, _fewest) = (pass, int.MaxValue);
        foreach (var claim in _claims) _fewest = Math.Min(_fewest, claim.Take.Milli);
        return _fewest;
    }

    /// <summary>Whether one of them stands so far back that it could be stopped for one that waits, or has begun in this pass.</summary>
    public bool Might(Scheduler scheduler, Claim waiting, TimeSpan now, long pass)
    {
        Order(pass);
        if (_fresh.Count > 0) return true;
        var policy = scheduler.Policy;
        if (_ranked != pass) (_ranked, _unranked, _highest) = (pass, 0, long.MinValue);
        // Mostly one is found soon; the next to ask goes on from there.
        while (_highest == long.MinValue || !policy.Reaches(_highest, waiting, now))
        {
            if (_unranked == _claims.Count) return false;
            var claim = _claims[_unranked++];
            if (!claim.IsLeaving) _highest = Math.Max(_highest, policy.Rank(claim, now));
        }
        return true;
    }

    /// <summary>The classes of what they hold. Costs do not change within a pass; whoever begins in it is fresh.</summary>
    public IReadOnlyList<YieldClass> Order(long pass)
    {
        if (_ordered == pass) return _classes;
        foreach (var claim in _fresh)
        {
            // It may have left since, or be in the list twice.
            if (claim.Yielders != this || claim.ListedStamp == claim.YieldStamp) continue;
            claim.ListedStamp = claim.YieldStamp;
            for (var i = 0; i < claim.Parts.Count; i++)
            {
                var key = YieldKey.Of(claim, claim.Parts[i].Node);
                if (!_byKey.TryGetValue(key, out var of)) _classes.Add(_byKey[key] = of = new(key));
                of.Add(claim, claim.Parts[i].Node);
                _entries++;
            }
        }
        _fresh.Clear();
        if (_gone * 2 > _entries)
        {
            foreach (var of in _classes) of.Tidy();
            (_entries, _gone) = (_entries - _gone, 0);
        }
        foreach (var of in _classes) of.Begin();
        _ordered = pass;
        return _classes;
    }
}

/// <summary>What stops must have in common so that the one costs more than the other at all times, if it does at one.</summary>
/// <param name="Devices">Of the node: no more are free when it has left.</param>
/// <param name="Milli">Thousandths of a device that it holds in all.</param>
/// <param name="IsByClock">It saves itself by the clock: what it would lose grows and falls.</param>
internal readonly record struct YieldKey(int Priority, int Devices, long Milli, bool IsByClock)
{
    public static YieldKey Of(Claim claim, int node) => new(claim.Priority, Scheduler.DevicesOn(node, claim), claim.Milli, claim.SavesEvery is not null);
}

/// <summary>A node that one holds something of who may be stopped, and what that costs at least: whoever was stopped last costs more.</summary>
/// <param name="Place">The node's, by name.</param>
/// <param name="LowerRanks">Where those end that follow and differ in rank alone.</param>
internal readonly record struct Yielding(Claim Claim, StopCost Cost, int Node, int Place, int LowerRanks);

/// <summary>Those of one class, in the order of what their stops cost: as many of them as anybody has asked for in this pass.</summary>
internal sealed class YieldClass(YieldKey key)
{
    // By when they saved what they have done, the latest last; in no order where they save by the clock. Some are not there any more.
    private readonly List<Entry> _entries = [];
    private readonly List<Yielding> _order = [];
    // Those that would lose as much as each other are many where many have begun together, and mostly passed over together: only the first of them is
    // in its place until another is asked for. By where they end, where they begin.
    private readonly Dictionary<int, int> _unsorted = [];
    private bool _isSorted = true;
    private int _left, _first;

    private readonly record struct Entry(long Saved, long Stamp, Claim Claim, int Node)
    {
        public bool IsThere => Stamp == Claim.YieldStamp;
    }

    public YieldKey Key => key;

    public void Add(Claim claim, int node)
    {
        var saved = (claim.Saved ?? claim.Since).Ticks;
        _isSorted &= _entries.Count == 0 || _entries[^1].Saved <= saved;
        _entries.Add(new(saved, claim.YieldStamp, claim, node));
    }

    /// <summary>Forgets those that are not there any more.</summary>
    public void Tidy() => _entries.RemoveAll(e => !e.IsThere);

    /// <summary>A pass begins, or somebody has left.</summary>
    public void Begin()
    {
        _order.Clear();
        _unsorted.Clear();
        _first = 0;
        if (!_isSorted && !key.IsByClock) CollectionsMarshal.AsSpan(_entries).Sort(Latest);
        _isSorted = true;
        while (_entries.Count > 0 && !_entries[^1].IsThere) _entries.RemoveAt(_entries.Count - 1);
        _left = _entries.Count;
    }

    /// <summary>The first that stays and what comes after it; false where nobody does.</summary>
    public bool TryFirst(Scheduler scheduler, TimeSpan now, out int next)
    {
        // Whoever was told to leave stays so for the rest of the pass.
        while (TryGet(_first, scheduler, now, out var first) && first.Claim.IsLeaving) _first++;
        next = _first;
        return next < _order.Count;
    }

    public bool TryGet(int next, Scheduler scheduler, TimeSpan now, out Yielding yielding)
    {
        while (next >= _order.Count && _left > 0) Continue(scheduler, now);
        yielding = next < _order.Count ? _order[next] : default;
        if (next < _order.Count && _unsorted.TryGetValue(yielding.LowerRanks, out var begin) && next > begin)
        {
            _unsorted.Remove(yielding.LowerRanks);
            CollectionsMarshal.AsSpan(_order)[(begin + 1)..yielding.LowerRanks].Sort(Cheapest);
            yielding = _order[next];
        }
        return next < _order.Count;
    }

    // Adds those that come next and would lose as much as each other; all where they save by the clock.
    private void Continue(Scheduler scheduler, TimeSpan now)
    {
        var (begin, seconds) = (_order.Count, -1L);
        for (; _left > 0; _left--)
        {
            var (saved, _, claim, node) = _entries[_left - 1];
            if (!_entries[_left - 1].IsThere || claim.IsLeaving) continue;
            var lost = key.IsByClock ? claim.LostAt(now) : Math.Max(0, (now.Ticks - saved) / TimeSpan.TicksPerSecond);
            if (!key.IsByClock && seconds >= 0 && lost != seconds) break;
            seconds = lost;
            _order.Add(new(claim, new(2L * key.Priority, key.IsByClock ? lost : key.Milli * lost, scheduler.Policy.Rank(claim, now)), node, scheduler.Grid.PlaceOf(node), 0));
        }
        var added = CollectionsMarshal.AsSpan(_order)[begin..];
        if (key.IsByClock) added.Sort(Cheapest);
        for (var (i, end) = (added.Length - 1, _order.Count); i >= 0; i--)
        {
            if (key.IsByClock && i + 1 < added.Length && added[i].Cost.Lost != added[i + 1].Cost.Lost) end = begin + i + 1;
            if (!key.IsByClock && Cheapest(added[i], added[0]) < 0) (added[0], added[i]) = (added[i], added[0]);
            added[i] = added[i] with { LowerRanks = end };
        }
        if (!key.IsByClock && added.Length > 2) _unsorted[_order.Count] = begin;
    }

    private static readonly Comparison<Entry> Latest = (a, b) => a.Saved.CompareTo(b.Saved);

    private static readonly Comparison<Yielding> Cheapest = (a, b) => a.Cost.CompareTo(b.Cost) is var order and not 0 ? order : a.Place.CompareTo(b.Place);
}

/// <summary>The nodes on which some of these may be stopped, in the order of what clearing each costs at least, then by name.</summary>
internal sealed class YieldOrder(Scheduler scheduler)
{
    private readonly PriorityQueue<(YieldClass Of, int Next, Account? Account), (StopCost Cost, int Place)> _classes = new(Cheapest);
    private TimeSpan _now;
    private int _devices;

    /// <param name="devices">That many are needed of each node.</param>
    public void Begin(int devices, TimeSpan now)
    {
        _classes.Clear();
        (_devices, _now) = (devices, now);
    }

    public void Add(YieldClass of, Account? account)
    {
        if (of.TryFirst(scheduler, _now, out var next)) List(of, next, account, isNew: true);
    }

    /// <summary>The next node, perhaps one that came before; false where there is none that costs no more than this.</summary>
    public bool TryPeek((StopCost Cost, int Place) most, out Yielding next, out Account? account)
    {
        (next, account) = (default, null);
        if (!_classes.TryPeek(out var first, out var cost) || Compare(cost, most) > 0) return false;
        account = first.Account;
        return first.Of.TryGet(first.Next, scheduler, _now, out next);
    }

    /// <summary>Done with the node that was peeked at.</summary>
    public void Advance() => MoveTo(_classes.Peek().Next + 1);

    /// <summary>Done with it and with those after it that differ in rank alone.</summary>
    public void PassLowerRanks()
    {
        var (of, next, _) = _classes.Peek();
        of.TryGet(next, scheduler, _now, out var yielding);
        MoveTo(yielding.LowerRanks);
    }

    private void MoveTo(int next)
    {
        var (of, _, account) = _classes.Peek();
        List(of, next, account, isNew: false);
    }

    private void List(YieldClass of, int next, Account? account, bool isNew)
    {
        if (!of.TryGet(next, scheduler, _now, out var yielding))
        {
            if (!isNew) _classes.Dequeue();
            return;
        }
        // Where one frees less than is needed others must leave too, and the first of them costs no less for each device.
        var (cost, freed) = (yielding.Cost, of.Key.Devices);
        if (freed > 0 && freed < _devices) cost = cost with { Lost = cost.Lost * _devices / freed };
        if (isNew) _classes.Enqueue((of, next, account), (cost, yielding.Place));
        else _classes.DequeueEnqueue((of, next, account), (cost, yielding.Place));
    }

    private static int Compare((StopCost Cost, int Place) one, (StopCost Cost, int Place) other) =>
        one.Cost.CompareTo(other.Cost) is var order and not 0 ? order : one.Place.CompareTo(other.Place);

    public static readonly Comparer<(StopCost Cost, int Place)> Cheapest = Comparer<(StopCost Cost, int Place)>.Create(Compare);
}
