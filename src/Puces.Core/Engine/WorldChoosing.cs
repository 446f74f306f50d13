using System.Globalization;
using Puces.Core.Fleet;
using Puces.Core.Jobs;
using Puces.Core.Market;
using Puces.Core.Scheduling;
using Puces.Core.Units;

namespace Puces.Core.Engine;

// Which of the pools that have a line of their own a job is asked for at.
public sealed partial class World
{
    /// <summary>What a wait is taken for where nothing is known of a pool's line.</summary>
    public static readonly TimeSpan UnknownWait = TimeSpan.FromHours(1);

    /// <summary>What it is taken for where there are devices enough, and perhaps not on the same nodes.</summary>
    private static readonly TimeSpan PerhapsNow = TimeSpan.FromMinutes(1);

    // How long leases of a kind have waited lately: each new one counts for a quarter.
    private readonly Dictionary<(string Pool, string Kind), TimeSpan> _waits = [];

    /// <summary>Where a job could be asked for.</summary>
    /// <param name="Wait">How long it is expected to wait there; zero where what it needs is free.</param>
    private readonly record struct Choice(string Pool, Offer Offer, int Alternative, TimeSpan Wait);

    private void Waited(LeaseRecord lease, Batch batch)
    {
        var key = (lease.Pool, lease.Request.Kind);
        var wait = batch.Now - lease.Asked;
        _waits[key] = wait = _waits.TryGetValue(key, out var before) ? (3 * before + wait) / 4 : wait;
        batch.Add(new Change.NoteSet(LeaseNotes.Wait(lease.Pool, lease.Request.Kind), LeaseNotes.Write((long)wait.TotalSeconds)));
    }

    /// <summary>Asks the pools for those that wait and could not start: all of them in their order where something has changed, else those that have come.</summary>
    private void Ask(Batch batch)
    {
        if (_offers.Count == 0) return;
        var line = _asksAll ? _scheduler.Line(Clock(batch.Now)).Select(c => new JobId(c.Number)) : _unasked.Order();
        foreach (var id in line.ToList())
            if (_jobs.TryGetValue(id, out var job) && job.State is JobState.Queued { NotBefore: null }) Ask(job, batch);
        _asksAll = false;
        _unasked.Clear();
    }

    private void Ask(Job job, Batch batch)
    {
        var ways = _claims[job.Id].Shape.Ways;
        List<Choice>? choices = null;
        var asked = _leases.Values.Where(l => l.Job == job.Id).ToList();
        if (_scheduler.HeldBackBy(_claims[job.Id], Coming(but: job.Id)) is not null) return;
        foreach (var pool in _offers.Keys)
            if (IsOpen(pool, job.Id, batch.Now) && Best(job, pool, batch.Now) is { } choice) (choices ??= []).Add(choice);
        if (choices is null || job.Prefer is Preference.Cheapest && !KeepCheapest(choices, ways)) return;
        choices.Sort((a, b) => a.Wait != b.Wait ? a.Wait.CompareTo(b.Wait) : string.CompareOrdinal(a.Pool, b.Pool));
        foreach (var choice in choices)
        {
            if (asked.Exists(l => l.Pool == choice.Pool) || _leases.Values.Count(l => l.Pool == choice.Pool && !l.IsTaken) >= MostWaitingAt) continue;
            if (GangBefore(_pools[choice.Pool], ways[choice.Alternative].Nodes, _leases.Values) is not null) continue;
            if (asked.Count >= MostHedges)
            {
                // It need not wait there, and does elsewhere: its place in the longest line goes.
                if (choice.Wait > TimeSpan.Zero || asked.Where(IsInLine).MaxBy(l => choices.FindIndex(c => c.Pool == l.Pool)) is not { } longest) return;
                Release(longest, batch);
                asked.Remove(longest);
            }
            asked.Add(Ask(job, choice, ways[choice.Alternative], batch));
        }

        bool IsInLine(LeaseRecord lease) => lease.State is LeaseState.Waiting && choices.Find(c => c.Pool == lease.Pool) is { Wait.Ticks: > 0 };
    }

    /// <summary>
    /// The gang that a pool is to give its nodes first: where they come one by one, several gangs that wait side by side would each hold a part of what
    /// the others need, for ever. Null where none is in the way.
    /// </summary>
    public static LeaseRecord? GangBefore(Pool pool, int nodes, IEnumerable<LeaseRecord> leases) =>
        pool.GivesGangsWhole || nodes == 1 ? null : leases.FirstOrDefault(l => l.Pool == pool.Name && !l.IsTaken && l.Request.Nodes > 1);

    /// <summary>What jobs that wait for leases will hold once they have them.</summary>
    private List<(string Project, string Owner, long Milli)>? Coming(JobId but) => !Shares.HasLimits ? null :
    [
        .. _leases.Values.Where(l => !l.IsTaken && l.Job != but).Select(l => l.Job).Distinct().Where(_jobs.ContainsKey)
            .Select(id => (_jobs[id].Project, _jobs[id].Owner, (long)_claims[id].Shape.Ways[0].Milli)),
    ];

    /// <summary>The pool is not closed as a whole, and does not close before the job could be through.</summary>
    private bool IsOpen(string pool, JobId job, DateTimeOffset now) =>
        !_grid.Windows.Values.Any(w => w.Node is null && w.Pool == pool && w.IsAhead(now) && (w.IsAt(now) || w.From < now + StayOf(job, now)));

    private LeaseRecord Ask(Job job, Choice choice, Way way, Batch batch)
    {
        var id = new LeaseId("l" + (++_lastLease).ToString(CultureInfo.InvariantCulture));
        var request = new LeaseRequest(
            id, $"puces-{job.Id}-{job.Name}", choice.Offer.Kind, way.Nodes, way.Devices > 0 ? choice.Offer.Model : null, way.Devices, way.MilliCpus, way.Memory, job.Limit,
            CheckpointSpec.DefaultGrace, _pools[choice.Pool].TermOrDefault, job.Image);
        var lease = new LeaseRecord(request, choice.Pool, job.Id, choice.Alternative, batch.Now);
        batch.Add(new Change.NoteSet(LeaseNotes.Last, LeaseNotes.Write(_lastLease)));
        Keep(lease, batch);
        batch.Effects.Add(new Effect.Acquire(choice.Pool, request));
        return lease;
    }

    /// <summary>Leaves the pools where a device costs least; false where machines of our own could do it, which cost nothing more.</summary>
    private bool KeepCheapest(List<Choice> choices, IReadOnlyList<Way> ways)
    {
        var own = _holdings.Uses.Keys.Where(n => !_leaseOf.ContainsKey(n)).Select(_grid.IndexOf).ToList();
        if (ways.Any(w => own.Count(n => _grid.CouldCarry(w, n)) >= w.Nodes + (w.Rest > 0 ? 1 : 0))) return false;
        var least = choices.Min(c => PriceOf(c.Pool));
        choices.RemoveAll(c => PriceOf(c.Pool) > least);
        return true;
    }

    private long PriceOf(string pool) => _pools[pool].Price?.Micros ?? 0;

    /// <summary>The job's first way that an offer of the pool can serve; of several offers the one where it waits least.</summary>
    private Choice? Best(Job job, string pool, DateTimeOffset now)
    {
        var ways = _claims[job.Id].Shape.Ways;
        for (var i = 0; i < ways.Count; i++)
        {
            var way = ways[i];
            if (!IsAllowed(way, pool)) continue;
            Choice? best = null;
            foreach (var offer in _offers[pool])
                if (Serves(offer, way, job) && !(_refused.TryGetValue((pool, offer.Kind, job.Request, job.Image), out var no) && no.Until > now)
                    && WaitAt(pool, offer, way, job.Id, now) is var wait && (best is not { } least || wait < least.Wait || wait == least.Wait && Leaves(offer) > Leaves(least.Offer)))
                    best = new(pool, offer, i, wait);
            if (best is not null) return best;
        }
        return null;

        static int Leaves(Offer offer) => offer.FreeDevices;
    }

    // A part of a device is not leased: the rest of it would be paid for, and nobody's.
    private static bool IsAllowed(Way way, string pool) =>
        way.Share == 0 && !(way.Where is { Count: > 0 } pools && !pools.Contains(pool, StringComparer.OrdinalIgnoreCase));

    /// <summary>How long a lease for the job is expected to wait, behind those that others of ours wait for already.</summary>
    private TimeSpan WaitAt(string pool, Offer offer, Way way, JobId job, DateTimeOffset now)
    {
        var (devices, nodes) = (offer.FreeDevices, offer.FreeNodes);
        DateTimeOffset? last = null;
        foreach (var lease in _leases.Values)
        {
            if (lease.Pool != pool || lease.Request.Kind != offer.Kind || lease.IsTaken || lease.Job == job) continue;
            devices -= lease.Request.Nodes * lease.Request.Devices;
            nodes -= lease.Request.Nodes;
            if (lease.ExpectedStart is { } start && !(last > start)) last = start;
        }
        if (nodes >= way.Nodes || way.Devices == 1 && devices >= way.Total) return TimeSpan.Zero;
        if (devices >= way.Total && way.Devices > 0) return PerhapsNow;
        if (last is { } expected) return expected > now ? expected - now : PerhapsNow;
        return _waits.TryGetValue((pool, offer.Kind), out var wait) && wait > PerhapsNow ? wait : UnknownWait;
    }

    private static bool Serves(Offer offer, Way way, Job job)
    {
        if (offer.Problem is not null || offer.Nodes < way.Nodes || offer.Devices < way.Devices || job.Limit > offer.Longest) return false;
        if (offer.MilliCpus > 0 && way.MilliCpus > offer.MilliCpus || offer.Memory > default(Memory) && way.Memory > offer.Memory) return false;
        if (way.Devices == 0) return true;
        var known = Accelerators.Find(offer.Model ?? "");
        return Placement.Matching(way.Gpu, [new Device(0, known?.Name ?? offer.Model ?? "gpu", known?.Vendor ?? "", known?.Memory ?? default)]) != 0;
    }
}
