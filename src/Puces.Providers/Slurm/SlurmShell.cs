using Puces.Core.Market;

namespace Puces.Providers.Slurm;

/// <summary>The way to a node of a lease. Files are brought to the folder that all of them share.</summary>
/// <param name="number">The node's rank in the lease.</param>
/// <param name="isOver">The lease has ended: only what its node has left is there.</param>
internal sealed class SlurmShell(SlurmLogin login, LeaseId lease, int number, bool isOver) : INodeShell
{
    public bool SharesBlobs => false;

    public Task<INodeProcess> StartAsync(IReadOnlyList<string> command, CancellationToken ct) =>
        login.StartRunnerAsync(SlurmScripts.Node(lease.Value, number, isOver, command is ["agent"], string.Join(' ', command.Select(CarriedRunner.Quoted))), ct);
}
