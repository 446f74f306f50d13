using Puces.Core.Jobs;

namespace Puces.Cli;

/// <summary>A job ready to be sent.</summary>
/// <param name="Folder">What the work directory and the mounts are relative to.</param>
internal sealed record LoadedJob(JobSpec Spec, string Folder);

/// <summary>What the command line says of a job: each field as it would stand in the file, which it wins over.</summary>
internal sealed record JobOverrides(
    IReadOnlyDictionary<string, string> Fields, IReadOnlyDictionary<string, string> Env, IReadOnlyDictionary<string, string> Mounts,
    IReadOnlyList<string> Secrets, IReadOnlyList<string> Where, IReadOnlyList<string>? Command);

/// <summary>The seam to the job file's reader.</summary>
internal static class JobFileInput
{
    public const string DefaultName = "puces.yaml";

    public static LoadedJob Load(Session session, string? path, JobOverrides overrides)
    {
        if (path is null && overrides.Command is { } command)
            return new(new(Path.GetFileName(command[0]), new(Arguments: command), Workdir: overrides.Fields.GetValueOrDefault("workdir"), Mounts: overrides.Mounts,
                Env: overrides.Env, Nodes: int.Parse(overrides.Fields.GetValueOrDefault("nodes", "1"), System.Globalization.CultureInfo.InvariantCulture)), session.Folder);
        throw CommandException.Usage($"cannot read {path}", null);
    }

    public static ValidateReply Validate(string path) => throw CommandException.Usage($"cannot read {path}", null);

    public static CommandException Mistakes(string file, IReadOnlyList<Puces.Core.Contract.FieldError> errors) =>
        CommandException.Usage(string.Join('\n', errors.Select(e => $"{file}:{e.Line}:{e.Column}: {e.Path}: {e.Message}")), null);
}
