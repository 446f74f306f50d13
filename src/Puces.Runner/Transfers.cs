using System.Formats.Tar;
using System.IO.Compression;
using Puces.Core.Jobs;
using Puces.Runner.Attempt;

namespace Puces.Runner;

/// <summary>What is brought to a node and away from it, over standard streams.</summary>
internal static class Transfers
{
    /// <summary>
    /// Takes a packed file, unless it is here: says <c>have</c> or <c>need</c>, then reads it to the end of the input. Nothing stays of one
    /// that does not have this SHA-256.
    /// </summary>
    /// <returns>The exit code: 0 where it is here afterwards.</returns>
    public static int Receive(Layout layout, string blob)
    {
        if (blob.Length != 64 || !blob.All(char.IsAsciiHexDigitLower)) throw new IOException($"'{blob}' is no SHA-256");
        var path = layout.Blob(blob);
        if (File.Exists(path)) return Say("have");
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        Say("need");
        var part = $"{path}.{Guid.NewGuid():N}.part";
        try
        {
            string digest;
            using (var file = new FileStream(part, FileMode.CreateNew, FileAccess.ReadWrite))
            using (var input = Console.OpenStandardInput())
            {
                input.CopyTo(file);
                file.Flush(flushToDisk: true);
                file.Position = 0;
                digest = Sha256.Of(file);
            }
            if (digest != blob) throw new IOException($"what came has the SHA-256 {digest}, not {blob}: it was broken off or changed on its way");
            File.Move(part, path, overwrite: true);
            return Say("stored");
        }
        finally
        {
            File.Delete(part);
        }
    }

    /// <summary>Writes a checkpoint to standard output, packed as work directories are; the entries lie below its name.</summary>
    /// <param name="path">The job's <c>checkpoint.path</c>; empty where it names none.</param>
    public static int Send(Layout layout, JobId job, string path, string name)
    {
        var folder = layout.Job(job);
        var source = Path.Combine(Checkpoints.Locate(path, Path.Combine(folder, "work"), folder).Folder, name);
        using var output = Console.OpenStandardOutput();
        using var zip = new GZipStream(output, CompressionLevel.Fastest);
        using var tar = new TarWriter(zip, TarEntryFormat.Pax);
        if (File.Exists(source)) tar.WriteEntry(source, name);
        else if (Directory.Exists(source)) Add(tar, source, name);
        else throw new IOException($"there is no checkpoint {source}");
        return 0;
    }

    // The manifest last, as it was written.
    private static void Add(TarWriter tar, string folder, string name)
    {
        tar.WriteEntry(folder, name);
        foreach (var entry in new DirectoryInfo(folder).EnumerateFileSystemInfos().OrderBy(e => e.Name == "manifest.json").ThenBy(e => e.Name, StringComparer.Ordinal))
        {
            if (entry is DirectoryInfo { LinkTarget: null }) Add(tar, entry.FullName, $"{name}/{entry.Name}");
            else tar.WriteEntry(entry.FullName, $"{name}/{entry.Name}");
        }
    }

    private static int Say(string word)
    {
        _ = Files.WriteAll(1, System.Text.Encoding.ASCII.GetBytes(word + "\n"));
        return 0;
    }
}
