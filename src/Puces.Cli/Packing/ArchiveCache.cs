using Puces.Cli.Local;

namespace Puces.Cli.Packing;

/// <summary>Which archive an unchanged tree gave the last time, so that a big folder is not packed again to learn its name.</summary>
internal sealed class ArchiveCache(string folder)
{
    private static readonly TimeSpan KeptUnused = TimeSpan.FromDays(30);

    public string? Find(string fingerprint)
    {
        var path = Path.Combine(folder, fingerprint);
        try
        {
            var sha = File.ReadAllText(path);
            if (sha.Length != 64 || !sha.All(char.IsAsciiHexDigitLower)) return null;
            File.SetLastWriteTimeUtc(path, DateTime.UtcNow);
            return sha;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>A cache that cannot be written costs time, never a job.</summary>
    public void Keep(string fingerprint, string sha256)
    {
        try
        {
            Private.CreateFolder(folder);
            var before = DateTime.UtcNow - KeptUnused;
            foreach (var old in new DirectoryInfo(folder).EnumerateFiles())
                if (old.LastWriteTimeUtc < before) old.Delete();
            Private.WriteFile(Path.Combine(folder, fingerprint), System.Text.Encoding.ASCII.GetBytes(sha256));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
        }
    }
}
