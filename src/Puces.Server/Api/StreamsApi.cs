using System.Globalization;
using Puces.Core.Contract;
using Puces.Core.Engine;
using Puces.Core.Jobs;
using Puces.Server.Control;
using Puces.Server.Logs;

namespace Puces.Server.Api;

/// <summary>Logs and the feed: in pages, or as they come.</summary>
internal static class StreamsApi
{
    private const int LongestPage = 10_000;

    public static void Map(RouteGroupBuilder api)
    {
        api.MapGet("/jobs/{id}/logs", LogsAsync).Produces<LogLine>(200, "text/event-stream").Refuses(400, 404, 503).WithName("readLog").WithSummary("A job's log as server-sent events, or as plain text.");
        api.MapGet("/feed", FeedAsync).Produces<FeedPage>().Refuses(400, 503).WithName("readFeed").WithSummary("What has happened, in order; as server-sent events where the client accepts them.");
    }

    private static async Task LogsAsync(HttpContext context, long id, Live live, LogBook logs, bool follow = false, int? attempt = null, string? after = null)
    {
        var job = await JobsApi.FindAsync(live, id, context.RequestAborted);
        after ??= context.Request.Headers["Last-Event-ID"];
        // Before the reply begins: a stream that has begun cannot say what is wrong.
        try { LogCursor.Parse(after); }
        catch (FormatException) { throw new RequestException(400, $"after={after}: give back the cursor of a line, as it is"); }
        if (attempt is { } number && (number < 1 || number > job.Attempts))
            throw new RequestException(number < 1 ? 400 : 404, number < 1 ? $"attempt={number}: attempts count from 1" : $"job {id} has no attempt {number}; {(job.Attempts == 0 ? "none has begun" : $"its last is {job.Attempts}")}");
        var stopping = context.RequestServices.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping;
        using var either = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, stopping);
        var events = Replies.WantsEvents(context);
        if (events) Replies.BeginEvents(context);
        else context.Response.ContentType = "text/plain; charset=utf-8";
        if (follow) await context.Response.Body.FlushAsync(either.Token);
        await foreach (var line in logs.ReadAsync(job.Id, attempt, after, follow, () => IsOver(live, logs, job), () => live.Changed, either.Token))
        {
            if (events) await Replies.EventAsync(context, line, ContractJson.Default.LogLine, line.Cursor);
            else await context.Response.WriteAsync(line.IsPartial ? line.Text : line.Text + "\n", either.Token);
        }
    }

    /// <summary>No more lines will come: the job has ended, and its last attempt's logs are here whole.</summary>
    private static bool IsOver(Live live, LogBook logs, Job job)
    {
        if (live.View.Live.TryGetValue(job.Id, out var now)) return false;
        return !live.Leads || logs.IsSettled(job.Id);
    }

    private static async Task FeedAsync(HttpContext context, Live live, string? after = null, int? last = null, int limit = 1000)
    {
        if (limit is < 1 or > LongestPage) throw new RequestException(400, $"limit={limit}: write 1 to {LongestPage}");
        if (last is < 0 or > LongestPage) throw new RequestException(400, $"last={last}: write 0 to {LongestPage}");
        if (last is not null && after is not null) throw new RequestException(400, "after and last are two places to begin at: write one of them");
        var from = Begin(context, live, after, last);
        if (!Replies.WantsEvents(context))
        {
            var events = await live.Store.EventsAsync(from, limit, context.RequestAborted);
            await Replies.JsonAsync(context, new FeedPage([.. events.Select(Show)], events.Count > 0 ? events[^1].Seq : from), ContractJson.Default.FeedPage);
            return;
        }
        Replies.BeginEvents(context);
        while (true)
        {
            var changed = live.Changed;
            var events = await live.Store.EventsAsync(from, limit, context.RequestAborted);
            foreach (var e in events) await Replies.EventAsync(context, Show(e), ContractJson.Default.FeedLine, (from = e.Seq).ToString(CultureInfo.InvariantCulture));
            if (events.Count < limit) await Replies.WaitAsync(context, changed);
        }
    }

    /// <summary>The number of the line before the first that is shown. A browser that comes back names what it saw last.</summary>
    private static long Begin(HttpContext context, Live live, string? after, int? last)
    {
        var seen = context.Request.Headers["Last-Event-ID"].ToString();
        // Numbers of the feed have no gaps.
        if (last is { } count && seen.Length == 0) return Math.Max(0, live.LastEvent - count);
        var text = seen.Length > 0 ? seen : after ?? "0";
        if (text == "last") return live.LastEvent;
        return long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var from) ? from
            : throw new RequestException(400, $"{(seen.Length > 0 ? "Last-Event-ID: " : "after=")}{text}: write a number of the feed, or last");
    }

    private static FeedLine Show(FeedEvent e) => new(e.Seq, e.At, e.Kind, e.Text, e.Job?.Value, e.Project);
}
