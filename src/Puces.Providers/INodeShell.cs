namespace Puces.Providers;

/// <summary>The way to a node: it starts the node's runner there. Nothing listens on the node.</summary>
public interface INodeShell
{
    /// <summary>The daemon's own folder of packed files is the node's: nothing has to be sent.</summary>
    bool SharesBlobs { get; }

    /// <summary>
    /// Starts <c>puces-runner COMMAND</c> on the node, with the node's folders behind it; a runner that is not there is brought first.
    /// </summary>
    /// <param name="command"><c>agent</c>, or <c>receive SHA</c> and the like.</param>
    /// <exception cref="ProviderException">The node cannot be reached, or does not let us in.</exception>
    Task<INodeProcess> StartAsync(IReadOnlyList<string> command, CancellationToken ct);
}

/// <summary>A program that runs on a node, by its standard streams.</summary>
public interface INodeProcess : IAsyncDisposable
{
    Stream Input { get; }
    Stream Output { get; }
    Stream Errors { get; }

    /// <summary>A process of this machine that it is, or that leads to it; null where there is none.</summary>
    int? ProcessId { get; }

    /// <summary>Its exit code, once it has ended.</summary>
    Task<int> WaitAsync(CancellationToken ct);

    /// <summary>Ends it at once: itself, never what it has started.</summary>
    void Kill();
}
