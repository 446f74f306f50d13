using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Puces.Cli.Remote;
using Puces.Cli.Terminal;
using Puces.Core.Contract;

namespace Puces.Cli.Commands;

/// <summary><c>puces feed</c>: what happens, as it happens.</summary>
internal static class FeedCommand
{
    public static Command Create(Tools tools)
    {
        var command = new PucesCommand("feed", "Print what has happened: submissions, starts, ends, pools.", "puces feed", "puces feed -f                     go on as it happens", "puces feed --after 1200 --json    for programs");
        var follow = new Option<bool>("--follow", "-f") { Description = "Go on as it happens, until Ctrl-C" };
        var after = new Option<long?>("--after") { HelpName = "SEQ", Description = "Only what came after this line's number" };
        var limit = new Option<int>("--limit", "-l") { HelpName = "N", Description = "At most so many", DefaultValueFactory = _ => 100 };
        foreach (var option in (Option[])[follow, after, limit]) command.Options.Add(option);
        command.SetAction(async (parsed, ct) =>
        {
            using var server = new PucesServer(tools.Session);
            var start = parsed.GetValue(after);
            if (!parsed.GetValue(follow))
            {
                var page = await server.GetAsync(PathOf(start, parsed.GetValue(limit)), PucesServer.Json.FeedPage, ct);
                foreach (var line in page.Lines) Write(tools, parsed, line);
                return ExitCodes.Ok;
            }
            await foreach (var line in server.EventsAsync(
                cursor => PathOf(cursor is null ? start : long.Parse(cursor, CultureInfo.InvariantCulture), null), null,
                PucesServer.Json.FeedLine, _ => Task.FromResult(false), ct)) Write(tools, parsed, line.Data);
            return ExitCodes.Ok;
        });
        return command;
    }

    private static void Write(Tools tools, ParseResult parsed, FeedLine line)
    {
        if (tools.WantsJson(parsed)) tools.Screen.Line(JsonSerializer.Serialize(line, ContractJson.Default.FeedLine));
        else tools.Screen.Line($"{tools.Screen.Paint(Say.Moment(line.At), Tint.Dim)}  {line.Text}");
    }

    private static string PathOf(long? after, int? limit) => string.Create(
        CultureInfo.InvariantCulture, $"api/v1/feed{(after is { } seq ? $"?after={seq}" : "")}{(limit is { } most ? $"{(after is null ? '?' : '&')}limit={most}" : "")}");
}
