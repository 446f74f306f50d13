using System.Text;
using Puces.Core.Contract;
using Puces.Core.Jobs;

namespace Puces.Cli.JobFiles;

/// <summary>Where a job was written.</summary>
/// <param name="Path">As the user named it; empty where the job came from the command line alone.</param>
/// <param name="Folder">Absolute; <c>workdir</c> and <c>mounts</c> are relative to it.</param>
/// <param name="Text">The file's content, for showing its lines.</param>
public sealed record JobFileSource(string Path, string Folder, string Text);

/// <summary>A job file as read: a spec, or at least one error.</summary>
public sealed record LoadedJobFile(JobFileSource Source, JobSpec? Spec, IReadOnlyList<FieldError> Errors);

/// <summary>Finds a job file, reads it as YAML or JSON, and lets the command line win over it.</summary>
public static class JobFileReader
{
    private const int MostBytes = 1 << 20;
    private static readonly string[] Names = ["puces.yaml", "puces.yml", "puces.json"];

    /// <summary>Reads a file, or the one job file of a folder.</summary>
    public static LoadedJobFile Load(string path, Overrides overrides)
    {
        var source = new JobFileSource(path, "", "");
        try
        {
            if (Find(path, out var file) is { } missing) return Failed(source, missing);
            source = source with { Path = file, Folder = Path.GetDirectoryName(Path.GetFullPath(file)) ?? "/" };
            if (ReadText(file, out var text) is { } unreadable) return Failed(source, unreadable);
            source = source with { Text = text };
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            return Failed(source, new("", $"cannot be read: {failure.Message}"));
        }
        return Parse(source, overrides);
    }

    /// <summary>A job that stands on the command line alone, in the given folder.</summary>
    public static LoadedJobFile FromCommandLine(string folder, Overrides overrides)
    {
        var program = overrides.Command is [var first, ..] ? JobName.FittingTo(Path.GetFileName(first)) : "";
        return Bind(new("", Path.GetFullPath(folder), ""), new SpecNode.Mapping(default, []), overrides, program.Length > 0 ? program : "job");
    }

    internal static LoadedJobFile Parse(JobFileSource source, Overrides overrides)
    {
        var (root, error) = Path.GetExtension(source.Path).Equals(".json", StringComparison.OrdinalIgnoreCase)
            ? SpecReader.Read(Encoding.UTF8.GetBytes(source.Text))
            : YamlReader.Read(source.Text);
        return root is null ? Failed(source, error!) : Bind(source, root, overrides, DefaultName(source));
    }

    private static LoadedJobFile Bind(JobFileSource source, SpecNode root, Overrides overrides, string name)
    {
        var errors = new List<FieldError>();
        var whole = overrides.Apply(root, errors);
        var (spec, wrong) = JobFile.Bind(whole, new(name, Workdir: "."));
        errors.AddRange(wrong);
        return errors.Count == 0 ? new(source, spec, []) : new(source, null, errors);
    }

    private static LoadedJobFile Failed(JobFileSource source, FieldError error) => new(source, null, [error]);

    private static FieldError? Find(string path, out string file)
    {
        file = path;
        if (path.Length == 0) return new("", "names no job file; give a file, or a folder that holds puces.yaml");
        if (!Directory.Exists(path))
        {
            return File.Exists(path) ? null : new("", $"there is no such file or folder; give a job file, or a folder that holds {Names[0]}");
        }
        var found = Names.Select(name => Path.Combine(path, name)).Where(File.Exists).ToList();
        if (found.Count == 1) file = found[0];
        return found.Count switch
        {
            1 => null,
            0 => new("", $"the folder holds no job file; write {Names[0]}, or name another file"),
            _ => new("", $"the folder holds {string.Join(" and ", found.Select(Path.GetFileName))}; name the one that is meant"),
        };
    }

    // A pipe or a device has no length: no more than the limit is ever read.
    internal static FieldError? ReadText(string file, out string text)
    {
        text = "";
        using var stream = new FileStream(file, FileMode.Open, FileAccess.Read);
        var buffer = new byte[stream.CanSeek && stream.Length > 0 ? Math.Min(stream.Length, MostBytes) + 1 : MostBytes + 1];
        var length = stream.ReadAtLeast(buffer, buffer.Length, throwOnEndOfStream: false);
        if (length > MostBytes) return new("", "is larger than 1 MiB; that is no job file");
        var bytes = buffer.AsSpan(0, length);
        if (bytes is [0xFF, 0xFE, ..] or [0xFE, 0xFF, ..]) return new("", "is UTF-16; save it as UTF-8", 1, 1);
        if (bytes.StartsWith("\uFEFF"u8)) bytes = bytes[3..];
        try
        {
            text = new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(bytes);
            return null;
        }
        catch (DecoderFallbackException)
        {
            return new("", "is not UTF-8; save it as UTF-8", 1, 1);
        }
    }

    private static string DefaultName(JobFileSource source)
    {
        var file = Path.GetFileName(source.Path);
        var own = Names.Contains(file) ? Path.GetFileName(source.Folder) : Path.GetFileNameWithoutExtension(file);
        return JobName.FittingTo(own) is { Length: > 0 } name ? name : "job";
    }
}
