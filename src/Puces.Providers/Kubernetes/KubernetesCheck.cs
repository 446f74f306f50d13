using System.Globalization;
using System.Runtime.CompilerServices;
using k8s;
using k8s.Models;
using Puces.Core.Fleet;

namespace Puces.Providers.Kubernetes;

/// <summary>Looks at a cluster as a person would who wants to know why it does not serve.</summary>
internal sealed class KubernetesCheck(ApiServer api, Pool pool)
{
    // What we do there. A WebSocket is a GET for the one who asks whether exec is allowed, and a POST since Kubernetes 1.35.
    private static readonly (string Verb, string Group, string Resource, string Part)[] Rights =
    [
        ("create", "", "pods", ""), ("list", "", "pods", ""), ("delete", "", "pods", ""), ("get", "", "pods", "exec"), ("create", "", "pods", "exec"), ("create", "", "services", ""),
    ];

    private static readonly (string Verb, string Group, string Resource, string Part)[]
        MapRights = [.. ((string[])["create", "get", "update", "list", "delete"]).Select(v => (v, "", "configmaps", ""))],
        JobRights = [.. ((string[])["create", "get", "list", "delete"]).Select(v => (v, "batch", "jobs", ""))];

    private KubernetesPool Kubernetes => pool.Kubernetes!;

    /// <summary>Nodes, and pods that have not ended: those of all namespaces, or of ours alone where we may not see more.</summary>
    public static async Task<(IReadOnlyList<V1Node> Nodes, IReadOnlyList<V1Pod> Pods, bool SeesAll)> SeenAsync(ApiServer api, CancellationToken ct)
    {
        const string live = "status.phase!=Succeeded,status.phase!=Failed";
        var nodes = (await api.AskAsync("list nodes", c => c.CoreV1.ListNodeAsync(cancellationToken: ct), ct)).Items;
        try
        {
            return ([.. nodes], [.. (await api.AskAsync("list pods of all namespaces", c => c.CoreV1.ListPodForAllNamespacesAsync(fieldSelector: live, cancellationToken: ct), ct)).Items], true);
        }
        catch (ProviderException e) when (e.Remedy is Remedy.Ask)
        {
            return ([.. nodes], [.. (await api.AskAsync("list pods", c => c.CoreV1.ListNamespacedPodAsync(api.Namespace, fieldSelector: live, cancellationToken: ct), ct)).Items], false);
        }
    }

    public async IAsyncEnumerable<CheckStep> StepsAsync([EnumeratorCancellation] CancellationToken ct)
    {
        var (_, trouble) = await TryAsync("kubeconfig", () => Task.FromResult(api.Name));
        yield return trouble ?? new("kubeconfig", true, api.Context is { } context ? $"context {context}, {api.Name}" : $"the service account of our own pod, {api.Name}");
        if (trouble is not null) yield break;

        (var version, trouble) = await TryAsync("API server", () => api.VersionAsync(ct));
        yield return trouble ?? new("API server", true, version.Text);
        if (trouble is not null) yield break;

        (var missing, trouble) = await TryAsync("rights", () => MissingAsync(version.Minor, ct));
        if (trouble is null)
            trouble = missing!.Count == 0 ? null : new("rights", false, $"we may not {string.Join(", ", missing)} in namespace {api.Namespace}",
                $"whoever runs the cluster grants it with a role; see for yourself: {api.Kubectl($"auth can-i {missing[0]}")}");
        yield return trouble ?? new("rights", true, $"all that is needed in namespace {api.Namespace}");
        if (trouble is not null) yield break;

        (var account, trouble) = await TryAsync("namespace", () => api.AskAsync("list service accounts", c => c.CoreV1.ListNamespacedServiceAccountAsync(api.Namespace, cancellationToken: ct), ct));
        if (trouble is null && !account!.Items.Any(a => a.Metadata.Name == (Kubernetes.ServiceAccount ?? "default")))
            trouble = account.Items.Count == 0
                ? new("namespace", false, $"there is no namespace {api.Namespace}", $"name another with namespace, or make it: kubectl create namespace {api.Namespace}")
                : new("service account", false, $"namespace {api.Namespace} has no service account {Kubernetes.ServiceAccount}", api.Kubectl("get serviceaccounts"));
        // Who may not look at accounts may use them nevertheless.
        yield return trouble is null ? new("namespace", true, $"{api.Namespace}, service account {Kubernetes.ServiceAccount ?? "default"}") : trouble with { IsGood = account is null ? null : false };
        if (trouble is not null && account is not null) yield break;

        (var seen, trouble) = await TryAsync("nodes", () => SeenAsync(api, ct));
        if (trouble is not null)
        {
            yield return trouble;
            yield break;
        }
        yield return Nodes(seen.Nodes, new(Kubernetes, seen.Nodes, seen.Pods));
        if (!seen.SeesAll)
            yield return new("pods", null, $"we see those of namespace {api.Namespace} only: what is free counts what others use as free", "kubectl auth can-i list pods --all-namespaces; a cluster role may grant it");

        if (Kubernetes.Queue is { } queue) yield return version.Minor >= KubernetesProvider.IndexedJobs ? await QueueAsync(queue, ct) : new("queue", false, $"{version.Text} has no Jobs that Kueue could hold back", "take queue out of the pool");
        yield return Kubernetes.Image is { } image
            ? new("image", null, $"jobs that name none run in {image}; whether the nodes can pull it, the first pod shows")
            : new("image", null, "the pool has none: jobs have to name one", "write image: in the job file, or give the pool one");
    }

    private static CheckStep Nodes(IReadOnlyList<V1Node> all, ClusterNodes nodes)
    {
        var offers = nodes.Offers(default);
        if (offers[0].Problem is { } problem) return new("nodes", false, problem, "kubectl describe nodes shows their labels, taints and conditions");
        var found = string.Join(", ", offers.Select(o => o.Model is null ? $"{Text(o.Nodes)} without devices" : $"{Text(o.Nodes)} with {Text(o.Devices)} × {o.Model} ({Text(o.FreeDevices)} free)"));
        var text = $"{Text(nodes.Serving.Count)} of {Text(all.Count)} take pods of ours: {found}";
        return offers.Any(o => o.Model is not null) ? new("nodes", true, text)
            : new("nodes", null, text, $"where there should be devices, is the vendor's device plug-in installed? kubectl describe nodes would show {ClusterNodes.Resources[0]}");
    }

    private async Task<CheckStep> QueueAsync(string queue, CancellationToken ct)
    {
        var (_, trouble) = await TryAsync("queue", () => api.AskAsync($"read the local queue {queue} of Kueue", c => c.CustomObjects.GetNamespacedCustomObjectAsync("kueue.x-k8s.io", "v1beta1", api.Namespace, "localqueues", queue, ct), ct));
        return trouble is null ? new("queue", true, $"Kueue's local queue {queue}") : trouble with { Hint = api.Kubectl("get localqueues") };
    }

    private async Task<List<string>> MissingAsync(int minor, CancellationToken ct)
    {
        var missing = new List<string>();
        foreach (var (verb, group, resource, part) in Rights.Concat(minor >= KubernetesProvider.IndexedJobs ? JobRights : MapRights))
        {
            var asked = new V1SelfSubjectAccessReview
            {
                Spec = new() { ResourceAttributes = new() { NamespaceProperty = api.Namespace, Verb = verb, Group = group, Resource = resource, Subresource = part.Length > 0 ? part : null } },
            };
            var answer = await api.AskAsync("ask what we may do", c => c.AuthorizationV1.CreateSelfSubjectAccessReviewAsync(asked, cancellationToken: ct), ct);
            if (!answer.Status.Allowed) missing.Add($"{verb} {resource}{(part.Length > 0 ? "/" + part : "")}");
        }
        return missing;
    }

    private static async Task<(T? Answer, CheckStep? Trouble)> TryAsync<T>(string what, Func<Task<T>> ask)
    {
        try
        {
            return (await ask(), null);
        }
        catch (ProviderException e)
        {
            return (default, new(what, false, e.Message, e.Hint));
        }
    }

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);
}
