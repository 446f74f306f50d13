using Puces.Core.Contract;
using Puces.Core.Jobs;

namespace Puces.Core.Fleet;

/// <summary>
/// Pools declared in a file: under <c>pools</c> a name each, and what it is. Only the form is looked at here; what the values mean the
/// server says.
/// </summary>
public static class PoolFile
{
    private const string Text = """{"type":"string"}""", Whole = """{"type":"integer"}""";

    private static readonly JobField Pools = new("pools", "Name → what it is.", "names with what they are", """{"office":{"provider":"ssh","hosts":["gpu1"]}}""", "{}");
    private static readonly JobField Pool = new("pool", "What a pool is.", "keys and values", """{"provider":"ssh","hosts":["gpu1"]}""", "{}");
    private static readonly JobField Host = new("hosts.host", "A host.", "a name, or keys and values", "\"gpu1\"", "{}");

    /// <summary>All keys of a pool, in the order in which they are documented.</summary>
    public static readonly IReadOnlyList<JobField> Fields =
    [
        new("pool.provider", "What kind of place it is.", "local, ssh or slurm", "\"ssh\"", Text, "type", "kind", "backend"),
        new("pool.hosts", "The machines of an ssh pool.", "a list of hosts", """["gpu1","gpu2"]""", "{}", "machines", "servers"),
        new("pool.user", "Who to log in as; what ~/.ssh/config says where it is left out.", "a user's name", "\"puces\"", Text, "username", "login"),
        new("pool.port", "Port of sshd.", "a whole number", "22", Whole),
        new("pool.key", "File of the private key.", "a path", "\"~/.ssh/id_ed25519\"", Text, "identity_file", "ssh_key"),
        new("pool.jump", "Host to go through.", "user@host:port", "\"vera@gate:22\"", Text, "proxy_jump", "bastion"),
        new("pool.config", "An ssh_config file, or Slurm's slurm.conf, to read in place of the usual one.", "a path", "\"/etc/puces/ssh_config\"", Text),
        new("pool.folder", "Where Puces keeps its files on a host; ~/.puces where it is left out.", "a path", "\"/scratch/puces\"", Text),
        new("pool.shared", "A folder that all hosts see, for checkpoints.", "a path from / on", "\"/nfs/puces\"", Text),
        new("pool.partitions", "Partitions of a slurm pool, the preferred first; all where it is left out.", "a list of names", """["gpu"]""", "{}", "partition", "queues"),
        new("pool.login", "Where Slurm's commands are; the daemon's own machine where it is left out.", "a host", "\"vera@login.example.org\"", "{}", "login_node"),
        new("pool.account", "Whom Slurm charges.", "a name", "\"lab\"", Text),
        new("pool.qos", "Slurm's quality of service.", "a name", "\"normal\"", Text),
        new("pool.constraint", "Features that a node must have, as sbatch takes them.", "an expression", "\"v100-32g\"", Text),
        new("pool.options", "More options for sbatch.", "a list of options", """["--reservation=gpus"]""", "{}"),
        new("pool.time", "How long a lease lasts that names no limit.", "a duration", "\"20h\"", Text, "walltime"),
        new("pool.exclusive", "Take whole nodes, also for a few of their devices.", "true or false", "true", """{"type":"boolean"}"""),
        new("pool.gpus_per_node", "Ask for devices by --gpus-per-node and not by --gres.", "true or false", "true", """{"type":"boolean"}"""),
        new("pool.model", "What the devices are, where Slurm names no type.", "a model", "\"A100\"", Text),
        new("pool.term", "How long a job goes on without a word from the daemon; 1h where it is left out.", "a duration", "\"1h\"", Text),
        new("pool.price", "What one device costs for an hour; nothing where it is left out.", "an amount with its currency", "\"1.90 EUR\"", Text, "cost", "price_per_hour"),
        new("pool.nodes", "Virtual nodes of the local pool.", "a whole number", "2", Whole),
        new("pool.gpus", "Virtual devices of each node, for trials.", "a model and a count", "\"H100:8\"", Text),
        new("pool.cpus", "CPUs of each node, where they are not what is found.", "a number", "64", """{"type":"number"}"""),
        new("pool.memory", "Memory of each node, where it is not what is found.", "an amount", "\"256GB\"", Text),
        new("pool.islands", "Virtual devices of each node that fast links join.", "a whole number", "4", Whole),
        new("pool.places", "Node → where it stands, the nearest switch last.", "names with places", """{"gpu1":"dc1/rack7"}""", "{}", "racks"),
    ];

    /// <summary>All keys of a host. What a host says wins over what its pool says.</summary>
    public static readonly IReadOnlyList<JobField> HostFields =
    [
        new("hosts.name", "What it is called here.", "a name", "\"gpu1\"", Text),
        new("hosts.host", "Address or alias to connect to; its name where it is left out.", "an address or a name", "\"10.0.0.7\"", Text, "hostname", "ip"),
        new("hosts.user", "Who to log in as.", "a user's name", "\"puces\"", Text, "username", "login"),
        new("hosts.port", "Port of sshd.", "a whole number", "22", Whole),
        new("hosts.key", "File of the private key.", "a path", "\"~/.ssh/id_ed25519\"", Text, "identity_file", "ssh_key"),
        new("hosts.jump", "Host to go through.", "user@host:port", "\"vera@gate:22\"", Text, "proxy_jump", "bastion"),
        new("hosts.address", "Where the other hosts reach it; where sshd took the connection, when it is left out.", "an address or a name", "\"192.168.7.2\"", Text),
    ];

    /// <summary>The pools, or else at least one error; every mistake is found, not the first alone.</summary>
    public static (IReadOnlyList<(string Name, SetPool Pool)> Declared, IReadOnlyList<FieldError> Errors) Bind(SpecNode root)
    {
        var reader = new FieldReader();
        var pools = new List<(string, SetPool)>();
        if (root is not SpecNode.Mapping mapping) reader.Fault(root.Mark, "", $"a file of pools begins with pools: and their names, such as {Pools.Example}");
        else
            foreach (var (_, value) in reader.Fields(mapping, "", [Pools]))
            {
                if (value is not SpecNode.Mapping named) reader.WrongKind(value, Pools);
                else
                    foreach (var entry in named.Entries)
                    {
                        if (named.Entries.First(e => e.Key == entry.Key) != entry) reader.Repeated(named, entry, "pools");
                        if (entry.Value is not SpecNode.Mapping keys) reader.WrongKind(entry.Value, Pool);
                        else pools.Add((entry.Key, Bind(keys, reader)));
                    }
            }
        if (root is SpecNode.Mapping && pools.Count == 0 && reader.Errors.Count == 0) reader.Fault(root.Mark, "", $"it declares no pool; write {Pools.Example}");
        return reader.Errors.Count == 0 ? (pools, []) : ([], reader.Errors);
    }

    private static SetPool Bind(SpecNode.Mapping keys, FieldReader reader)
    {
        var pool = new SetPool();
        var ssh = new SshPool([]);
        var slurm = new SlurmPool([]);
        foreach (var (field, node) in reader.Fields(keys, "pool", Fields))
        {
            switch (field.Key)
            {
                case "provider": pool = pool with { Provider = reader.Filled(node, field) ?? "local" }; break;
                case "nodes": pool = pool with { Nodes = reader.Whole(node, field, 1, 256) ?? 1 }; break;
                case "gpus": pool = pool with { Gpus = reader.Filled(node, field) }; break;
                case "cpus": pool = pool with { Cpus = reader.Number(node, field, 0.001, 100_000) }; break;
                case "memory": pool = pool with { Memory = reader.Amount(node, field) is { } amount ? amount.ToString() : null }; break;
                case "islands": pool = pool with { Islands = reader.Whole(node, field, 1, 64) }; break;
                case "places": pool = pool with { Places = Places(node, field, reader) }; break;
                case "term": pool = pool with { Term = reader.Filled(node, field) }; break;
                case "price": pool = pool with { Price = reader.Filled(node, field) }; break;
                case "hosts": ssh = ssh with { Hosts = Hosts(node, field, reader) }; break;
                case "user": ssh = ssh with { User = reader.Filled(node, field) }; break;
                case "port": ssh = ssh with { Port = reader.Whole(node, field, 1, 65535) }; break;
                case "key": ssh = ssh with { Key = reader.Filled(node, field) }; break;
                case "jump": ssh = ssh with { Jump = reader.Filled(node, field) }; break;
                case "config":
                    ssh = ssh with { Config = reader.Filled(node, field) };
                    slurm = slurm with { Config = ssh.Config };
                    break;
                case "folder":
                    ssh = ssh with { Folder = reader.Filled(node, field) };
                    slurm = slurm with { Folder = ssh.Folder };
                    break;
                case "partitions": slurm = slurm with { Partitions = Texts(node, field, reader) }; break;
                case "login": slurm = slurm with { Login = Login(node, field, reader) }; break;
                case "account": slurm = slurm with { Account = reader.Filled(node, field) }; break;
                case "qos": slurm = slurm with { Qos = reader.Filled(node, field) }; break;
                case "constraint": slurm = slurm with { Constraint = reader.Filled(node, field) }; break;
                case "options": slurm = slurm with { Options = Texts(node, field, reader) }; break;
                case "time": slurm = slurm with { Time = reader.Duration(node, field) }; break;
                case "exclusive": slurm = slurm with { Exclusive = Truth(node, field, reader) }; break;
                case "gpus_per_node": slurm = slurm with { GpusPerNode = Truth(node, field, reader) }; break;
                case "model": slurm = slurm with { Model = reader.Filled(node, field) }; break;
                case "shared": ssh = ssh with { Shared = reader.Filled(node, field) }; break;
                default: throw new InvalidOperationException($"The key {field.Path} is in the table and is not read.");
            }
        }
        if (pool.Provider == "slurm") return pool with { Slurm = slurm, Ssh = ssh.Hosts.Count > 0 ? ssh : null };
        // Hosts alone say what it is.
        if (keys.Entries.All(e => e.Key != "provider") && ssh.Hosts.Count > 0) pool = pool with { Provider = "ssh" };
        return pool.Provider == "ssh" || ssh.Hosts.Count > 0 || ssh != new SshPool(ssh.Hosts) ? pool with { Ssh = ssh } : pool;
    }

    private static List<string> Texts(SpecNode node, JobField field, FieldReader reader) => node is SpecNode.Sequence list
        ? [.. list.Items.Select(i => reader.Filled(i, field)).OfType<string>()]
        : reader.Filled(node, field) is { } one ? [one] : [];

    private static bool Truth(SpecNode node, JobField field, FieldReader reader)
    {
        if (node is SpecNode.Scalar { Text: "true" or "false" } scalar) return scalar.Text == "true";
        reader.WrongKind(node, field);
        return false;
    }

    private static SshHost? Login(SpecNode node, JobField field, FieldReader reader)
    {
        if (node is SpecNode.Mapping keys) return HostOf(keys, reader);
        if (reader.Filled(node, field) is not { } text) return null;
        var (user, host) = text.Split('@', 2) is [var who, var where] ? (who, where) : (null, text);
        return new(host, null, user);
    }

    private static List<SshHost> Hosts(SpecNode node, JobField field, FieldReader reader)
    {
        var hosts = new List<SshHost>();
        if (node is not SpecNode.Sequence list)
        {
            reader.WrongKind(node, field);
            return hosts;
        }
        foreach (var item in list.Items)
        {
            if (item is SpecNode.Scalar)
            {
                if (reader.Filled(item, Host) is { } name) hosts.Add(new(name));
            }
            else if (item is SpecNode.Mapping keys) hosts.Add(HostOf(keys, reader));
            else reader.WrongKind(item, Host);
        }
        return hosts;
    }

    private static SshHost HostOf(SpecNode.Mapping keys, FieldReader reader)
    {
        var host = new SshHost("");
        foreach (var (field, node) in reader.Fields(keys, "hosts", HostFields))
            host = field.Key switch
            {
                "name" => host with { Name = reader.Filled(node, field) ?? "" },
                "host" => host with { Host = reader.Filled(node, field) },
                "user" => host with { User = reader.Filled(node, field) },
                "port" => host with { Port = reader.Whole(node, field, 1, 65535) },
                "key" => host with { Key = reader.Filled(node, field) },
                "jump" => host with { Jump = reader.Filled(node, field) },
                "address" => host with { Address = reader.Filled(node, field) },
                _ => throw new InvalidOperationException($"The key {field.Path} is in the table and is not read."),
            };
        if (host.Name.Length == 0 && host.Host is { } address) host = host with { Name = JobName.FittingTo(address) };
        if (host.Name.Length == 0) reader.Fault(keys.Mark, "hosts.name", "is missing; write name: gpu1");
        return host;
    }

    private static Dictionary<string, string>? Places(SpecNode node, JobField field, FieldReader reader)
    {
        if (node is not SpecNode.Mapping named)
        {
            reader.WrongKind(node, field);
            return null;
        }
        var places = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var entry in named.Entries)
            if (reader.Filled(entry.Value, field) is { } place) places[entry.Key] = place;
        return places;
    }
}
