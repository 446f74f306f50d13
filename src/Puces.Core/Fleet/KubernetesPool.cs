namespace Puces.Core.Fleet;

/// <summary>A namespace of a Kubernetes cluster. What is null is left to the cluster's own defaults.</summary>
/// <param name="Kubeconfig">File with the way in; null for <c>KUBECONFIG</c> and <c>~/.kube/config</c>, and inside a cluster for its service account.</param>
/// <param name="Context">Of that file; null for its current one.</param>
/// <param name="Namespace">Null for the context's own.</param>
/// <param name="Image">What jobs run in that name none.</param>
/// <param name="Pull">When the image is pulled: <c>Always</c>, <c>IfNotPresent</c> or <c>Never</c>.</param>
/// <param name="ServiceAccount">As whom pods run.</param>
/// <param name="RuntimeClass">How pods are run, such as <c>nvidia</c>.</param>
/// <param name="Queue">A local queue of Kueue that lets gangs in.</param>
/// <param name="Tolerations">Taints that pods tolerate beside those of devices, as <c>key=value:effect</c>; value and effect may be left out.</param>
/// <param name="NodeSelector">Labels that a node must have.</param>
/// <param name="Patch">A JSON merge patch (RFC 7396) on the spec of each pod, as text.</param>
/// <param name="Shared">What all pods see, for checkpoints: the name of a persistent volume claim, or a path from <c>/</c> on that all nodes have.</param>
/// <param name="Labels">Labels of each pod, for quotas and bills.</param>
public sealed record KubernetesPool(
    string? Kubeconfig = null, string? Context = null, string? Namespace = null, string? Image = null, string? Pull = null, string? ServiceAccount = null,
    string? RuntimeClass = null, string? Queue = null, IReadOnlyList<string>? Tolerations = null, IReadOnlyDictionary<string, string>? NodeSelector = null,
    string? Patch = null, string? Shared = null, IReadOnlyDictionary<string, string>? Labels = null);
