using System.CommandLine;
using System.Globalization;
using Puces.Cli.Remote;
using Puces.Cli.Terminal;
using Puces.Core.Contract;

namespace Puces.Cli.Commands;

/// <summary><c>puces projects</c>.</summary>
internal static class ProjectCommands
{
    public static Command Create(Tools tools)
    {
        var command = new PucesCommand(
            "projects", "List the projects: weight, quota, what they hold now, and what they have used.", "puces projects", "puces projects --json",
            "puces projects set vision --weight 2 --quota H100:8");
        command.SetAction(async (parsed, ct) =>
        {
            using var server = new PucesServer(tools.Session);
            return await tools.ShowAsync(parsed, server, "api/v1/projects", PucesServer.Json.ProjectList, Write, ct);
        });
        command.Subcommands.Add(Set(tools));
        command.Subcommands.Add(Remove(tools));
        return command;
    }

    private static PucesCommand Set(Tools tools)
    {
        var command = new PucesCommand(
            "set", "Say what a project is: all of it, since what is left out is as if it had never been set. A name such as lab/vision is a part of lab.",
            "puces projects set vision --weight 2 --quota H100:8",
            "puces projects set lab/vision --limit devices=16 --limit user-devices=8 --limit waiting=100 --limit run-time=2d");
        var name = NameArgument();
        var weight = new Option<int?>("--weight") { HelpName = "N", Description = "Its share is to the others' as its weight is to theirs; 1 where it is left out" };
        var quota = new Option<string[]>("--quota") { HelpName = "NAME:COUNT", Description = "Devices of a model that are its own, such as H100:8; may be repeated" };
        var limit = new Option<string[]>("--limit") { HelpName = "WHAT=N", Description = "devices, user-devices (held at once), waiting, user-waiting (jobs), run-time; may be repeated" };
        command.Arguments.Add(name);
        foreach (var option in (Option[])[weight, quota, limit]) command.Options.Add(option);
        command.SetAction(async (parsed, ct) =>
        {
            var project = parsed.GetRequiredValue(name);
            var body = new SetProject(parsed.GetValue(weight) ?? 1, Quota(parsed.GetValue(quota) ?? []), Limits(parsed.GetValue(limit) ?? []));
            using var server = new PucesServer(tools.Session);
            using var reply = await server.SendAsync(
                PucesServer.Message(HttpMethod.Put, PathOf(project), body, ContractJson.Default.SetProject), StartDaemon.IfNeeded, ct);
            return tools.Done(parsed, $"project {project} is set");
        });
        return command;
    }

    private static PucesCommand Remove(Tools tools)
    {
        var command = new PucesCommand("rm", "Forget a project's weight, quota and limits; its jobs and what it has used stay.", "puces projects rm vision");
        var name = NameArgument();
        command.Arguments.Add(name);
        command.SetAction(async (parsed, ct) =>
        {
            var project = parsed.GetRequiredValue(name);
            using var server = new PucesServer(tools.Session);
            using var reply = await server.SendAsync(() => new(HttpMethod.Delete, PathOf(project)), StartDaemon.IfNeeded, ct);
            return tools.Done(parsed, $"project {project} is removed");
        });
        return command;
    }

    private static Argument<string> NameArgument() => new("name") { Description = "The project, such as vision or lab/vision" };

    private static string PathOf(string name) => "api/v1/projects/" + string.Join('/', name.Split('/').Select(Uri.EscapeDataString));

    private static Dictionary<string, int>? Quota(string[] given)
    {
        if (given.Length == 0) return null;
        var quota = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var one in given)
        {
            var colon = one.LastIndexOf(':');
            if (colon < 1 || !int.TryParse(one.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var count))
                throw CommandException.Usage($"--quota {one}: write a model and a count, such as H100:8", "puces projects set --help");
            quota[one[..colon]] = count;
        }
        return quota;
    }

    private static ProjectLimits? Limits(string[] given)
    {
        var limits = new ProjectLimits();
        foreach (var one in given)
        {
            limits = one.Split('=', 2) switch
            {
                ["devices", var n] => limits with { Devices = Number(one, n) },
                ["user-devices", var n] => limits with { UserDevices = Number(one, n) },
                ["waiting", var n] => limits with { Waiting = Number(one, n) },
                ["user-waiting", var n] => limits with { UserWaiting = Number(one, n) },
                ["run-time", var time] => limits with { RunTime = time },
                _ => throw CommandException.Usage($"--limit {one}: write devices=N, user-devices=N, waiting=N, user-waiting=N or run-time=2d", "puces projects set --help"),
            };
        }
        return given.Length == 0 ? null : limits;
    }

    private static int Number(string option, string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number
        : throw CommandException.Usage($"--limit {option}: write a whole number", "puces projects set --help");

    private static void Write(Screen screen, ProjectList list)
    {
        if (list.Projects.Count == 0)
        {
            screen.Note("no projects yet: a job names its project, and puces projects set NAME gives it weight, quota and limits");
            return;
        }
        var table = new Table(
            new("PROJECT", Least: 8), new("WEIGHT", true), new("QUOTA", Least: 6), new("HELD", true), new("WAITING", true), new("H100 HOURS", true), new("USED", true),
            new("SHARE", true), new("LIMITS", Least: 8));
        foreach (var p in list.Projects)
            table.Add(
                p.Name, p.Weight, string.Join(' ', p.Quota.OrderBy(q => q.Key, StringComparer.Ordinal).Select(q => Say.Text($"{q.Key}:{q.Value}"))), Say.Text($"{p.Devices:0.###}"), p.Waiting,
                Say.Text($"{p.Usage:0.0}"), Say.Text($"{p.Used * 100:0.#} %"), Say.Text($"{p.Share * 100:0.#} %"), string.Join(' ', Words(p.Limits)));
        table.Write(screen);
    }

    private static IEnumerable<string> Words(ProjectLimits limits)
    {
        if (limits.Devices is { } devices) yield return Say.Text($"devices={devices}");
        if (limits.UserDevices is { } own) yield return Say.Text($"user-devices={own}");
        if (limits.Waiting is { } waiting) yield return Say.Text($"waiting={waiting}");
        if (limits.UserWaiting is { } mine) yield return Say.Text($"user-waiting={mine}");
        if (limits.RunTime is { } time) yield return $"run-time={time}";
    }
}
