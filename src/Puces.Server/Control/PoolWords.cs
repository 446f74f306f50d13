using Puces.Core.Engine;
using Puces.Core.Jobs;

namespace Puces.Server.Control;

/// <summary>Why pools with a line of their own give a job nothing: as those who ask them know it.</summary>
internal static class PoolWords
{
    /// <summary>For each such pool that the job may go to; null where there is none, or all of them are well.</summary>
    public static string? Of(View view, Job job)
    {
        List<string> words = [];
        if (view.Notes.GetValueOrDefault(LeaseNotes.Refusal(job.Id)) is { } refused) words.Add(refused);
        foreach (var pool in view.Pools.Values)
            if (pool.HasLine && (job.Request.Where.Count == 0 || job.Request.Where.Contains(pool.Name, StringComparer.OrdinalIgnoreCase))
                && view.Outlook.TroubleOf(pool.Name) is { } trouble && !words.Contains(trouble)) words.Add(trouble);
        return words.Count > 0 ? string.Join("; ", words) : null;
    }

    /// <summary>What is wrong with a pool, such as <c>pool jean cannot be asked: …</c>; null where nothing is.</summary>
    public static string? Of(PoolLine line) =>
        line.Problem is { } problem ? $"pool {line.Pool.Name} cannot be asked: {problem}"
        : line.Offers.Count == 0 ? $"pool {line.Pool.Name} has nothing to give"
        : line.Offers.All(o => o.Problem is not null) ? $"pool {line.Pool.Name} gives nothing now: {string.Join(", ", line.Offers.Select(o => o.Problem).Distinct())}" : null;
}
