using System.Globalization;
using Puces.Cli.Remote;
using Puces.Cli.Terminal;
using Puces.Core.Contract;

namespace Puces.Cli.Commands;

/// <summary>Shows a job to its end: where it stands in the status line, its log above.</summary>
internal sealed class JobFollower(Session session, PucesServer server, JobView first, LogPrinter printer)
{
    private readonly Screen _screen = session.Screen;
    private string? _shown;

    /// <summary>The job as it ended.</summary>
    public async Task<JobView> RunAsync(CancellationToken ct)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(ct);
        Task? log = null;
        var job = first;
        try
        {
            await ShowAsync(first, ct);
            await foreach (var change in server.WatchAsync(first.Id, stop.Token))
            {
                job = change;
                await ShowAsync(job, ct);
                if (job.Attempt > 0) log ??= PrintAsync(stop);
            }
            if (log is not null) await log;
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested && log is not null)
        {
            await log;
        }
        finally
        {
            _screen.Status(null);
            await stop.CancelAsync();
            if (log is not null) await log.ContinueWith(_ => { }, TaskScheduler.Default);
        }
        return job;
    }

    /// <summary>Such as <c>job 42 · failed · exit code 3 · ran 12 s</c>.</summary>
    public static string Summary(JobView job)
    {
        var parts = new List<string> { Title(job), job.State };
        // The reason of a plain failure begins with the code.
        if (job is { State: not "succeeded", ExitCode: { } code and not 0 } && job.Reason?.StartsWith($"exit code {code}", StringComparison.Ordinal) != true) parts.Add($"exit code {code}");
        if (job.Started is { } started && job.Ended is { } ended) parts.Add($"ran {Say.Duration(ended - started)}");
        if (job.Attempt > 1) parts.Add($"{job.Attempt} attempts");
        if (job is { State: not "succeeded", Reason: { Length: > 0 } reason }) parts.Add(reason);
        return string.Join(" · ", parts);
    }

    // A log that cannot be shown any more ends the watching too.
    private async Task PrintAsync(CancellationTokenSource stop)
    {
        try
        {
            await printer.PrintAsync(server, first.Id, isFollowed: true, attempt: null, stop.Token);
        }
        catch
        {
            await stop.CancelAsync();
            throw;
        }
    }

    private async Task ShowAsync(JobView job, CancellationToken ct)
    {
        if (job.IsOver)
        {
            _screen.Status(null);
            return;
        }
        var text = job.State switch
        {
            "queued" => await WaitingAsync(job, ct),
            "starting" => $"{Title(job)} · starting{On(job)}",
            "stopping" => $"{Title(job)} · stopping{(job.Reason is { } reason ? $" · {reason}" : "")}",
            _ => $"{Title(job)} · {job.State}{On(job)}",
        };
        // While it runs its log is what to look at; the status line stays only until the log begins.
        var hasLog = job.State == "running" && printer.HasPrinted;
        _screen.Status(hasLog ? null : text);
        var key = $"{job.State} {job.Attempt} {job.Reason} {job.Nodes}";
        if (key == _shown || _screen.HasStatus) return;
        _shown = key;
        _screen.Note(text);
    }

    private async Task<string> WaitingAsync(JobView job, CancellationToken ct)
    {
        var place = "";
        if (job.Position is { } position && _screen.HasStatus)
        {
            var info = await server.GetAsync("api/v1/info", PucesServer.Json.ServerInfo, StartDaemon.AfterCrash, ct);
            place = $" · {Say.Ordinal(position)} of {Math.Max(info.Waiting, position).ToString(CultureInfo.InvariantCulture)}";
        }
        return $"{Title(job)} · waiting{place}{(job.Estimate is { } estimate && _screen.HasStatus ? $" · {EstimateText.Starts(estimate, DateTimeOffset.UtcNow)}" : "")}{(job.Reason is { Length: > 0 } reason ? $" · {reason}" : "")}";
    }

    private static string Title(JobView job) => $"job {job.Id}";

    private static string On(JobView job) =>
        job.Nodes is { Length: > 0 } nodes ? $" on {nodes}{(job.IsVirtual ? " (virtual)" : "")}" : "";
}
