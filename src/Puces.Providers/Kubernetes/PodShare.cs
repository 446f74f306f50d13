using k8s.Models;

namespace Puces.Providers.Kubernetes;

/// <summary>What each pod of a lease asks for, and which nodes it may run on.</summary>
internal sealed record PodShare(
    IDictionary<string, ResourceQuantity> Requests, IDictionary<string, ResourceQuantity> Limits, V1Affinity? Affinity, IReadOnlyList<V1Toleration> Tolerations);
