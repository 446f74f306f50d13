using System.Formats.Tar;
using System.IO.Compression;
using Puces.Core.Contract;

namespace Puces.Runner.Attempt;

/// <summary>An archive holds something that must not be unpacked; the message says what.</summary>
internal sealed class ArchiveException(string message) : Exception(message);

/// <summary>Unpacks gzip-packed tar archives that others made: nothing in one can write or point outside the folder it is unpacked to.</summary>
internal static class Archive
{
    private const UnixFileMode Permissions = (UnixFileMode)0x1FF;

    /// <summary>Unpacks over what is there. <paramref name="progress"/> is called before each entry and may throw.</summary>
    /// <param name="only">When given, entries must be this name or lie below it.</param>
    public static void Unpack(Stream packed, string folder, Action? progress = null, string? only = null)
    {
        Directory.CreateDirectory(folder);
        var links = new HashSet<string>();
        foreach (var (entry, parts) in Entries(packed, only))
        {
            progress?.Invoke();
            if (parts.Length == 0) continue;
            var parent = Walk(folder, parts.AsSpan(0, parts.Length - 1), entry.Name, links);
            var path = Path.Combine(parent, parts[^1]);
            if (entry.EntryType is TarEntryType.Directory)
            {
                Walk(parent, parts.AsSpan(parts.Length - 1), entry.Name, links);
                continue;
            }
            Clear(path);
            switch (entry.EntryType)
            {
                case TarEntryType.SymbolicLink:
                    File.CreateSymbolicLink(path, entry.LinkName);
                    links.Add(path);
                    break;
                case TarEntryType.HardLink:
                    var target = Parts(entry.LinkName, entry.Name);
                    var source = Path.Combine(Walk(folder, target.AsSpan(0, target.Length - 1), entry.Name, links), target[^1]);
                    if (new FileInfo(source) is not { Exists: true, LinkTarget: null })
                        throw new ArchiveException($"'{entry.Name}' is a hard link to '{entry.LinkName}', which is no file of the archive");
                    File.Copy(source, path);
                    break;
                default:
                    Write(entry, path);
                    break;
            }
        }
    }

    /// <summary>Reads the archive to its end and refuses what <see cref="Unpack"/> would refuse by its names; writes nothing.</summary>
    public static void Check(Stream packed)
    {
        foreach (var _ in Entries(packed, null)) { }
    }

    private static IEnumerable<(TarEntry Entry, string[] Parts)> Entries(Stream packed, string? only)
    {
        using var zip = new GZipStream(packed, CompressionMode.Decompress, leaveOpen: true);
        using var tar = new TarReader(zip, leaveOpen: true);
        while (Next(tar) is { } entry)
        {
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
        catch (Exception e) when (e is InvalidDataException or EndOfStreamException or FormatException or ArgumentException
            or OverflowException or NotSupportedException)
        {
            throw new ArchiveException($"it is damaged, or no gzip-packed tar archive: {e.Message}");
        }
    }

    private static string[] Parts(string path, string entry) =>
        ArchivePaths.Parts(path, entry, out var error) ?? throw new ArchiveException(error!);

    private static void CheckLink(TarEntry entry, int depth)
    {
        if (ArchivePaths.LinkError(entry.Name, entry.LinkName, depth) is { } error) throw new ArchiveException(error);
    }

    /// <summary>Makes the folders on the way. A link of this archive on it is refused; one that an earlier attempt left gives way.</summary>
    private static string Walk(string folder, ReadOnlySpan<string> parts, string entry, HashSet<string> links)
    {
        foreach (var part in parts)
        {
            folder = Path.Combine(folder, part);
            if (links.Contains(folder)) throw new ArchiveException($"'{Shown(entry)}' lies below '{Shown(part)}', which is a link");
            var info = new FileInfo(folder);
            if (info.Exists || info.LinkTarget is not null) info.Delete();
            Directory.CreateDirectory(folder);
        }
        return folder;
    }

    /// <summary>Takes away what an earlier attempt left under a file's name; a folder gives way as well, a link is not followed.</summary>
    private static void Clear(string path)
    {
        if (new FileInfo(path) is { } file && (file.Exists || file.LinkTarget is not null)) File.Delete(path);
        else if (Directory.Exists(path)) Directory.Delete(path, recursive: true);
    }

    private static void Write(TarEntry entry, string path)
    {
        var mode = entry.Mode & Permissions & ~(UnixFileMode.SetUser | UnixFileMode.SetGroup | UnixFileMode.StickyBit) | UnixFileMode.UserRead | UnixFileMode.UserWrite;
        try
        {
            using (var file = new FileStream(path, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = mode, BufferSize = 0 }))
                entry.DataStream?.CopyTo(file);
            File.SetLastWriteTimeUtc(path, entry.ModificationTime.UtcDateTime);
        }
        catch (Exception e) when (e is InvalidDataException or EndOfStreamException)
        {
            throw new ArchiveException($"'{Shown(entry.Name)}' is damaged: {e.Message}");
        }
    }

    private static string Shown(string name) => ArchivePaths.Shown(name);
}
