using System.CommandLine;
using System.Globalization;
using Puces.Cli.Remote;
using Puces.Core.Contract;
using Puces.Core.Units;

namespace Puces.Cli.Commands;

/// <summary><c>puces pools maintain</c>, <c>available</c> and <c>reopen</c>: when nodes are closed, and when capacity begins and ends.</summary>
internal static class WindowCommands
{
    public static PucesCommand Maintain(Tools tools)
    {
        var command = new PucesCommand(
            "maintain", "Close a pool, or a node of it, for a time. What would run into it does not start there; jobs with checkpoints leave when it begins.",
            "puces pools maintain local --from 2026-11-24T08:00+01:00 --for 4h --note 'new switch'",
            "puces pools maintain local --node n2 --for 30m            from now on");
        var (name, node, note) = (NameArgument(), NodeOption(), new Option<string?>("--note") { HelpName = "TEXT", Description = "Why: shown to all whose jobs wait for it" });
        var from = Moment("--from", "When it closes; now, unless given");
        var to = Moment("--to", "When it opens again");
        var length = new Option<string?>("--for") { HelpName = "4h", Description = "How long it is closed, in place of --to" };
        command.Arguments.Add(name);
        foreach (var option in (Option[])[node, from, to, length, note]) command.Options.Add(option);
        command.SetAction(async (parsed, ct) =>
        {
            var begin = Read("--from", parsed.GetValue(from)) ?? DateTimeOffset.UtcNow;
            if (parsed.GetValue(to) is null == parsed.GetValue(length) is null) throw CommandException.Usage("write how long it is closed: --for 4h, or --to", "puces pools maintain --help");
            var end = parsed.GetValue(length) is not { } text ? Read("--to", parsed.GetValue(to)) : Durations.TryParse(text, out var time) ? begin + time
                : throw CommandException.Usage($"--for {text} is no duration", $"--for {Durations.Guess(text) ?? "4h"}");
            return await CloseAsync(tools, parsed, parsed.GetRequiredValue(name), new(parsed.GetValue(node), begin, end, parsed.GetValue(note) ?? ""), ct);
        });
        return command;
    }

    public static PucesCommand Available(Tools tools)
    {
        var command = new PucesCommand(
            "available", "Say when the capacity of a pool, or of a node of it, begins and ends, such as that of a reservation.",
            "puces pools available local --node n3 --opens 2026-11-24T08:00 --closes 2026-12-01T08:00");
        var (name, node, opens, closes) = (NameArgument(), NodeOption(), Moment("--opens", "Nothing starts there before"), Moment("--closes", "Nothing is there from then on"));
        command.Arguments.Add(name);
        foreach (var option in (Option[])[node, opens, closes]) command.Options.Add(option);
        command.SetAction(async (parsed, ct) =>
        {
            var (begin, end) = (Read("--opens", parsed.GetValue(opens)), Read("--closes", parsed.GetValue(closes)));
            if (begin is null && end is null) throw CommandException.Usage("neither --opens nor --closes is given", "puces pools available --help");
            if (begin >= end) throw CommandException.Usage("it closes before it opens", "a --closes after --opens");
            var (pool, code) = (parsed.GetRequiredValue(name), ExitCodes.Ok);
            if (begin is not null) code = await CloseAsync(tools, parsed, pool, new(parsed.GetValue(node), null, begin, "not there before"), ct);
            return end is null ? code : await CloseAsync(tools, parsed, pool, new(parsed.GetValue(node), end, null, "ends then"), ct);
        });
        return command;
    }

    public static PucesCommand Drain(Tools tools)
    {
        var command = new PucesCommand(
            "drain", "Let a pool, or a node of it, become empty: nothing starts there from now on, jobs with checkpoints leave, and the others end there. Until puces pools reopen.",
            "puces pools drain office --node gpu2 --note 'fan is loud'");
        var (name, node, note) = (NameArgument(), NodeOption(), new Option<string?>("--note") { HelpName = "TEXT", Description = "Why: shown to all whose jobs wait for it" });
        command.Arguments.Add(name);
        foreach (var option in (Option[])[node, note]) command.Options.Add(option);
        command.SetAction((parsed, ct) =>
            CloseAsync(tools, parsed, parsed.GetRequiredValue(name), new(parsed.GetValue(node), DateTimeOffset.UtcNow, null, parsed.GetValue(note) ?? "drained"), ct));
        return command;
    }

    public static PucesCommand Remove(Tools tools)
    {
        var command = new PucesCommand("reopen", "Remove a window, by its number in puces pools: what it closed is open at once.", "puces pools reopen 3");
        var number = new Argument<int>("number") { Description = "The window" };
        command.Arguments.Add(number);
        command.SetAction(async (parsed, ct) =>
        {
            var window = parsed.GetRequiredValue(number);
            using var server = new PucesServer(tools.Session);
            using var reply = await server.SendAsync(() => new(HttpMethod.Delete, string.Create(CultureInfo.InvariantCulture, $"api/v1/windows/{window}")), StartDaemon.IfNeeded, ct);
            return tools.Done(parsed, $"window {window} is removed");
        });
        return command;
    }

    private static async Task<int> CloseAsync(Tools tools, ParseResult parsed, string pool, CloseNodes body, CancellationToken ct)
    {
        using var server = new PucesServer(tools.Session);
        var window = await server.AskAsync(
            PucesServer.Message(HttpMethod.Post, $"api/v1/pools/{Uri.EscapeDataString(pool)}/windows", body, ContractJson.Default.CloseNodes), PucesServer.Json.WindowView, StartDaemon.IfNeeded, ct);
        return tools.Done(parsed, string.Create(CultureInfo.InvariantCulture, $"window {window.Number}: {window.Text}"));
    }

    private static Argument<string> NameArgument() => new("name") { Description = "The pool" };

    private static Option<string?> NodeOption() => new("--node") { HelpName = "NAME", Description = "One node of it, such as n1; all of the pool, unless given" };

    private static Option<string?> Moment(string name, string description) => new(name) { HelpName = "TIME", Description = description + ", such as 2026-11-24T08:00 or, elsewhere, 2026-11-24T08:00+01:00" };

    private static DateTimeOffset? Read(string option, string? text) => text is null ? null
        : DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeLocal, out var moment) ? moment
        : throw CommandException.Usage($"{option} {text} is not a time", $"{option} 2026-11-24T08:00");
}
