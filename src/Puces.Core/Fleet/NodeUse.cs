using Puces.Core.Jobs;
using Puces.Core.Units;

namespace Puces.Core.Fleet;

/// <summary>A node and what is free on it now.</summary>
/// <param name="Free">Indices of healthy devices that nobody holds, in order.</param>
/// <param name="Jobs">Who holds something of it, in job order.</param>
/// <param name="Shared">Healthy devices that are held in parts, in order, with what is left of each; null where none is.</param>
public sealed record NodeUse(
    Node Node, IReadOnlyList<int> Free, int FreeMilliCpus, Memory FreeMemory, IReadOnlyList<JobId> Jobs, IReadOnlyList<SharedDevice>? Shared = null);

/// <summary>A device that is held in parts.</summary>
/// <param name="Left">Thousandths of it that nobody holds.</param>
public readonly record struct SharedDevice(int Index, int Left);
