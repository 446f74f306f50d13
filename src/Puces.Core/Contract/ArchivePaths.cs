using System.Buffers;

namespace Puces.Core.Contract;

/// <summary>
/// What names and links an archive may hold, so that nothing in it can lie or point outside the folder that it is unpacked to. The daemon
/// asks when it takes an archive in, the runner again when it unpacks one.
/// </summary>
public static class ArchivePaths
{
    private static readonly SearchValues<char> HexDigits = SearchValues.Create("0123456789abcdef");

    /// <summary>The parts of a relative path that stays inside; "." and doubled slashes are dropped. Null and an error where it does not.</summary>
    public static string[]? Parts(string path, string entry, out string? error)
    {
        error = path.StartsWith('/') ? $"'{Shown(entry)}' has an absolute path: '{Shown(path)}'"
            : path.Contains('\0', StringComparison.Ordinal) ? $"'{Shown(entry)}' has a zero byte in its path"
            : null;
        if (error is not null) return null;
        var parts = path.Split('/', StringSplitOptions.RemoveEmptyEntries).Where(p => p != ".").ToArray();
        if (Array.IndexOf(parts, "..") < 0) return parts;
        error = $"'{Shown(entry)}' leads outside by '..': '{Shown(path)}'";
        return null;
    }

    /// <summary>What is wrong with a symbolic link; null where it is fine. It may go up as far as the folder that is unpacked to.</summary>
    /// <param name="depth">Folders above the link.</param>
    public static string? LinkError(string entry, string target, int depth)
    {
        if (target.Length == 0) return $"'{Shown(entry)}' is a link to nothing";
        if (target.StartsWith('/')) return $"'{Shown(entry)}' is a link to an absolute path: '{Shown(target)}'";
        var isDown = false;
        foreach (var part in target.Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            if (part == ".") continue;
            if (part != "..")
            {
                isDown = true;
                continue;
            }
            // Names that go up again after going down could pass through another link: what they would reach is not known here.
            if (isDown) return $"'{Shown(entry)}' is a link that goes down and up again: '{Shown(target)}'";
            if (--depth < 0) return $"'{Shown(entry)}' is a link that leads outside: '{Shown(target)}'";
        }
        return null;
    }

    /// <summary>A name as it is put into a message.</summary>
    public static string Shown(string name) => (name.Length > 200 ? name[..200] + "…" : name).Replace('\n', ' ');

    /// <summary>A SHA-256 as we write it: 64 lower-case hexadecimal digits.</summary>
    public static bool IsSha256(ReadOnlySpan<char> text) => text.Length == 64 && !text.ContainsAnyExcept(HexDigits);
}
