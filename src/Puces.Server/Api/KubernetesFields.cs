using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Puces.Core.Contract;
using Puces.Core.Fleet;

namespace Puces.Server.Api;

/// <summary>What a pool of provider kubernetes is declared with. Whether the cluster has it, <c>puces pools check</c> says.</summary>
internal static partial class KubernetesFields
{
    private static readonly string[] Pulls = ["Always", "IfNotPresent", "Never"];

    public static void Check(bool isKubernetes, KubernetesPool? pool, List<FieldError> errors)
    {
        if (isKubernetes != pool is not null) errors.Add(new("kubernetes", isKubernetes ? "a pool of provider kubernetes needs its settings: write kubernetes: {namespace: ml, image: python:3.13}" : "is of provider kubernetes alone: leave it out"));
        if (!isKubernetes || pool is null) return;
        foreach (var (key, name) in (ReadOnlySpan<(string, string?)>)[("namespace", pool.Namespace), ("serviceAccount", pool.ServiceAccount), ("runtimeClass", pool.RuntimeClass), ("queue", pool.Queue)])
            if (name is not null && !Name.IsMatch(name)) errors.Add(new(key, $"\"{name}\": write a name of small letters, digits, '-' and '.'"));
        foreach (var (key, text) in (ReadOnlySpan<(string, string?)>)[("kubeconfig", pool.Kubeconfig), ("context", pool.Context), ("image", pool.Image)])
            if (text is not null && (text.Length == 0 || text.Any(char.IsControl))) errors.Add(new(key, $"\"{text}\": is empty, or holds what no name can"));
        if (pool.Image is { } image && image.Any(char.IsWhiteSpace)) errors.Add(new("image", $"\"{image}\" has a blank in it; write nvcr.io/nvidia/pytorch:25.06-py3"));
        if (pool.Pull is { } pull && !Pulls.Contains(pull)) errors.Add(new("pull", $"\"{pull}\": write one of {string.Join(", ", Pulls)}"));
        foreach (var toleration in pool.Tolerations ?? [])
            if (!Toleration.IsMatch(toleration)) errors.Add(new("tolerations", $"\"{toleration}\": write key=value:effect, of which value and effect may be left out, such as dedicated=ml:NoSchedule"));
        foreach (var (field, labels) in (ReadOnlySpan<(string, IReadOnlyDictionary<string, string>?)>)[("nodeSelector", pool.NodeSelector), ("labels", pool.Labels)])
            foreach (var (key, value) in labels ?? new Dictionary<string, string>())
                if (!LabelKey.IsMatch(key) || !LabelValue.IsMatch(value)) errors.Add(new(field, $"\"{key}: {value}\": is no label of Kubernetes"));
        if (pool.Shared is { } shared && !shared.StartsWith('/') && !Name.IsMatch(shared)) errors.Add(new("shared", $"\"{shared}\": write the name of a persistent volume claim, or a path of the nodes, from / on"));
        if (pool.Patch is { } patch && !IsObject(patch)) errors.Add(new("patch", $"\"{patch}\": write keys and values of a pod's spec, such as {{\"priorityClassName\": \"batch\"}}"));
    }

    private static bool IsObject(string text)
    {
        try { return JsonNode.Parse(text) is JsonObject; }
        catch (JsonException) { return false; }
    }

    [GeneratedRegex("^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$")]
    private static partial Regex Name { get; }

    [GeneratedRegex("^[A-Za-z0-9][A-Za-z0-9._/-]{0,315}(=[A-Za-z0-9._-]{0,63})?(:(NoSchedule|PreferNoSchedule|NoExecute))?$")]
    private static partial Regex Toleration { get; }

    [GeneratedRegex("^([a-z0-9.-]{1,253}/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$")]
    private static partial Regex LabelKey { get; }

    [GeneratedRegex("^([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?$")]
    private static partial Regex LabelValue { get; }
}
