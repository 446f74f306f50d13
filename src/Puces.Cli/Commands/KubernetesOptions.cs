using System.CommandLine;
using Puces.Core.Fleet;

namespace Puces.Cli.Commands;

/// <summary>What is asked of a Kubernetes cluster, on the command line. More may be said in a file of pools.</summary>
internal sealed class KubernetesOptions
{
    private readonly Option<string?> _kubeconfig = new("--kubeconfig") { HelpName = "FILE", Description = "The way into a Kubernetes cluster, on the server's machine; KUBECONFIG or ~/.kube/config, unless given" };
    private readonly Option<string?> _context = new("--context") { HelpName = "NAME", Description = "Context of the kubeconfig; its current one, unless given" };
    private readonly Option<string?> _namespace = new("--namespace") { HelpName = "NAME", Description = "Where pods are made; the context's own, unless given" };
    private readonly Option<string?> _image = new("--image") { HelpName = "IMAGE", Description = "What jobs run in that name no image" };
    private readonly Option<string?> _account = new("--service-account") { HelpName = "NAME", Description = "As whom pods run" };
    private readonly Option<string?> _runtime = new("--runtime-class") { HelpName = "NAME", Description = "How pods are run, such as nvidia" };
    private readonly Option<string?> _queue = new("--queue") { HelpName = "NAME", Description = "A local queue of Kueue that lets gangs in" };
    private readonly Option<string[]> _tolerations = new("--toleration") { HelpName = "KEY[=VALUE][:EFFECT]", Description = "A taint that pods tolerate, beside those of devices; may be repeated" };
    private readonly Option<string[]> _selector = new("--selector") { HelpName = "KEY=VALUE", Description = "A label that a node must have; may be repeated" };

    public KubernetesOptions(Command command)
    {
        foreach (var option in (Option[])[_kubeconfig, _context, _namespace, _image, _account, _runtime, _queue, _tolerations, _selector]) command.Options.Add(option);
    }

    public KubernetesPool Read(ParseResult parsed, SshOptions ssh) => new(
        // The server may run in another folder; it is often on this machine.
        parsed.GetValue(_kubeconfig) is { } path && !path.StartsWith('~') ? Path.GetFullPath(path) : parsed.GetValue(_kubeconfig),
        parsed.GetValue(_context), parsed.GetValue(_namespace), parsed.GetValue(_image), null, parsed.GetValue(_account), parsed.GetValue(_runtime), parsed.GetValue(_queue),
        parsed.GetValue(_tolerations) is { Length: > 0 } tolerations ? tolerations : null, Selector(parsed.GetValue(_selector) ?? []), null, ssh.Shared(parsed));

    private static Dictionary<string, string>? Selector(string[] given)
    {
        var labels = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var one in given)
            if (one.Split('=', 2) is [{ Length: > 0 } key, var value]) labels[key] = value;
            else throw CommandException.Usage($"--selector {one} is no label", "--selector pool=gpu");
        return labels.Count > 0 ? labels : null;
    }
}
