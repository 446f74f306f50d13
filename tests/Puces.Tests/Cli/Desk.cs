using System.Collections.Concurrent;
using System.Diagnostics;
using Puces.Cli;
using Puces.Cli.Terminal;
using Xunit;

namespace Puces.Tests.Cli;

/// <summary>What a command did.</summary>
internal sealed record Outcome(int Code, string Out, string Error);

/// <summary>A user with a home and a work folder of their own, calling commands in this process or as a process.</summary>
internal sealed class Desk : IDisposable
{
    public Desk()
    {
        Home = Directory.CreateTempSubdirectory("puces-desk-").FullName;
        Folder = Directory.CreateDirectory(Path.Combine(Home, "work")).FullName;
        Variables["HOME"] = Home;
        Variables["USER"] = "ann";
    }

    public string Home { get; }
    public string Folder { get; }
    public string State => Path.Combine(Home, ".local/state/puces");
    public ConcurrentDictionary<string, string> Variables { get; } = new();
    public string Typed { get; set; } = "";
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>The fake pucesd as a program.</summary>
    public static string FakeDaemonPath => Path.Combine(AppContext.BaseDirectory, "Puces.Testing.dll");

    public static string CliPath => Path.Combine(AppContext.BaseDirectory, "puces");

    public void Use(Testing.FakeDaemon daemon, string token)
    {
        Variables["PUCES_URL"] = daemon.Url;
        Variables["PUCES_TOKEN"] = token;
    }

    public string Write(string path, string text)
    {
        var full = Path.Combine(Folder, path);
        Directory.CreateDirectory(Path.GetDirectoryName(full)!);
        File.WriteAllText(full, text);
        return full;
    }

    public Session Session(TextWriter output, TextWriter error, int? width = null)
    {
        var kind = width is null ? ScreenKind.Plain : new(true, false, false);
        return new(new(output, error, kind, ScreenKind.Plain, width ?? 80), name => Variables.GetValueOrDefault(name), Folder, new(() => new StringReader(Typed), false))
        {
            Patience = Patience,
            FollowPatience = Patience,
        };
    }

    public async Task<Outcome> RunAsync(params string[] args)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        var code = await Program.RunAsync(args, Session(TextWriter.Synchronized(output), TextWriter.Synchronized(error)), TestContext.Current.CancellationToken);
        return new(code, output.ToString(), error.ToString());
    }

    /// <summary>Starts the command as a process, its output piped.</summary>
    public Process Start(params string[] args) => StartProgram(CliPath, args);

    public Process StartProgram(string program, params string[] args)
    {
        var start = new ProcessStartInfo(program, args) { WorkingDirectory = Folder, RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true };
        foreach (var name in start.Environment.Keys.Where(k => k.StartsWith("PUCES_", StringComparison.Ordinal) || k.StartsWith("XDG_", StringComparison.Ordinal)).ToList())
            start.Environment.Remove(name);
        foreach (var (name, value) in Variables) start.Environment[name] = value;
        return Process.Start(start)!;
    }

    public void Dispose() => Directory.Delete(Home, recursive: true);
}
