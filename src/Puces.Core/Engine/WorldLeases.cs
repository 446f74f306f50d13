using System.Globalization;
using System.Numerics;
using Puces.Core.Fleet;
using Puces.Core.Jobs;
using Puces.Core.Market;
using Puces.Core.Scheduling;

namespace Puces.Core.Engine;

// Nodes that are asked for, one gang at a time, of pools that have a line of their own.
public sealed partial class World
{
    /// <summary>A job waits in the lines of so many pools at once; the first that is ready has it, and the others are withdrawn.</summary>
    public const int MostHedges = 2;

    /// <summary>So many leases wait at one pool: beyond, the order of our own line is worth more than a place in another.</summary>
    public const int MostWaitingAt = 100;

    /// <summary>How long nothing of a kind is asked for after it was refused; doubles with each refusal, up to an hour.</summary>
    public static readonly TimeSpan FirstRest = TimeSpan.FromSeconds(15);

    private static readonly TimeSpan LongestRest = TimeSpan.FromHours(1);

    private readonly SortedDictionary<LeaseId, LeaseRecord> _leases = new(Comparer<LeaseId>.Create((a, b) => string.CompareOrdinal(a.Value, b.Value)));
    private readonly SortedDictionary<string, IReadOnlyList<Offer>> _offers = new(StringComparer.Ordinal);
    private readonly Dictionary<string, LeaseId> _leaseOf = new(StringComparer.Ordinal);
    private readonly Dictionary<LeaseId, Dictionary<string, Node>> _arrived = [];
    private readonly Dictionary<(string Pool, string Kind, Request Request, string? Image), (int Times, DateTimeOffset Until, string Why)> _refused = [];
    // Leases whose nodes this life of the daemon was asked to connect with.
    private readonly HashSet<LeaseId> _opened = [];
    private readonly HashSet<JobId> _unasked = [];
    // Who waits, and was given nothing somewhere.
    private readonly HashSet<JobId> _told = [];
    private long _lastLease;
    private bool _asksAll;

    /// <summary>Leases that are held or waited for.</summary>
    public IReadOnlyCollection<LeaseRecord> Leases => _leases.Values;

    private void RecallLeases(IEnumerable<KeyValuePair<string, string>> notes)
    {
        foreach (var (key, text) in notes)
        {
            if (key == LeaseNotes.Last) _lastLease = long.Parse(text, CultureInfo.InvariantCulture);
            if (LeaseNotes.RefusalOf(key) is { } told) _told.Add(told);
            if (LeaseNotes.WaitOf(key, text) is { } wait) _waits[(wait.Pool, wait.Kind)] = wait.Length;
            if (LeaseNotes.Read(key, text) is not { } lease) continue;
            _leases[lease.Id] = lease;
            foreach (var node in lease.NodeIds()) _leaseOf[node] = lease.Id;
        }
    }

    // Asked for, and perhaps never heard: the same id again is the same lease.
    private IEnumerable<Effect> ResumeLeases() => _leases.Values.Where(l => l.State is null).Select(l => new Effect.Acquire(l.Pool, l.Request));

    private void OffersSeen(Command.OffersSeen c)
    {
        if (!_pools.ContainsKey(c.Pool)) return;
        _offers[c.Pool] = c.Offers;
        _asksAll = true;
    }

    /// <summary>All leases of ours at a pool, as it sees them.</summary>
    private void LeasesSeen(Command.LeasesSeen c, Batch batch)
    {
        var seen = c.Leases.ToDictionary(l => l.Id);
        // Nobody knows of it: it was given up while the pool could not be asked.
        foreach (var lease in c.Leases.Where(l => !_leases.ContainsKey(l.Id))) batch.Effects.Add(new Effect.Release(c.Pool, lease.Id));
        foreach (var lease in _leases.Values.Where(l => l.Pool == c.Pool).ToList())
        {
            if (seen.TryGetValue(lease.Id, out var now)) LeaseSeen(lease, now, batch);
            // One that was only asked for may not have been there yet.
            else if (lease.State is not null) LeaseOver(lease, "the pool has nothing of it any more", batch);
        }
    }

    private void LeaseSeen(LeaseRecord lease, Lease now, Batch batch)
    {
        var changed = lease with
        {
            State = now.State,
            Nodes = now.Nodes.Count > 0 ? now.Nodes : lease.Nodes,
            Reason = now.Reason,
            ExpectedStart = now.ExpectedStart,
            Since = lease.Since ?? (now.State is LeaseState.Ready ? batch.Now : null),
        };
        var isOther = changed.State != lease.State;
        // Waiting costs no writes: an expectation that moves by seconds is none to keep.
        if (isOther || changed.Reason != lease.Reason || !IsAbout(changed.ExpectedStart, lease.ExpectedStart)) Keep(changed, batch);
        if (now.State is LeaseState.Ended && now.Nodes.Count == 0 || now.State is LeaseState.Ended or LeaseState.Lost && !lease.IsTaken)
        {
            LeaseOver(changed, now.Reason ?? "it ended before its job could start", batch);
            return;
        }
        foreach (var node in changed.NodeIds()) _leaseOf[node] = changed.Id;
        if (now.State is LeaseState.Waiting) return;
        if (now.State is LeaseState.Ready && lease.State is (null or LeaseState.Waiting)) Waited(lease, batch);
        // Of a lease that has ended, what became of its ranks is still to be read; one that is lost is silent until its term ends.
        var isNew = _opened.Add(changed.Id);
        if (now.State is LeaseState.Ready or LeaseState.Ended && (isOther || isNew))
            batch.Effects.Add(new Effect.OpenLease(changed.Pool, now with { Nodes = changed.Nodes ?? [] }, changed.Request));
    }

    private static bool IsAbout(DateTimeOffset? one, DateTimeOffset? other) =>
        one is { } a && other is { } b ? (a - b).Duration() < TimeSpan.FromMinutes(1) : one == other;

    private void LeaseRefused(Command.LeaseRefused c, Batch batch)
    {
        if (!_leases.TryGetValue(c.Lease, out var lease) || lease.State is not null || !_jobs.TryGetValue(lease.Job, out var job)) return;
        var key = (lease.Pool, lease.Request.Kind, job.Request, job.Image);
        var times = _refused.GetValueOrDefault(key).Times;
        var rest = times > 8 || FirstRest * (1 << times) > LongestRest ? LongestRest : FirstRest * (1 << times);
        _refused[key] = (times + 1, batch.Now + rest, c.Reason);
        batch.Say("refused", $"pool {lease.Pool} does not give job {job.Id} ({job.Name}) nodes: {c.Reason}", job);
        Tell(job.Id, $"pool {lease.Pool} gives it no nodes: {c.Reason}", batch);
        Forget(lease, batch);
        _unasked.Add(job.Id);
    }

    /// <summary>It is no more: what ran there is gone with it, and its job is asked for again.</summary>
    private void LeaseOver(LeaseRecord lease, string why, Batch batch)
    {
        batch.Say("lease-over", $"lease {lease.Id} of pool {lease.Pool} is over: {why}", _jobs.GetValueOrDefault(lease.Job));
        foreach (var node in lease.NodeIds().ToList()) NodeGone(node, batch);
        if (!_leases.ContainsKey(lease.Id)) return;
        Release(lease, batch);
        if (!_jobs.TryGetValue(lease.Job, out var job) || job.State is not JobState.Queued) return;
        Tell(job.Id, $"nodes of pool {lease.Pool} were gone before it could start: {why}", batch);
        _unasked.Add(job.Id);
    }

    /// <summary>A node of a lease is up: with the last of them its job starts.</summary>
    private bool Arrive(Node node, Batch batch)
    {
        if (!_leaseOf.TryGetValue(node.Id, out var id) || !_leases.TryGetValue(id, out var lease) || lease.IsTaken) return false;
        if (!_arrived.TryGetValue(id, out var here)) _arrived[id] = here = new(StringComparer.Ordinal);
        if (node.IsUp) here[node.Id] = node;
        else here.Remove(node.Id);
        if (here.Count < lease.Request.Nodes || lease.State is not LeaseState.Ready) return true;
        var job = _jobs.GetValueOrDefault(lease.Job);
        if (job?.State is not JobState.Queued { NotBefore: null } || _scheduler.HeldBackBy(_claims[job.Id]) is not null) Release(lease, batch);
        else if (job.Request.InContainer && here.Values.FirstOrDefault(n => n.Engine is null) is { } bare)
        {
            // Its other nodes are most likely as this one: another lease would end the same way.
            var why = $"{bare.Id} has no container engine ({Request.Engines})";
            _refused[(lease.Pool, lease.Request.Kind, job.Request, job.Image)] = (1, batch.Now + LongestRest, why);
            LeaseOver(lease, why, batch);
        }
        else if (PartsOf(lease, _claims[job.Id].Shape.Ways[lease.Alternative], here) is { } parts) Start(job, lease, here, parts, batch);
        else LeaseOver(lease, $"its nodes have other devices than were asked for: {Waiting.Models(here.Values.SelectMany(n => n.Devices))}", batch);
        return true;
    }

    private void Start(Job job, LeaseRecord lease, Dictionary<string, Node> here, List<(Node Node, ulong Devices)> parts, Batch batch)
    {
        _arrived.Remove(lease.Id);
        Keep(lease with { IsTaken = true }, batch);
        // Another gang may have waited for this one to be whole.
        _asksAll |= lease.Request.Nodes > 1 && !_pools[lease.Pool].GivesGangsWhole;
        foreach (var node in here.Values)
        {
            _grid.Set(node);
            Set(node);
            batch.Nodes.Add(node.Id);
        }
        var claim = _claims[job.Id];
        // All of each node: what of it the job has not asked for is nobody else's either.
        _scheduler.StartOn(claim, [.. parts.Select(p => new Part(_grid.IndexOf(p.Node.Id), p.Devices, 0, p.Node.MilliCpus, p.Node.Memory.Bytes))], Clock(batch.Now));
        Begin(job, claim, batch);
    }

    private static List<(Node, ulong)>? PartsOf(LeaseRecord lease, Way way, Dictionary<string, Node> here)
    {
        var parts = new List<(Node, ulong)>();
        foreach (var id in lease.NodeIds())
        {
            if (!here.TryGetValue(id, out var node)) return null;
            var (able, taken) = (Placement.Matching(way.Gpu, node.Devices), 0UL);
            for (var i = 0; i < way.Devices; i++)
            {
                if (able == 0) return null;
                taken |= 1UL << BitOperations.TrailingZeroCount(able);
                able &= able - 1;
            }
            parts.Add((node, taken));
        }
        return parts;
    }

    private void Tell(JobId job, string why, Batch batch)
    {
        _told.Add(job);
        batch.Add(new Change.NoteSet(LeaseNotes.Refusal(job), why));
    }

    /// <summary>A job has started, has ended, or has left: nothing is waited for on its behalf, and what it had is given back.</summary>
    private void Withdraw(JobId job, LeaseId? but, Batch batch)
    {
        _unasked.Remove(job);
        if (_told.Remove(job)) batch.Add(new Change.NoteSet(LeaseNotes.Refusal(job), null));
        if (_leases.Count == 0) return;
        foreach (var lease in _leases.Values.Where(l => l.Job == job && l.Id != but).ToList()) Release(lease, batch);
    }

    private void Release(LeaseRecord lease, Batch batch)
    {
        foreach (var node in lease.NodeIds())
        {
            _leaseOf.Remove(node);
            Heard(node);
            if (_holdings.Find(node) is null) continue;
            _holdings.Remove(node);
            _grid.Remove(node);
            batch.Nodes.Add(node);
        }
        Forget(lease, batch);
        batch.Effects.Add(new Effect.Release(lease.Pool, lease.Id));
    }

    private void Forget(LeaseRecord lease, Batch batch)
    {
        _leases.Remove(lease.Id);
        _arrived.Remove(lease.Id);
        _opened.Remove(lease.Id);
        batch.Add(new Change.NoteSet(LeaseNotes.Key(lease.Id), null));
        _asksAll = true;
    }

    private void Keep(LeaseRecord lease, Batch batch)
    {
        _leases[lease.Id] = lease;
        batch.Add(new Change.NoteSet(LeaseNotes.Key(lease.Id), LeaseNotes.Write(lease)));
    }
}
