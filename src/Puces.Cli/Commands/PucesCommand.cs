using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Puces.Cli.Remote;
using Puces.Cli.Terminal;

namespace Puces.Cli.Commands;

/// <summary>A command with examples of its use in its help.</summary>
internal sealed class PucesCommand : Command
{
    public PucesCommand(string name, string description, params string[] examples) : base(name, description) => Examples = examples;

    public IReadOnlyList<string> Examples { get; }
}

/// <summary>The usual help, and the examples under it.</summary>
internal sealed class ExampleHelp(HelpAction usual) : SynchronousCommandLineAction
{
    public override int Invoke(ParseResult parseResult)
    {
        usual.Invoke(parseResult);
        if (parseResult.CommandResult.Command is not PucesCommand { Examples: { Count: > 0 } examples }) return ExitCodes.Ok;
        var output = parseResult.InvocationConfiguration.Output;
        output.WriteLine("Examples:");
        foreach (var example in examples) output.WriteLine($"  {example}");
        output.WriteLine();
        return ExitCodes.Ok;
    }
}

/// <summary>What every command has at hand.</summary>
internal sealed record Tools(Session Session, Option<bool> Json)
{
    public Screen Screen => Session.Screen;

    public bool WantsJson(ParseResult parsed) => parsed.GetValue(Json);

    public void WriteJson<T>(T value, JsonTypeInfo<T> type) => Screen.Line(JsonSerializer.Serialize(value, type));

    /// <summary>What the server has under a path: as it came, or written for people.</summary>
    public async Task<int> ShowAsync<T>(ParseResult parsed, PucesServer server, string path, JsonTypeInfo<T> type, Action<Screen, T> write, CancellationToken ct)
    {
        if (WantsJson(parsed)) await server.CopyAsync(path, ct);
        else write(Screen, await server.GetAsync(path, type, ct));
        return ExitCodes.Ok;
    }

    /// <summary>What was done: a sentence, or a document of the same.</summary>
    public int Done(ParseResult parsed, string text)
    {
        if (WantsJson(parsed)) WriteJson(new(true, text), CliJson.Default.DoneReply);
        else Screen.Line(text);
        return ExitCodes.Ok;
    }
}
