using System.CommandLine;
using Puces.Cli.Remote;
using Puces.Cli.Terminal;
using Puces.Core.Contract;

namespace Puces.Cli.Commands;

/// <summary><c>puces secret</c>: values go in, and never come out but into the attempts that name them.</summary>
internal static class SecretCommands
{
    public static Command Create(Tools tools)
    {
        var command = new PucesCommand("secret", "Keep secrets for jobs: encrypted on the server, never listed, never in a log.", "puces secret set HF_TOKEN", "puces secret ls");
        command.Subcommands.Add(Set(tools));
        command.Subcommands.Add(List(tools));
        command.Subcommands.Add(Remove(tools));
        return command;
    }

    private static PucesCommand Set(Tools tools)
    {
        var command = new PucesCommand(
            "set", "Store a secret. Its value is typed unseen or read from standard input, never from the command line, which others can see.",
            "puces secret set HF_TOKEN                  asks for the value", "puces secret set HF_TOKEN < token.txt", "puces run --secret HF_TOKEN -- python train.py");
        var name = NameArgument();
        command.Arguments.Add(name);
        command.SetAction(async (parsed, ct) =>
        {
            var secret = parsed.GetRequiredValue(name);
            var value = tools.Session.Keyboard.ReadSecret(tools.Screen, $"value of {secret}: ")
                ?? throw CommandException.Usage($"no value was given for {secret}", $"puces secret set {secret} < file");
            using var server = new PucesServer(tools.Session);
            using var reply = await server.SendAsync(
                PucesServer.Message(HttpMethod.Put, PathOf(secret), new SetSecret(value), ContractJson.Default.SetSecret), StartDaemon.IfNeeded, ct);
            return tools.Done(parsed, $"secret {secret} is stored");
        });
        return command;
    }

    private static PucesCommand List(Tools tools)
    {
        var command = new PucesCommand("ls", "List the names of the secrets.", "puces secret ls", "puces secret ls --json");
        command.Aliases.Add("list");
        command.SetAction(async (parsed, ct) =>
        {
            using var server = new PucesServer(tools.Session);
            if (tools.WantsJson(parsed))
            {
                await server.CopyAsync("api/v1/secrets", ct);
                return ExitCodes.Ok;
            }
            var list = await server.GetAsync("api/v1/secrets", PucesServer.Json.SecretList, ct);
            var table = new Table(new("NAME", Least: 8), new("CHANGED"));
            foreach (var secret in list.Secrets) table.Add(secret.Name, Say.Moment(secret.Changed));
            if (list.Secrets.Count == 0) tools.Screen.Note("no secrets");
            else table.Write(tools.Screen);
            return ExitCodes.Ok;
        });
        return command;
    }

    private static PucesCommand Remove(Tools tools)
    {
        var command = new PucesCommand("rm", "Delete a secret.", "puces secret rm HF_TOKEN");
        var name = NameArgument();
        command.Arguments.Add(name);
        command.SetAction(async (parsed, ct) =>
        {
            var secret = parsed.GetRequiredValue(name);
            using var server = new PucesServer(tools.Session);
            using var reply = await server.SendAsync(() => new(HttpMethod.Delete, PathOf(secret)), StartDaemon.IfNeeded, ct);
            return tools.Done(parsed, $"secret {secret} is deleted");
        });
        return command;
    }

    private static Argument<string> NameArgument() => new("name") { Description = "The secret's name: the variable that jobs see" };

    private static string PathOf(string name) => $"api/v1/secrets/{Uri.EscapeDataString(name)}";
}
