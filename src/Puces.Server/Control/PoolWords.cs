using Puces.Core.Engine;
using Puces.Core.Jobs;
using Puces.Core.Market;
using Puces.Core.Units;

namespace Puces.Server.Control;

/// <summary>Why pools with a line of their own give a job nothing: as those who ask them know it.</summary>
internal static class PoolWords
{
    /// <summary>What refused it last, and what is wrong with each such pool that it may go to; null where there is no such pool, or nothing is.</summary>
    public static string? Of(View view, Job job)
    {
        List<string> words = [];
        if (view.Notes.GetValueOrDefault(LeaseNotes.Refusal(job.Id)) is { } refused) words.Add(refused);
        foreach (var (name, seen) in Open(view, job))
            if ((Closed(view, job, name) ?? Trouble(name, seen) ?? Behind(view, job, name)) is { } trouble) words.Add(trouble);
        return words.Count > 0 ? string.Join("; ", words) : null;
    }

    /// <summary>What the pools that it may go to have, for a job that nothing there fits; null where there is no such pool.</summary>
    public static string? Shapes(View view, Job job)
    {
        var words = Open(view, job).Select(p => $"pool {p.Name} has {string.Join(", ", p.Seen.Offers.Select(Shape).Distinct())}").ToList();
        return words.Count > 0 ? $"needs {job.Request}; {string.Join("; ", words)}" : null;
    }

    private static IEnumerable<(string Name, PoolSeen Seen)> Open(View view, Job job) =>
        from pool in view.Pools.Values
        where pool.HasLine && (job.Request.Where.Count == 0 || job.Request.Where.Contains(pool.Name, StringComparer.OrdinalIgnoreCase))
        let seen = view.Outlook.Pool(pool.Name)
        where seen is not null
        select (pool.Name, seen);

    private static string? Closed(View view, Job job, string pool)
    {
        var (now, windows) = (view.Outlook.Now, view.Windows.Values.Where(w => w.Node is null && w.Pool == pool && w.IsAhead(view.Outlook.Now)).ToList());
        if (windows.Find(w => w.IsAt(now)) is { } closed) return $"pool {pool} is closed {closed.Until}";
        return windows.Find(w => w.From < now + view.Forecast.StayOf(job.Id)) is { } closes
            ? $"pool {pool} closes {Moments.Text(closes.From!.Value)}, before it would be done{(closes.Note.Length > 0 ? ": " + closes.Note : "")}" : null;
    }

    private static string? Trouble(string pool, PoolSeen seen) =>
        seen.Problem is { } problem ? $"pool {pool} cannot be asked: {problem}"
        : seen.Offers.Count == 0 ? $"pool {pool} has nothing to give"
        : seen.Offers.All(o => o.Problem is not null) ? $"pool {pool} gives nothing now: {string.Join(", ", seen.Offers.Select(o => o.Problem).Distinct())}" : null;

    private static string? Behind(View view, Job job, string pool) =>
        World.GangBefore(view.Pools[pool], job.Request.Nodes, view.Leases) is { } gang && gang.Job != job.Id
            ? $"pool {pool} gives the nodes of a gang one by one, and first those of job {gang.Job}: with a queue of Kueue gangs could wait there side by side" : null;

    private static string Shape(Offer offer) =>
        $"{(offer.Nodes == 1 ? "1 node" : $"{offer.Nodes} nodes")} of {(offer.Devices == 0 ? "no accelerator" : $"{offer.Devices} × {offer.Model ?? "gpu"}")}";
}

/// <summary>A pool with a line of its own, as it was last seen.</summary>
internal sealed record PoolSeen(string? Problem, IReadOnlyList<Offer> Offers);
