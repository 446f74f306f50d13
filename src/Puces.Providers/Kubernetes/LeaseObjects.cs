using System.Globalization;
using System.Text.Json.Nodes;
using k8s;
using k8s.Models;
using Puces.Core.Fleet;
using Puces.Core.Market;

namespace Puces.Providers.Kubernetes;

/// <summary>
/// The objects that a lease is made of: an owner, which all others go with; a headless service, by which the pods of a gang find each other's names; and a pod
/// for each rank. Where the server has Indexed Jobs, one is the owner and makes the pods; before, the owner is a config map, and we make them.
/// </summary>
/// <param name="image">What the pods run.</param>
/// <param name="share">What each pod asks for, and where it may run.</param>
internal sealed class LeaseObjects(KubernetesPool pool, LeaseNames names, LeaseRequest request, string image, PodShare share)
{
    public const string Container = "puces", Folder = "/puces", SharedFolder = "/puces-shared";

    /// <summary>Annotations of the owner.</summary>
    public const string Nodes = "puces/nodes", Job = "puces/job";

    /// <summary>The key of a config map that says that all pods were made: one that is not there was deleted then.</summary>
    public const string IsMade = "made";

    // What a runner needs to notice the end, and the daemon to hear of it, beside the time in which jobs save themselves.
    private static readonly TimeSpan Farewell = TimeSpan.FromSeconds(30), Unheard = TimeSpan.FromMinutes(10);

    private V1ObjectMeta Meta(V1OwnerReference? owner, string? name = null) => new()
    {
        Name = name ?? names.Name(request.Id),
        Labels = (pool.Labels ?? new Dictionary<string, string>()).Concat(names.Labels(request.Id)).GroupBy(l => l.Key).ToDictionary(g => g.Key, g => g.Last().Value),
        OwnerReferences = owner is null ? null : [owner],
    };

    private V1ObjectMeta OwnerMeta()
    {
        var meta = Meta(null);
        meta.Annotations = new Dictionary<string, string> { [Nodes] = Text(request.Nodes), [Job] = request.Name };
        return meta;
    }

    /// <summary>The owner where there are no Indexed Jobs.</summary>
    public V1ConfigMap ConfigMap() => new() { Metadata = OwnerMeta() };

    /// <summary>The owner that makes the pods. One pod that fails fails the gang; Kueue lets in what names a queue.</summary>
    public V1Job IndexedJob()
    {
        var meta = OwnerMeta();
        if (pool.Queue is { } queue) meta.Labels["kueue.x-k8s.io/queue-name"] = queue;
        return new()
        {
            Metadata = meta,
            Spec = new()
            {
                CompletionMode = "Indexed",
                Completions = request.Nodes,
                Parallelism = request.Nodes,
                BackoffLimit = 0,
                Suspend = pool.Queue is null ? null : true,
                Template = new() { Metadata = new() { Labels = Meta(null).Labels }, Spec = PodSpec() },
            },
        };
    }

    public V1Service Service(V1OwnerReference owner) => new()
    {
        Metadata = Meta(owner),
        Spec = new() { ClusterIP = "None", Selector = names.Labels(request.Id), PublishNotReadyAddresses = true },
    };

    public V1Pod Pod(int rank, V1OwnerReference owner)
    {
        var meta = Meta(owner, names.PodName(request.Id, rank));
        meta.Annotations = new Dictionary<string, string> { [LeaseNames.Rank] = Text(rank), [Job] = request.Name };
        var spec = PodSpec();
        spec.Hostname = meta.Name;
        return new() { Metadata = meta, Spec = spec };
    }

    private V1PodSpec PodSpec()
    {
        var spec = new V1PodSpec
        {
            RestartPolicy = "Never",
            Subdomain = names.Name(request.Id),
            TerminationGracePeriodSeconds = Seconds(request.Grace + Farewell),
            // The runner ends attempts at their limit; this is for what goes wrong.
            ActiveDeadlineSeconds = request.Limit is { } limit ? Seconds(limit + request.Grace + Unheard) : null,
            ServiceAccountName = pool.ServiceAccount,
            AutomountServiceAccountToken = pool.ServiceAccount is not null,
            EnableServiceLinks = false,
            RuntimeClassName = pool.RuntimeClass,
            NodeSelector = pool.NodeSelector is { Count: > 0 } labels ? labels.ToDictionary() : null,
            Affinity = share.Affinity,
            Tolerations = [.. share.Tolerations],
            Containers =
            [
                new()
                {
                    Name = Container,
                    Image = image,
                    ImagePullPolicy = pool.Pull,
                    Command = ["/bin/sh", "-c", PodScript.Main, "sh", Folder, request.Term is { } term ? Text(Seconds(term + Unheard)) : "0"],
                    Env =
                    [
                        new() { Name = "PUCES_IMAGE", Value = image },
                        new() { Name = "PUCES_ADDRESS", ValueFrom = new() { FieldRef = new() { FieldPath = "status.podIP" } } },
                    ],
                    Resources = new() { Requests = share.Requests, Limits = share.Limits },
                    VolumeMounts =
                    [
                        new() { Name = "puces", MountPath = Folder },
                        // Workers of data loaders and NCCL use more of it than the 64 MB that a container has.
                        new() { Name = "memory", MountPath = "/dev/shm" },
                    ],
                },
            ],
            Volumes = [new() { Name = "puces", EmptyDir = new() }, new() { Name = "memory", EmptyDir = new() { Medium = "Memory" } }],
        };
        if (pool.Shared is { } shared)
        {
            spec.Volumes.Add(shared.StartsWith('/')
                ? new() { Name = "shared", HostPath = new() { Path = shared, Type = "DirectoryOrCreate" } }
                : new() { Name = "shared", PersistentVolumeClaim = new() { ClaimName = shared } });
            spec.Containers[0].VolumeMounts.Add(new() { Name = "shared", MountPath = SharedFolder });
        }
        if (pool.Patch is null) return spec;
        var patched = Merged(JsonNode.Parse(KubernetesJson.Serialize(spec)), JsonNode.Parse(pool.Patch));
        return KubernetesJson.Deserialize<V1PodSpec>(patched!.ToJsonString());
    }

    /// <summary>A JSON merge patch (RFC 7396, section 2).</summary>
    internal static JsonNode? Merged(JsonNode? target, JsonNode? patch)
    {
        if (patch is not JsonObject changes) return patch?.DeepClone();
        var merged = target is JsonObject ? (JsonObject)target.DeepClone() : [];
        foreach (var (key, value) in changes)
            if (value is null) merged.Remove(key);
            else merged[key] = Merged(merged[key], value);
        return merged;
    }

    private static long Seconds(TimeSpan time) => (long)Math.Ceiling(time.TotalSeconds);

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);
}
