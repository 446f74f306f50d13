using System.Formats.Tar;
using Puces.Core.Contract;

namespace Puces.Runner.Attempt;

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
        foreach (var (entry, parts) in PackedArchive.Entries(packed, only))
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
                    var target = PackedArchive.Parts(entry.LinkName, entry.Name);
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

    /// <summary>Makes the folders on the way. A link of this archive on it is refused; one that an earlier attempt left gives way.</summary>
    private static string Walk(string folder, ReadOnlySpan<string> parts, string entry, HashSet<string> links)
    {
        foreach (var part in parts)
        {
            folder = Path.Combine(folder, part);
            if (links.Contains(folder)) throw new ArchiveException($"'{PackedArchive.Shown(entry)}' lies below '{PackedArchive.Shown(part)}', which is a link");
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
        catch (Exception e) when (e is InvalidDataException or EndOfStreamException or ArgumentException)
        {
            throw new ArchiveException($"'{PackedArchive.Shown(entry.Name)}' is damaged: {e.Message}");
        }
    }
}
