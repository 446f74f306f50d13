using Puces.Core.Fleet;
using Puces.Core.Market;
using Puces.Core.Units;

namespace Puces.Providers.Local;

/// <summary>This machine, as one node or, for trials, as several. Its nodes are leases without end.</summary>
/// <param name="runner">The <c>puces-runner</c> of this machine.</param>
/// <param name="folder">Where the nodes keep their jobs, each in a folder of its name.</param>
/// <param name="blobs">The daemon's packed files.</param>
public sealed class LocalProvider(Pool pool, string runner, string folder, string blobs, TimeProvider clock) : IProvider
{
    public string Name => "local";

    public Task<IReadOnlyList<Offer>> OffersAsync(CancellationToken ct) =>
        Task.FromResult<IReadOnlyList<Offer>>([.. pool.NodeNames().Select(n => new Offer(n, null, 0, 0, default(Memory), 1, 0, 1, clock.GetUtcNow()))]);

    public Task<Lease> AcquireAsync(LeaseRequest request, CancellationToken ct) => Task.FromResult(LeaseOf(request.Id.Value));

    public Task<IReadOnlyList<Lease>> ObserveAsync(CancellationToken ct) => Task.FromResult<IReadOnlyList<Lease>>([.. pool.NodeNames().Select(LeaseOf)]);

    public Task ReleaseAsync(LeaseId id, CancellationToken ct) => Task.CompletedTask;

    public INodeShell ShellTo(Lease lease, LeaseNode node) => new Shell(runner, Path.Combine(folder, node.Name), blobs);

    public async IAsyncEnumerable<CheckStep> CheckAsync([System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken ct)
    {
        await Task.CompletedTask;
        yield return File.Exists(runner) ? new("runner", true, runner) : new("runner", false, $"{runner} is not there", "set PUCES_RUNNER to the puces-runner of this machine");
    }

    public ValueTask DisposeAsync() => default;

    private static Lease LeaseOf(string node) => new(new(node), LeaseState.Ready, [new(node)]);

    private sealed class Shell(string runner, string root, string blobs) : INodeShell
    {
        public bool SharesBlobs => true;

        public Task<INodeProcess> StartAsync(IReadOnlyList<string> command, CancellationToken ct)
        {
            var isLibrary = runner.EndsWith(".dll", StringComparison.Ordinal);
            return Task.FromResult<INodeProcess>(OwnProcess.Start(
                isLibrary ? "dotnet" : runner, [.. isLibrary ? [runner] : (string[])[], .. command, "--root", root, "--blobs", blobs]));
        }
    }
}
