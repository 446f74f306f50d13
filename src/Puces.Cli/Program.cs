using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Parsing;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using Puces.Cli.Commands;
using Puces.Cli.Terminal;
using Puces.Core.Jobs;

namespace Puces.Cli;

internal static partial class Program
{
    private static async Task<int> Main(string[] args)
    {
        using var stop = new CancellationTokenSource();
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
        var session = Session.OfProcess();
        return await RunAsync(args, session, stop.Token);

        // The first lets the command end in good order, the second ends it at once.
        void Stop(PosixSignalContext context)
        {
            if (stop.IsCancellationRequested) Environment.Exit(ExitCodes.Interrupted);
            context.Cancel = true;
            stop.Cancel();
        }
    }

    /// <summary>Runs one command line; its exit code. All output is written when it returns.</summary>
    internal static async Task<int> RunAsync(IReadOnlyList<string> args, Session session, CancellationToken ct)
    {
        var json = CommandTree.JsonOption();
        ParseResult? parsed = null;
        try
        {
            // What follows "--" is another program's: not ours to read.
            var dashes = args.TakeWhile(a => a != "--").Count();
            var isCompletion = args is [CompletionCommand.Hidden, ..];
            var own = isCompletion ? args : [.. args.Take(dashes)];
            var root = CommandTree.Build(session, json, dashes < args.Count && !isCompletion ? [.. args.Skip(dashes + 1)] : null);
            if (isCompletion) return CompletionCommand.Complete(root, session, [.. own.Skip(1)]);
            parsed = root.Parse(own switch { [] => ["--help"], ["--version"] => ["version"], _ => own });
            return await InvokeAsync(parsed, session, ct);
        }
        catch (CommandException e)
        {
            Report(session, e.Message, e.Remedy, parsed?.GetValue(json) ?? false);
            return e.ExitCode;
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested)
        {
            return ExitCodes.Interrupted;
        }
        catch (ReaderGoneException)
        {
            return ExitCodes.Ok;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Report(session, e.Message, null, parsed?.GetValue(json) ?? false);
            return ExitCodes.Failure;
        }
        finally
        {
            Close(session);
        }
    }

    private static async Task<int> InvokeAsync(ParseResult parsed, Session session, CancellationToken ct)
    {
        var asksHelp = parsed.Action is ExampleHelp or HelpAction;
        if (!asksHelp && FirstMistake(parsed) is { } mistake)
            throw CommandException.Usage(mistake, $"{PathOf(parsed.CommandResult.Command)} --help");
        return await parsed.InvokeAsync(new() { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null, Output = session.Screen.Out, Error = session.Screen.Out }, ct);
    }

    /// <summary>What is wrong with a line, in words for people; null where it may be run.</summary>
    internal static string? FirstMistake(ParseResult parsed)
    {
        var command = parsed.CommandResult.Command;
        if (command.TreatUnmatchedTokensAsErrors)
        {
            // An argument takes whatever stands there, a mistyped option too.
            var taken = parsed.CommandResult.Children.OfType<ArgumentResult>().SelectMany(a => a.Tokens).Select(t => t.Value).Where(IsOption);
            if (taken.Concat(parsed.UnmatchedTokens).FirstOrDefault() is { } unknown) return Unknown(command, unknown);
        }
        return parsed.Errors.Count > 0 ? Plain(parsed.Errors[0].Message) : null;
    }

    /// <summary>The parser's words name .NET types and quote lists; these are for people.</summary>
    private static string Plain(string message)
    {
        if (WrongValue.Match(message) is { Success: true } wrong)
            return $"{wrong.Groups["option"].Value} {wrong.Groups["value"].Value}: write {(wrong.Groups["type"].Value.Contains("Double", StringComparison.Ordinal) ? "a number" : "a whole number")}";
        if (NotAmong.Match(message) is { Success: true } among)
            return $"there is no '{among.Groups["value"].Value}' here; write {string.Join(", ", among.Groups["rest"].Value.Split('\'', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))}";
        return Missing.Match(message) is { Success: true } missing ? $"{missing.Groups["command"].Value} needs to know which {missing.Groups["name"].Value}" : message.TrimEnd('.');
    }

    [GeneratedRegex(@"^Cannot parse argument '(?<value>.*)' for (option|command) '(?<option>[^']+)' as expected type '(?<type>.+)'", RegexOptions.Singleline)]
    private static partial Regex WrongValue { get; }

    [GeneratedRegex(@"^Argument '(?<value>.*)' not recognized\. Must be one of:(?<rest>.*)$", RegexOptions.Singleline)]
    private static partial Regex NotAmong { get; }

    [GeneratedRegex(@"^Required argument '(?<name>[^']+)' missing for command: '(?<command>[^']+)'")]
    private static partial Regex Missing { get; }

    private static string Unknown(Command command, string word)
    {
        var isOption = IsOption(word);
        if (!isOption && command.Subcommands.Count == 0) return $"'{word}' is one word too many";
        var known = isOption ? command.Options.Select(o => o.Name) : command.Subcommands.SelectMany(c => c.Aliases.Prepend(c.Name));
        var meant = Nearest.Of(word.Split('=')[0], known) is { } near ? $"; did you mean {near}?" : "";
        return $"there is no {(isOption ? "option" : "command")} {word}{meant}";
    }

    private static bool IsOption(string word) => word is ['-', not (>= '0' and <= '9'), ..];

    private static string PathOf(Command command) =>
        command.Parents.OfType<Command>().FirstOrDefault() is { } above and not RootCommand ? $"{PathOf(above)} {command.Name}"
        : command is RootCommand ? "puces" : $"puces {command.Name}";

    private static void Report(Session session, string message, string? remedy, bool isJson)
    {
        var screen = session.Screen;
        screen.Status(null);
        if (isJson)
        {
            screen.Note(System.Text.Json.JsonSerializer.Serialize(new(message, remedy), CliJson.Default.ErrorReply));
            return;
        }
        screen.Note($"{screen.PaintNote("error:", Tint.Red)} {message}");
        if (remedy is not null) screen.Note($"  {screen.PaintNote("try:", Tint.Bold)} {remedy}");
    }

    private static void Close(Session session)
    {
        try
        {
            session.Screen.Dispose();
        }
        catch (ReaderGoneException)
        {
            // Whoever read has what they wanted.
        }
    }
}
