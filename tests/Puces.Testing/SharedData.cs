using System.Runtime.CompilerServices;

namespace Puces.Testing;

/// <summary>Data that lie beside the repository, in <c>../shared</c>: too large to be part of it.</summary>
public static class SharedData
{
    /// <summary>Why a test that needs them is skipped.</summary>
    public const string Reason = "the shared data do not lie beside this checkout, in ../shared";

    /// <summary>The full path of a file or folder of the shared data; null where it is not there.</summary>
    public static string? Find(string relative)
    {
        var path = Path.GetFullPath(Path.Combine(Root(), "..", "shared", relative));
        return Path.Exists(path) ? path : null;
    }

    private static string Root([CallerFilePath] string path = "")
    {
        var folder = Path.GetDirectoryName(path);
        while (folder is not null && !File.Exists(Path.Combine(folder, "Puces.slnx"))) folder = Path.GetDirectoryName(folder);
        return folder ?? AppContext.BaseDirectory;
    }
}
