using Puces.Core.Contract;
using Puces.Core.Jobs;

namespace Puces.Cli.JobFiles;

/// <summary>An option of <c>run</c> and <c>submit</c> that wins over the job file.</summary>
/// <param name="Name">Such as <c>--gpus</c>.</param>
/// <param name="Value">What to call its value in help.</param>
/// <param name="IsRepeatable">Each use adds one.</param>
public sealed record OverrideOption(string Name, JobField Field, string Value, bool IsRepeatable = false)
{
    public string Description => IsRepeatable ? $"{Field.Text} May be repeated." : Field.Text;
}

/// <summary>
/// What the command line says about a job. It is put into the parsed file before anything is checked, so that the same
/// checks hold; what came from an option is reported under the option's name.
/// </summary>
/// <param name="given">Options and their values, in order.</param>
/// <param name="command">The words after <c>--</c>; null where there are none.</param>
/// <param name="folder">What a path on the command line is relative to.</param>
public sealed class Overrides(IReadOnlyList<(string Option, string Value)> given, IReadOnlyList<string>? command, string folder)
{
    public static readonly Overrides None = new([], null, ".");

    private static readonly OverrideOption Env = new("--env", JobFields.Env, "NAME=VALUE", true);
    private static readonly OverrideOption Mount = new("--mount", JobFields.Mounts, "PATH=FILE", true);
    private static readonly OverrideOption Secret = new("--secret", JobFields.Secrets, "NAME", true);

    /// <summary>All options, for whoever declares them on a command.</summary>
    public static IReadOnlyList<OverrideOption> Options { get; } =
    [
        new("--name", JobFields.Name, "NAME"), new("--project", JobFields.Project, "NAME"), new("--gpus", JobFields.Gpus, "GPUS", true),
        new("--nodes", JobFields.Nodes, "N"), new("--cpus", JobFields.Cpus, "N"), new("--memory", JobFields.Memory, "AMOUNT"),
        new("--where", JobFields.Where, "PLACE", true), new("--prefer", JobFields.Prefer, "WHAT"), new("--spot", JobFields.Spot, "WHEN"), new("--budget", JobFields.Budget, "MONEY"),
        new("--deadline", JobFields.Deadline, "TIME"), new("--expected", JobFields.Expected, "DURATION"),
        new("--limit", JobFields.Limit, "DURATION"), new("--priority", JobFields.Priority, "PRIORITY"),
        new("--checkpoint-path", JobFields.CheckpointPath, "PATH"), new("--checkpoint-signal", JobFields.CheckpointSignal, "SIGNAL"),
        new("--checkpoint-grace", JobFields.CheckpointGrace, "DURATION"), new("--checkpoint-every", JobFields.CheckpointEvery, "DURATION"),
        new("--image", JobFields.Image, "IMAGE"), new("--setup", JobFields.Setup, "SCRIPT"), new("--workdir", JobFields.Workdir, "FOLDER"),
        Mount, Env, Secret, new("--retries", JobFields.Retries, "N"),
    ];

    /// <summary>The program and arguments that take the place of <c>run</c>.</summary>
    public IReadOnlyList<string>? Command { get; } = command is { Count: > 0 } ? command : null;

    /// <summary>The file's tree with the options in their places; what no place can be found for is an error.</summary>
    public SpecNode Apply(SpecNode root, List<FieldError> errors)
    {
        if (root is not SpecNode.Mapping mapping) return root;
        foreach (var group in given.GroupBy(g => g.Option, StringComparer.Ordinal))
        {
            var option = Options.FirstOrDefault(o => o.Name == group.Key) ?? throw new ArgumentException($"{group.Key} is no option of a job.");
            var values = group.Select(g => g.Value).ToList();
            if (!option.IsRepeatable && values.Count > 1) errors.Add(new(option.Name, "is given twice; give it once"));
            mapping = Put(mapping, option, values, errors);
        }
        if (Command is null) return mapping;
        return With(mapping, JobFields.Run.Key, new SpecNode.Sequence(default, [.. Command.Select(word => new SpecNode.Scalar(default, word, true))]));
    }

    private SpecNode.Mapping Put(SpecNode.Mapping root, OverrideOption option, List<string> values, List<FieldError> errors)
    {
        var (mark, field) = (new SpecMark(0, 0, option.Name), option.Field);
        if (option == Env || option == Mount) return With(root, field.Key, Assign(Value(root, field.Key), option, values, errors));
        if (option == Secret)
        {
            IEnumerable<SpecNode> stored = Value(root, field.Key) switch { SpecNode.Sequence list => list.Items, SpecNode.Scalar one => [one], _ => [] };
            var names = values.Where(v => !stored.Any(s => s is SpecNode.Scalar { Text: var name } && name == v)).Distinct();
            return With(root, field.Key, new SpecNode.Sequence(mark, [.. stored, .. names.Select(v => Scalar(mark, v))]));
        }
        if (field.Section.Length > 0)
        {
            var section = Value(root, field.Section) as SpecNode.Mapping ?? new(mark, []);
            return With(root, field.Section, With(section, field.Key, Scalar(mark, values[^1])));
        }
        if (field == JobFields.Retries && Value(root, field.Key) is SpecNode.Mapping rules) return With(root, field.Key, With(rules, "count", Scalar(mark, values[^1])));
        if (field == JobFields.Workdir) return With(root, field.Key, values[^1] == "none" ? new SpecNode.Null(mark) : Scalar(mark, FromHere(values[^1])));
        if (field == JobFields.Gpus) return With(root, field.Key, One(mark, [.. values.Select(v => Gpus(mark, v, errors))]));
        if (field == JobFields.Where) return With(root, field.Key, One(mark, [.. values.SelectMany(v => v.Split(',')).Select(v => Scalar(mark, v.Trim()))]));
        return With(root, field.Key, Scalar(mark, values[^1]));
    }

    private SpecNode Assign(SpecNode? stored, OverrideOption option, List<string> values, List<FieldError> errors)
    {
        var mark = new SpecMark(0, 0, option.Name);
        foreach (var value in values)
        {
            var equals = value.IndexOf('=', StringComparison.Ordinal);
            if (equals < 1) { errors.Add(new(option.Name, $"{Show.Quoted(value)} has no value; write {option.Name} {option.Value}")); continue; }
            var (name, text) = (value[..equals], value[(equals + 1)..]);
            var node = Scalar(mark, option == Mount && text.Length > 0 ? FromHere(text) : text);
            stored = stored switch
            {
                SpecNode.Sequence list => new SpecNode.Sequence(list.Mark,
                    [.. list.Items.Where(i => !(i is SpecNode.Scalar { Text: var line } && line.StartsWith(name + "=", StringComparison.Ordinal))), Scalar(mark, value)]),
                SpecNode.Scalar wrong => wrong,   // reported as it stands in the file
                _ => With(stored as SpecNode.Mapping ?? new(mark, []), name, node),
            };
        }
        return stored ?? new SpecNode.Null(mark);
    }

    // A need may be written as in the file: --gpus '{vram: 80GB+, count: 8}'.
    private static SpecNode Gpus(SpecMark mark, string value, List<FieldError> errors)
    {
        if (!value.AsSpan().TrimStart().StartsWith("{")) return Scalar(mark, value);
        var (node, error) = YamlReader.Read(value);
        if (node is not null) return Marked(node, mark);
        errors.Add(new(mark.Option!, error!.Message));
        return new SpecNode.Scalar(mark, "none", false);
    }

    private static SpecNode Marked(SpecNode node, SpecMark mark) => node switch
    {
        SpecNode.Mapping mapping => new SpecNode.Mapping(mark, [.. mapping.Entries.Select(e => new SpecEntry(e.Key, mark, Marked(e.Value, mark)))]),
        SpecNode.Sequence list => new SpecNode.Sequence(mark, [.. list.Items.Select(i => Marked(i, mark))]),
        SpecNode.Scalar scalar => scalar with { Mark = mark },
        _ => new SpecNode.Null(mark),
    };

    private string FromHere(string path) => Path.GetFullPath(Path.Combine(Path.GetFullPath(folder), path));

    private static SpecNode One(SpecMark mark, IReadOnlyList<SpecNode> nodes) => nodes.Count == 1 ? nodes[0] : new SpecNode.Sequence(mark, nodes);

    private static SpecNode.Scalar Scalar(SpecMark mark, string text) => new SpecNode.Scalar(mark, text, IsQuoted: true);

    private static SpecNode? Value(SpecNode.Mapping mapping, string key)
    {
        foreach (var entry in mapping.Entries)
            if (entry.Key == key) return entry.Value;
        return null;
    }

    private static SpecNode.Mapping With(SpecNode.Mapping mapping, string key, SpecNode value)
    {
        var entries = mapping.Entries.ToList();
        var index = entries.FindIndex(e => e.Key == key);
        if (index < 0) entries.Add(new(key, value.Mark, value));
        else entries[index] = new(key, entries[index].Mark, value);
        return new(mapping.Mark, entries);
    }
}
