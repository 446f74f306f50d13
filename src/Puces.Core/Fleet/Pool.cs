using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Puces.Core.Engine;
using Puces.Core.Units;

namespace Puces.Core.Fleet;

/// <summary>Capacity of one provider under one name, as declared.</summary>
/// <param name="Provider">The provider's name: <c>local</c>, <c>ssh</c>, <c>slurm</c>, <c>kubernetes</c>.</param>
/// <param name="Nodes">Virtual nodes on this machine; one is the machine itself. Of the local provider only.</param>
/// <param name="Gpus">Virtual devices of each node, such as <c>H100:8</c>; null uses those that are found.</param>
/// <param name="Cpus">CPUs that each node says it has; null uses what is found.</param>
/// <param name="Memory">Memory that each node says it has; null uses what is found.</param>
/// <param name="Islands">Virtual devices of each node are joined by fast links, so many at a time; null for none.</param>
/// <param name="Places">Node → where it stands, such as <c>n1</c> → <c>dc1/row2/rack7</c>.</param>
/// <param name="Term">How long an attempt goes on without a word from the daemon; null for as long as the provider's kind of place is given.</param>
/// <param name="Ssh">Hosts and how to reach them, of the ssh provider.</param>
/// <param name="Slurm">The cluster and how to reach it, of the slurm provider.</param>
/// <param name="Kubernetes">The cluster and what is asked for there, of the kubernetes provider.</param>
/// <param name="Price">What one device costs for an hour; null where nothing is paid for it.</param>
public sealed record Pool(
    string Name, string Provider = "local", int Nodes = 1, string? Gpus = null, double? Cpus = null, Memory? Memory = null, int? Islands = null,
    IReadOnlyDictionary<string, string>? Places = null, TimeSpan? Term = null, SshPool? Ssh = null, SlurmPool? Slurm = null,
    Money? Price = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] KubernetesPool? Kubernetes = null)
{
    /// <summary>The term where a pool names none: an outage of the daemon this long stops nobody's training.</summary>
    public static readonly TimeSpan DefaultTerm = TimeSpan.FromHours(1);

    /// <summary>How long an attempt goes on here without a word from the daemon; null for ever, as on the daemon's own machine.</summary>
    public TimeSpan? TermOrDefault => Term ?? (Provider == "local" ? null : DefaultTerm);

    /// <summary>What local nodes are called behind the pool's name: <c>host</c>, or <c>n1</c>, <c>n2</c> and so on.</summary>
    public static IEnumerable<string> NodeNames(int nodes) => nodes == 1 ? ["host"] : Enumerable.Range(1, nodes).Select(i => string.Create(CultureInfo.InvariantCulture, $"n{i}"));

    /// <summary>Names of its nodes, behind the pool's own; none where nodes come with leases.</summary>
    public IEnumerable<string> NodeNames() => Ssh is { } ssh ? ssh.Hosts.Select(h => h.Name) : HasLine ? [] : NodeNames(Nodes);

    /// <summary>It has a line of its own: nodes come with leases, and go with them.</summary>
    public bool HasLine => Provider is not ("local" or "ssh");

    /// <summary>The nodes of a gang come all at once. Kubernetes without Kueue gives its pods one by one, and each keeps what it has until the last is there.</summary>
    public bool GivesGangsWhole => Kubernetes is not { Queue: null };

    /// <summary>Where local nodes stand in racks of so many: <c>rack1</c>, <c>rack2</c> and so on.</summary>
    public static Dictionary<string, string> InRacks(int nodes, int perRack) =>
        NodeNames(nodes).Select((node, i) => (node, i)).ToDictionary(n => n.node, n => string.Create(CultureInfo.InvariantCulture, $"rack{n.i / perRack + 1}"));

    public bool IsVirtual => Ssh is null && Nodes > 1 || Gpus is not null || Cpus is not null || Memory is not null;

    /// <summary>All that was declared of one node: where it is equal in two declarations, the node need not know that the pool was changed.</summary>
    /// <param name="node">Without the pool's name.</param>
    public string DeclarationOf(string node)
    {
        var alone = this with
        {
            Nodes = 1,
            Price = null,
            Places = Places?.GetValueOrDefault(node) is { } place ? new Dictionary<string, string> { [node] = place } : null,
            Ssh = Ssh is { } ssh ? ssh with { Hosts = [.. ssh.Hosts.Where(h => h.Name == node)] } : null,
        };
        return JsonSerializer.Serialize(alone, EngineJson.Stored.Pool);
    }
}

/// <summary>
/// Hosts that are reached by OpenSSH. What is null is left to the user's own <c>~/.ssh/config</c>; what a host says wins over what
/// its pool says.
/// </summary>
/// <param name="Key">File of the private key.</param>
/// <param name="Jump">Host to go through, as <c>user@host:port</c>.</param>
/// <param name="Config">An <c>ssh_config</c> file to read in place of the user's.</param>
/// <param name="Folder">Where Puces keeps its files on a host; null for <c>~/.puces</c>.</param>
/// <param name="Shared">A folder that all hosts see, for checkpoints; null where there is none, and checkpoints are carried by the daemon.</param>
public sealed record SshPool(
    IReadOnlyList<SshHost> Hosts, string? User = null, int? Port = null, string? Key = null, string? Jump = null, string? Config = null,
    string? Folder = null, string? Shared = null);

/// <summary>A host of an ssh pool.</summary>
/// <param name="Name">What it is called here; and the host to connect to, where <paramref name="Host"/> is null.</param>
/// <param name="Host">Address or alias to connect to.</param>
/// <param name="Address">Where the other hosts reach it; null for the address that the daemon reached it at.</param>
public sealed record SshHost(
    string Name, string? Host = null, string? User = null, int? Port = null, string? Key = null, string? Jump = null, string? Address = null);
