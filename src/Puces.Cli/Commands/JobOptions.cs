using System.CommandLine;
using Puces.Cli.JobFiles;

namespace Puces.Cli.Commands;

/// <summary>The job file's fields as options: what stands on the line wins over the file.</summary>
internal sealed class JobOptions
{
    private static readonly Dictionary<string, string> Short = new(StringComparer.Ordinal)
    {
        ["--name"] = "-n",
        ["--gpus"] = "-g",
        ["--nodes"] = "-N",
        ["--project"] = "-p",
        ["--workdir"] = "-w",
        ["--env"] = "-e",
    };

    private readonly Argument<string?> _file = new("file") { Arity = ArgumentArity.ZeroOrOne, Description = $"A job file, or a folder with a {JobFileInput.DefaultName}" };
    private readonly List<(string Name, Option<string[]> Option)> _options = [.. Overrides.Options.Select(o => (o.Name, OptionOf(o)))];

    public void AddTo(Command command)
    {
        command.Arguments.Add(_file);
        foreach (var (_, option) in _options) command.Options.Add(option);
    }

    /// <summary>Reads the file and lays the line over it.</summary>
    /// <param name="command">What stood behind <c>--</c>; null where nothing did.</param>
    public LoadedJob Load(Session session, ParseResult parsed, IReadOnlyList<string>? command)
    {
        var given = new List<(string, string)>();
        foreach (var (name, option) in _options)
            foreach (var value in parsed.GetValue(option) ?? []) given.Add((name, name == "--env" ? WithOwn(session, value) : value));
        var help = $"puces {parsed.CommandResult.Command.Name} --help";
        if (command is { Count: 0 }) throw CommandException.Usage("no command stands behind --", help);
        var file = parsed.GetValue(_file);
        if (file is null && command is null)
        {
            if (!File.Exists(session.FullPath(JobFileInput.DefaultName)))
                throw CommandException.Usage($"nothing to run: no file, no command behind --, and no {JobFileInput.DefaultName} in this folder", help);
            file = JobFileInput.DefaultName;
        }
        return JobFileInput.Load(session, file, new(given, command, session.Folder));
    }

    // "--env NAME" passes on the caller's own, as docker does.
    private static string WithOwn(Session session, string value) =>
        !value.Contains('=', StringComparison.Ordinal) && session.Variable(value) is { } own ? $"{value}={own}" : value;

    private static Option<string[]> OptionOf(OverrideOption option) => new(option.Name, Short.TryGetValue(option.Name, out var alias) ? [alias] : [])
    {
        HelpName = option.Value,
        Description = option.Description,
        Arity = ArgumentArity.OneOrMore,
        AllowMultipleArgumentsPerToken = false,
    };
}
