using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Puces.Cli.Packing;

/// <summary>One entry of an archive.</summary>
/// <param name="Name">Its path in the archive.</param>
/// <param name="Path">Where it is on this machine.</param>
/// <param name="Target">What a link points to, relative to the link's own folder.</param>
internal sealed record TreeEntry(string Name, string Path, FileFacts Facts, string? Target = null);

/// <summary>The files of a work directory or a mount, in the order of their names: what is left out is not here.</summary>
/// <param name="Skipped">Sockets, pipes and devices, which no archive can carry.</param>
internal sealed record Tree(string Root, IReadOnlyList<TreeEntry> Entries, IReadOnlyList<string> Skipped)
{
    // The file system's clock ticks coarsely: what has just changed may change again and look the same.
    private static readonly TimeSpan Settled = TimeSpan.FromSeconds(2);

    public long Size => Entries.Sum(e => e.Facts.Size);

    /// <summary>All that decides what the archive will hold, without reading a file; null while files are too fresh to tell.</summary>
    public string? Fingerprint(DateTimeOffset now)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Encoding.UTF8.GetBytes($"puces archive 1\0{Root}\0"));
        foreach (var entry in Entries)
        {
            if (entry.Facts.Kind is FileKind.File && (entry.Facts.Stamp is null || now - entry.Facts.Changed < Settled)) return null;
            var stamp = entry.Facts.Kind is FileKind.File ? entry.Facts.Stamp : "";
            hash.AppendData(Encoding.UTF8.GetBytes(string.Create(
                CultureInfo.InvariantCulture, $"{entry.Name}\0{(int)entry.Facts.Kind} {(int)entry.Facts.Mode} {entry.Facts.Size} {stamp}\0{entry.Target}\0")));
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    /// <summary>Looks through a folder, or at one file.</summary>
    /// <param name="prefix">Goes before every name in the archive; empty for a work directory.</param>
    /// <param name="withFoldersAbove">The ignore files of the git work tree around it hold too.</param>
    /// <param name="without">Folders that never go along, such as the daemon's own data.</param>
    public static Tree Scan(string root, string prefix, bool withFoldersAbove, IReadOnlyList<string> without)
    {
        var entries = new List<TreeEntry>();
        var skipped = new List<string>();
        var path = Path.TrimEndingDirectorySeparator(Path.GetFullPath(root));
        var facts = Look(path);
        if (facts.Kind is FileKind.Link)
        {
            // The path that the user named may be a link; those inside are kept as links.
            path = ResolveEnd(path);
            facts = Look(path);
        }
        if (facts.Kind is FileKind.Folder)
        {
            if (prefix.Length > 0) entries.Add(new(prefix, path, facts));
            Walk(path, prefix, IgnoreRules.AtRoot(path, withFoldersAbove));
        }
        else if (facts.Kind is FileKind.File && prefix.Length > 0) entries.Add(new(prefix, path, facts));
        else throw CommandException.Usage($"{root} is not a folder{(prefix.Length > 0 ? " or a file" : "")}", "name a folder to send with the job");
        entries.Sort((a, b) => string.CompareOrdinal(a.Name, b.Name));
        return new(path, entries, skipped);

        void Walk(string folder, string name, IgnoreRules rules)
        {
            foreach (var child in List(folder))
            {
                var last = Path.GetFileName(child);
                if (last == ".git" || without.Contains(child)) continue;
                var childFacts = Look(child);
                if (rules.Leaves(child, childFacts.Kind is FileKind.Folder)) continue;
                var childName = name.Length > 0 ? $"{name}/{last}" : last;
                switch (childFacts.Kind)
                {
                    case FileKind.Folder:
                        entries.Add(new(childName, child, childFacts));
                        Walk(child, childName, rules.Below(child));
                        break;
                    case FileKind.Link:
                        entries.Add(new(childName, child, childFacts, Target(path, child)));
                        break;
                    case FileKind.File:
                        entries.Add(new(childName, child, childFacts));
                        break;
                    default:
                        skipped.Add(child);
                        break;
                }
            }
        }
    }

    private static string[] List(string folder)
    {
        try
        {
            return Directory.GetFileSystemEntries(folder);
        }
        catch (UnauthorizedAccessException e)
        {
            throw new CommandException($"cannot read the folder {folder}", "let your user read it, or name it in .pucesignore", cause: e);
        }
    }

    private static FileFacts Look(string path)
    {
        try
        {
            return FileFacts.Of(path);
        }
        catch (IOException e)
        {
            throw CommandException.Usage(e.Message, "check the path");
        }
    }

    private static string ResolveEnd(string path) =>
        File.ResolveLinkTarget(path, returnFinalTarget: true) is { Exists: true } or DirectoryInfo { Exists: true }
            ? File.ResolveLinkTarget(path, returnFinalTarget: true)!.FullName
            : throw CommandException.Usage($"{path} is a link to nothing", "check the path");

    // Kept where it leads inside the tree, and then as a relative one: an absolute path means nothing on the node.
    private static string Target(string root, string link)
    {
        var raw = new FileInfo(link).LinkTarget ?? throw new CommandException($"cannot read the link {link}", null);
        var folder = Path.GetDirectoryName(link)!;
        var full = Path.GetFullPath(raw, folder);
        if (full != root && !full.StartsWith(root + '/', StringComparison.Ordinal))
            throw new CommandException(
                $"the link {link} leads out of the folder that is sent, to {raw}", "copy the file there, name the link in .pucesignore, or send the target as a mount");
        return Path.IsPathRooted(raw) ? Path.GetRelativePath(folder, full) : raw;
    }
}
