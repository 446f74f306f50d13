using System.Net;
using System.Security.Authentication;
using System.Text.Json;
using k8s.Autorest;
using Puces.Core.Fleet;

namespace Puces.Providers.Kubernetes;

/// <summary>What it means when the API server refuses something or does not answer, and what to do about it.</summary>
internal static class KubernetesTrouble
{
    /// <param name="what">Such as <c>list nodes</c>.</param>
    /// <param name="kubectl">The line that does the same, for words of kubectl.</param>
    public static ProviderException Of(string what, string server, Exception e, Func<string, string> kubectl)
    {
        if (e is HttpOperationException { Response: { } response })
        {
            var said = MessageIn(response.Content);
            return (response.StatusCode, said) switch
            {
                (HttpStatusCode.Unauthorized, _) => new(Remedy.Ask, $"the API server at {server} does not know who asks: {said}",
                    $"a token or certificate of the kubeconfig has expired, perhaps; try: {kubectl("auth can-i get pods")}", e),
                (HttpStatusCode.Forbidden, _) when said.Contains("exceeded quota", StringComparison.Ordinal) => new(Remedy.Elsewhere, $"the namespace's quota does not allow it now: {said}",
                    $"what is used of it: {kubectl("describe resourcequota")}", e),
                (HttpStatusCode.Forbidden, _) => new(Remedy.Ask, $"we may not {what}: {said}", $"whoever runs the cluster grants it; see who may: {kubectl($"auth can-i --list")}", e),
                (HttpStatusCode.NotFound, _) => new(Remedy.Ask, $"cannot {what}: {said}", null, e),
                (HttpStatusCode.UnprocessableEntity or HttpStatusCode.BadRequest or HttpStatusCode.Conflict, _) => new(Remedy.Ask, $"the API server takes it for wrong to {what}: {said}", "look at patch, labels and image of the pool", e),
                _ => new(Remedy.Retry, $"the API server at {server} could not {what} ({(int)response.StatusCode}): {said}", null, e),
            };
        }
        for (var cause = e; cause is not null; cause = cause.InnerException)
            if (cause is AuthenticationException)
                return new(Remedy.Ask, $"the API server at {server} does not show a certificate that the kubeconfig's authority has signed, or ours is not one any more: {cause.Message}",
                    $"get the kubeconfig anew from whoever runs the cluster; try: {kubectl("get pods")}", e);
        return new(Remedy.Retry, $"the API server at {server} does not answer: {Innermost(e)}", $"is the cluster up, and is it reached from where pucesd runs? try: {kubectl("version")}", e);
    }

    public static ProviderException OfConfiguration(Exception e, KubernetesPool pool)
    {
        var file = (e as FileNotFoundException)?.FileName ?? pool.Kubeconfig ?? "~/.kube/config";
        return e is FileNotFoundException
            ? new(Remedy.Ask, $"there is no kubeconfig {file} where pucesd runs", "name it with kubeconfig", e)
            : new(Remedy.Ask, $"the kubeconfig {file} leads nowhere: {Innermost(e)}", "see what is in it: kubectl config get-contexts", e);
    }

    /// <summary>The words in an answer of the API server, which are a <c>Status</c>.</summary>
    public static string MessageIn(string? answer)
    {
        try
        {
            using var status = JsonDocument.Parse(answer ?? "");
            return status.RootElement.TryGetProperty("message", out var message) && message.GetString() is { Length: > 0 } text ? text : answer!;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return string.IsNullOrWhiteSpace(answer) ? "it gives no reason" : answer.Trim();
        }
    }

    private static string Innermost(Exception e)
    {
        while (e.InnerException is { } inner) e = inner;
        return e is OperationCanceledException ? "it took too long" : e.Message;
    }
}
