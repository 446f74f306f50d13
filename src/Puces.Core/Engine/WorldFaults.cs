using System.Globalization;
using Puces.Core.Fleet;
using Puces.Core.Jobs;
using Puces.Core.Scheduling;

namespace Puces.Core.Engine;

// Nodes that fail their jobs: such an end costs the job nothing, and a node that does it again gets no more.
public sealed partial class World
{
    /// <summary>Faults of a node after which it is drained, where none of them is certain alone.</summary>
    public const int FaultLimit = 2;

    /// <summary>How long a fault of a node counts.</summary>
    public static readonly TimeSpan FaultMemory = TimeSpan.FromHours(24);

    /// <summary>A job that as many different nodes have failed is suspected itself: a bad job must not drain the fleet.</summary>
    public const int SuspectLimit = 3;

    private const int LongestNote = 200;

    // Of each node that has failed somebody lately, and is not drained for it: when it did.
    private readonly SortedDictionary<string, List<DateTimeOffset>> _faults = new(StringComparer.Ordinal);

    private void RecallFaults(IEnumerable<KeyValuePair<string, string>> notes)
    {
        foreach (var (key, text) in notes)
            if (FaultNotes.Read(key, text) is var (node, times)) _faults[node] = times;
    }

    /// <summary>The rank whose node failed it first; null where none did.</summary>
    private static LiveAttempt.Rank? FaultyOf(LiveAttempt live) => live.Ranks.Where(r => r is { IsBad: true, Verdict.Fault: not null }).MinBy(r => r.Order);

    /// <summary>True where the node is to blame for the end of an attempt, and not the job.</summary>
    private bool Blame(ref Job job, LiveAttempt.Rank faulty, Batch batch)
    {
        var (node, fault) = (faulty.Node, faulty.Verdict!.Fault!);
        if (job.Faulty?.Contains(node) != true) job = job with { Faulty = [.. job.Faulty ?? [], node] };
        if (job.Faulty!.Count >= SuspectLimit)
        {
            batch.Say("fault", $"job {job.Id} ({job.Name}) has failed on {job.Faulty.Count} different nodes, and is suspected itself; {node}: {fault.Text}", job);
            return false;
        }
        batch.Say("fault", $"{node} has failed job {job.Id} ({job.Name}): {fault.Text}", job);
        // A node of a lease goes with it, and its name does not come again.
        if (!_leaseOf.ContainsKey(node) && _holdings.Find(node) is not null)
        {
            NoteFault(node, fault, batch);
            Avoid(ref job, node);
        }
        return true;
    }

    private void NoteFault(string node, NodeFault fault, Batch batch)
    {
        if (!_faults.TryGetValue(node, out var times)) _faults[node] = times = [];
        times.RemoveAll(at => batch.Now - at > FaultMemory);
        times.Add(batch.Now);
        if (fault.Kind is not FaultKind.DeviceLost && times.Count < FaultLimit) batch.Add(new Change.NoteSet(FaultNotes.Key(node), FaultNotes.Write(times)));
        else Drain(node, (times.Count > 1 ? $"{times.Count} faults in {FaultMemory.TotalHours:0} h, the last: " : "") + fault.Text, batch);
    }

    /// <summary>Nothing starts there until a person reopens it.</summary>
    private void Drain(string node, string why, Batch batch)
    {
        ForgetFaults(node, batch);
        if (_grid.Windows.Values.Any(w => w.To is null && w.Node == node && w.IsAt(batch.Now))) return;
        var window = Keep(new Window(++_lastWindow, node.Split('/')[0], why.Length > LongestNote ? why[..LongestNote] : why, batch.Now, node, batch.Now), batch);
        batch.Say("drained", $"{node} is drained: {why}; puces pools reopen {window.Number} takes it back");
    }

    private void ForgetFaults(string node, Batch batch)
    {
        if (_faults.Remove(node)) batch.Add(new Change.NoteSet(FaultNotes.Key(node), null));
    }

    /// <summary>The job goes elsewhere, if it could: where it could not, the same node is better than none.</summary>
    private void Avoid(ref Job job, string node)
    {
        var request = job.Request with { Avoid = [.. (job.Request.Avoid ?? []).Append(node).Distinct()] };
        if (CouldBeOn(request)) Change(ref job, request);
    }

    private bool CouldBeOn(Request request) =>
        _holdings.Uses.Values.Count(n => !_leaseOf.ContainsKey(n.Node.Id) && n.Closed is not { To: null } && Placement.CouldFit(request, n.Node)) >= request.Nodes;

    /// <summary>What the job asks for is another thing from now on: its claim is made anew, as after a restart.</summary>
    private void Change(ref Job job, Request request)
    {
        job = job with { Request = Shared(request) };
        _claims.Remove(job.Id);
    }

    /// <summary>Nodes have gone or are closed for good, or a person has taken one back: who avoids nodes and has nowhere else to go, or avoided that one, is let onto them again.</summary>
    /// <param name="opened">The node that is taken back; null where there are fewer.</param>
    private void Unavoid(string? opened, Batch batch)
    {
        foreach (var was in _jobs.Values.Where(j => j is { Request.Avoid: not null, State: JobState.Queued }).ToList())
        {
            var avoided = was.Request.Avoid!;
            IReadOnlyList<string> left = opened is not null ? [.. avoided.Where(n => n != opened)] : CouldBeOn(was.Request) ? avoided : [];
            if (left.Count == avoided.Count) continue;
            var (job, queued) = (was, (JobState.Queued)was.State with { Reserved = null });
            Unwait(job, queued);
            Change(ref job, job.Request with { Avoid = left.Count > 0 ? left : null });
            Wait(Set(job with { State = queued }, batch), queued, batch.Now);
        }
    }
}

/// <summary>How faults of nodes are kept among the notes: when they were.</summary>
internal static class FaultNotes
{
    private const string Prefix = "fault/";

    public static string Key(string node) => Prefix + node;

    public static string Write(IEnumerable<DateTimeOffset> times) => string.Join(' ', times.Select(t => t.ToString("O", CultureInfo.InvariantCulture)));

    /// <summary>The node that a note is of, and its faults; null where it is about something else.</summary>
    public static (string Node, List<DateTimeOffset> Times)? Read(string key, string text) => !key.StartsWith(Prefix, StringComparison.Ordinal) ? null
        : (key[Prefix.Length..], [.. text.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(t => DateTimeOffset.ParseExact(t, "O", CultureInfo.InvariantCulture))]);
}
