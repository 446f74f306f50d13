using System.CommandLine;
using Puces.Cli.JobFiles;
using Puces.Cli.Remote;
using Puces.Cli.Terminal;
using Puces.Core.Contract;
using Puces.Core.Fleet;
using Puces.Core.Jobs;

namespace Puces.Cli.Commands;

/// <summary><c>puces pools add</c>, <c>apply</c>, <c>check</c> and <c>rm</c>: which places there are.</summary>
internal static class DeclareCommands
{
    public static PucesCommand Add(Tools tools)
    {
        var command = new PucesCommand(
            "add", "Add a pool of machines that are reached by SSH, and check it. A name is looked up as ssh does it, ~/.ssh/config included.",
            "puces pools add ssh office --host gpu1 --host gpu2",
            "puces pools add ssh lab --host vera@10.0.0.7:2222 --key ~/.ssh/lab --jump gate.example.org");
        var provider = new Argument<string>("provider") { Description = "What kind of place: ssh" };
        var name = new Argument<string>("name") { Description = "What the pool is to be called" };
        var hosts = new Option<string[]>("--host") { HelpName = "[USER@]HOST[:PORT]", Description = "A machine of it; may be repeated. NAME=HOST calls it otherwise here" };
        var user = new Option<string?>("--user") { HelpName = "NAME", Description = "Who to log in as" };
        var port = new Option<int?>("--port") { HelpName = "N", Description = "Port of sshd" };
        var key = new Option<string?>("--key") { HelpName = "FILE", Description = "Private key, on the server's machine" };
        var jump = new Option<string?>("--jump") { HelpName = "[USER@]HOST[:PORT]", Description = "Host to go through" };
        var folder = new Option<string?>("--folder") { HelpName = "DIR", Description = "Where Puces keeps its files on a host; ~/.puces, unless given" };
        var shared = new Option<string?>("--shared") { HelpName = "DIR", Description = "A folder that all hosts see, for checkpoints" };
        var term = new Option<string?>("--term") { HelpName = "1h", Description = "How long a job goes on without a word from the daemon" };
        var gpus = new Option<string?>("--gpus") { HelpName = "NAME:COUNT", Description = "Virtual devices of each host, for trials" };
        command.Arguments.Add(provider);
        command.Arguments.Add(name);
        foreach (var option in (Option[])[hosts, user, port, key, jump, folder, shared, term, gpus]) command.Options.Add(option);
        command.SetAction(async (parsed, ct) =>
        {
            var (kind, pool) = (parsed.GetRequiredValue(provider), parsed.GetRequiredValue(name));
            if (kind != "ssh") throw CommandException.Usage($"pools of provider {kind} cannot be added; ssh is what there is", "puces pools add ssh " + pool + " --host gpu1");
            var given = parsed.GetValue(hosts) ?? [];
            if (given.Length == 0) throw CommandException.Usage("no host is given", $"puces pools add ssh {pool} --host gpu1");
            var declared = new SetPool(
                Gpus: parsed.GetValue(gpus), Provider: kind, Term: parsed.GetValue(term),
                Ssh: new([.. given.Select(HostOf)], parsed.GetValue(user), parsed.GetValue(port), Whole(parsed.GetValue(key)), parsed.GetValue(jump), null, parsed.GetValue(folder), parsed.GetValue(shared)));
            using var server = new PucesServer(tools.Session);
            var there = await server.GetAsync("api/v1/pools", PucesServer.Json.PoolList, ct);
            if (there.Pools.Any(p => p.Name == pool)) throw new CommandException($"there is a pool {pool} already", $"puces pools apply FILE, to change it, or puces pools rm {pool}");
            await DeclareAsync(tools, server, pool, declared, ct);
            tools.Screen.Line($"pool {pool} is added");
            return await CheckAsync(tools, server, pool, ct);
        });
        return command;
    }

    public static PucesCommand Apply(Tools tools)
    {
        var command = new PucesCommand(
            "apply", "Declare the pools of a file: those that are new are added, the others changed where they differ. What runs on nodes that stay as they are goes on.",
            "puces pools apply pools.yaml", "puces pools apply pools.yaml --check");
        var file = new Argument<string>("file") { Description = "A file with pools: and their names" };
        var check = new Option<bool>("--check") { Description = "Check each pool afterwards" };
        command.Arguments.Add(file);
        command.Options.Add(check);
        command.SetAction(async (parsed, ct) =>
        {
            var pools = Read(tools, parsed.GetRequiredValue(file));
            using var server = new PucesServer(tools.Session);
            var code = ExitCodes.Ok;
            foreach (var (name, pool) in pools)
            {
                await DeclareAsync(tools, server, name, pool, ct);
                tools.Screen.Line($"pool {name} is declared");
            }
            foreach (var (name, _) in parsed.GetValue(check) ? pools : [])
                if (await CheckAsync(tools, server, name, ct) != ExitCodes.Ok) code = ExitCodes.Failure;
            return code;
        });
        return command;
    }

    public static PucesCommand Check(Tools tools)
    {
        var command = new PucesCommand("check", "Go the way that a job would go to each machine of a pool, and say for each step what was found.", "puces pools check office");
        var name = new Argument<string>("name") { Description = "The pool" };
        command.Arguments.Add(name);
        command.SetAction(async (parsed, ct) =>
        {
            using var server = new PucesServer(tools.Session);
            return await CheckAsync(tools, server, parsed.GetRequiredValue(name), ct);
        });
        return command;
    }

    public static PucesCommand Remove(Tools tools)
    {
        var command = new PucesCommand("rm", "Remove a pool that no job is on. Its machines are left as they are.", "puces pools rm office");
        var name = new Argument<string>("name") { Description = "The pool" };
        command.Arguments.Add(name);
        command.SetAction(async (parsed, ct) =>
        {
            var pool = parsed.GetRequiredValue(name);
            using var server = new PucesServer(tools.Session);
            using var reply = await server.SendAsync(() => new(HttpMethod.Delete, $"api/v1/pools/{Uri.EscapeDataString(pool)}"), StartDaemon.IfNeeded, ct);
            return tools.Done(parsed, $"pool {pool} is removed");
        });
        return command;
    }

    private static async Task DeclareAsync(Tools tools, PucesServer server, string name, SetPool pool, CancellationToken ct)
    {
        using var reply = await server.SendAsync(
            PucesServer.Message(HttpMethod.Put, $"api/v1/pools/{Uri.EscapeDataString(name)}", pool, ContractJson.Default.SetPool), StartDaemon.IfNeeded, ct);
    }

    private static async Task<int> CheckAsync(Tools tools, PucesServer server, string name, CancellationToken ct)
    {
        var isGood = true;
        await foreach (var step in server.EventsAsync(_ => $"api/v1/pools/{Uri.EscapeDataString(name)}/check", null, PucesServer.Json.CheckView, null, ct))
        {
            var seen = step.Data;
            isGood &= seen.IsGood is not false;
            var mark = seen.IsGood switch { true => tools.Screen.Paint("ok   ", Tint.Green), false => tools.Screen.Paint("WRONG", Tint.Red), _ => tools.Screen.Paint("note ", Tint.Yellow) };
            tools.Screen.Line($"{mark}  {seen.What}: {seen.Found}");
            if (seen.Hint is { } hint) tools.Screen.Line($"       try: {hint}");
            tools.Screen.Flush();
        }
        return isGood ? ExitCodes.Ok : ExitCodes.Failure;
    }

    private static IReadOnlyList<(string Name, SetPool Pool)> Read(Tools tools, string file)
    {
        var source = new JobFileSource(file, "", "");
        IReadOnlyList<(string, SetPool)> pools = [];
        IReadOnlyList<FieldError> errors;
        try
        {
            if (JobFileReader.ReadText(file, out var text) is { } unreadable) errors = [unreadable];
            else
            {
                source = source with { Text = text };
                var (root, error) = YamlReader.Read(text);
                (pools, errors) = root is null ? ([], [error!]) : PoolFile.Bind(root);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            errors = [new("", $"cannot be read: {e.Message}")];
        }
        return errors.Count == 0 ? pools : throw new CommandException(JobFileErrors.Render(source, errors, tools.Screen.ErrorHasColour).TrimEnd('\n'), null, ExitCodes.Usage);
    }

    // NAME=USER@HOST:PORT, of which only HOST must be there.
    private static SshHost HostOf(string given)
    {
        var (name, rest) = given.Split('=', 2) is [var left, var right] ? (left, right) : (null, given);
        var (user, address) = rest.Split('@', 2) is [var who, var where] ? (who, where) : (null, rest);
        var colon = address.LastIndexOf(':');
        var hasPort = colon > 0 && address.IndexOf(':', StringComparison.Ordinal) == colon && int.TryParse(address.AsSpan(colon + 1), out _);
        var host = hasPort ? address[..colon] : address;
        if (host.Length == 0) throw CommandException.Usage($"--host {given}: names no host", "--host vera@10.0.0.7:2222");
        var called = name ?? JobName.FittingTo(host);
        return new(called, called == host ? null : host, user, hasPort ? int.Parse(address.AsSpan(colon + 1), System.Globalization.CultureInfo.InvariantCulture) : null);
    }

    // The server may run in another folder; it is often on this machine.
    private static string? Whole(string? path) => path is null || path.StartsWith('~') ? path : Path.GetFullPath(path);
}
