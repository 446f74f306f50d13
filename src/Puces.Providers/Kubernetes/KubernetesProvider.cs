using System.Net;
using k8s;
using k8s.Autorest;
using k8s.Models;
using Puces.Core.Fleet;
using Puces.Core.Market;

namespace Puces.Providers.Kubernetes;

/// <summary>
/// A namespace of a Kubernetes cluster. A lease is a gang of pods with one owner, so that all of them go with it; nothing but our own runner runs in them, and
/// it is spoken with by exec. That an object of the API server is gone is Kubernetes' own word that its processes are (Kubernetes documentation, "Force Delete
/// StatefulSet Pods": a pod leaves when its node has confirmed its end, or when somebody vouches for that).
/// </summary>
/// <param name="runner">The native <c>puces-runner</c>.</param>
/// <param name="instance">Keeps the objects of several daemons in one namespace apart.</param>
public sealed class KubernetesProvider(Pool pool, string runner, string instance, TimeProvider clock) : IProvider
{
    /// <summary>The first version whose Indexed Jobs and suspended Jobs are there without being asked for.</summary>
    internal const int IndexedJobs = 22;

    private readonly ApiServer _api = new(pool.Kubernetes!);
    private readonly LeaseNames _names = new(instance, pool.Name);
    private bool? _hasIndexedJobs;

    private KubernetesPool Kubernetes => pool.Kubernetes!;

    public string Name => "kubernetes";

    /// <summary>One for each model of device, and one for the nodes without.</summary>
    public async Task<IReadOnlyList<Offer>> OffersAsync(CancellationToken ct) => (await NodesAsync(ct)).Offers(clock.GetUtcNow());

    /// <summary>Makes the owner, the service and the pods, each unless it is there: what was begun before is gone on with.</summary>
    public async Task<Lease> AcquireAsync(LeaseRequest request, CancellationToken ct)
    {
        var name = _names.Name(request.Id);
        if ((request.Image ?? Kubernetes.Image) is not { Length: > 0 } image)
            throw new ProviderException(Remedy.Ask, $"the job names no image, and neither does pool {pool.Name}", "write image: in the job file, or give the pool one: --image");
        var objects = new LeaseObjects(Kubernetes, _names, request, image, (await NodesAsync(ct)).ShareFor(request));
        try
        {
            if (await HasIndexedJobsAsync(ct))
            {
                var job = await MakeAsync("create a job", c => c.BatchV1.CreateNamespacedJobAsync(objects.IndexedJob(), _api.Namespace, cancellationToken: ct), c => c.BatchV1.ReadNamespacedJobAsync(name, _api.Namespace, cancellationToken: ct), ct);
                await MakeServiceAsync(objects, Owner(job.Metadata, "batch/v1", "Job"), request, ct);
            }
            else
            {
                var map = await MakeAsync("create a config map", c => c.CoreV1.CreateNamespacedConfigMapAsync(objects.ConfigMap(), _api.Namespace, cancellationToken: ct), c => c.CoreV1.ReadNamespacedConfigMapAsync(name, _api.Namespace, cancellationToken: ct), ct);
                if (!LeaseOwner.Of(map).IsMade)
                {
                    var owner = Owner(map.Metadata, "v1", "ConfigMap");
                    await MakeServiceAsync(objects, owner, request, ct);
                    for (var rank = 0; rank < request.Nodes; rank++)
                    {
                        var pod = objects.Pod(rank, owner);
                        await MakeAsync("create a pod", c => c.CoreV1.CreateNamespacedPodAsync(pod, _api.Namespace, cancellationToken: ct), _ => Task.FromResult(pod), ct);
                    }
                    map.Data = new Dictionary<string, string> { [LeaseObjects.IsMade] = "true" };
                    await _api.AskAsync("change a config map", c => c.CoreV1.ReplaceNamespacedConfigMapAsync(map, name, _api.Namespace, cancellationToken: ct), ct);
                }
            }
        }
        catch (ProviderException e) when (e.Remedy is not Remedy.Retry)
        {
            // A part of a gang is of no use to anybody.
            await ReleaseAsync(request.Id, ct);
            throw;
        }
        return (await ObserveAsync(ct)).FirstOrDefault(l => l.Id == request.Id) ?? new(request.Id, LeaseState.Ended, [], "it was given back");
    }

    /// <summary>By one list of owners and one of pods; where a pod waits for its container, one of warnings. What is left of a gang that is not whole any more is ended.</summary>
    public async Task<IReadOnlyList<Lease>> ObserveAsync(CancellationToken ct)
    {
        var owners = await HasIndexedJobsAsync(ct)
            ? (await _api.AskAsync("list jobs", c => c.BatchV1.ListNamespacedJobAsync(_api.Namespace, labelSelector: _names.Ours, cancellationToken: ct), ct)).Items.ToDictionary(j => j.Metadata.Labels[LeaseNames.Lease], LeaseOwner.Of)
            : (await _api.AskAsync("list config maps", c => c.CoreV1.ListNamespacedConfigMapAsync(_api.Namespace, labelSelector: _names.Ours, cancellationToken: ct), ct)).Items.ToDictionary(m => m.Metadata.Labels[LeaseNames.Lease], LeaseOwner.Of);
        var pods = (await PodsAsync(_names.Ours, ct)).ToLookup(p => p.Metadata.Labels[LeaseNames.Lease], StringComparer.Ordinal);
        var warnings = pods.SelectMany(p => p).Any(p => p.Status?.Phase == "Pending" && p.Spec.NodeName is not null) || owners.Any(o => pods[o.Key].Count() < o.Value.Nodes)
            ? await WarningsAsync(ct) : new Dictionary<string, string>();
        var now = clock.GetUtcNow();
        var leases = new List<Lease>();
        foreach (var id in owners.Keys.Union(pods.Select(p => p.Key)).Order(StringComparer.Ordinal))
        {
            // It was given back, and nothing of it runs.
            if (!owners.ContainsKey(id) && pods[id].All(LeaseView.IsOver)) continue;
            var view = new LeaseView(new(id), owners.GetValueOrDefault(id), [.. pods[id]], warnings, now);
            leases.Add(view.Lease);
            foreach (var stray in view.Stray)
                await UnlessGoneAsync("delete a pod", c => c.CoreV1.DeleteNamespacedPodAsync(stray, _api.Namespace, cancellationToken: ct), ct);
        }
        return leases;
    }

    /// <summary>Deletes the owner; the cluster's garbage collector deletes all that it owns.</summary>
    public async Task ReleaseAsync(LeaseId id, CancellationToken ct)
    {
        var name = _names.Name(id);
        if (await HasIndexedJobsAsync(ct)) await UnlessGoneAsync("delete a job", c => c.BatchV1.DeleteNamespacedJobAsync(name, _api.Namespace, propagationPolicy: "Background", cancellationToken: ct), ct);
        else await UnlessGoneAsync("delete a config map", c => c.CoreV1.DeleteNamespacedConfigMapAsync(name, _api.Namespace, propagationPolicy: "Background", cancellationToken: ct), ct);
    }

    public INodeShell ShellTo(Lease lease, LeaseNode node)
    {
        var rank = lease.Nodes.Index().First(n => n.Item.Name == node.Name).Index;
        var lasting = Kubernetes.Shared is null ? null : $"{LeaseObjects.SharedFolder}/puces/{instance}/{pool.Name}";
        return new PodShell(_api, node.Name, PodAsync, lasting, runner);

        async Task<string> PodAsync(CancellationToken ct) =>
            (await PodsAsync(_names.Of(lease.Id), ct)).FirstOrDefault(p => LeaseView.RankOf(p) == rank)?.Metadata.Name
            ?? throw new ProviderException(Remedy.Retry, $"the pod of {node.Name} is gone");
    }

    public IAsyncEnumerable<CheckStep> CheckAsync(CancellationToken ct) => new KubernetesCheck(_api, pool).StepsAsync(ct);

    public ValueTask DisposeAsync()
    {
        _api.Dispose();
        return default;
    }

    private async Task<bool> HasIndexedJobsAsync(CancellationToken ct) => _hasIndexedJobs ??= (await _api.VersionAsync(ct)).Minor >= IndexedJobs;

    private async Task<IList<V1Pod>> PodsAsync(string selector, CancellationToken ct) =>
        (await _api.AskAsync("list pods", c => c.CoreV1.ListNamespacedPodAsync(_api.Namespace, labelSelector: selector, cancellationToken: ct), ct)).Items;

    private async Task<ClusterNodes> NodesAsync(CancellationToken ct)
    {
        var (nodes, pods, _) = await KubernetesCheck.SeenAsync(_api, ct);
        return new(Kubernetes, nodes, pods);
    }

    /// <summary>The newest warning about each object; none where we may not see them.</summary>
    private async Task<IReadOnlyDictionary<string, string>> WarningsAsync(CancellationToken ct)
    {
        try
        {
            var events = await _api.AskAsync("list events", c => c.CoreV1.ListNamespacedEventAsync(_api.Namespace, fieldSelector: "type=Warning", cancellationToken: ct), ct);
            return events.Items.Where(e => e.InvolvedObject?.Name is not null).GroupBy(e => e.InvolvedObject.Name, StringComparer.Ordinal)
                .ToDictionary(g => g.Key, g => g.MaxBy(e => e.LastTimestamp ?? e.EventTime ?? e.Metadata.CreationTimestamp)!.Message, StringComparer.Ordinal);
        }
        catch (ProviderException e) when (e.Remedy is Remedy.Ask)
        {
            return new Dictionary<string, string>();
        }
    }

    private Task MakeServiceAsync(LeaseObjects objects, V1OwnerReference owner, LeaseRequest request, CancellationToken ct)
    {
        if (request.Nodes == 1) return Task.CompletedTask;
        var service = objects.Service(owner);
        return MakeAsync("create a service", c => c.CoreV1.CreateNamespacedServiceAsync(service, _api.Namespace, cancellationToken: ct), _ => Task.FromResult(service), ct);
    }

    private static V1OwnerReference Owner(V1ObjectMeta meta, string version, string kind) => new() { ApiVersion = version, Kind = kind, Name = meta.Name, Uid = meta.Uid };

    /// <summary>Makes an object, or finds the one that was made before under its name.</summary>
    private Task<T> MakeAsync<T>(string what, Func<k8s.Kubernetes, Task<T>> make, Func<k8s.Kubernetes, Task<T>> find, CancellationToken ct) => _api.AskAsync(what, async c =>
    {
        try { return await make(c); }
        catch (HttpOperationException e) when (e.Response.StatusCode is HttpStatusCode.Conflict && e.Response.Content.Contains("AlreadyExists", StringComparison.Ordinal)) { return await find(c); }
    }, ct);

    private Task<bool> UnlessGoneAsync<T>(string what, Func<k8s.Kubernetes, Task<T>> delete, CancellationToken ct) => _api.AskAsync(what, async c =>
    {
        try { await delete(c); }
        catch (HttpOperationException e) when (e.Response.StatusCode is HttpStatusCode.NotFound) { }
        return true;
    }, ct);
}
