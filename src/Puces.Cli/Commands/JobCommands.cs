using System.CommandLine;
using System.CommandLine.Completions;
using System.Globalization;
using Puces.Cli.Remote;
using Puces.Core.Contract;

namespace Puces.Cli.Commands;

/// <summary>Commands about jobs that there are already.</summary>
internal static class JobCommands
{
    public static Command Why(Tools tools)
    {
        var command = new PucesCommand(
            "why", "Say why a job waits: its place, what it needs, and what would let it start now.", "puces why 42", "puces why big-training --json");
        var id = JobArgument(tools);
        command.Arguments.Add(id);
        command.SetAction(async (parsed, ct) =>
        {
            using var server = new PucesServer(tools.Session);
            var path = Jobs.Path(await server.FindAsync(parsed.GetRequiredValue(id), ct), "/why");
            return await tools.ShowAsync(parsed, server, path, PucesServer.Json.WhyView, JobText.Write, ct);
        });
        return command;
    }

    public static Command Show(Tools tools)
    {
        var command = new PucesCommand("show", "Show everything about a job.", "puces show 42", "puces show 42 --json | jq .spec");
        var id = JobArgument(tools);
        command.Arguments.Add(id);
        command.SetAction(async (parsed, ct) =>
        {
            using var server = new PucesServer(tools.Session);
            var number = await server.FindAsync(parsed.GetRequiredValue(id), ct);
            if (tools.WantsJson(parsed)) await server.CopyAsync(Jobs.Path(number), ct);
            else JobText.Write(tools.Screen, await server.DetailAsync(number, ct));
            return ExitCodes.Ok;
        });
        return command;
    }

    public static Command Logs(Tools tools)
    {
        var command = new PucesCommand(
            "logs", "Print a job's log: its output to standard output, its errors to standard error.",
            "puces logs 42", "puces logs -f 42                  follow it to its end", "puces logs 42 --attempt 1 --timestamps", "puces logs 42 --since 10m");
        var id = JobArgument(tools);
        var follow = new Option<bool>("--follow", "-f") { Description = "Go on until the job is over" };
        var attempt = new Option<int?>("--attempt") { HelpName = "N", Description = "Only this attempt" };
        var times = new Option<bool>("--timestamps", "-t") { Description = "The time before each line" };
        var since = new Option<string?>("--since") { HelpName = "TIME", Description = "Only what is newer: 10m, 2h, or a moment" };
        command.Arguments.Add(id);
        foreach (var option in (Option[])[follow, attempt, times, since]) command.Options.Add(option);
        command.SetAction(async (parsed, ct) =>
        {
            var from = parsed.GetValue(since) is { } text ? Times.Since(text, DateTimeOffset.UtcNow) : (DateTimeOffset?)null;
            using var server = new PucesServer(tools.Session);
            var job = await server.DetailAsync(await server.FindAsync(parsed.GetRequiredValue(id), ct), ct);
            var style = new LogStyle(tools.WantsJson(parsed), parsed.GetValue(times), job.Spec.Nodes > 1, from);
            // Following a job that waits shows its place first, as run does; logs itself ends well whatever the job's code.
            if (parsed.GetValue(follow) && parsed.GetValue(attempt) is null && !job.Job.IsOver)
                return await RunCommands.FollowAsync(tools, server, job.Job, style, ct) is ExitCodes.Interrupted ? ExitCodes.Interrupted : ExitCodes.Ok;
            await new LogPrinter(tools.Screen, style).PrintAsync(server, job.Job.Id, parsed.GetValue(follow), parsed.GetValue(attempt), ct);
            return ExitCodes.Ok;
        });
        return command;
    }

    public static Command Cancel(Tools tools)
    {
        var command = new PucesCommand(
            "cancel", "End jobs: those that wait at once, those that run after their checkpoint signal and grace.", "puces cancel 42", "puces cancel 42 43 big-training");
        var ids = JobsArgument(tools);
        command.Arguments.Add(ids);
        command.SetAction(async (parsed, ct) =>
        {
            using var server = new PucesServer(tools.Session);
            foreach (var id in parsed.GetRequiredValue(ids))
            {
                var number = await server.FindAsync(id, ct);
                var job = await server.AskAsync(() => new(HttpMethod.Post, Jobs.Path(number, "/cancel")), PucesServer.Json.JobView, StartDaemon.IfNeeded, ct);
                if (tools.WantsJson(parsed)) tools.WriteJson(job, ContractJson.Default.JobView);
                else tools.Screen.Line($"job {job.Id} · {job.State}");
            }
            return ExitCodes.Ok;
        });
        return command;
    }

    public static Command Wait(Tools tools)
    {
        var command = new PucesCommand(
            "wait", "Wait until jobs are over; the exit code is the job's, or of several the first that is not 0.",
            "puces wait 42", "puces wait 42 43 && puces run after.yaml");
        var ids = JobsArgument(tools);
        command.Arguments.Add(ids);
        command.SetAction(async (parsed, ct) =>
        {
            using var server = new PucesServer(tools.Session);
            var numbers = new List<long>();
            foreach (var id in parsed.GetRequiredValue(ids)) numbers.Add(await server.FindAsync(id, ct));
            var left = numbers.Count;
            tools.Screen.Status($"waiting for {Terminal.Say.Count(left, "job")}");
            var ended = await Task.WhenAll(numbers.Select(WaitAsync));
            tools.Screen.Status(null);
            return ended.Select(Jobs.ExitCodeOf).FirstOrDefault(code => code != 0);

            async Task<JobView> WaitAsync(long number)
            {
                JobView? last = null;
                await foreach (var job in server.WatchAsync(number, ct)) last = job;
                if (tools.WantsJson(parsed)) tools.WriteJson(last!, ContractJson.Default.JobView);
                else tools.Screen.Line(JobFollower.Summary(last!));
                tools.Screen.Flush();
                if (Interlocked.Decrement(ref left) is > 0 and var more) tools.Screen.Status($"waiting for {Terminal.Say.Count(more, "more job")}");
                return last!;
            }
        });
        return command;
    }

    private static Argument<string> JobArgument(Tools tools)
    {
        var argument = new Argument<string>("job") { Description = "A job's number, or its name (the newest of that name)" };
        argument.CompletionSources.Add(_ => Known(tools));
        return argument;
    }

    private static Argument<string[]> JobsArgument(Tools tools)
    {
        var argument = new Argument<string[]>("job") { Description = "Jobs' numbers or names", Arity = ArgumentArity.OneOrMore };
        argument.CompletionSources.Add(_ => Known(tools));
        return argument;
    }

    // For completion: quick or not at all, and it starts no daemon.
    private static IEnumerable<CompletionItem> Known(Tools tools)
    {
        try
        {
            using var limit = new CancellationTokenSource(TimeSpan.FromMilliseconds(500));
            using var server = new PucesServer(tools.Session with { Patience = TimeSpan.Zero });
            var page = server.GetAsync("api/v1/jobs?state=live&limit=100", PucesServer.Json.JobPage, StartDaemon.Never, limit.Token).GetAwaiter().GetResult();
            return [.. page.Jobs.Select(j => new CompletionItem(j.Id.ToString(CultureInfo.InvariantCulture), detail: j.Name))];
        }
        catch (Exception e) when (e is CommandException or OperationCanceledException)
        {
            return [];
        }
    }
}
