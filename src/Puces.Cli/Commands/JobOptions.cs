using System.CommandLine;

namespace Puces.Cli.Commands;

/// <summary>The job file's fields as options: what stands on the line wins over the file.</summary>
internal sealed class JobOptions
{
    private readonly Argument<string?> _file = new("file") { Arity = ArgumentArity.ZeroOrOne, Description = $"A job file, or a folder with a {JobFileInput.DefaultName}" };
    private readonly Option<string[]> _env = Many("--env", "NAME=VALUE", "A variable of the job; NAME alone passes on your own", "-e");
    private readonly Option<string[]> _mounts = Many("--mount", "PATH=SOURCE", "Send a file or folder to a path in the work directory");
    private readonly Option<string[]> _secrets = Many("--secret", "NAME", "Give the job a stored secret as a variable");
    private readonly Option<string[]> _where = Many("--where", "POOL", "Only in these pools");
    private readonly (string Field, Option<string?> Option)[] _fields =
    [
        ("name", One("--name", "NAME", "What the job is called", "-n")),
        ("gpus", One("--gpus", "NAME:COUNT", "Accelerators per node, such as H100:8", "-g")),
        ("nodes", One("--nodes", "N", "Nodes that start together", "-N")),
        ("cpus", One("--cpus", "N", "CPUs per node")),
        ("memory", One("--memory", "SIZE", "Main memory per node, such as 64GB")),
        ("project", One("--project", "NAME", "Who pays", "-p")),
        ("priority", One("--priority", "LEVEL", "low, normal, high, urgent, or a number from -1000 to 1000")),
        ("workdir", One("--workdir", "FOLDER", "Folder that is sent with the job", "-w")),
        ("setup", One("--setup", "SCRIPT", "Shell script run before the command on each node")),
        ("image", One("--image", "NAME", "Container image")),
        ("spot", One("--spot", "USE", "never, auto or only")),
        ("limit", One("--limit", "TIME", "Longest that one attempt may run, such as 2h")),
        ("expected", One("--expected", "TIME", "How long you think it takes")),
        ("deadline", One("--deadline", "TIME", "When it must be done")),
        ("budget", One("--budget", "MONEY", "Most that it may cost, such as '50 EUR'")),
        ("retries", One("--retries", "N", "Failures after which it is given up")),
    ];

    public void AddTo(Command command)
    {
        command.Arguments.Add(_file);
        foreach (var (_, option) in _fields) command.Options.Add(option);
        foreach (var option in (Option[])[_env, _mounts, _secrets, _where]) command.Options.Add(option);
    }

    /// <summary>Reads the file and lays the line over it.</summary>
    /// <param name="command">What stood behind <c>--</c>; null where nothing did.</param>
    public LoadedJob Load(Session session, ParseResult parsed, IReadOnlyList<string>? command)
    {
        var fields = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var (field, option) in _fields)
            if (parsed.GetValue(option) is { } value) fields[field] = field == "workdir" ? session.FullPath(value) : value;
        var mounts = Pairs(parsed, _mounts, _ => null).ToDictionary(p => p.Key, p => session.FullPath(p.Value), StringComparer.Ordinal);
        var overrides = new JobOverrides(
            fields, Pairs(parsed, _env, session.Variable), mounts, parsed.GetValue(_secrets) ?? [], parsed.GetValue(_where) ?? [], command);
        var file = parsed.GetValue(_file);
        if (file is null && command is null)
        {
            if (!File.Exists(session.FullPath(JobFileInput.DefaultName)))
                throw CommandException.Usage($"nothing to run: no file, no command, and no {JobFileInput.DefaultName} in this folder", $"puces {parsed.CommandResult.Command.Name} --help");
            file = JobFileInput.DefaultName;
        }
        return JobFileInput.Load(session, file is null ? null : session.FullPath(file), overrides);
    }

    private static Dictionary<string, string> Pairs(ParseResult parsed, Option<string[]> option, Func<string, string?> lookup)
    {
        var pairs = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var text in parsed.GetValue(option) ?? [])
        {
            var equals = text.IndexOf('=', StringComparison.Ordinal);
            var name = equals < 0 ? text : text[..equals];
            var value = equals < 0 ? lookup(name) : text[(equals + 1)..];
            if (name.Length == 0 || value is null)
                throw CommandException.Usage($"{option.Name} {text}: expected {option.HelpName}", $"puces {parsed.CommandResult.Command.Name} --help");
            pairs[name] = value;
        }
        return pairs;
    }

    private static Option<string?> One(string name, string value, string description, params string[] aliases) =>
        new(name, aliases) { HelpName = value, Description = description };

    private static Option<string[]> Many(string name, string value, string description, params string[] aliases) =>
        new(name, aliases) { HelpName = value, Description = description + " (may be repeated)", Arity = ArgumentArity.OneOrMore, AllowMultipleArgumentsPerToken = false };
}
