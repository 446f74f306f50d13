using System.Globalization;
using Puces.Core.Units;

namespace Puces.Core.Queues;

/// <summary>The projects as a tree, with what each has used, holds and waits for. What counts for a project counts for all above it.</summary>
public sealed class Shares
{
    private readonly Dictionary<string, Account> _accounts = new(StringComparer.Ordinal);
    private readonly SortedSet<string> _changed = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int> _owned = new(StringComparer.Ordinal);
    private int _limits;

    public Account Root { get; } = new("", null);

    /// <summary>Changes whenever where a project stands may.</summary>
    public long Version { get; private set; }

    /// <summary>More than one project has been seen.</summary>
    public bool IsShared => _accounts.Count > 1;

    /// <summary>Somebody owns devices.</summary>
    public bool HasQuotas => _owned.Count > 0;

    /// <summary>Somebody owns devices of this model.</summary>
    public bool IsOwned(string model) => _owned.ContainsKey(model);

    /// <summary>A project, or one above it, owns devices.</summary>
    internal static bool HasOwn(Account? account)
    {
        for (var at = account; at is not null; at = at.Above)
            if (at.Project.Quota is { Count: > 0 }) return true;
        return false;
    }

    public bool HasLimits => _limits > 0;

    /// <summary>Every project that was set or has had a job, by name.</summary>
    public IReadOnlyCollection<Account> Accounts => _accounts.Values;

    public Account Find(string project)
    {
        if (_accounts.TryGetValue(project, out var account)) return account;
        var above = ProjectName.Above(project) is { } name ? Find(name) : Root;
        Version++;
        return _accounts[project] = above.Parts[project] = new(project, above);
    }

    public void Set(Project project)
    {
        var account = Find(project.Name);
        Count(account.Project, -1);
        Count(account.Project = project, 1);
        Version++;
    }

    private void Count(Project project, int change)
    {
        foreach (var (model, own) in project.Quota ?? new Dictionary<string, int>())
        {
            if (own == 0) continue;
            _owned[model] = _owned.GetValueOrDefault(model) + change;
            if (_owned[model] == 0) _owned.Remove(model);
        }
        if (project.Limits is { } limits && limits != Limits.None) _limits += change;
    }

    /// <summary>Usage as it was stored.</summary>
    public void Load(string project, string text)
    {
        if (Account.Read(text) is { } read) Find(project).Load(read.At, read.Usage);
    }

    /// <summary>Usage that was reckoned anew since the last call, by project.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> TakeChanged()
    {
        if (_changed.Count == 0) return [];
        KeyValuePair<string, string>[] taken = [.. _changed.Select(n => KeyValuePair.Create(n, _accounts[n].Write()))];
        _changed.Clear();
        return taken;
    }

    /// <summary>Its devices are in use from now on, or no longer.</summary>
    public void Run(Account account, long pace, TimeSpan now)
    {
        Version++;
        for (var at = account; at.Above is not null; at = at.Above)
        {
            at.Settle(now);
            at.Run(pace);
            _changed.Add(at.Name);
        }
    }

    /// <summary>The same for what has been in use since before these shares were made: usage was reckoned then.</summary>
    public static void Restore(Account account, long pace, TimeSpan since)
    {
        for (var at = account; at.Above is not null; at = at.Above)
        {
            at.Settle(since);
            at.Run(pace);
        }
    }

    /// <summary>Its devices count as held, or no longer.</summary>
    public static void Count(Account account, Take take, string owner, int sign)
    {
        for (var at = account; at is not null; at = at.Above) at.Count(take, owner, sign);
    }

    /// <summary>It has been promised devices, or no longer.</summary>
    public void Promise(Account account, long pace)
    {
        Version++;
        for (var at = account; at.Above is not null; at = at.Above) at.Coming += pace;
    }

    public static void Wait(Account account, string owner, int change)
    {
        for (var at = account; at is not null; at = at.Above) at.Wait(owner, change);
    }

    /// <summary>The widest project that two have in common.</summary>
    public static Account Common(Account one, Account other)
    {
        while (one != other)
        {
            if (one.Depth >= other.Depth) one = one.Above!;
            else other = other.Above!;
        }
        return one;
    }

    /// <summary>Thousandths of a device that a project's weight gives it, of those that there are, among the sisters that hold or want any.</summary>
    public static long ShareOf(Account account, int devices)
    {
        if (account.Above is not { } above) return devices * 1000L;
        var weights = above.ActiveWeight + (account.IsActive ? 0 : account.Project.Weight);
        return (long)((Int128)ShareOf(above, devices) * account.Project.Weight / weights);
    }

    /// <summary>Why a project or a user in it may not have so much more; null where they may.</summary>
    /// <param name="milli">Thousandths of a device.</param>
    /// <param name="coming">What was asked for elsewhere and counts as if it were held.</param>
    public string? OverDevices(Account account, string owner, long milli, IReadOnlyCollection<(string Project, string Owner, long Milli)>? coming = null)
    {
        if (!HasLimits) return null;
        for (var at = account; at.Above is not null; at = at.Above)
        {
            if (at.Project.Limits is not { } limits) continue;
            var below = coming?.Where(c => ProjectName.IsIn(c.Project, at.Name));
            var (held, heldByOwner) = (at.Milli + (below?.Sum(c => c.Milli) ?? 0), at.MilliOf(owner) + (below?.Where(c => c.Owner == owner).Sum(c => c.Milli) ?? 0));
            if (limits.Devices is { } most && held + milli > 1000L * most) return Over($"project {at.Name}", held, most, milli);
            if (limits.UserDevices is { } own && heldByOwner + milli > 1000L * own) return Over($"{owner} in project {at.Name}", heldByOwner, own, milli);
        }
        return null;
    }

    private static string Over(string who, long held, int most, long milli) => milli > 1000L * most
        ? string.Create(CultureInfo.InvariantCulture, $"{who} may hold {most} devices at once, and this asks for {milli / 1000m:0.###}: ask for fewer, or have the limit raised")
        : string.Create(CultureInfo.InvariantCulture, $"{who} may hold {most} devices at once, and holds {held / 1000m:0.###}: this starts when it has given enough back");

    /// <summary>The longest that a run of the project may take, and who says so; null for as long as it likes.</summary>
    public static (TimeSpan Longest, string Project)? LongestRun(Account account)
    {
        (TimeSpan Longest, string Project)? least = null;
        for (var at = account; at.Above is not null; at = at.Above)
            if (at.Project.Limits?.RunTime is { } longest && (least is null || longest < least.Value.Longest)) least = (longest, at.Name);
        return least;
    }

    /// <summary>Why a run may not have this limit; null where it may.</summary>
    public static string? OverRunTime(Account account, TimeSpan limit) => LongestRun(account) is { } least && limit > least.Longest
        ? $"limit {Durations.Format(limit)} is longer than project {least.Project} allows, {Durations.Format(least.Longest)}: write limit: {Durations.Format(least.Longest)} or less, and save checkpoints to go on in a next run"
        : null;
}
