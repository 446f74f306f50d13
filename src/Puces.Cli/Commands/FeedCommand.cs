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
    private const int LongestPage = 10_000;

    public static Command Create(Tools tools)
    {
        var command = new PucesCommand("feed", "Print what has happened lately, the oldest first: submissions, starts, ends, pools.",
            "puces feed                        the last 100 lines", "puces feed -f                     the last 10, and what happens then", "puces feed --after 1200 --json    from a place on, for programs");
        var follow = new Option<bool>("--follow", "-f") { Description = "Go on as it happens, until Ctrl-C" };
        var after = new Option<long?>("--after") { HelpName = "SEQ", Description = "Only what came after this line's number" };
        var limit = new Option<int?>("--limit", "-l") { HelpName = "N", Description = "So many lines: the last, or those after --after (100; 10 with --follow)" };
        foreach (var option in (Option[])[follow, after, limit]) command.Options.Add(option);
        command.SetAction(async (parsed, ct) =>
        {
            var isFollowed = parsed.GetValue(follow);
            var (start, count) = (parsed.GetValue(after), parsed.GetValue(limit) ?? (isFollowed ? 10 : 100));
            if (count is < 1 or > LongestPage) throw CommandException.Usage($"--limit {count}: write 1 to {LongestPage}", "puces feed --help");
            if (start is < 0) throw CommandException.Usage($"--after {start}: lines are numbered from 1", "puces feed --help");
            using var server = new PucesServer(tools.Session);
            if (!isFollowed)
            {
                var page = await server.GetAsync(PathOf(start, count, isPage: true), PucesServer.Json.FeedPage, ct);
                foreach (var line in page.Lines) Write(tools, parsed, line);
                return ExitCodes.Ok;
            }
            await foreach (var line in server.EventsAsync(
                cursor => PathOf(cursor is null ? start : long.Parse(cursor, CultureInfo.InvariantCulture), count, isPage: false), null,
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

    private static string PathOf(long? after, int count, bool isPage) => string.Create(
        CultureInfo.InvariantCulture, $"api/v1/feed?{(after is { } seq ? $"after={seq}" : $"last={count}")}{(isPage ? $"&limit={count}" : "")}");
}
