namespace Puces.Cli.Local;

/// <summary>Where the XDG base directories put what belongs to the user.</summary>
internal sealed class UserFolders(Func<string, string?> variable)
{
    /// <summary>The local daemon's data: queue, logs, token.</summary>
    public string State => Path.Combine(Base("XDG_STATE_HOME", ".local/state"), "puces");

    /// <summary>Which server to speak to, and its token.</summary>
    public string Config => Path.Combine(Base("XDG_CONFIG_HOME", ".config"), "puces");

    /// <summary>What may be deleted at any time.</summary>
    public string Cache => Path.Combine(Base("XDG_CACHE_HOME", ".cache"), "puces");

    private string Base(string name, string underHome)
    {
        // The specification asks to ignore relative paths.
        if (variable(name) is { Length: > 0 } path && Path.IsPathRooted(path)) return path;
        var home = variable("HOME") is { Length: > 0 } given ? given : Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
        return home.Length > 0
            ? Path.Combine(home, underHome)
            : throw new CommandException("there is no home folder to keep anything in", $"set HOME or {name}");
    }
}

/// <summary>Files and folders that only their owner may read.</summary>
internal static class Private
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    public static void CreateFolder(string path)
    {
        if (OperatingSystem.IsWindows()) Directory.CreateDirectory(path);
        else Directory.CreateDirectory(path, OwnerOnly | UnixFileMode.UserExecute);
    }

    /// <summary>Writes the whole file or leaves the old one: nobody reads half of it, and nobody else reads it at all.</summary>
    public static void WriteFile(string path, ReadOnlySpan<byte> content)
    {
        CreateFolder(Path.GetDirectoryName(path)!);
        var draft = $"{path}.{Environment.ProcessId}.new";
        var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows()) options.UnixCreateMode = OwnerOnly;
        using (var file = new FileStream(draft, options))
        {
            file.Write(content);
            file.Flush(flushToDisk: true);
        }
        File.Move(draft, path, overwrite: true);
    }
}
