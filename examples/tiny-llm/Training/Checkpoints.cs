using System.Text.Json;

namespace TinyLlm.Training;

/// <summary>
/// Checkpoints in the convention of Puces: a folder for each, which counts once <c>manifest.json</c> in it names its
/// step and its files with their sizes in bytes. The manifest is written last and put in place by renaming, so a crash
/// at any moment leaves either a whole checkpoint or one that no reader takes.
/// </summary>
/// <param name="folder">Where they lie.</param>
public sealed class Checkpoints(string folder)
{
    private const string ManifestName = "manifest.json";
    private const int Kept = 2;
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web) { WriteIndented = true };

    /// <summary>The whole checkpoint with the highest step; null where there is none.</summary>
    public Checkpoint? Newest() => Whole().MaxBy(checkpoint => checkpoint.Step);

    /// <summary>Makes the checkpoint of <paramref name="step"/>, keeps the newest two and deletes what is older.</summary>
    /// <param name="step">Number of steps done.</param>
    /// <param name="write">Writes the data files into the folder it is given.</param>
    public Checkpoint Save(long step, Action<string> write)
    {
        string path = Path.Combine(folder, $"step-{step:D6}");
        if (Directory.Exists(path))
        {
            Directory.Delete(path, recursive: true);
        }

        write(Directory.CreateDirectory(path).FullName);
        var files = new DirectoryInfo(path).GetFiles().OrderBy(file => file.Name, StringComparer.Ordinal)
            .ToDictionary(file => file.Name, file => file.Length);
        string unfinished = Path.Combine(path, ManifestName + ".tmp");
        WriteThrough(unfinished, stream => JsonSerializer.Serialize(stream, new Manifest(step, files), Json));
        File.Move(unfinished, Path.Combine(path, ManifestName));
        DeleteOlder();
        return new(step, path);
    }

    /// <summary>Writes a file and waits until the disk has it: a manifest must never get there before what it lists.</summary>
    internal static void WriteThrough(string path, Action<Stream> write)
    {
        using var stream = File.Create(path);
        write(stream);
        stream.Flush(flushToDisk: true);
    }

    private void DeleteOlder()
    {
        var kept = Whole().OrderByDescending(checkpoint => checkpoint.Step).Take(Kept).Select(checkpoint => checkpoint.Path).ToHashSet();
        foreach (string path in Directory.EnumerateDirectories(folder, "step-*").Where(path => !kept.Contains(path)).ToArray())
        {
            Directory.Delete(path, recursive: true);
        }
    }

    private IEnumerable<Checkpoint> Whole() => Directory.Exists(folder)
        ? Directory.EnumerateDirectories(folder).Select(ReadWhole).OfType<Checkpoint>()
        : [];

    private static Checkpoint? ReadWhole(string path)
    {
        try
        {
            var manifest = JsonSerializer.Deserialize<Manifest>(File.ReadAllBytes(Path.Combine(path, ManifestName)), Json);
            bool whole = manifest is { Files: not null }
                && manifest.Files.All(file =>
                    new FileInfo(Path.Combine(path, file.Key)) is { Exists: true } found && found.Length == file.Value);
            return whole ? new(manifest!.Step, path) : null;
        }
        catch (Exception exception) when (exception is IOException or JsonException)
        {
            return null;
        }
    }

    private sealed record Manifest(long Step, Dictionary<string, long> Files);
}

/// <summary>A whole checkpoint.</summary>
/// <param name="Step">Number of steps done.</param>
/// <param name="Path">Its folder.</param>
public sealed record Checkpoint(long Step, string Path);
