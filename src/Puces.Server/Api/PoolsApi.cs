using System.Text.RegularExpressions;
using Puces.Core.Contract;
using Puces.Core.Engine;
using Puces.Core.Fleet;
using Puces.Core.Jobs;
using Puces.Core.Units;
using Puces.Providers;
using Puces.Server.Control;

namespace Puces.Server.Api;

/// <summary>Pools: declared, listed, checked, removed.</summary>
internal static partial class PoolsApi
{
    private const int MostHosts = 1024;
    private static readonly string[] Providers = ["local", "ssh", "slurm"];

    public static void Map(RouteGroupBuilder api)
    {
        api.MapGet("/pools", ListAsync).Produces<PoolList>().Refuses().WithName("listPools").WithSummary("Pools, their nodes, and what is free.");
        api.MapPut("/pools/{name}", SetAsync).Accepts<SetPool>("application/json").Produces<PoolList>().Refuses(400, 404, 409, 413, 415, 422, 503).WithName("setPool").WithSummary("Declare a pool: a new one, or an old one otherwise. What runs on nodes that stay as they are goes on.");
        api.MapDelete("/pools/{name}", RemoveAsync).Produces(204).Refuses(404, 409, 503).WithName("removePool").WithSummary("Remove a pool that no job is on.");
        api.MapGet("/pools/{name}/check", CheckAsync).Produces<CheckView>(200, "text/event-stream").Refuses(404, 503).WithName("checkPool").WithSummary("Go the way that a job would go to each node, and tell each step as it is done.");
    }

    private static Task ListAsync(HttpContext context, Live live, Nodes nodes) =>
        Replies.JsonAsync(context, new PoolList([.. live.View.ShowPools().Pools.Select(p => Shown(p, nodes))]), ContractJson.Default.PoolList);

    /// <summary>With what only the way to the pool knows: its offers, and why it cannot be asked.</summary>
    private static PoolView Shown(PoolView pool, Nodes nodes) => nodes.Lines.GetValueOrDefault(pool.Name) is not { } line ? pool : pool with
    {
        Problem = line.Problem,
        Offers = [.. line.Offers.Select(o => new OfferView(o.Kind, o.Model, o.Devices, o.Nodes, o.FreeDevices, o.FreeNodes, o.Problem))],
    };

    /// <exception cref="RequestException">There is no such pool.</exception>
    public static Pool Require(View view, string name) => view.Pools.TryGetValue(name, out var pool) ? pool
        : throw new RequestException(404, $"there is no pool {name}; there is {string.Join(", ", view.Pools.Keys)}", "puces pools, to see what there is");

    private static async Task SetAsync(HttpContext context, string name, Live live, Inbox inbox, Nodes nodes)
    {
        var body = await Bodies.ReadAsync(context, ContractJson.Default.SetPool);
        var errors = new List<FieldError>();
        if (body.Provider == "local") Require(live.View, name);
        else if (!JobName.Fits(name)) errors.Add(new("name", $"\"{name}\": write letters, digits, '.', '_' and '-', beginning with a letter or digit"));
        var pool = Read(name, body, errors);
        if (errors.Count > 0) throw new RequestException(422, "the pool has mistakes", null, errors);
        if (live.View.Pools.GetValueOrDefault(name) is { } was && was.Provider != pool.Provider)
            throw new RequestException(409, $"pool {name} is one of provider {was.Provider}", $"give the new one another name, or remove this one first: puces pools rm {name}");
        if ((await inbox.AskAsync(new Command.SetPool(pool))).Error is { } error) throw new RequestException(409, error);
        // A node says hello within a moment; whoever asks for the pool next should see it.
        var count = pool.NodeNames().Count();
        for (var i = 0; i < 50 && !HasAnswered(); i++) await Task.Delay(100, context.RequestAborted);
        await ListAsync(context, live, nodes);

        bool HasAnswered() => pool.HasLine ? nodes.Lines.GetValueOrDefault(name) is { Offers.Count: > 0 }
            : live.View.Nodes.Values.Count(n => n.Node.Pool == name && (n.Node.IsUp || n.Node.Problem is not null)) >= count;
    }

    private static Pool Read(string name, SetPool body, List<FieldError> errors)
    {
        var isLocal = body.Provider == "local";
        if (!Providers.Contains(body.Provider)) errors.Add(new("provider", $"\"{body.Provider}\": write one of {string.Join(", ", Providers)}"));
        if (body.Nodes is < 1 or > 256) errors.Add(new("nodes", $"{body.Nodes}: write 1 to 256"));
        if (body.Nodes != 1 && !isLocal) errors.Add(new("nodes", "are counted where a pool is declared by its hosts: leave it out"));
        if (body.Cpus is <= 0 or > 100_000) errors.Add(new("cpus", $"{body.Cpus}: write a number above 0"));
        Memory? memory = null;
        if (body.Memory is { } text)
        {
            if (Memory.TryParse(text, out var amount)) memory = amount;
            else errors.Add(new("memory", $"\"{text}\": write an amount with a unit, such as 64GB"));
        }
        TimeSpan? term = null;
        if (body.Term is { } length)
        {
            if (Durations.TryParse(length, out var time) && time >= TimeSpan.FromSeconds(5)) term = time;
            else errors.Add(new("term", $"\"{length}\": write a duration of at least 5 s, such as 1h"));
        }
        Money? price = null;
        if (body.Price is { } sum)
        {
            if (Money.TryParse(sum, out var amount) && amount.Micros >= 0) price = amount;
            else errors.Add(new("price", $"\"{sum}\": write an amount with its currency, such as 1.90 EUR"));
        }
        if (body.Gpus is { } gpus)
        {
            try { VirtualDevices.Of(gpus); }
            catch (FormatException e) { errors.Add(new("gpus", e.Message)); }
        }
        if (body.Islands is < 1 or > 64) errors.Add(new("islands", $"{body.Islands}: write how many devices fast links join, 1 to 64"));
        if (body is { Islands: not null, Gpus: null }) errors.Add(new("islands", "are found on the machine where the devices are: give gpus too, or leave them out"));
        Check(body.Provider == "ssh", body.Ssh, errors);
        Check(body.Provider == "slurm", body.Slurm, errors);
        var pool = new Pool(name, body.Provider, body.Nodes, body.Gpus, body.Cpus, memory, body.Islands, body.Places is { Count: > 0 } ? body.Places : null, term, isLocal ? null : body.Ssh, body.Slurm, price);
        if (errors.Count > 0) return pool;
        foreach (var (node, place) in body.Places ?? new Dictionary<string, string>())
        {
            if (!pool.NodeNames().Contains(node)) errors.Add(new("places", $"\"{node}\": write one of {string.Join(", ", pool.NodeNames().Take(10))}"));
            if (!Place().IsMatch(place)) errors.Add(new("places", $"\"{place}\": write letters, digits, '.', '_' and '-', with '/' between, the nearest switch last, such as dc1/row2/rack7"));
        }
        return pool;
    }

    private static void Check(bool isSsh, SshPool? ssh, List<FieldError> errors)
    {
        if (isSsh != ssh is not null) errors.Add(new("ssh", isSsh ? "a pool of provider ssh needs hosts: write ssh: {hosts: [gpu1]}" : "is of provider ssh alone: leave it out"));
        if (!isSsh || ssh is null) return;
        if (ssh.Hosts.Count is 0 or > MostHosts) errors.Add(new("hosts", $"{ssh.Hosts.Count} hosts: name 1 to {MostHosts}"));
        var seen = new HashSet<string>(StringComparer.Ordinal);
        for (var i = 0; i < ssh.Hosts.Count; i++)
        {
            var (host, at) = (ssh.Hosts[i], $"hosts[{i}]");
            if (!JobName.Fits(host.Name)) errors.Add(new(at + ".name", $"\"{host.Name}\": write letters, digits, '.', '_' and '-', beginning with a letter or digit; an address goes into host"));
            else if (!seen.Add(host.Name)) errors.Add(new(at + ".name", $"\"{host.Name}\" stands here twice"));
            Words(at + ".", host.Host, host.User, host.Port, host.Key, host.Jump, errors);
            if (host.Address is { } address && !Word().IsMatch(address)) errors.Add(new(at + ".address", $"\"{address}\": write an address or a name"));
        }
        Words("", null, ssh.User, ssh.Port, ssh.Key, ssh.Jump, errors);
        foreach (var (key, path) in (ReadOnlySpan<(string, string?)>)[("config", ssh.Config), ("folder", ssh.Folder), ("shared", ssh.Shared)])
            if (path is not null && (path.Length == 0 || path.Any(char.IsControl))) errors.Add(new(key, $"\"{path}\": write a path"));
        if (ssh.Shared is { } shared && !shared.StartsWith('/')) errors.Add(new("shared", $"\"{shared}\": write the whole path, from / on"));
    }

    private static void Check(bool isSlurm, SlurmPool? slurm, List<FieldError> errors)
    {
        if (isSlurm != slurm is not null) errors.Add(new("slurm", isSlurm ? "a pool of provider slurm needs its settings: write slurm: {partitions: [gpu]}, or {} for all partitions" : "is of provider slurm alone: leave it out"));
        if (!isSlurm || slurm is null) return;
        if (slurm.Login is { } login) Words("login.", login.Host ?? login.Name, login.User, login.Port, login.Key, login.Jump, errors);
        foreach (var partition in slurm.Partitions)
            if (!JobName.Fits(partition)) errors.Add(new("partitions", $"\"{partition}\": write the name of a partition, as sinfo shows it"));
        foreach (var (key, value) in (ReadOnlySpan<(string, string?)>)[("account", slurm.Account), ("qos", slurm.Qos)])
            if (value is not null && !Word().IsMatch(value)) errors.Add(new(key, $"\"{value}\": write a name, without blanks"));
        foreach (var option in slurm.Options ?? [])
            if (!option.StartsWith('-') || option.Any(char.IsControl)) errors.Add(new("options", $"\"{option}\": write an option of sbatch, such as --reservation=gpus"));
        foreach (var (key, value) in (ReadOnlySpan<(string, string?)>)[("folder", slurm.Folder), ("config", slurm.Config), ("constraint", slurm.Constraint)])
            if (value is not null && (value.Length == 0 || value.Any(char.IsControl))) errors.Add(new(key, $"\"{value}\": holds what no line of a script can"));
    }

    // These become words of a command: one that begins with a dash would be an option.
    private static void Words(string at, string? host, string? user, int? port, string? key, string? jump, List<FieldError> errors)
    {
        foreach (var (name, value) in (ReadOnlySpan<(string, string?)>)[("host", host), ("user", user), ("jump", jump)])
            if (value is not null && !Word().IsMatch(value)) errors.Add(new(at + name, $"\"{value}\": write a name or an address, without blanks"));
        if (port is < 1 or > 65535) errors.Add(new(at + "port", $"{port}: write 1 to 65535"));
        if (key is not null && (key.Length == 0 || key.Any(char.IsControl))) errors.Add(new(at + "key", $"\"{key}\": write the path of a private key"));
    }

    private static async Task<IResult> RemoveAsync(string name, Live live, Inbox inbox)
    {
        Require(live.View, name);
        if ((await inbox.AskAsync(new Command.RemovePool(name))).Error is { } error) throw new RequestException(409, error);
        return Results.NoContent();
    }

    private static async Task CheckAsync(HttpContext context, string name, Live live, PoolProviders providers)
    {
        var pool = Require(live.View, name);
        Replies.BeginEvents(context);
        try
        {
            await using var provider = providers.Of(pool);
            await foreach (var step in provider.CheckAsync(context.RequestAborted))
                await Replies.EventAsync(context, new CheckView(step.What, step.Found, step.IsGood, step.Hint), ContractJson.Default.CheckView);
        }
        catch (ProviderException e)
        {
            await Replies.EventAsync(context, new CheckView(pool.Provider, e.Message, false, e.Hint), ContractJson.Default.CheckView);
        }
    }

    [GeneratedRegex("^[A-Za-z0-9._-]{1,64}(/[A-Za-z0-9._-]{1,64}){0,7}$")]
    private static partial Regex Place();

    [GeneratedRegex(@"^[A-Za-z0-9_][A-Za-z0-9_.:@%\[\]-]{0,252}$")]
    private static partial Regex Word();
}
