using Puces.Core.Jobs;
using Puces.Core.Units;

namespace Puces.Core.Fleet;

/// <summary>A node and what is free on it now.</summary>
/// <param name="Free">Indices of healthy devices that nobody holds, in order.</param>
/// <param name="Jobs">Who holds something of it, in job order.</param>
/// <param name="Shared">Healthy devices that are held in parts, in order, with what is left of each; null where none is.</param>
/// <param name="Closed">The window that it is in; null where it is in none.</param>
/// <param name="Closes">The next window that it comes to; null for none.</param>
public sealed record NodeUse(
    Node Node, IReadOnlyList<int> Free, int FreeMilliCpus, Memory FreeMemory, IReadOnlyList<JobId> Jobs, IReadOnlyList<SharedDevice>? Shared = null,
    Window? Closed = null, Window? Closes = null)
{
    /// <summary>It is up, and in no window.</summary>
    public bool IsOpen => Node.IsUp && Closed is null;
}

/// <summary>A device that is held in parts.</summary>
/// <param name="Left">Thousandths of it that nobody holds.</param>
public readonly record struct SharedDevice(int Index, int Left);
