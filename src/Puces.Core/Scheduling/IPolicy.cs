namespace Puces.Core.Scheduling;

/// <summary>
/// The order of the line. A policy answers questions and keeps nothing but what it learned; the <see cref="Scheduler"/> places, reserves
/// and stops. How to write one is told in <c>docs/write-a-policy.md</c>.
/// </summary>
public interface IPolicy
{
    string Name { get; }

    /// <summary>Where the claim stands: smaller goes first, ties go to the lower number. Whole numbers: one input, one order.</summary>
    long Rank(Claim claim, TimeSpan now);

    /// <summary>A claim's rank never changes while it waits. Where it may, the head of each group is ranked anew in each pass.</summary>
    bool IsSteady => true;

    /// <summary>Where ranks are not steady: one changes while its claim waits only at a tick, or when the <see cref="History"/> has learned something. Else none is ranked anew.</summary>
    bool RanksByHistory => false;

    /// <summary>The first that does not fit blocks all behind it. Otherwise others go on where they delay no reservation.</summary>
    bool IsStrict => false;

    /// <summary>The project that has used least goes first, and ranks count only inside a project.</summary>
    bool SharesByProject => false;

    /// <summary>
    /// Claims of one priority, project and shape that have also this in common go in the order in which they came, whatever time brings:
    /// only the first of them is ranked. Ignored where ranks are steady.
    /// </summary>
    long GroupOf(Claim claim) => 0;

    /// <summary>It asks the <see cref="History"/>, which is then kept.</summary>
    bool Learns => Reserves || Stops;

    /// <summary>The first that do not fit have nodes reserved. Otherwise whoever fits goes.</summary>
    bool Reserves => false;

    /// <summary>It may have those that hold stopped.</summary>
    bool Stops => false;

    /// <summary>Whether one that waits may have one that holds stopped; where it shares by project, asked of those of one project and priority.</summary>
    bool MayStop(Claim holding, Claim waiting, TimeSpan now) => false;

    /// <summary>
    /// Whether anybody whose rank is at most this could be stopped for one that waits; where not, <see cref="MayStop"/> is not asked. It saves time, and
    /// decides nothing.
    /// </summary>
    bool Reaches(long rank, Claim waiting, TimeSpan now) => true;

    /// <summary>Time has passed, or the first tick has come: the moment to look at everybody.</summary>
    void Look(Scheduler scheduler, TimeSpan now) { }

    /// <summary>A claim has come.</summary>
    void Arrived(Claim claim) { }

    /// <summary>A claim has ended, having worked this long in all; null where it was cancelled before it began.</summary>
    void Ended(Claim claim, TimeSpan? worked, TimeSpan now) { }

    /// <summary>What it keeps of its own, as text to be stored; null where that is as at the last call.</summary>
    string? TakeKept() => null;

    /// <summary>What was kept before this policy was made. Called before anything else.</summary>
    void Load(string kept) { }

    /// <summary>How long until time alone may change what is decided while somebody waits; null for never.</summary>
    TimeSpan? Tick => null;
}
