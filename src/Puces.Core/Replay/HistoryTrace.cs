using Puces.Core.Contract;
using Puces.Core.Fleet;
using Puces.Core.Jobs;

namespace Puces.Core.Replay;

/// <summary>What a server remembers, as a trace with the pool that it ran on.</summary>
public static class HistoryTrace
{
    /// <summary>The jobs, on the engine's own clock: since 1970.</summary>
    /// <param name="jobs">By their numbers.</param>
    /// <param name="at">When they were read: whoever holds devices counts as if it ended then.</param>
    public static IReadOnlyList<TraceJob> Jobs(IEnumerable<JobDetail> jobs, DateTimeOffset at) => Trace.InOrder([.. jobs.Select(j => Of(j, at))]);

    private static TraceJob Of(JobDetail kept, DateTimeOffset at)
    {
        var (job, spec) = (kept.Job, kept.Spec);
        var request = Request.Of(spec);
        // Of one that waits, or was given up before it began, nobody knows how long it would run.
        var isKnown = kept.Attempts.Count > 0 && job.State != "queued";
        TraceAttempt[]? attempts = isKnown ? [.. kept.Attempts.Select(a => Of(a, Retry.Of(spec.Retries), at))] : null;
        TimeSpan? held = attempts is null ? null : new(attempts.Sum(a => a.Held.Ticks));
        return new(
            job.Id.ToString(System.Globalization.CultureInfo.InvariantCulture), job.Submitted - DateTimeOffset.UnixEpoch, held, (int)Math.Min(int.MaxValue, request.MilliGpus),
            string.Join('|', request.Gpus.Select(g => g.Name).OfType<string>().Distinct()), job.Project, job.Owner, job.Name, job.State,
            request.MilliCpus * request.Nodes, new(request.Memory.Bytes * request.Nodes))
        {
            // Its nodes are numbers: what runs containers there is not asked.
            Request = request with { InContainer = false },
            Priority = spec.Priority,
            CanYield = spec.Checkpoint is not null,
            Limit = spec.Limit,
            Expected = spec.Expected,
            Attempts = attempts,
            Waited = held is { } all ? (kept.Attempts[^1].Ended ?? at) - job.Submitted - all : null,
        };
    }

    private static TraceAttempt Of(AttemptView attempt, Retry retry, DateTimeOffset at)
    {
        var ended = attempt.Ended ?? at;
        var worked = attempt.Started is { } began ? ended - began : TimeSpan.Zero;
        var record = new AttemptRecord(default, [], attempt.Decided, attempt.Started, Checkpoint: attempt.Checkpoint, Saved: attempt.Saved);
        return new(
            ended - attempt.Decided, worked, record.Kept(worked), ended - attempt.Preempted, attempt.Preempted is null ? retry.After(attempt.Number) : TimeSpan.Zero,
            (attempt.Saved - attempt.Decided) / attempt.Saves);
    }

    /// <summary>The nodes: equal ones that follow each other are one group.</summary>
    public static IReadOnlyList<NodeGroup> Pool(HistoryPage page)
    {
        var (nodes, windows, groups) = (page.Nodes, page.Windows ?? [], new List<NodeGroup>());
        foreach (var seen in nodes.OrderBy(n => n.Id, StringComparer.Ordinal))
        {
            Device[] devices = [.. seen.Devices.Select(d => new Device(d.Index, d.Model, d.Vendor, new(d.Memory), Island: d.Island))];
            var model = devices.Select(d => d.Model).Distinct().Take(2).Count() == 1 ? devices[0].Model : "";
            var node = new Node(seen.Id, seen.Pool, devices, (int)Math.Round(seen.Cpus * 1000), new(seen.Memory), IsVirtual: true, IsUp: true, default, Place: seen.Place);
            if (groups.Count > 0 && groups[^1].Recorded![0] is var last && last.Pool == node.Pool && last.MilliCpus == node.MilliCpus && last.Memory == node.Memory
                && last.Devices.SequenceEqual(node.Devices))
                groups[^1] = groups[^1] with { Nodes = groups[^1].Nodes + 1, Recorded = [.. groups[^1].Recorded!, node] };
            else groups.Add(new(1, devices.Length, model, node.MilliCpus, node.Memory) { Recorded = [node], Windows = windows });
        }
        return groups;
    }

    /// <summary>A group as it would stand in that pool: with the CPUs and the memory of the nodes there that are most like it.</summary>
    /// <param name="number">Of its first node, so that names differ.</param>
    public static NodeGroup Like(IReadOnlyList<NodeGroup> pool, NodeGroup added, int number)
    {
        var like = pool.Where(g => g.Recorded is not null).OrderByDescending(g => g.Takes(added.Accelerator)).ThenByDescending(g => g.Devices == added.Devices).FirstOrDefault();
        if (like is null || added.Recorded is not null) return added;
        var template = like.Recorded![0];
        var model = added.Accelerator.Length > 0 ? added.Accelerator : like.Accelerator.Length > 0 ? like.Accelerator : "any";
        var known = like.Devices > 0 && template.Devices[0].Model.Equals(model, StringComparison.OrdinalIgnoreCase) ? template.Devices[0] : null;
        var accelerator = Accelerators.Find(model);
        Device[] devices = [.. Enumerable.Range(0, added.Devices).Select(i =>
            new Device(i, known?.Model ?? accelerator?.Name ?? model, known?.Vendor ?? accelerator?.Vendor ?? "any", known?.Memory ?? accelerator?.Memory ?? default))];
        return added with
        {
            MilliCpus = template.MilliCpus,
            Memory = template.Memory,
            Recorded = [.. Enumerable.Range(number, added.Nodes).Select(i => template with { Id = $"{template.Pool}/~{i:D7}", Devices = devices })],
        };
    }
}
