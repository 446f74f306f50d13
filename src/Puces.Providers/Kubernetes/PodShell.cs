namespace Puces.Providers.Kubernetes;

/// <summary>The way into a pod of a lease: the runner is brought by exec, and started by it.</summary>
internal sealed class PodShell : INodeShell
{
    private readonly ApiServer _api;
    private readonly CarriedRunner _runner;
    private readonly Func<CancellationToken, Task<string>> _pod;
    private readonly string _lasting;

    /// <param name="pod">Finds the pod's name.</param>
    /// <param name="lasting">Where a pool's shared folder keeps our files, in the pod; null where it has none.</param>
    public PodShell(ApiServer api, string node, Func<CancellationToken, Task<string>> pod, string? lasting, string runner)
    {
        (_api, _pod) = (api, pod);
        _lasting = lasting is null ? "" : $"mkdir -p {CarriedRunner.Quoted(lasting)}; export PUCES_SHARED={CarriedRunner.Quoted(lasting)}; ";
        _runner = new(StartAsync, (code, said) => Trouble(node, code, said), LeaseObjects.Folder, runner);
    }

    public bool SharesBlobs => false;

    public async Task<INodeProcess> StartAsync(IReadOnlyList<string> command, CancellationToken ct)
    {
        // The pod's own script must find the runner too, when the pod is told to end.
        var process = (PodProcess)await _runner.StartAsync(
            $"echo \"$r\" > \"$d/runner.$$\"; mv \"$d/runner.$$\" \"$d/runner\"; {_lasting}exec \"$r\" framed {string.Join(' ', command.Select(CarriedRunner.Quoted))} --root \"$d/node\" --blobs \"$d/blobs\"", ct);
        process.Frame();
        return process;
    }

    private async Task<INodeProcess> StartAsync(string script, CancellationToken ct) => await _api.ExecAsync(await _pod(ct), script, ct);

    private static ProviderException Trouble(string node, int code, string said) =>
        said.Contains("GLIBC_", StringComparison.Ordinal) || said.Contains("not found", StringComparison.Ordinal)
            ? new(Remedy.Elsewhere, $"the runner does not start in the image of {node}: {said.Trim()}", "an image needs sh, coreutils, and glibc 2.34 or newer: Debian 12, Ubuntu 22.04, RHEL 9 or later")
            : new(Remedy.Retry, $"{node}: {(said.Trim().Split('\n')[^1] is { Length: > 0 } last ? last : $"a command ended with exit code {code}")}");
}
