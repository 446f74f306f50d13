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
    public static void Map(RouteGroupBuilder api)
    {
        api.MapGet("/jobs/{id:long}/logs", LogsAsync).Produces<LogLine>(200, "text/event-stream").WithSummary("A job's log as server-sent events, or as plain text.");
        api.MapGet("/feed", FeedAsync).Produces<FeedPage>().WithSummary("What has happened, in order; as server-sent events where the client accepts them.");
    }

    private static async Task LogsAsync(HttpContext context, long id, Live live, LogBook logs, bool follow = false, int? attempt = null, string? after = null)
    {
        var job = await JobsApi.FindAsync(live, id, context.RequestAborted);
        after ??= context.Request.Headers["Last-Event-ID"];
        var stopping = context.RequestServices.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping;
        using var either = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, stopping);
        var events = Replies.WantsEvents(context);
        if (events) Replies.BeginEvents(context);
        else context.Response.ContentType = "text/plain; charset=utf-8";
        if (follow) await context.Response.Body.FlushAsync(either.Token);
        try
        {
            await foreach (var line in logs.ReadAsync(job.Id, attempt, after, follow, () => IsOver(live, logs, job), () => live.Changed, either.Token))
            {
                if (events) await Replies.EventAsync(context, line, ContractJson.Default.LogLine, line.Cursor);
                else await context.Response.WriteAsync(line.IsPartial ? line.Text : line.Text + "\n", either.Token);
            }
        }
        catch (FormatException)
        {
            throw new RequestException(400, "after: give back the cursor of a line, as it is");
        }
    }

    /// <summary>No more lines will come: the job has ended, and its last attempt's logs are here whole.</summary>
    private static bool IsOver(Live live, LogBook logs, Job job)
    {
        if (live.View.Live.TryGetValue(job.Id, out var now)) return false;
        return !live.Leads || logs.IsSettled(job.Id);
    }

    private static async Task FeedAsync(HttpContext context, Live live, string? after = null, int limit = 1000)
    {
        if (limit is < 1 or > 10_000) throw new RequestException(400, $"limit={limit}: write 1 to 10000");
        // A browser that comes back names what it saw last; "last" begins with what happens from now on.
        var text = context.Request.Headers["Last-Event-ID"] is [{ Length: > 0 } seen] ? seen : after ?? "0";
        if (text == "last") text = live.LastEvent.ToString(CultureInfo.InvariantCulture);
        if (!long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var from)) throw new RequestException(400, $"after={text}: write a number of the feed, or last");
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

    private static FeedLine Show(FeedEvent e) => new(e.Seq, e.At, e.Kind, e.Text, e.Job?.Value, e.Project);
}
