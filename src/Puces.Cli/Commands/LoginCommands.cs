using System.CommandLine;
using System.Text.Json;
using Puces.Cli.Local;
using Puces.Cli.Remote;

namespace Puces.Cli.Commands;

/// <summary><c>puces login</c>, <c>logout</c> and <c>dashboard</c>: which server, and who we are there.</summary>
internal static class LoginCommands
{
    public static Command Login(Tools tools)
    {
        var command = new PucesCommand(
            "login", "Use a server from now on. The token is typed unseen, read from standard input, or taken from PUCES_TOKEN.",
            "puces login https://puces.example.org", "puces login http://gpu-1:8723 < token");
        var url = new Argument<string>("url") { Description = "The server's address" };
        command.Arguments.Add(url);
        command.SetAction(async (parsed, ct) =>
        {
            var session = tools.Session;
            var address = ServerAddress.Parse(parsed.GetRequiredValue(url), "puces login");
            var token = (session.Variable("PUCES_TOKEN") is { Length: > 0 } given ? given : session.Keyboard.ReadSecret(tools.Screen, "token: "))?.Trim();
            if (token is null) throw CommandException.Usage("no token was given", "puces login URL < token, or set PUCES_TOKEN");
            // Asked before it is kept: a wrong address or token shows here and not at the first job.
            var login = new Login(address.ToString().TrimEnd('/'), token);
            var asked = session with { Variable = name => name switch { "PUCES_URL" => login.Url, "PUCES_TOKEN" => token, _ => session.Variable(name) } };
            using var server = new PucesServer(asked);
            var info = await server.GetAsync("api/v1/info", PucesServer.Json.ServerInfo, ct);
            Private.WriteFile(ServerAddress.LoginPath(session), JsonSerializer.SerializeToUtf8Bytes(login, CliJson.Default.Login));
            return tools.Done(parsed, $"commands now go to {login.Url} (pucesd {info.Version}, {info.Store})");
        });
        return command;
    }

    public static Command Logout(Tools tools)
    {
        var command = new PucesCommand("logout", "Forget the server and its token: commands go to the local daemon again.", "puces logout");
        command.SetAction((parsed, _) =>
        {
            var path = ServerAddress.LoginPath(tools.Session);
            var was = File.Exists(path);
            if (was) File.Delete(path);
            return Task.FromResult(tools.Done(parsed, was ? "forgotten; commands now go to the local daemon" : "there was no login"));
        });
        return command;
    }

    public static Command Dashboard(Tools tools)
    {
        var command = new PucesCommand("dashboard", "Print the address of the dashboard, with the token that lets you in. Do not pass it on.", "puces dashboard", "xdg-open \"$(puces dashboard)\"");
        command.SetAction(async (parsed, ct) =>
        {
            using var server = new PucesServer(tools.Session);
            _ = await server.GetAsync("api/v1/info", PucesServer.Json.ServerInfo, ct);
            var address = server.Address!;
            var page = address.Token is { } token ? $"{address.Url}?token={Uri.EscapeDataString(token)}" : address.Url.ToString();
            if (tools.WantsJson(parsed)) tools.WriteJson(new(address.Url.ToString(), address.Origin, page), CliJson.Default.ServerReply);
            else tools.Screen.Line(page);
            return ExitCodes.Ok;
        });
        return command;
    }
}
