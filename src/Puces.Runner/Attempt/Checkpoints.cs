using System.Text.Json;
using Puces.Core.Contract;

namespace Puces.Runner.Attempt;

/// <summary>
/// Where a job saves itself, and what of it is whole. In a folder, a checkpoint is a folder that holds <c>manifest.json</c>, written last by
/// renaming it: <c>{"step": 1200, "files": {"model.bin": 52428800}}</c>, both optional. Or the job names one file, which counts once it
/// has some content and has not changed for a second.
/// </summary>
internal sealed class Checkpoints
{
    private static readonly TimeSpan Settled = TimeSpan.FromSeconds(1);

    private readonly string? _file;
    private readonly Dictionary<string, (DateTime Written, long? Step, bool IsWhole)> _seen = [];

    public Checkpoints(RankOrder order, string work, string job)
    {
        (Folder, _file) = Locate(order.Checkpoint.Path, work, job);
        if (order.Checkpoint.Path is { Length: > 0 }) Directory.CreateDirectory(Folder);
        else Files.MakeFolder(Folder);
    }

    /// <summary>Where a job of that <c>checkpoint.path</c> saves itself: the folder, and the file where it names one.</summary>
    /// <param name="job">The job's folder on the node.</param>
    public static (string Folder, string? File) Locate(string? path, string work, string job)
    {
        if (path is not { Length: > 0 }) return (Shared(job) ?? Path.Combine(job, "checkpoint"), null);
        var named = Path.GetFullPath(Path.Combine(work, path));
        var isFile = File.Exists(named) || !path.EndsWith('/') && !Directory.Exists(named) && Path.HasExtension(named);
        return isFile ? (Path.GetDirectoryName(named)!, named) : (named.TrimEnd('/'), null);
    }

    // A folder that all nodes of the pool see. The root's name keeps several daemons apart.
    private static string? Shared(string job) =>
        Environment.GetEnvironmentVariable("PUCES_SHARED") is { Length: > 0 } shared
            ? Path.Combine(shared, "puces", Path.GetFileName(Path.GetDirectoryName(Path.GetDirectoryName(job)))!, Path.GetFileName(job), "checkpoint") : null;

    /// <summary>What <c>PUCES_CHECKPOINT_DIR</c> says.</summary>
    public string Folder { get; }

    /// <summary>The name of the newest whole checkpoint in the folder; null where there is none.</summary>
    public string? Newest(bool atEnd = false)
    {
        try
        {
            return _file is null ? NewestFolder() : IsWholeFile(atEnd) ? Path.GetFileName(_file) : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private bool IsWholeFile(bool atEnd) =>
        new FileInfo(_file!) is { Exists: true, Length: > 0 } file && (atEnd || DateTime.UtcNow - file.LastWriteTimeUtc >= Settled);

    private string? NewestFolder()
    {
        (string Name, long Step, DateTime Written)? newest = null;
        foreach (var folder in Directory.EnumerateDirectories(Folder))
        {
            var manifest = new FileInfo(Path.Combine(folder, "manifest.json"));
            if (!manifest.Exists) continue;
            var written = manifest.LastWriteTimeUtc;
            // A manifest that has not changed still says the same; one whose files were short may be right by now.
            if (!_seen.TryGetValue(folder, out var seen) || seen.Written != written || !seen.IsWhole)
            {
                var (isWhole, step) = Read(folder, manifest.FullName);
                _seen[folder] = seen = (written, step, isWhole);
            }
            if (!seen.IsWhole) continue;
            var candidate = (Path.GetFileName(folder), seen.Step ?? -1, written);
            if (newest is not { } best || (candidate.Item2, candidate.written).CompareTo((best.Step, best.Written)) > 0) newest = candidate;
        }
        return newest?.Name;
    }

    private static (bool IsWhole, long? Step) Read(string folder, string manifest)
    {
        try
        {
            using var json = JsonDocument.Parse(File.ReadAllBytes(manifest));
            if (json.RootElement.ValueKind != JsonValueKind.Object) return (false, null);
            long? step = json.RootElement.TryGetProperty("step", out var number) && number.ValueKind == JsonValueKind.Number && number.TryGetInt64(out var value)
                ? value : null;
            if (!json.RootElement.TryGetProperty("files", out var files) || files.ValueKind != JsonValueKind.Object) return (true, step);
            foreach (var file in files.EnumerateObject())
                if (new FileInfo(Path.Combine(folder, file.Name)) is not { Exists: true } found
                    || file.Value.ValueKind != JsonValueKind.Number || !file.Value.TryGetInt64(out var size) || found.Length != size)
                    return (false, step);
            return (true, step);
        }
        catch (Exception e) when (e is JsonException or IOException or UnauthorizedAccessException)
        {
            return (false, null);
        }
    }
}
