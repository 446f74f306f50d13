using System.CommandLine;
using System.CommandLine.Help;

namespace Puces.Cli.Commands;

/// <summary>All commands. Building the whole tree takes less than a millisecond: nothing is gained by building parts of it.</summary>
internal static class CommandTree
{
    /// <param name="behindDashes">What stood behind <c>--</c> on the line; null where nothing did.</param>
    public static RootCommand Build(Session session, Option<bool> json, IReadOnlyList<string>? behindDashes)
    {
        var tools = new Tools(session, json);
        var root = new RootCommand("Puces: one line for every GPU you can get. Start with: puces run FILE");
        root.Options.Add(json);
        foreach (var command in (Command[])
        [
            RunCommands.Run(tools, behindDashes), RunCommands.Submit(tools, behindDashes), ListCommand.Create(tools), JobCommands.Show(tools),
            JobCommands.Why(tools), JobCommands.Logs(tools), JobCommands.Cancel(tools), JobCommands.Wait(tools), ValidateCommand.Create(tools),
            ReplayCommand.Create(tools), PackCommand.Create(tools), PoolCommands.Create(tools), ProjectCommands.Create(tools), SecretCommands.Create(tools), FeedCommand.Create(tools),
            LoginCommands.Dashboard(tools),
            LoginCommands.Login(tools), LoginCommands.Logout(tools), DaemonCommands.Up(tools, behindDashes), DaemonCommands.Down(tools),
            DoctorCommand.Create(tools), CompletionCommand.Create(tools), DaemonCommands.Version(tools),
        ]) root.Subcommands.Add(command);
        var help = root.Options.OfType<HelpOption>().Single();
        help.Description = "Show help and examples";
        help.Action = new ExampleHelp((HelpAction)help.Action!);
        return root;
    }

    public static Option<bool> JsonOption() => new("--json") { Description = "Write JSON, for programs", Recursive = true };
}
