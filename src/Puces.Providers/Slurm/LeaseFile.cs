using System.Globalization;
using Puces.Core.Market;

namespace Puces.Providers.Slurm;

/// <summary>What the folder of a lease says of it.</summary>
/// <param name="Job">Slurm's number of its job; null where an answer was lost before it was written down.</param>
/// <param name="HasBegun">Its job has run.</param>
/// <param name="End">How it ended; empty where nobody knows.</param>
/// <param name="Here">Names of the nodes whose mailboxes are served, in rank order.</param>
internal sealed record LeaseFile(string Id, long? Job, bool HasBegun, string End, int Nodes, IReadOnlyList<string> Here)
{
    /// <summary>A line of <see cref="SlurmScripts.Observe"/>; null where it is none.</summary>
    public static LeaseFile? Parse(string line) =>
        line.Split('|') is not [var id, var job, var taken, var end, var nodes, var here] ? null : new(
            id, long.TryParse(job, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : null, taken.Length > 0, end.Trim(),
            int.Parse(nodes.Trim(), CultureInfo.InvariantCulture), here.Split(' ', StringSplitOptions.RemoveEmptyEntries));

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
            "" => Is(LeaseState.Ended, $"Slurm knows nothing of job {Job} any more, and it had not begun"),
            "TIMEOUT" or "DEADLINE" => Is(LeaseState.Ended, $"the time of job {Job} was over ({job?.State ?? End})"),
            "CANCELLED" => Is(LeaseState.Ended, $"job {Job} was cancelled in Slurm (CANCELLED)"),
            "PREEMPTED" => Is(LeaseState.Ended, $"Slurm gave the nodes of job {Job} to another (PREEMPTED)"),
            var end => Is(LeaseState.Ended, $"job {Job} ended ({end})"),
        };
    }
}
