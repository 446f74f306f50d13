using System.Globalization;
using k8s.Models;
using Puces.Core.Market;

namespace Puces.Providers.Kubernetes;

/// <summary>The owner of a lease's pods, in either form.</summary>
/// <param name="IsMade">All pods were made: one that is not there was deleted.</param>
/// <param name="Queue">The queue of Kueue that has yet to let it in; null where it waits for none.</param>
/// <param name="Failure">Why the gang is given up; null where it is not.</param>
internal sealed record LeaseOwner(string Name, int Nodes, bool IsMade, bool IsLeaving, string? Queue = null, string? Failure = null)
{
    public static LeaseOwner Of(V1ConfigMap map) => new(map.Metadata.Name, NodesOf(map.Metadata), map.Data?.ContainsKey(LeaseObjects.IsMade) == true, map.Metadata.DeletionTimestamp is not null);

    public static LeaseOwner Of(V1Job job)
    {
        var failed = job.Status?.Conditions?.FirstOrDefault(c => c.Type == "Failed" && c.Status == "True");
        return new(job.Metadata.Name, NodesOf(job.Metadata), false, job.Metadata.DeletionTimestamp is not null,
            job.Spec.Suspend is true ? job.Metadata.Labels?.TryGetValue("kueue.x-k8s.io/queue-name", out var queue) == true ? queue : "" : null,
            failed is null ? null : $"{failed.Reason}: {failed.Message}");
    }

    private static int NodesOf(V1ObjectMeta meta) =>
        meta.Annotations?.TryGetValue(LeaseObjects.Nodes, out var text) == true && int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var nodes) ? nodes : 1;
}

/// <summary>What the pods of a lease say of it.</summary>
/// <param name="owner">Null where it was deleted: the pods go too.</param>
/// <param name="pods">Those that are there.</param>
/// <param name="warnings">The newest warning about an object of ours, by its name.</param>
internal sealed class LeaseView(LeaseId id, LeaseOwner? owner, IReadOnlyList<V1Pod> pods, IReadOnlyDictionary<string, string> warnings, DateTimeOffset now)
{
    // A kubelet that answers has ended a pod's containers by then.
    private static readonly TimeSpan Overdue = TimeSpan.FromSeconds(30);

    private readonly List<V1Pod> _pods = [.. pods.OrderBy(RankOf)];

    /// <summary>Pods to end, because the gang is not whole any more and will not be again.</summary>
    public IEnumerable<string> Stray => IsBroken ? _pods.Where(p => !IsOver(p) && p.Metadata.DeletionTimestamp is null).Select(p => p.Metadata.Name) : [];

    public Lease Lease
    {
        get
        {
            var nodes = _pods.Where(p => p.Spec.NodeName is not null).Select(p => new LeaseNode($"{p.Spec.NodeName}-{RankOf(p).ToString(CultureInfo.InvariantCulture)}", p.Status?.PodIP)).ToList();
            Lease Is(LeaseState state, string? reason) => new(id, state, state is LeaseState.Ready or LeaseState.Lost ? nodes : [], reason);
            if (_pods.Find(IsUnconfirmed) is { } silent)
                return Is(LeaseState.Lost, $"{silent.Spec.NodeName} does not answer Kubernetes, and pod {silent.Metadata.Name} was told to end there ({silent.Status?.Reason ?? "NodeLost"})");
            var isOver = _pods.All(IsOver);
            if (IsBroken && isOver) return Is(LeaseState.Ended, WhyOver());
            if (IsBroken || _pods.Exists(p => p.Metadata.DeletionTimestamp is not null)) return Is(LeaseState.Waiting, $"its pods are ending: {WhyOver()}");
            if (owner is { Queue: { } queue }) return Is(LeaseState.Waiting, queue.Length > 0 ? $"Kueue has not let it in yet (queue {queue})" : "its job is suspended");
            if (_pods.Count == Nodes && _pods.TrueForAll(IsRunning))
                return Is(LeaseState.Ready, _pods.Find(p => !IsReported(p)) is { } unheard ? $"{unheard.Spec.NodeName} does not answer Kubernetes" : null);
            return Is(LeaseState.Waiting, WhyWaiting());
        }
    }

    private int Nodes => owner?.Nodes ?? _pods.Count;

    private bool IsBroken => owner is null || owner.IsLeaving || owner.Failure is not null || _pods.Exists(IsOver) || owner.IsMade && _pods.Count < owner.Nodes;

    public static int RankOf(V1Pod pod) =>
        pod.Metadata.Annotations is { } notes && (notes.TryGetValue(LeaseNames.Rank, out var text) || notes.TryGetValue(LeaseNames.JobIndex, out text))
        && int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var rank) ? rank : 0;

    public static bool IsOver(V1Pod pod) => pod.Status?.Phase is "Succeeded" or "Failed";

    private static bool IsRunning(V1Pod pod) => pod.Status?.Phase == "Running" && pod.Status.ContainerStatuses?.All(c => c.State?.Running is not null) == true;

    // The node's controller takes this away from pods of a node that is silent.
    private static bool IsReported(V1Pod pod) => pod.Status?.Conditions?.Any(c => c.Type == "Ready" && c.Status == "True") == true;

    /// <summary>Told to end, and long after the time for that nobody has confirmed it: its node is cut off, and it may go on there.</summary>
    private bool IsUnconfirmed(V1Pod pod) => !IsOver(pod) && pod.Spec.NodeName is not null && pod.Metadata.DeletionTimestamp is { } end && now > new DateTimeOffset(end.ToUniversalTime()) + Overdue;

    private string WhyOver()
    {
        var first = _pods.Where(IsOver).Select(WhyOver).FirstOrDefault(w => w is not null);
        if (first is not null) return first;
        if (owner?.Failure is { } failure) return failure;
        var leaving = _pods.Find(p => p.Metadata.DeletionTimestamp is not null);
        if (leaving is not null && Disruption(leaving) is { } why) return $"pod {leaving.Metadata.Name}: {why}";
        var missing = Enumerable.Range(0, Nodes).Except(_pods.Select(RankOf)).ToList();
        return missing.Count > 0 ? $"pod {string.Join(", ", missing.Select(r => r.ToString(CultureInfo.InvariantCulture)))} of {Nodes} was deleted" : owner is null ? "its owner was deleted" : $"pod {leaving?.Metadata.Name} was told to end";
    }

    private static string? WhyOver(V1Pod pod)
    {
        var ended = pod.Status.ContainerStatuses?.Select(c => c.State?.Terminated ?? c.LastState?.Terminated).FirstOrDefault(t => t is not null);
        var why = pod.Status.Reason is { Length: > 0 } reason ? $"{reason}: {pod.Status.Message}"
            : Disruption(pod) ?? (pod.Metadata.DeletionTimestamp is not null ? "it was deleted, or its node told it to go" : ended is null ? "it failed" : ended.Message is { Length: > 0 } said ? $"{said.Trim()} ({ended.Reason})" : $"it ended ({ended.Reason}, exit code {ended.ExitCode})");
        return $"pod {pod.Metadata.Name} on {pod.Spec.NodeName}: {why}";
    }

    // Since Kubernetes 1.25.
    private static string? Disruption(V1Pod pod) => pod.Status?.Conditions?.FirstOrDefault(c => c.Type == "DisruptionTarget" && c.Status == "True") is { } why ? $"{why.Reason}: {why.Message}" : null;

    private string WhyWaiting()
    {
        foreach (var pod in _pods.Where(p => !IsRunning(p)))
        {
            var scheduled = pod.Status?.Conditions?.FirstOrDefault(c => c.Type == "PodScheduled");
            if (scheduled is { Status: "False" }) return scheduled.Reason == "Unschedulable" ? $"no node can take it now: {scheduled.Message}" : $"it is held back ({scheduled.Reason}): {scheduled.Message}";
            var waiting = pod.Status?.ContainerStatuses?.Select(c => (c.Image, c.State?.Waiting)).FirstOrDefault(w => w.Waiting is not null) ?? default;
            var (why, said) = (waiting.Waiting?.Reason, waiting.Waiting?.Message);
            if (why is "ErrImagePull" or "ImagePullBackOff" or "ErrImageNeverPull" or "InvalidImageName" or "ImageInspectError" or "RegistryUnavailable")
                return $"the image {waiting.Image} does not come to {pod.Spec.NodeName} ({why}): {said}";
            var warning = warnings.GetValueOrDefault(pod.Metadata.Name);
            if (why is not null && pod.Spec.NodeName is not null) return $"{pod.Spec.NodeName} makes its container ({why})" + (said is { Length: > 0 } ? $": {said}" : warning is null ? "" : $": {warning}");
        }
        if (_pods.Count < Nodes) return owner is not null && warnings.GetValueOrDefault(owner.Name) is { } refused ? $"its pods cannot be made: {refused}" : $"{_pods.Count} of {Nodes} pods are made";
        return "Kubernetes has not looked at it yet";
    }
}
