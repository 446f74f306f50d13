using System.Globalization;
using k8s.Models;
using Puces.Core.Fleet;
using Puces.Core.Market;
using Puces.Core.Units;

namespace Puces.Providers.Kubernetes;

/// <summary>A node that could serve.</summary>
/// <param name="Kind">What an offer calls nodes like it.</param>
/// <param name="Resource">What its devices are asked for by; null where it has none.</param>
/// <param name="Usable">Thousandths of a CPU and bytes that are left beside what runs on every node.</param>
internal sealed record ClusterNode(string Name, string Kind, string? Resource, (string Key, string Value)? Product, int Devices, int Taken, bool IsIdle, (int MilliCpus, long Memory) Usable)
{
    public string? Model => Resource is null ? null : Accelerators.ModelIn(Product?.Value ?? "") is { } named ? named : "GPU";
}

/// <summary>The nodes of a cluster as offers, and what pods have to ask for so that they come to those of one.</summary>
internal sealed class ClusterNodes
{
    /// <summary>What device plug-ins call their devices.</summary>
    public static readonly IReadOnlyList<string> Resources = ["nvidia.com/gpu", "amd.com/gpu", "gpu.intel.com/xe", "gpu.intel.com/i915"];

    /// <summary>Labels that name a model, those of the vendors' feature discovery first, then those of clouds.</summary>
    public static readonly IReadOnlyList<string> ProductLabels =
        ["nvidia.com/gpu.product", "amd.com/gpu.product-name", "gpu.intel.com/product", "cloud.google.com/gke-accelerator", "karpenter.k8s.aws/instance-gpu-name", "node.kubernetes.io/gpu-model"];

    private const string NoDevices = "cpu";

    private readonly KubernetesPool _pool;
    private readonly IReadOnlyList<V1Node> _all;

    /// <param name="pods">Those that have not ended; of all namespaces where we may see them.</param>
    public ClusterNodes(KubernetesPool pool, IReadOnlyList<V1Node> nodes, IReadOnlyList<V1Pod> pods)
    {
        (_pool, _all) = (pool, nodes);
        var on = pods.Where(p => p.Spec.NodeName is not null).ToLookup(p => p.Spec.NodeName, StringComparer.Ordinal);
        Serving = [.. nodes.Where(Serves).Select(n => NodeOf(n, [.. on[n.Metadata.Name]])).OrderBy(n => n.Name, StringComparer.Ordinal)];
    }

    /// <summary>Those that take pods of ours.</summary>
    public IReadOnlyList<ClusterNode> Serving { get; }

    /// <summary>One for each model, and one for the nodes without devices.</summary>
    public IReadOnlyList<Offer> Offers(DateTimeOffset now)
    {
        if (Serving.Count == 0) return [new(NoDevices, null, 0, 0, default(Memory), 0, 0, 0, now, Problem: WhyNone())];
        return [.. Serving.GroupBy(n => n.Kind).OrderBy(g => g.First().Resource is null).ThenBy(g => g.Key, StringComparer.Ordinal).Select(g => new Offer(
            g.Key, g.First().Model, g.Max(n => n.Devices), g.Min(n => n.Usable.MilliCpus), new(g.Min(n => n.Usable.Memory)), g.Count(),
            g.Sum(n => Math.Max(0, n.Devices - n.Taken)), g.Count(n => n.IsIdle), now))];
    }

    /// <summary>What each pod of a request asks for. Where the request leaves open how much, it is the part of a node that goes with its devices.</summary>
    /// <exception cref="ProviderException">There are no such nodes.</exception>
    public PodShare ShareFor(LeaseRequest request)
    {
        var nodes = Serving.Where(n => n.Kind == request.Kind && n.Devices >= request.Devices).ToList();
        if (nodes.Count == 0) throw new ProviderException(Remedy.Elsewhere, $"the cluster has no nodes {request.Kind} with {request.Devices} devices that take pods of ours", "kubectl get nodes shows those that there are");
        var (resource, product) = (nodes[0].Resource, nodes[0].Product);
        var (part, of) = request.Devices > 0 ? (request.Devices, nodes.Max(n => n.Devices)) : (0, 1);
        var cpus = request.MilliCpus > 0 ? request.MilliCpus : request.Devices > 0 ? Math.Max(1, nodes.Min(n => n.Usable.MilliCpus) * part / of) : 1000;
        var requests = new Dictionary<string, ResourceQuantity> { ["cpu"] = new($"{Text(cpus)}m") };
        var limits = new Dictionary<string, ResourceQuantity>();
        var memory = request.Memory.Bytes > 0 ? request.Memory.Bytes : nodes.Min(n => n.Usable.Memory) * part / of;
        if (memory > 0) requests["memory"] = new(Text(memory));
        if (request.Memory.Bytes > 0) limits["memory"] = requests["memory"];
        if (request.Devices > 0) requests[resource!] = limits[resource!] = new(Text(request.Devices));
        return new(requests, limits, resource is null ? null : Affinity(product), Tolerations(request.Devices > 0 ? resource : null));
    }

    private IReadOnlyList<V1Toleration> Tolerations(string? resource) =>
    [
        .. (_pool.Tolerations ?? []).Select(Toleration),
        // As the admission controller ExtendedResourceToleration would add where it is on.
        .. resource is null ? (IEnumerable<V1Toleration>)[] : [new() { Key = resource, OperatorProperty = "Exists" }],
    ];

    // To nodes of the model that was offered; where none is named, to those that name none.
    private static V1Affinity Affinity((string Key, string Value)? product) => new()
    {
        NodeAffinity = new()
        {
            RequiredDuringSchedulingIgnoredDuringExecution = new()
            {
                NodeSelectorTerms =
                [
                    new()
                    {
                        MatchExpressions = product is { } named
                            ? [new() { Key = named.Key, OperatorProperty = "In", Values = [named.Value] }]
                            : [.. ProductLabels.Select(l => new V1NodeSelectorRequirement { Key = l, OperatorProperty = "DoesNotExist" })],
                    },
                ],
            },
        },
    };

    private bool Serves(V1Node node) =>
        IsReady(node) && node.Spec?.Unschedulable is not true && (_pool.NodeSelector ?? new Dictionary<string, string>()).All(l => node.Metadata.Labels?.TryGetValue(l.Key, out var value) == true && value == l.Value)
        && (node.Spec?.Taints ?? []).All(t => t.Effect == "PreferNoSchedule" || Tolerations(ResourceOf(node)).Any(o => Tolerates(o, t)));

    private string WhyNone()
    {
        if (_all.Count == 0) return "the cluster has no nodes";
        if (!_all.Any(IsReady)) return $"none of its {Text(_all.Count)} nodes is ready";
        var tainted = _all.SelectMany(n => n.Spec?.Taints ?? []).FirstOrDefault(t => t.Effect != "PreferNoSchedule");
        return $"none of its {Text(_all.Count)} nodes takes pods of ours: they are cordoned, have other labels than node_selector, or taints that tolerations does not name" + (tainted is null ? "" : $", such as {tainted.Key}={tainted.Value}:{tainted.Effect}");
    }

    private static bool IsReady(V1Node node) => node.Status?.Conditions?.Any(c => c.Type == "Ready" && c.Status == "True") == true;

    private static string? ResourceOf(V1Node node) => Resources.FirstOrDefault(r => Amount(node.Status?.Allocatable, r) > 0);

    private static ClusterNode NodeOf(V1Node node, IReadOnlyList<V1Pod> pods)
    {
        var resource = ResourceOf(node);
        var product = ProductLabels.Select(l => (Key: l, Value: node.Metadata.Labels?.TryGetValue(l, out var value) == true ? value : "")).FirstOrDefault(l => l.Value.Length > 0);
        (string, string)? named = resource is not null && product.Value is { Length: > 0 } ? product : null;
        var (everywhere, others) = (pods.Where(IsOnEveryNode).ToList(), pods.Where(p => !IsOnEveryNode(p)).ToList());
        var devices = resource is null ? 0 : (int)Amount(node.Status.Allocatable, resource);
        var taken = resource is null ? 0 : (int)others.Sum(p => Asked(p, resource));
        long Left(string what) => (long)Math.Max(0, Amount(node.Status.Allocatable, what) - everywhere.Sum(p => Asked(p, what)));
        decimal MilliLeft() => Math.Max(0, Amount(node.Status.Allocatable, "cpu") - everywhere.Sum(p => Asked(p, "cpu"))) * 1000;
        return new(
            node.Metadata.Name, resource is null ? NoDevices : named is { } n ? n.Item2 : resource, resource, named, devices, taken,
            resource is null ? others.Count == 0 : taken == 0, ((int)MilliLeft(), Left("memory")));
    }

    /// <summary>Pods of a daemon set, and those that a node runs of its own accord: they do not go when others come.</summary>
    private static bool IsOnEveryNode(V1Pod pod) => pod.Metadata.OwnerReferences?.Any(o => o.Kind is "DaemonSet" or "Node") == true;

    /// <summary>What a pod keeps of a resource: all of its containers together, or the greatest of those that run before them.</summary>
    private static decimal Asked(V1Pod pod, string resource) => Math.Max(
        (pod.Spec.Containers ?? []).Sum(c => Amount(c.Resources?.Requests, resource)),
        (pod.Spec.InitContainers ?? []).Select(c => Amount(c.Resources?.Requests, resource)).DefaultIfEmpty().Max());

    private static decimal Amount(IDictionary<string, ResourceQuantity>? amounts, string resource) =>
        amounts is not null && amounts.TryGetValue(resource, out var amount) ? amount.ToDecimal() : 0;

    /// <summary>As <c>key=value:effect</c>, of which value and effect may be left out.</summary>
    internal static V1Toleration Toleration(string text)
    {
        var (rest, effect) = text.LastIndexOf(':') is >= 0 and var colon ? (text[..colon], text[(colon + 1)..]) : (text, null);
        return rest.Split('=', 2) is [var key, var value] ? new() { Key = key, OperatorProperty = "Equal", Value = value, Effect = effect } : new() { Key = rest, OperatorProperty = "Exists", Effect = effect };
    }

    private static bool Tolerates(V1Toleration toleration, V1Taint taint) =>
        (toleration.Effect is null || toleration.Effect == taint.Effect) && toleration.Key == taint.Key && (toleration.OperatorProperty == "Exists" || toleration.Value == (taint.Value ?? ""));

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);
}
