using System.CommandLine;
using Puces.Cli.Local;
using Puces.Cli.Remote;
using Puces.Cli.Terminal;
using Puces.Core.Contract;

namespace Puces.Cli.Commands;

/// <summary><c>puces doctor</c>: what is right and what is not, on this side and on the server's.</summary>
internal static class DoctorCommand
{
    public static Command Create(Tools tools)
    {
        var command = new PucesCommand("doctor", "Check this machine and the server: what is right, what is not, and what to do. Starts and changes nothing.", "puces doctor", "puces doctor --json");
        command.SetAction(async (parsed, ct) =>
        {
            var checks = new List<Check> { new("client", true, $"puces {AppVersion.Text} ({Environment.ProcessPath})") };
            using var server = new PucesServer(tools.Session with { Patience = TimeSpan.Zero });
            AddFolders(tools.Session, checks);
            if (server.IsLocal) AddProgram(tools.Session, checks);
            await AddServerAsync(server, checks, ct);
            var isOk = checks.All(c => c.IsOk);
            if (tools.WantsJson(parsed)) tools.WriteJson(new(isOk, checks), CliJson.Default.DoctorReply);
            else
            {
                var width = checks.Max(c => c.Name.Length);
                foreach (var check in checks)
                    tools.Screen.Line($"{tools.Screen.Paint(check.IsOk ? "ok   " : "WRONG", check.IsOk ? Tint.Green : Tint.Red)}  {check.Name.PadRight(width)}  {check.Text}");
            }
            return isOk ? ExitCodes.Ok : ExitCodes.Failure;
        });
        return command;
    }

    private static void AddFolders(Session session, List<Check> checks)
    {
        foreach (var (name, folder) in (ReadOnlySpan<(string, string)>)[("state folder", session.Folders.State), ("settings", session.Folders.Config), ("cache", session.Folders.Cache)])
        {
            var existing = folder;
            while (!Directory.Exists(existing) && Path.GetDirectoryName(existing) is { } above) existing = above;
            var isWritable = IsWritable(existing);
            checks.Add(new(name, isWritable, isWritable ? folder : $"{folder}: {existing} cannot be written to"));
        }
        var login = ServerAddress.LoginPath(session);
        if (File.Exists(login) && !OperatingSystem.IsWindows() && (File.GetUnixFileMode(login) & (UnixFileMode)0b000_111_111) != 0)
            checks.Add(new("login", false, $"others may read the token in {login}: chmod 600 {login}"));
    }

    private static bool IsWritable(string folder)
    {
        try
        {
            var probe = Path.Combine(folder, $".puces-{Guid.NewGuid():n}");
            File.Create(probe, 1, FileOptions.DeleteOnClose).Dispose();
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    private static void AddProgram(Session session, List<Check> checks)
    {
        try
        {
            var program = DaemonProgram.Find(session);
            checks.Add(new("pucesd", true, string.Join(' ', [program.File, .. program.First])));
            checks.Add(new("puces-runner", program.Runner is not null, program.Runner ?? "not beside this program: set PUCES_RUNNER to it"));
        }
        catch (CommandException e)
        {
            checks.Add(new("pucesd", false, $"{e.Message}; {e.Remedy}"));
        }
    }

    private static async Task AddServerAsync(PucesServer server, List<Check> checks, CancellationToken ct)
    {
        if (server.Address is not { } address)
        {
            checks.Add(new("server", true, "none is configured and the local daemon does not run: the first command starts it"));
            return;
        }
        var url = address.Url.ToString().TrimEnd('/');
        if (address.IsLocal && server.Daemon.Files.ReadServer() is { IsAlive: false } dead)
        {
            checks.Add(new("server", true, $"the local daemon ended without a word (process {dead.Pid}, {server.Daemon.Files.Log}): the next command starts it again"));
            return;
        }
        try
        {
            var info = await server.GetAsync("api/v1/info", PucesServer.Json.ServerInfo, StartDaemon.Never, ct);
            checks.Add(new("server", true, $"{url} (from {address.Origin}): pucesd {info.Version}, {info.Store}, {info.Waiting} waiting, {info.Running} running"));
            checks.Add(info.Version == AppVersion.Text
                ? new("versions", true, "client and server are the same")
                : new("versions", false, $"the client is {AppVersion.Text} and the server {info.Version}: {(address.IsLocal ? "puces down; the next command starts the new one" : "install the same on both")}"));
            checks.AddRange(info.Checks.Select(c => c with { Name = $"server: {c.Name}" }));
        }
        catch (CommandException e)
        {
            checks.Add(new("server", false, e.Remedy is { } remedy ? $"{e.Message}; {remedy}" : e.Message));
        }
    }
}
