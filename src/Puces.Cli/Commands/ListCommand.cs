using System.CommandLine;
using System.Globalization;
using Puces.Cli.Remote;
using Puces.Cli.Terminal;
using Puces.Core.Contract;

namespace Puces.Cli.Commands;

/// <summary><c>puces ps</c>: the line and what runs.</summary>
internal static class ListCommand
{
    private const int LongestPage = 10_000;
    private static readonly string[] States = ["live", "waiting", "running", "ended", "all"];

    public static Command Create(Tools tools)
    {
        var command = new PucesCommand(
            "ps", "List jobs: those that run, and the line with what each waits for.",
            "puces ps                            what runs and waits",
            "puces ps -a --limit 20              ended ones too",
            "puces ps --mine --watch             yours, again every second",
            "puces ps --json | jq '.jobs[].id'   for programs");
        command.Aliases.Add("queue");
        var all = new Option<bool>("--all", "-a") { Description = "Ended jobs too" };
        var state = new Option<string?>("--state", "-s") { HelpName = string.Join('|', States), Description = "Only these" };
        state.AcceptOnlyFromAmong(States);
        var project = new Option<string?>("--project", "-p") { HelpName = "NAME", Description = "Only this project's" };
        var owner = new Option<string?>("--owner", "-o") { HelpName = "NAME", Description = "Only this person's" };
        var mine = new Option<bool>("--mine", "-m") { Description = "Only yours" };
        var limit = new Option<int>("--limit", "-l") { HelpName = "N", Description = "At most so many", DefaultValueFactory = _ => LongestPage };
        var watch = new Option<bool>("--watch", "-w") { Description = "Show it again every second, until Ctrl-C" };
        foreach (var option in (Option[])[all, state, project, owner, mine, limit, watch]) command.Options.Add(option);
        command.SetAction(async (parsed, ct) =>
        {
            if (parsed.GetValue(limit) < 1) throw CommandException.Usage("--limit must be at least 1", "puces ps --help");
            var who = parsed.GetValue(mine) ? tools.Session.User : parsed.GetValue(owner);
            var query = $"state={parsed.GetValue(state) ?? (parsed.GetValue(all) ? "all" : "live")}"
                + (parsed.GetValue(project) is { } name ? $"&project={Uri.EscapeDataString(name)}" : "") + (who is null ? "" : $"&owner={Uri.EscapeDataString(who)}");
            using var server = new PucesServer(tools.Session);
            while (true)
            {
                if (tools.WantsJson(parsed)) await WriteJsonAsync(tools, server, query, parsed.GetValue(limit), ct);
                else await WriteAsync(tools, server, query, parsed.GetValue(limit), parsed.GetValue(watch), ct);
                if (!parsed.GetValue(watch)) return ExitCodes.Ok;
                tools.Screen.Flush();
                await Task.Delay(TimeSpan.FromSeconds(1), ct);
            }
        });
        return command;
    }

    private static async Task WriteJsonAsync(Tools tools, PucesServer server, string query, int limit, CancellationToken ct)
    {
        // One page is passed on as it came; more are put together.
        if (limit <= LongestPage) await server.CopyAsync(PagePath(query, limit, null), ct);
        else
        {
            var (jobs, next) = await ReadAsync(server, query, limit, ct);
            tools.WriteJson(new(jobs, next), ContractJson.Default.JobPage);
        }
    }

    private static async Task WriteAsync(Tools tools, PucesServer server, string query, int limit, bool isWatch, CancellationToken ct)
    {
        var (jobs, next) = await ReadAsync(server, query, limit, ct);
        if (isWatch && tools.Screen.OutIsTerminal) tools.Screen.Out.Write("\e[H\e[2J");
        if (jobs.Count == 0) tools.Screen.Note("no jobs");
        else
        {
            TableOf(jobs, DateTimeOffset.UtcNow).Write(tools.Screen);
            if (next is not null) tools.Screen.Note($"… and more: puces ps --limit {limit * 2}");
        }
    }

    private static async Task<(IReadOnlyList<JobView> Jobs, string? Next)> ReadAsync(PucesServer server, string query, int limit, CancellationToken ct)
    {
        var jobs = new List<JobView>();
        string? cursor = null;
        do
        {
            var page = await server.GetAsync(PagePath(query, Math.Min(limit - jobs.Count, LongestPage), cursor), PucesServer.Json.JobPage, ct);
            cursor = page.Next;
            if (jobs.Count == 0 && (cursor is null || page.Jobs.Count >= limit)) return (page.Jobs, cursor);
            jobs.AddRange(page.Jobs);
        }
        while (cursor is not null && jobs.Count < limit);
        return (jobs, cursor);
    }

    private static string PagePath(string query, int limit, string? cursor) =>
        string.Create(CultureInfo.InvariantCulture, $"api/v1/jobs?{query}&limit={limit}") + (cursor is null ? "" : $"&cursor={Uri.EscapeDataString(cursor)}");

    internal static Table TableOf(IReadOnlyList<JobView> jobs, DateTimeOffset now)
    {
        var hasProjects = jobs.Any(j => j.Project != "default");
        var columns = new List<Column> { new("ID", IsRight: true), new("NAME", Least: 8) };
        if (hasProjects) columns.Add(new("PROJECT", Least: 6));
        var hasEstimates = jobs.Any(j => j.Estimate is not null);
        columns.AddRange([new("OWNER", Least: 5), new("STATE"), new("ASKS FOR", Least: 8), new("TIME", IsRight: true)]);
        if (hasEstimates) columns.Add(new("STARTS IN", IsRight: true));
        columns.Add(new("WHERE, OR WHY", Least: 8));
        var table = new Table([.. columns]);
        foreach (var job in jobs)
        {
            var cells = new List<Cell> { job.Id, job.Name };
            if (hasProjects) cells.Add(job.Project);
            cells.AddRange([job.Owner, State(job), job.Request, Say.Short(Time(job, now))]);
            if (hasEstimates) cells.Add(job.Estimate is { } estimate ? EstimateText.Brief(estimate, now) : "");
            cells.Add(Where(job));
            table.Add([.. cells]);
        }
        return table;
    }

    public static Cell State(JobView job) => job switch
    {
        { State: "queued", Position: { } position } => new(string.Create(CultureInfo.InvariantCulture, $"waiting {position}"), Tint.Yellow),
        { State: "queued" } => new("waiting", Tint.Yellow),
        { State: "running" } => new(job.State, Tint.Green),
        { State: "starting" or "stopping" } => new(job.State, Tint.Cyan),
        { State: "failed" } => new(job.ExitCode is { } code ? string.Create(CultureInfo.InvariantCulture, $"failed ({code})") : "failed", Tint.Red),
        _ => new(job.State, Tint.Dim),
    };

    // How long it waits, runs, or ran.
    private static TimeSpan Time(JobView job, DateTimeOffset now) => (job.Ended ?? now) - (job.Started ?? job.Submitted);

    private static string Where(JobView job) =>
        job is { IsOver: true, Reason: { Length: > 0 } end } ? end : job.Nodes is { Length: > 0 } nodes ? job.IsVirtual ? nodes + " (virtual)" : nodes : job.Reason ?? "";
}
