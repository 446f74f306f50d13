using System.Runtime.CompilerServices;

namespace Puces.Tests.Jobs;

/// <summary>The files of the repository, for tests that read them; with UPDATE=1 in the environment, for those that write them anew.</summary>
internal static class Checkout
{
    public static bool IsUpdating => Environment.GetEnvironmentVariable("UPDATE") == "1";

    public static string Root { get; } = Above(ThisFile());

    public static string Read(string path) => File.ReadAllText(Path.Combine(Root, path));

    public static void Write(string path, string text) => File.WriteAllText(Path.Combine(Root, path), text);

    private static string Above(string path)
    {
        var folder = Path.GetDirectoryName(path)!;
        while (!File.Exists(Path.Combine(folder, "Puces.slnx"))) folder = Path.GetDirectoryName(folder)!;
        return folder;
    }

    private static string ThisFile([CallerFilePath] string path = "") => path;
}
