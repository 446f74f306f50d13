using System.Globalization;
using k8s;
using Puces.Core.Fleet;

namespace Puces.Providers.Kubernetes;

/// <summary>The way to a cluster's API server, as a kubeconfig or the service account of our own pod describes it.</summary>
internal sealed class ApiServer(KubernetesPool pool) : IDisposable
{
    // An answer that takes longer is none: the loop comes round again.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly Lock _gate = new();
    private KubernetesClientConfiguration? _way;
    private k8s.Kubernetes? _client;

    /// <summary>As a person would name it; the way must be known.</summary>
    public string Name => Way.Host;

    /// <summary>Where our objects are made.</summary>
    public string Namespace => pool.Namespace ?? (Way.Namespace is { Length: > 0 } own ? own : "default");

    /// <summary>The kubeconfig's context that is used; null inside a cluster.</summary>
    public string? Context => Way.CurrentContext;

    /// <summary>Begins with <c>kubectl</c>, and goes the same way as we do.</summary>
    public string Kubectl(string words) =>
        "kubectl" + (pool.Kubeconfig is { } file ? $" --kubeconfig {file}" : "") + (pool.Context is { } context ? $" --context {context}" : "") + $" -n {Namespace} {words}";

    private KubernetesClientConfiguration Way
    {
        get
        {
            lock (_gate) return _way ??= Find();
        }
    }

    private k8s.Kubernetes Client
    {
        get
        {
            var way = Way;
            lock (_gate) return _client ??= new(way);
        }
    }

    /// <summary>One call to the API server.</summary>
    /// <param name="what">Such as <c>list nodes</c>, for people.</param>
    /// <exception cref="ProviderException">It was refused, or nobody answered.</exception>
    public async Task<T> AskAsync<T>(string what, Func<k8s.Kubernetes, Task<T>> ask, CancellationToken ct)
    {
        var client = Client;
        try
        {
            return await ask(client);
        }
        catch (Exception e) when (e is not ProviderException && !ct.IsCancellationRequested)
        {
            throw KubernetesTrouble.Of(what, Name, e, Kubectl);
        }
    }

    /// <summary>The server's version: 1.20 is 20.</summary>
    public async Task<(int Minor, string Text)> VersionAsync(CancellationToken ct)
    {
        var version = await AskAsync("ask for the version", c => c.Version.GetCodeAsync(ct), ct);
        // Some add a plus.
        return (int.Parse(version.Minor.TrimEnd('+'), CultureInfo.InvariantCulture), version.GitVersion);
    }

    /// <summary>A program in the container of a pod, by a WebSocket.</summary>
    public async Task<PodProcess> ExecAsync(string pod, string script, CancellationToken ct)
    {
        var socket = await AskAsync($"run a command in pod {pod}", c => c.WebSocketNamespacedPodExecAsync(
            pod, Namespace, ["/bin/sh", "-c", script], LeaseObjects.Container, stderr: true, stdin: true, stdout: true, tty: false, WebSocketProtocol.V4BinaryWebsocketProtocol, null, ct), ct);
        return new(socket);
    }

    public void Dispose() => _client?.Dispose();

    private KubernetesClientConfiguration Find()
    {
        try
        {
            var file = pool.Kubeconfig is { } named ? Tilde(named) : Environment.GetEnvironmentVariable("KUBECONFIG") is { Length: > 0 } set ? set.Split(Path.PathSeparator)[0] : Tilde("~/.kube/config");
            var isInCluster = pool is { Kubeconfig: null, Context: null } && !File.Exists(file) && KubernetesClientConfiguration.IsInCluster();
            if (!isInCluster && !File.Exists(file)) throw new FileNotFoundException("there is no such file", file);
            var way = isInCluster ? KubernetesClientConfiguration.InClusterConfig() : KubernetesClientConfiguration.BuildConfigFromConfigFile(new FileInfo(file), pool.Context);
            way.HttpClientTimeout = Patience;
            return way;
        }
        catch (Exception e)
        {
            throw KubernetesTrouble.OfConfiguration(e, pool);
        }
    }

    private static string Tilde(string path) =>
        path.StartsWith("~/", StringComparison.Ordinal) ? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), path[2..]) : path;
}
