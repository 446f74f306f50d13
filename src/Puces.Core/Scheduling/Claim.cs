using System.Numerics;
using Puces.Core.Queues;

namespace Puces.Core.Scheduling;

/// <summary>
/// A job as the scheduler sees it, from its submit to its end: it waits for devices, or holds them. All times are on the clock of
/// whoever drives the scheduler: since 1970 live, since the first submit in replay.
/// </summary>
public sealed class Claim
{
    /// <summary>The job's number; ties go to the lower.</summary>
    public required long Number { get; init; }
    public required Shape Shape { get; init; }
    public TimeSpan Submitted { get; init; }
    public string Project { get; init; } = "";
    public string Owner { get; init; } = "";
    public string Name { get; init; } = "";
    public int Priority { get; init; }

    /// <summary>How long it will work; null where nobody knows. Only the policies for comparison look at it.</summary>
    public TimeSpan? Duration { get; init; }

    /// <summary>What its owner expects; evidence, not truth.</summary>
    public TimeSpan? Expected { get; init; }

    /// <summary>After this long it is ended, whatever it does; null for never.</summary>
    public TimeSpan? Limit { get; init; }

    /// <summary>It may be stopped for another, and goes on later from its checkpoint.</summary>
    public bool CanYield { get; init; }

    /// <summary>The number of the first of those that it came together with, where that is known from before; zero where not.</summary>
    public long Kin { get; init; }

    /// <summary>The work of its earlier attempts that was kept.</summary>
    public TimeSpan Worked { get; internal set; }

    /// <summary>How fast it works hangs on the model that it is given, where it would take several. Not so in a trace that tells how long it ran and not on what.</summary>
    public bool GoesByModel { get; init; } = true;

    /// <summary>What <see cref="Worked"/> would have been longer on an H100: negative where it ran on something slower. Zero where it takes one model only.</summary>
    public TimeSpan Gained { get; internal set; }

    /// <summary>When what it has done since it was given its devices was last saved; null for never.</summary>
    public TimeSpan? Saved
    {
        get;
        set
        {
            field = value;
            Yielders?.Saved(this);
        }
    }

    /// <summary>It saves itself by the clock, this long after it was given its devices and again each time; zero for whenever it is stopped, null where its saves are told of.</summary>
    public TimeSpan? SavesEvery
    {
        get;
        set
        {
            field = value;
            Yielders?.Saved(this);
        }
    }

    /// <summary>What it holds; empty while it waits.</summary>
    public IReadOnlyList<Part> Parts
    {
        get;
        internal set
        {
            (field, IsHolding, RankedAt, Milli) = (value, value.Count > 0, -1, 0);
            for (var i = 0; i < value.Count; i++) Milli += value[i].Share > 0 ? value[i].Share : 1000 * BitOperations.PopCount(value[i].Devices);
        }
    } = [];

    /// <summary>When it was given what it holds.</summary>
    public TimeSpan Since { get; internal set; }

    /// <summary>How often it was given devices.</summary>
    public int Attempts { get; set; }

    /// <summary>Number of the claim whose reservation it uses until that one can start; null for nobody's.</summary>
    public long? GuestOf { get; internal set; }

    /// <summary>Where it is expected to start; null where nothing is kept for it.</summary>
    public Reserved? Reserved { get; internal set; }

    public bool IsHolding { get; private set; }

    /// <summary>Time in which it has come no further.</summary>
    internal TimeSpan Waited(TimeSpan now) => now - Submitted - Attained(now);

    /// <summary>Time it has had its devices in all.</summary>
    public TimeSpan Attained(TimeSpan now) => IsHolding ? Worked + (now - Since) : Worked;

    /// <summary>How much it has done in all: time on an H100, where it would take several models.</summary>
    internal TimeSpan Progress(TimeSpan now) => Attained(now) + Gained + (IsHolding ? GainOf(now - Since) : TimeSpan.Zero);

    /// <summary>How fast it works on what it holds, in thousandths of an H100; 1000 where that makes no difference.</summary>
    internal int Speed { get; set; } = 1000;

    /// <summary>How long what takes so long on an H100 takes at a speed; where that makes no difference, it is to the tick the same.</summary>
    internal static TimeSpan TimeAt(int speed, TimeSpan reference) => speed == 1000 ? reference : reference / (speed / 1000.0);

    internal TimeSpan GainOf(TimeSpan worked) => new(worked.Ticks / 1000 * (Speed - 1000));

    /// <summary>When what it has done was last saved; when it was given its devices, if not since.</summary>
    internal TimeSpan SavedBy(TimeSpan now) => SavesEvery switch
    {
        null => Saved ?? Since,
        { Ticks: 0 } => now,
        { } every => now - new TimeSpan((now - Since).Ticks % every.Ticks),
    };

    /// <summary>What would be lost if it were stopped: the work since it was last saved, in thousandths of device-seconds.</summary>
    internal long LostAt(TimeSpan now) => Milli * Math.Max(0, (now - SavedBy(now)).Ticks / TimeSpan.TicksPerSecond);

    /// <summary>Thousandths of a device that it holds.</summary>
    internal long Milli { get; private set; }

    /// <summary>It has waited so long that it goes before all who have not.</summary>
    public bool IsDue { get; internal set; }

    /// <summary>When it shall have started, so that nobody waits longer than is promised.</summary>
    internal TimeSpan Due { get; set; }
    /// <summary>It started because it was due, and is not stopped any more.</summary>
    internal bool IsCommitted { get; set; }
    /// <summary>It is the one in a thousand that nothing is promised.</summary>
    internal bool IsExempt { get; set; }
    internal int Visit { get; set; } = -1;

    // Whose it is, and what it counts for there while it holds, or is promised, devices.
    internal Account? Account { get; set; }
    internal Take Take { get; set; } = Take.Nothing;

    // Where it stands in the waitlist and among those that hold.
    internal Group? Group { get; set; }
    internal long Rank { get; set; }
    /// <summary>The number of the first of those that it came together with.</summary>
    public long BatchNumber => Batch?.Number ?? 0;

    // What is known of its kind, and which bucket of time it is known to have come to.
    internal History.Batch? Batch { get; set; }
    internal int Reached { get; set; }
    // The last rank that was worked out, for which bucket of time and by what was known then: true until it is given devices or leaves them.
    internal int RankedAt { get; set; } = -1;
    internal long RankedBy { get; set; }
    internal long LastRank { get; set; }
    internal int WaitingAt { get; set; }
    // The last pass that looked at it.
    internal long LookedAt { get; set; }
    internal int HoldingAt { get; set; } = -1;
    // Those of its project that may be stopped, and where it stands among them, while it holds devices.
    internal Yielders? Yielders { get; set; }
    internal int YieldsAt { get; set; }
    // Counts what may change what its stop costs beside time, and what of that its project has in order.
    internal long YieldStamp { get; set; }
    internal long ListedStamp { get; set; }
    internal bool IsLeaving { get; set; }
    /// <summary>Somebody else is to have what it leaves.</summary>
    internal bool LeavesToAnother { get; set; }
    /// <summary>It waits because it has left its devices to another.</summary>
    internal bool HasLeft { get; set; }
    internal bool IsPromised { get; set; }
    /// <summary>When it is expected to end, as long as it has not come to that.</summary>
    internal TimeSpan ExpectedEnd { get; set; }
}

/// <summary>What a claim holds on one node.</summary>
/// <param name="Node">The node's index in the grid.</param>
/// <param name="Devices">One bit for each device.</param>
/// <param name="Share">Thousandths of the one device; zero where they are held whole.</param>
/// <param name="Memory">Bytes of main memory.</param>
public readonly record struct Part(int Node, ulong Devices, int Share, int MilliCpus, long Memory);

/// <summary>What is kept for a claim that cannot start yet.</summary>
/// <param name="Nodes">Indexes of the nodes in the grid.</param>
/// <param name="At">When all of it is expected to be free.</param>
public sealed record Reserved(IReadOnlyList<int> Nodes, TimeSpan At);
