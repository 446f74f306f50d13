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
    string Name = "", string Status = "", int MilliCpus = 0, Memory Memory = default);
