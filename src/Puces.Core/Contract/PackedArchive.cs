using System.Formats.Tar;
using System.IO.Compression;
using System.Text;

namespace Puces.Core.Contract;

/// <summary>An archive holds something that must not be unpacked; the message says what.</summary>
public sealed class ArchiveException(string message) : Exception(message);

/// <summary>
/// The form in which work directories and mounts travel: a tar archive packed with gzip, of files, folders, and links that stay inside.
/// The daemon checks it when it arrives, the runner again when it unpacks it.
/// </summary>
public static class PackedArchive
{
    private const int MostEntries = 200_000;
    private const int LongestName = 255, LongestPath = 3000;
    private const long LargestUnpacked = 64L << 30;

    /// <summary>Reads the archive to its end, and throws <see cref="ArchiveException"/> for what must not be unpacked, or is too much.</summary>
    public static void Check(Stream packed)
    {
        foreach (var _ in Entries(packed, null))
        {
        }
    }

    /// <summary>The entries that may be unpacked, each with the parts of its path. Throws <see cref="ArchiveException"/> at the first that may not.</summary>
    /// <param name="only">When given, entries must be this name or lie below it.</param>
    public static IEnumerable<(TarEntry Entry, string[] Parts)> Entries(Stream packed, string? only)
    {
        using var zip = new GZipStream(packed, CompressionMode.Decompress, leaveOpen: true);
        using var tar = new TarReader(zip, leaveOpen: true);
        var (entries, bytes) = (0, 0L);
        while (Next(tar) is { } entry)
        {
            if (++entries > MostEntries) throw new ArchiveException($"it has more than {MostEntries} entries: list what the job does not need in .pucesignore");
            if (entry.Length > LargestUnpacked || (bytes += entry.Length) > LargestUnpacked) throw new ArchiveException($"it unpacks to more than {LargestUnpacked >> 30} GiB");
            if (entry.EntryType is TarEntryType.GlobalExtendedAttributes) continue;
            var parts = Parts(entry.Name, entry.Name);
            if (parts.Length == 0 && entry.EntryType is not TarEntryType.Directory) throw new ArchiveException("it holds an entry without a name");
            if (only is not null && (parts.Length == 0 || parts[0] != only))
                throw new ArchiveException($"'{Shown(entry.Name)}' does not lie below '{only}', where it is to be mounted");
            switch (entry.EntryType)
            {
                case TarEntryType.RegularFile or TarEntryType.V7RegularFile or TarEntryType.ContiguousFile or TarEntryType.Directory:
                    break;
                case TarEntryType.SymbolicLink:
                    CheckLink(entry, parts.Length - 1);
                    break;
                case TarEntryType.HardLink:
                    if (Parts(entry.LinkName, entry.Name).Length == 0) throw new ArchiveException($"'{Shown(entry.Name)}' is a link to nothing");
                    break;
                default:
                    throw new ArchiveException($"'{Shown(entry.Name)}' is a {entry.EntryType}: only files, folders and links inside the archive are unpacked");
            }
            yield return (entry, parts);
        }
    }

    private static TarEntry? Next(TarReader tar)
    {
        try
        {
            return tar.GetNextEntry();
        }
        catch (Exception e) when (e is EndOfStreamException or not IOException)
        {
            // The reader has a kind of exception for each kind of damage; only one of the disk below it is another matter.
            throw new ArchiveException($"it is damaged, or no gzip-packed tar archive: {e.Message}");
        }
    }

    /// <summary>The parts of a relative path that stays inside; "." and doubled slashes are dropped.</summary>
    public static string[] Parts(string path, string entry)
    {
        if (path.StartsWith('/')) throw new ArchiveException($"'{Shown(entry)}' has an absolute path: '{Shown(path)}'");
        if (path.Contains('\0', StringComparison.Ordinal)) throw new ArchiveException($"'{Shown(entry)}' has a zero byte in its path");
        var parts = path.Split('/', StringSplitOptions.RemoveEmptyEntries).Where(p => p != ".").ToArray();
        if (Array.IndexOf(parts, "..") >= 0) throw new ArchiveException($"'{Shown(entry)}' leads outside by '..': '{Shown(path)}'");
        // Linux takes 255 bytes for a name and 4095 for a path, of which the folder that is unpacked to needs some.
        if (parts.Any(p => Encoding.UTF8.GetByteCount(p) > LongestName) || Encoding.UTF8.GetByteCount(path) > LongestPath)
            throw new ArchiveException($"'{Shown(entry)}' has a path that is too long: at most {LongestName} bytes for a name and {LongestPath} for all of it");
        return parts;
    }

    /// <summary>A symbolic link may go up as far as the folder that is unpacked to, and no further.</summary>
    private static void CheckLink(TarEntry entry, int depth)
    {
        var target = entry.LinkName;
        if (target.Length == 0) throw new ArchiveException($"'{Shown(entry.Name)}' is a link to nothing");
        if (target.StartsWith('/')) throw new ArchiveException($"'{Shown(entry.Name)}' is a link to an absolute path: '{Shown(target)}'");
        foreach (var part in target.Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            if (part == ".") continue;
            // Names that go up again after going down could pass through another link: what they would reach is not known here.
            if (part != "..") { depth = depth < 0 ? depth : depth + 1; continue; }
            if (--depth < 0) throw new ArchiveException($"'{Shown(entry.Name)}' is a link that leads outside: '{Shown(target)}'");
        }
        if (target.Split('/').SkipWhile(p => p is ".." or "." or "").Contains(".."))
            throw new ArchiveException($"'{Shown(entry.Name)}' is a link that goes down and up again: '{Shown(target)}'");
    }

    /// <summary>A name fit for one line of a message.</summary>
    public static string Shown(string name) => name.Length > 200 ? name[..200] + "…" : name.Replace('\n', ' ');
}
