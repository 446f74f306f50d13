using System.CommandLine;
using System.Diagnostics;
using System.Runtime.InteropServices;
using Puces.Cli.Local;
using Puces.Cli.Remote;
using Puces.Cli.Terminal;

namespace Puces.Cli.Commands;

/// <summary><c>puces up</c>, <c>down</c> and <c>version</c>.</summary>
internal static class DaemonCommands
{
    private static readonly TimeSpan StopLimit = TimeSpan.FromSeconds(30);

    /// <param name="passedOn">What stood behind <c>--</c>.</param>
    public static Command Up(Tools tools, IReadOnlyList<string>? passedOn)
    {
        var command = new PucesCommand(
            "up", "Run the daemon in the foreground, with the same data as the one that commands start. Options that are not known here go to pucesd.",
            "puces up", "puces up --listen http://127.0.0.1:8723", "puces up -- --help   pucesd's own options")
        { TreatUnmatchedTokensAsErrors = false };
        command.SetAction(async (parsed, ct) =>
        {
            string[] options = [.. parsed.UnmatchedTokens, .. passedOn ?? []];
            var daemon = new LocalDaemon(tools.Session);
            if (!options.Contains("--data") && daemon.Files.ReadServer() is { IsAlive: true } running)
            {
                using var server = new PucesServer(tools.Session);
                if (await server.IsReadyAsync(running, ct)) throw new CommandException($"pucesd already runs ({running.Url}, process {running.Pid})", "puces down, to stop it");
            }
            Private.CreateFolder(daemon.Files.Folder);
            return await DaemonProgram.Find(tools.Session).RunAsync(daemon.Files.Folder, options, ct);
        });
        return command;
    }

    public static Command Down(Tools tools)
    {
        var command = new PucesCommand("down", "Stop the daemon. Running jobs go on, and are found again when it starts.", "puces down");
        command.SetAction(async (parsed, ct) =>
        {
            using var server = new PucesServer(tools.Session with { Patience = TimeSpan.Zero });
            var files = server.Daemon.Files;
            if (server.IsLocal && files.ReadServer() is not { IsAlive: true })
            {
                files.ForgetServer();
                return tools.Done(parsed, "pucesd does not run");
            }
            var info = await server.GetAsync("api/v1/info", PucesServer.Json.ServerInfo, StartDaemon.Never, ct);
            var old = server.IsLocal ? files.ReadServer() : null;
            using var reply = await server.SendAsync(() => new(HttpMethod.Post, "api/v1/shutdown"), StartDaemon.Never, ct);
            await GoneAsync(tools, server, old, ct);
            var goOn = info.Running == 0 ? "no job was running"
                : info.Running == 1 ? "1 running job goes on; the daemon finds it again when it starts"
                : $"{info.Running} running jobs go on; the daemon finds them again when it starts";
            return tools.Done(parsed, $"pucesd has stopped; {goOn}");
        });
        return command;
    }

    public static Command Version(Tools tools)
    {
        var command = new PucesCommand("version", "Print the version of this program.", "puces version", "puces version --json");
        command.SetAction((parsed, _) =>
        {
            if (tools.WantsJson(parsed)) tools.WriteJson(new(AppVersion.Text, RuntimeInformation.FrameworkDescription, RuntimeInformation.RuntimeIdentifier), CliJson.Default.VersionReply);
            else tools.Screen.Line($"puces {AppVersion.Text}");
            return Task.FromResult(ExitCodes.Ok);
        });
        return command;
    }

    // The daemon answers before it goes: gone is when its process is, or when nothing listens any more.
    private static async Task GoneAsync(Tools tools, PucesServer server, ServerFile? old, CancellationToken ct)
    {
        var clock = Stopwatch.StartNew();
        var there = old ?? new ServerFile(server.Address!.Url.ToString(), 0);
        while (old is not null ? old.IsAlive : await server.IsReadyAsync(there, ct))
        {
            if (clock.Elapsed > StopLimit)
                throw new CommandException($"pucesd was asked to stop and is still there after {StopLimit.TotalSeconds:0} s ({there.Url})", old is null ? null : $"kill {old.Pid}; nothing stored is lost");
            tools.Screen.Status($"waiting for pucesd to stop … {Say.Duration(clock.Elapsed)}");
            await Task.Delay(50, ct);
        }
        tools.Screen.Status(null);
        // Only ours: another may have started meanwhile.
        if (old is not null && server.Daemon.Files.ReadServer() == old) server.Daemon.Files.ForgetServer();
    }
}
