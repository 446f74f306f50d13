namespace Puces.Core.Scheduling;

/// <summary>Waiting claims that are alike: only the first of them needs a look.</summary>
internal sealed class Group(GroupKey key)
{
    private readonly PriorityQueue<Claim, (long Rank, long Number)> _claims = new();

    public GroupKey Key { get; } = key;
    public int Count { get; private set; }

    /// <summary>Where it stands; null where nobody is in it, or nobody asked yet.</summary>
    public Lane? Lane { get; set; }
    public Mark Mark { get; set; }
    /// <summary>Its first may be another than its mark says.</summary>
    public bool IsMoving { get; set; }

    public Claim? Head
    {
        get
        {
            while (_claims.TryPeek(out var claim, out _))
            {
                if (claim.Group == this) return claim;
                _claims.Dequeue();
            }
            return null;
        }
    }

    // Numbers are never equal, so that the queue has no ties.
    public void Add(Claim claim)
    {
        _claims.Enqueue(claim, (claim.Rank, claim.Number));
        claim.Group = this;
        Count++;
    }

    /// <summary>It stays where it is in the queue, and is dropped when it comes to the front.</summary>
    public void Remove(Claim claim)
    {
        claim.Group = null;
        Count--;
    }
}

/// <summary>What the claims of a group have in common.</summary>
internal readonly record struct GroupKey(int Priority, string Project, string Owner, bool CanYield, Shape? Shape, TimeSpan? Limit, long Class);

/// <summary>Everybody who waits, in groups, and these in lanes.</summary>
internal sealed class Waitlist(IPolicy policy)
{
    private readonly Dictionary<GroupKey, Group> _groups = [];
    private readonly List<Group> _all = [];
    private readonly List<Claim> _claims = [];
    private readonly List<Group> _moving = [];
    private readonly Dictionary<LaneKey, Lane> _lanes = [];
    private readonly List<Lane> _allLanes = [];
    // Of so many it takes no longer to put all in order anew.
    private const int Few = 256;
    private bool _isAllMoving, _isLearned;
    private int _empty;

    /// <summary>Those that have anybody, and perhaps some that are empty.</summary>
    public IReadOnlyList<Group> Groups => _all;

    /// <summary>All that wait, in no order.</summary>
    public IReadOnlyList<Claim> Claims => _claims;

    /// <summary>Some may be empty.</summary>
    public IReadOnlyList<Lane> Lanes => _allLanes;

    public int Count => _claims.Count;

    /// <summary>Devices that all of them ask for together.</summary>
    public long Wanted { get; private set; }

    public void Add(Claim claim, TimeSpan now)
    {
        claim.Rank = policy.IsSteady ? policy.Rank(claim, now) : 0;
        var key = new GroupKey(
            claim.Priority, policy.SharesByProject ? claim.Project : "", policy.SharesByProject ? claim.Owner : "", policy.SharesByProject && claim.CanYield,
            policy.IsStrict ? null : claim.Shape, policy.IsStrict ? null : claim.Limit, policy.IsSteady ? 0 : policy.GroupOf(claim));
        if (!_groups.TryGetValue(key, out var group))
        {
            _groups[key] = group = new(key);
            _all.Add(group);
            _empty++;
        }
        if (group.Count == 0) _empty--;
        group.Add(claim);
        claim.WaitingAt = _claims.Count;
        _claims.Add(claim);
        Wanted += claim.Shape.Devices;
        Moves(group);
    }

    public void Remove(Claim claim)
    {
        var group = claim.Group!;
        group.Remove(claim);
        if (group.Count == 0) _empty++;
        _claims[claim.WaitingAt] = _claims[^1];
        _claims[claim.WaitingAt].WaitingAt = claim.WaitingAt;
        _claims.RemoveAt(_claims.Count - 1);
        Wanted -= claim.Shape.Devices;
        Moves(group);
    }

    /// <summary>The group's first is another, or stands elsewhere.</summary>
    public void Moves(Group group)
    {
        if (group.IsMoving || policy.IsStrict) return;
        group.IsMoving = true;
        _moving.Add(group);
    }

    /// <summary>A tick has come: any rank may be another.</summary>
    public void MoveAll() => _isAllMoving = true;

    /// <summary>Something was learned: some ranks are others.</summary>
    public void Learned() => _isLearned = true;

    /// <summary>Puts every group where it stands at the beginning of a pass.</summary>
    public void Arrange(TimeSpan now)
    {
        Tidy();
        if (policy.IsSteady || policy.RanksByHistory && !_isAllMoving && _moving.Count < Few)
        {
            foreach (var group in _moving) Place(group, now);
            if (_isLearned && !policy.IsSteady)
                foreach (var group in _all)
                    if (group.Head is { } head && policy.Rank(head, now) != group.Mark.Rank) Place(group, now);
        }
        else
        {
            foreach (var lane in _allLanes) lane.Clear();
            foreach (var group in _all)
            {
                group.IsMoving = false;
                var head = group.Head;
                group.Lane = head is null ? null : LaneOf(head, group.Lane);
                if (head is null) continue;
                group.Mark = new(policy.Rank(head, now), head.Number);
                group.Lane!.Append(group);
            }
            foreach (var lane in _allLanes) lane.Sort();
        }
        _moving.Clear();
        _isAllMoving = _isLearned = false;
    }

    /// <summary>Puts one group where it stands now, within a pass.</summary>
    public void Place(Group group, TimeSpan now)
    {
        group.IsMoving = false;
        var head = group.Head;
        var (lane, mark) = head is null ? (null, default) : (LaneOf(head, group.Lane), new Mark(policy.Rank(head, now), head.Number));
        if (lane == group.Lane && mark == group.Mark) return;
        group.Lane?.Remove(group);
        (group.Lane, group.Mark) = (lane, mark);
        lane?.Insert(group);
    }

    /// <param name="was">Where its group stood: mostly it still does.</param>
    private Lane LaneOf(Claim head, Lane? was)
    {
        var isApart = head.IsDue || head.Reserved is not null;
        var key = new LaneKey(head.Account, head.Shape, head.Priority, head.CanYield, head.Limit, isApart);
        if (was is not null && was.Key == key) return was;
        if (_lanes.TryGetValue(key, out var lane)) return lane;
        _lanes[key] = lane = new(key);
        _allLanes.Add(lane);
        return lane;
    }

    // Lets go of what nobody is in, when there is much of it.
    private void Tidy()
    {
        if (_all.Count >= 64 && _empty * 2 >= _all.Count)
        {
            foreach (var group in _all)
            {
                if (group.Count > 0) continue;
                _groups.Remove(group.Key);
                group.Lane?.Remove(group);
                group.Lane = null;
            }
            _all.RemoveAll(g => g.Count == 0);
            _empty = 0;
        }
        if (_allLanes.Count >= 64 && _allLanes.Count(l => l.Count == 0) * 2 >= _allLanes.Count)
        {
            foreach (var lane in _allLanes)
                if (lane.Count == 0) _lanes.Remove(lane.Key);
            _allLanes.RemoveAll(l => l.Count == 0);
        }
    }
}
