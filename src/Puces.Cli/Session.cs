using Puces.Cli.Local;
using Puces.Cli.Terminal;

namespace Puces.Cli;

/// <summary>What surrounds one command: the terminal, the variables, the folder it was called in. Tests give their own.</summary>
/// <param name="Variable">Looks up an environment variable; null or empty where unset.</param>
/// <param name="Folder">Relative paths on the command line start here.</param>
internal sealed record Session(Screen Screen, Func<string, string?> Variable, string Folder, Keyboard Keyboard)
{
    /// <summary>How long calls that may safely be repeated are, while the server does not answer.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long a followed log or a wait tries to find its server again.</summary>
    public TimeSpan FollowPatience { get; init; } = TimeSpan.FromMinutes(10);

    public UserFolders Folders { get; } = new(Variable);

    /// <summary>Who asks, as the server is told.</summary>
    public string User => Variable("USER") is { Length: > 0 } user ? user : Environment.UserName;

    public static Session OfProcess() => new(
        Screen.OfProcess(), Environment.GetEnvironmentVariable, Environment.CurrentDirectory, Keyboard.OfProcess());

    public string FullPath(string path) => Path.GetFullPath(path, Folder);
}
