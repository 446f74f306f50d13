using System.Globalization;
using Puces.Core.Contract;
using Puces.Core.Jobs;
using Puces.Server.Control;

namespace Puces.Server.Api;

/// <summary>Lists of jobs in pages: those that hold devices, then the line in order, then those that have ended, the newest first.</summary>
internal static class Listing
{
    private const int MostAnchors = 16;

    /// <summary>Which jobs; nulls match everything.</summary>
    internal sealed record Filter(bool Held, bool Waiting, bool Ended, JobResult? Result, string? Project, string? Owner, string? Name)
    {
        public static Filter Of(string? state, string? project, string? owner, string? name)
        {
            var (held, waiting, ended, result) = (state ?? "live") switch
            {
                "live" => (true, true, false, null),
                "waiting" or "queued" => (false, true, false, null),
                "running" => (true, false, false, null),
                "ended" => (false, false, true, null),
                "all" => (true, true, true, null),
                "succeeded" => (false, false, true, (JobResult?)JobResult.Succeeded),
                "failed" => (false, false, true, JobResult.Failed),
                "cancelled" => (false, false, true, JobResult.Cancelled),
                _ => throw new RequestException(400, $"state={state}: write live, waiting, running, ended, all, succeeded, failed or cancelled"),
            };
            return new(held, waiting, ended, result, project, owner, name);
        }

        public bool Takes(Job job) =>
            (Project is null || job.Project == Project) && (Owner is null || job.Owner == Owner) && (Name is null || job.Name == Name);
    }

    /// <summary>
    /// A cursor is the section's letter and the last job of the page: it stays true while jobs come and go. In the line, whose order may
    /// change, it names the place and some jobs before it: the next page begins after the last of them that still waits.
    /// </summary>
    public static async Task<JobPage> PageAsync(Live live, Filter filter, int limit, string? cursor, CancellationToken ct)
    {
        var (section, last, before) = Parse(cursor);
        var view = live.View;
        var page = new List<JobView>();
        if (filter.Held && section == 'h')
        {
            foreach (var job in view.Live.Values)
            {
                if (job.Id.Value <= last || job.State is JobState.Queued || !filter.Takes(job)) continue;
                if (page.Count == limit) return new(page, $"h{page[^1].Id}");
                page.Add(view.Show(job));
            }
        }
        if (section == 'h') (section, last, before) = ('w', 0, []);
        if (filter.Waiting && section == 'w')
        {
            var forecast = view.Forecast;
            var begin = before.Select(b => forecast.PositionOf(new(b))).FirstOrDefault(p => p > 0, (int)Math.Min(last, int.MaxValue));
            for (var i = begin; i < forecast.Line.Count; i++)
            {
                if (!view.Live.TryGetValue(forecast.Line[i], out var job) || !filter.Takes(job)) continue;
                if (page.Count == limit) return new(page, $"w{string.Join('.', page.Where(j => j.Position is not null).TakeLast(MostAnchors).Select(j => j.Id).DefaultIfEmpty().Append(page[^1].Position ?? 0).Reverse())}");
                page.Add(view.Show(job, forecast));
            }
        }
        if (section == 'w') (section, last) = ('e', long.MaxValue);
        if (!filter.Ended) return new(page);
        while (true)
        {
            if (page.Count == limit) return new(page, $"e{last}");
            var ended = await live.Store.EndedAsync(new(last), Math.Min(1000, limit - page.Count), new(filter.Project, filter.Owner, filter.Result), ct);
            foreach (var job in ended)
                if (filter.Name is null || job.Name == filter.Name) page.Add(view.Show(job));
            if (ended.Count == 0) return new(page);
            last = ended[^1].Id.Value;
        }
    }

    private static (char Section, long Last, long[] Before) Parse(string? cursor)
    {
        if (string.IsNullOrEmpty(cursor)) return ('h', 0, []);
        var parts = cursor[1..].Split('.');
        if (cursor[0] is 'h' or 'w' or 'e' && long.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out var last))
        {
            var before = new long[parts.Length - 1];
            var isWhole = cursor[0] == 'w' ? before.Length is > 0 and <= MostAnchors : before.Length == 0;
            for (var i = 0; i < before.Length && isWhole; i++) isWhole = long.TryParse(parts[i + 1], NumberStyles.None, CultureInfo.InvariantCulture, out before[i]);
            if (isWhole) return (cursor[0], last, before);
        }
        throw new RequestException(400, "cursor: give back the \"next\" of the page before, as it is");
    }
}
