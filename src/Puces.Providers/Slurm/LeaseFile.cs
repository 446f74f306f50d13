using System.Globalization;
using Puces.Core.Market;

namespace Puces.Providers.Slurm;

/// <summary>What the folder of a lease says of it.</summary>
/// <param name="Job">Slurm's number of its job; null where an answer was lost before it was written down.</param>
/// <param name="Asked">When its job was submitted, to the second; null where that was not written down.</param>
/// <param name="HasBegun">Its job has run.</param>
/// <param name="IsGivenBack">We have no more use for it.</param>
/// <param name="End">How it ended; empty where nobody knows.</param>
/// <param name="Here">Names of the nodes whose mailboxes are served, in rank order.</param>
internal sealed record LeaseFile(string Id, long? Job, DateTimeOffset? Asked, bool HasBegun, bool IsGivenBack, string End, int Nodes, IReadOnlyList<string> Here)
{
    private static readonly string[] Ends =
        ["BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED", "REVOKED", "TIMEOUT"];

    /// <summary>All leases, of the second and third part of what <see cref="SlurmScripts.Observe"/> prints.</summary>
    public static IEnumerable<LeaseFile> Parse(string entries, string contents)
    {
        var files = contents.Split('\n').Select(line => line.Split(':', 2)).Where(f => f.Length == 2).ToLookup(f => f[0], f => f[1], StringComparer.Ordinal);
        // Names of the folder, with the targets of links.
        foreach (var lease in entries.Split('\n').Select(line => line.Split('|', 2)).Where(e => e.Length == 2).GroupBy(e => e[0].Split('/')[0], StringComparer.Ordinal))
        {
            var id = lease.Key;
            var names = lease.Where(e => e[0].Length > id.Length).ToDictionary(e => e[0][(id.Length + 1)..], e => e[1], StringComparer.Ordinal);
            var nodes = names.Keys.Count(n => n.StartsWith("mail-", StringComparison.Ordinal));
            var asked = files[id + "/job"].FirstOrDefault("").Split(' ');
            yield return new(
                id, Whole(names.TryGetValue("taken", out var taken) ? taken : asked[0]), asked is [_, var at] && Whole(at) is { } second ? DateTimeOffset.FromUnixTimeSeconds(second) : null,
                names.ContainsKey("taken"), names.ContainsKey("given-back"),
                files[id + "/end"].FirstOrDefault("").Trim(), nodes, [.. Enumerable.Range(0, nodes).SelectMany(n => files[$"{id}/mail-{n}/here"]).Where(h => h.Length > 0)]);
        }
    }

    private static long? Whole(string text) => long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : null;

    /// <summary>
    /// How the lease's job ended, of a line of <see cref="SlurmScripts.Past"/> that is about it; null where none says so. Slurm uses a number again
    /// after its controller lost its state: the job must have been submitted when this one was.
    /// </summary>
    public string? EndOf(IEnumerable<string[]> past) =>
        past.FirstOrDefault(l => l is [var id, var at, _] && Whole(id) == Job && Asked is { } asked && Whole(at) is { } second && Math.Abs(second - asked.ToUnixTimeSeconds()) < 60) is [_, _, var state]
        && state.Split(' ')[0] is var end && Array.IndexOf(Ends, end) >= 0 ? end : null;

    /// <summary>The state of the lease's job where Slurm says that it is over; empty where Slurm says nothing of it, and null where it is not.</summary>
    public string? Over(IEnumerable<SlurmJob> jobs) => jobs.FirstOrDefault(j => j.Id == Job)?.State is { } state ? Array.IndexOf(Ends, state) >= 0 ? state : null : "";

    /// <param name="jobs">Those with the lease's comment that Slurm knows. A number of ours with another comment is not ours any more.</param>
    public Lease Lease(IReadOnlyList<SlurmJob> jobs)
    {
        var job = jobs.FirstOrDefault(j => j.Id == Job) ?? (HasBegun ? null : jobs.MinBy(j => j.Id));
        var nodes = Here.Select(n => new LeaseNode(n)).ToList();
        Lease Is(LeaseState state, string? reason, DateTimeOffset? start = null) => new(new(Id), state, nodes, reason, start);

        // A job that has been told to end may still run on some of its nodes.
        if (job is { State: "RUNNING" or "COMPLETING" or "SUSPENDED" or "STOPPED" or "SIGNALING" or "STAGE_OUT" or "RESIZING" })
            return Here.Count == Nodes ? Is(LeaseState.Ready, job.State == "RUNNING" ? null : job.State) : Is(LeaseState.Waiting, $"job {job.Id} has begun; {Here.Count} of its {Nodes} nodes are here", job.Start);
        if (job is { State: "PENDING" or "CONFIGURING" or "REQUEUED" or "REQUEUE_HOLD" or "REQUEUE_FED" or "RESV_DEL_HOLD" or "SPECIAL_EXIT" })
            return Is(LeaseState.Waiting, job.State == "CONFIGURING" ? "its nodes are started (CONFIGURING)" : SlurmText.Waiting(job.Reason), job.Start);
        return (job?.State ?? End) switch
        {
            // The controller has lost a node that may go on.
            "NODE_FAIL" or "BOOT_FAIL" => Is(LeaseState.Lost, $"Slurm ended job {Job} because a node of it failed ({job?.State ?? End})"),
            "" when HasBegun => Is(LeaseState.Lost, $"Slurm knows nothing of job {Job} any more, and the job did not say that it ended"),
            "" when Job is null => Is(LeaseState.Ended, "Slurm has no job for it"),
            "" => Is(LeaseState.Ended, $"Slurm knows nothing of job {Job} any more, and it had not begun"),
            "TIMEOUT" or "DEADLINE" => Is(LeaseState.Ended, $"the time of job {Job} was over ({job?.State ?? End})"),
            "CANCELLED" => Is(LeaseState.Ended, $"job {Job} was cancelled in Slurm (CANCELLED)"),
            "PREEMPTED" => Is(LeaseState.Ended, $"Slurm gave the nodes of job {Job} to another (PREEMPTED)"),
            var end => Is(LeaseState.Ended, $"job {Job} ended ({end})"),
        };
    }
}
