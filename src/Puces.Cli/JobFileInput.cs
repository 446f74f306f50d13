using Puces.Cli.JobFiles;
using Puces.Core.Jobs;

namespace Puces.Cli;

/// <summary>A job ready to be sent.</summary>
/// <param name="Folder">What the work directory and the mounts are relative to.</param>
internal sealed record LoadedJob(JobSpec Spec, string Folder);

/// <summary>Between the commands and the job file's reader: paths as the user sees them, mistakes as errors of a command.</summary>
internal static class JobFileInput
{
    public const string DefaultName = "puces.yaml";

    /// <param name="path">As on the command line; null where the job stands there alone.</param>
    public static LoadedJob Load(Session session, string? path, Overrides overrides)
    {
        var loaded = path is null ? JobFileReader.FromCommandLine(session.Folder, overrides) : JobFileReader.Load(session.FullPath(path), overrides);
        return loaded.Spec is { } spec
            ? new(spec, loaded.Source.Folder)
            : throw Mistakes(session, loaded, path is null ? "puces run --help" : $"puces validate {Shown(session, loaded)}, until it is in order");
    }

    public static ValidateReply Validate(Session session, string path)
    {
        var loaded = JobFileReader.Load(session.FullPath(path), Overrides.None);
        return new(loaded.Spec is not null, Shown(session, loaded), loaded.Spec is { } spec ? $"{spec.Name} asks for {Request.Of(spec)}" : Text(session, loaded), loaded.Errors);
    }

    private static CommandException Mistakes(Session session, LoadedJobFile loaded, string remedy) => CommandException.Usage(Text(session, loaded), remedy);

    private static string Text(Session session, LoadedJobFile loaded) =>
        JobFileErrors.Render(loaded.Source with { Path = Shown(session, loaded) }, loaded.Errors, session.Screen.ErrorHasColour).TrimEnd('\n');

    // The shorter of the two ways to say where the file is.
    private static string Shown(Session session, LoadedJobFile loaded)
    {
        if (loaded.Source.Path.Length == 0) return "";
        var relative = Path.GetRelativePath(session.Folder, loaded.Source.Path);
        return relative.Length < loaded.Source.Path.Length ? relative : loaded.Source.Path;
    }
}
