using System.CommandLine;
using Puces.Cli.JobFiles;
using Puces.Cli.Remote;
using Puces.Cli.Terminal;
using Puces.Core.Contract;
using Puces.Core.Fleet;

namespace Puces.Cli.Commands;

/// <summary><c>puces pools add</c>, <c>apply</c>, <c>check</c> and <c>rm</c>: which places there are.</summary>
internal static class DeclareCommands
{
    public static PucesCommand Add(Tools tools)
    {
        var command = new PucesCommand(
            "add", "Add a pool, and check it: machines that are reached by SSH, or a cluster that Slurm runs.",
            "puces pools add ssh office --host gpu1 --host gpu2",
            "puces pools add ssh lab --host vera@10.0.0.7:2222 --key ~/.ssh/lab --jump gate.example.org",
            "puces pools add slurm jean --login jean-zay --partition gpu_p13 --account abc@v100");
        var provider = new Argument<string>("provider") { Description = "What kind of place: ssh or slurm" };
        var name = new Argument<string>("name") { Description = "What the pool is to be called" };
        command.Arguments.Add(provider);
        command.Arguments.Add(name);
        var (ssh, slurm) = (new SshOptions(command), new SlurmOptions(command));
        var folder = new Option<string?>("--folder") { HelpName = "DIR", Description = "Where Puces keeps its files there; ~/.puces, unless given. With slurm, compute nodes must see it too" };
        var term = new Option<string?>("--term") { HelpName = "1h", Description = "How long a job goes on without a word from the daemon" };
        var price = new Option<string?>("--price") { HelpName = "MONEY", Description = "What one device costs for an hour, such as '1.90 EUR'" };
        var gpus = new Option<string?>("--gpus") { HelpName = "NAME:COUNT", Description = "Virtual devices of each node, for trials" };
        foreach (var option in (Option[])[folder, term, price, gpus]) command.Options.Add(option);
        command.SetAction(async (parsed, ct) =>
        {
            var (kind, pool) = (parsed.GetRequiredValue(provider), parsed.GetRequiredValue(name));
            var declared = new SetPool(Gpus: parsed.GetValue(gpus), Provider: kind, Term: parsed.GetValue(term), Price: parsed.GetValue(price));
            declared = kind switch
            {
                "ssh" => declared with { Ssh = ssh.Read(parsed, pool) with { Folder = parsed.GetValue(folder) } },
                "slurm" => declared with { Slurm = slurm.Read(parsed, ssh) with { Folder = parsed.GetValue(folder) } },
                _ => throw CommandException.Usage($"there are no pools of provider {kind}: write ssh or slurm", $"puces pools add ssh {pool} --host gpu1"),
            };
            using var server = new PucesServer(tools.Session);
            var there = await server.GetAsync("api/v1/pools", PucesServer.Json.PoolList, ct);
            if (there.Pools.Any(p => p.Name == pool)) throw new CommandException($"there is a pool {pool} already", $"puces pools apply FILE, to change it, or puces pools rm {pool}");
            await DeclareAsync(server, pool, declared, ct);
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
                await DeclareAsync(server, name, pool, ct);
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

    private static async Task DeclareAsync(PucesServer server, string name, SetPool pool, CancellationToken ct)
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
}
