namespace Puces.Core.Scheduling;

/// <summary>Waiting claims that are alike: only the first of them needs a look.</summary>
internal sealed class Group(GroupKey key)
{
    private readonly PriorityQueue<Claim, (long Rank, long Number)> _claims = new();

    public GroupKey Key { get; } = key;
    public int Count { get; private set; }

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

/// <summary>Everybody who waits, in groups.</summary>
internal sealed class Waitlist(IPolicy policy)
{
    private readonly Dictionary<GroupKey, Group> _groups = [];
    private readonly List<Group> _all = [];
    private readonly List<Claim> _claims = [];

    /// <summary>Those that have anybody, and perhaps some that are empty.</summary>
    public IReadOnlyList<Group> Groups => _all;

    /// <summary>All that wait, in no order.</summary>
    public IReadOnlyList<Claim> Claims => _claims;

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
        }
        group.Add(claim);
        claim.WaitingAt = _claims.Count;
        _claims.Add(claim);
        Wanted += claim.Shape.Devices;
    }

    public void Remove(Claim claim)
    {
        claim.Group!.Remove(claim);
        _claims[claim.WaitingAt] = _claims[^1];
        _claims[claim.WaitingAt].WaitingAt = claim.WaitingAt;
        _claims.RemoveAt(_claims.Count - 1);
        Wanted -= claim.Shape.Devices;
    }

    /// <summary>Lets go of groups that nobody is in, when they are many.</summary>
    public void Tidy()
    {
        if (_all.Count < 64 || _all.Count(g => g.Count == 0) * 2 < _all.Count) return;
        foreach (var group in _all)
            if (group.Count == 0) _groups.Remove(group.Key);
        _all.RemoveAll(g => g.Count == 0);
    }
}
