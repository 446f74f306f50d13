using Puces.Core.Replay;

namespace Puces.Cli.Commands;

/// <summary>What the daemon remembers, as a trace with the pool that it ran on.</summary>
internal static class ReplayHistory
{
    public static Task<(IReadOnlyList<TraceJob> Jobs, IReadOnlyList<NodeGroup> Nodes)> ReadAsync(Tools tools, CancellationToken ct)
    {
        ct.ThrowIfCancellationRequested();
        throw new CommandException($"the history of {tools.Session.User}'s daemon cannot be replayed yet", "puces replay TRACE --nodes 16x8, with a recorded trace");
    }
}
