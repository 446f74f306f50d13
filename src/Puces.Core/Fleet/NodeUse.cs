using Puces.Core.Jobs;
using Puces.Core.Units;

namespace Puces.Core.Fleet;

/// <summary>A node and what is free on it now.</summary>
/// <param name="Free">Indices of healthy devices that nobody holds, in order.</param>
/// <param name="Jobs">Who holds something of it, in job order.</param>
public sealed record NodeUse(Node Node, IReadOnlyList<int> Free, int FreeMilliCpus, Memory FreeMemory, IReadOnlyList<JobId> Jobs);
