using System.Globalization;

namespace Puces.Core.Queues;

/// <summary>What a claim takes, by model.</summary>
/// <param name="Models">Model and thousandths of a device of it, by name.</param>
/// <param name="Milli">Thousandths of a device, all together: a part of one counts for that part.</param>
/// <param name="Pace">Thousandths of an H100 that it uses each second.</param>
public sealed record Take(IReadOnlyList<(string Model, int Milli)> Models, int Milli, long Pace)
{
    public static readonly Take Nothing = new([], 0, 0);

    public int Of(string model)
    {
        foreach (var (name, milli) in Models)
            if (name == model) return milli;
        return 0;
    }
}

/// <summary>
/// What one project has used and holds, its parts included. Usage is in thousandths of an H100, each second, and is halved every
/// <see cref="HalfLife"/>; between two changes of what is held it follows in closed form. Counts of devices run ahead of the devices:
/// what is promised counts, and what has been told to leave does not.
/// </summary>
public sealed class Account(string name, Account? above)
{
    /// <summary>As Slurm's PriorityDecayHalfLife has it where nobody sets it.</summary>
    public static readonly TimeSpan HalfLife = TimeSpan.FromDays(7);

    /// <summary>A project stands where its usage will be so long from now if it keeps what it holds: of two that start equal each gets its turn.</summary>
    public static readonly TimeSpan LookAhead = TimeSpan.FromDays(1);

    private readonly SortedDictionary<string, int> _models = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int> _milliOf = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int> _waitingOf = new(StringComparer.Ordinal);
    private Step[] _path = [];
    private (TimeSpan Now, long Version) _pathAt = (TimeSpan.MinValue, -1);
    private double _usage;

    /// <summary>One level of the way from the top to a project: where it stands among its sisters.</summary>
    public readonly record struct Step(long Standing, string Name);

    public string Name => name;
    public Account? Above => above;
    public int Depth { get; } = above is null ? 0 : above.Depth + 1;
    public SortedDictionary<string, Account> Parts { get; } = new(StringComparer.Ordinal);

    public Project Project
    {
        get;
        internal set
        {
            if (IsActive) above?.ActiveWeight += value.Weight - field.Weight;
            field = value;
        }
    } = new(name);

    /// <summary>When usage was last reckoned.</summary>
    public TimeSpan At { get; private set; }

    /// <summary>Thousandths of an H100 in use.</summary>
    public long Pace { get; private set; }

    // What is promised and has not begun.
    internal long Coming { get; set; }

    /// <summary>Thousandths of a device that it holds.</summary>
    public int Milli { get; private set; }
    public int Waiting { get; private set; }
    public bool IsActive => Milli > 0 || Waiting > 0;

    /// <summary>The weights of its parts that are active, together.</summary>
    internal long ActiveWeight { get; private set; }

    /// <summary>Thousandths of a device of a model that it holds.</summary>
    public int Held(string model) => _models.GetValueOrDefault(model);
    /// <summary>Thousandths of a device that one of its users holds.</summary>
    public int MilliOf(string owner) => _milliOf.GetValueOrDefault(owner);
    public int WaitingOf(string owner) => _waitingOf.GetValueOrDefault(owner);

    /// <summary>Usage at a time, if what is held now was held all the while.</summary>
    public static double UsageAt(double usage, long pace, TimeSpan passed)
    {
        var left = Math.Pow(2, -(passed / HalfLife));
        return usage * left + pace * (HalfLife.TotalSeconds / Math.Log(2)) * (1 - left);
    }

    public double UsageAt(TimeSpan now) => UsageAt(_usage, Pace, now - At);

    /// <summary>Thousandths of a device of a model that are its own or its parts', and that they do not use.</summary>
    public long Unused(string model)
    {
        var ofParts = 0L;
        foreach (var part in Parts.Values) ofParts += part.Unused(model);
        return Math.Max(1000L * Project.Owns(model) - Held(model), ofParts);
    }

    /// <summary>Why so many jobs more may not wait in this project; null where they may.</summary>
    public string? OverWaiting(string owner, int jobs, int ofOwner)
    {
        if (Project.Limits is not { } limits) return null;
        if (limits.Waiting is { } most && Waiting + jobs > most) return Full($"project {name}", Waiting, most, jobs);
        return limits.UserWaiting is { } own && WaitingOf(owner) + ofOwner > own ? Full($"{owner} in project {name}", WaitingOf(owner), own, ofOwner) : null;
    }

    private static string Full(string who, int waiting, int most, int jobs) => string.Create(CultureInfo.InvariantCulture,
        $"{who} may have {most} waiting jobs, and has {waiting}{(jobs > 1 ? $"; this adds {jobs}" : "")}: submit again when some have started, or cancel one that waits");

    internal void Settle(TimeSpan now)
    {
        if (now <= At) return;
        (_usage, At) = (UsageAt(now), now);
    }

    internal void Run(long pace) => Pace += pace;

    internal void Load(TimeSpan at, double usage) => (At, _usage) = (at, usage);

    internal void Count(Take take, string owner, int sign)
    {
        foreach (var (model, milli) in take.Models) Add(_models, model, sign * milli);
        Add(_milliOf, owner, sign * take.Milli);
        var wasActive = IsActive;
        Milli += sign * take.Milli;
        Activate(wasActive);
    }

    internal void Wait(string owner, int change)
    {
        var wasActive = IsActive;
        Waiting += change;
        Add(_waitingOf, owner, change);
        Activate(wasActive);
    }

    private void Activate(bool wasActive)
    {
        if (IsActive != wasActive) above?.ActiveWeight += wasActive ? -Project.Weight : Project.Weight;
    }

    private static void Add(IDictionary<string, int> counts, string key, int change)
    {
        if (change == 0) return;
        if (!counts.TryGetValue(key, out var count)) count = 0;
        if (count + change == 0) counts.Remove(key);
        else counts[key] = count + change;
    }

    /// <summary>Where it stands, level by level from the top; less goes first. The last step is what it does itself, beside its parts.</summary>
    internal Step[] Path(TimeSpan now, long version)
    {
        if (_pathAt == (now, version)) return _path;
        _pathAt = (now, version);
        _path = new Step[Depth + 1];
        for (var at = this; at.Above is not null; at = at.Above) _path[at.Depth - 1] = new(at.Standing(now), at.Name);
        var own = Parts.Count == 0 ? 0 : Ahead(now);
        foreach (var part in Parts.Values) own -= part.Ahead(now);
        _path[Depth] = new((long)Math.Max(0, own), "");
        return _path;
    }

    private double Ahead(TimeSpan now) => UsageAt(now + LookAhead) + (Coming > 0 ? UsageAt(0, Coming, LookAhead) : 0);

    private long Standing(TimeSpan now) => (long)(Ahead(now) / Project.Weight);

    /// <summary>As it is stored: when, usage, pace. The last is for readers only.</summary>
    internal string Write() => string.Create(CultureInfo.InvariantCulture, $"{At.Ticks} {_usage:R} {Pace}");

    /// <summary>What <see cref="Write"/> wrote; null where it is something else.</summary>
    public static (TimeSpan At, double Usage, long Pace)? Read(string text) =>
        text.Split(' ') is [var at, var usage, var pace]
        && long.TryParse(at, NumberStyles.None, CultureInfo.InvariantCulture, out var ticks)
        && double.TryParse(usage, NumberStyles.Float, CultureInfo.InvariantCulture, out var used)
        && long.TryParse(pace, NumberStyles.None, CultureInfo.InvariantCulture, out var rate) ? (new(ticks), used, rate) : null;
}
