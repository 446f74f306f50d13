using Puces.Core.Jobs;
using Puces.Core.Units;

namespace Puces.Core.Replay;

/// <summary>One job of a recorded history.</summary>
/// <param name="Submitted">Since the beginning of the trace's own clock.</param>
/// <param name="Duration">How long it ran once started; null where the trace does not say.</param>
/// <param name="MilliGpus">Thousandths of a device, over the whole gang; below 1000 it is a share of one device.</param>
/// <param name="Accelerator">The model it asked for, or several with <c>|</c> between; empty for any.</param>
/// <param name="Project">Who shares; empty where the trace does not say, as with the texts after it.</param>
/// <param name="Status">How it ended, in the trace's own word.</param>
/// <param name="MilliCpus">Over the whole gang; zero where unknown.</param>
/// <param name="Memory">Over the whole gang; zero where unknown.</param>
public sealed record TraceJob(
    string Id, TimeSpan Submitted, TimeSpan? Duration, int MilliGpus, string Accelerator = "", string Project = "", string Owner = "",
    string Name = "", string Status = "", int MilliCpus = 0, Memory Memory = default)
{
    /// <summary>All that it asked for, where that is known: it takes the place of devices, model, CPUs and memory.</summary>
    public Request? Request { get; init; }

    public int Priority { get; init; }

    /// <summary>It may be stopped for another, and goes on later.</summary>
    public bool CanYield { get; init; } = true;

    /// <summary>The longest that one attempt may run; null for ever.</summary>
    public TimeSpan? Limit { get; init; }

    /// <summary>What its owner expected.</summary>
    public TimeSpan? Expected { get; init; }

    /// <summary>How each attempt went, where that was recorded: the sum of what they held is the duration.</summary>
    public IReadOnlyList<TraceAttempt>? Attempts { get; init; }

    /// <summary>How long it was without devices between its submission and its end, where that was recorded.</summary>
    public TimeSpan? Waited { get; init; }
}

/// <summary>One try at running a job, as it was recorded.</summary>
/// <param name="Held">From the decision to start it until what it held was free again.</param>
/// <param name="Worked">Of that, since all of its ranks ran.</param>
/// <param name="Kept">Of that, what a checkpoint kept for the next attempt.</param>
/// <param name="Leaving">Of what it held, since it was told to leave its devices to another; null where it ended by itself.</param>
/// <param name="Pause">How long the job was held back after it, where others followed.</param>
/// <param name="SavesEvery">How long from one checkpoint to the next; null where it wrote none.</param>
public readonly record struct TraceAttempt(TimeSpan Held, TimeSpan Worked, TimeSpan Kept, TimeSpan? Leaving = null, TimeSpan Pause = default, TimeSpan? SavesEvery = null);
