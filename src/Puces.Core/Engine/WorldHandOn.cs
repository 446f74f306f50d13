using Puces.Core.Jobs;
using Puces.Core.Market;
using Puces.Core.Scheduling;

namespace Puces.Core.Engine;

// A lease whose job is over goes on with the next job of the same kind: short jobs need not stand in another line each.
public sealed partial class World
{
    /// <summary>
    /// A lease is handed on as long as it is likely to be free again within this time from its beginning: other people wait for the pool's
    /// devices too.
    /// </summary>
    public static readonly TimeSpan LongestHandedOn = TimeSpan.FromMinutes(10);

    /// <summary>How sure it is to be that the next job ends in time.</summary>
    private const double HandOnLikelihood = 0.9;

    /// <summary>
    /// Takes from a job whose attempt is over the lease that it had, where it is as good as new: the attempt ended by itself, and not of its nodes.
    /// </summary>
    private LeaseRecord? Spare(LiveAttempt live)
    {
        if (!_leaseOf.TryGetValue(live.Ranks[0].Node, out var id) || !_leases.TryGetValue(id, out var lease) || lease is not { IsTaken: true, State: LeaseState.Ready }) return null;
        if (!lease.NodeIds().All(n => _holdings.Uses.TryGetValue(n, out var use) && use.IsOpen)) return null;
        if (!live.Ranks.All(r => r.Verdict is { Fault: null, Cause: ExitCause.Exit or ExitCause.Limit or ExitCause.OutOfMemory })) return null;
        return _leases[id] = lease with { Job = default };
    }

    /// <summary>The lease goes to who is next in line for the pool, if that is a job like the last one, and back to the pool if not.</summary>
    /// <param name="last">Whose it was.</param>
    /// <param name="speed">How fast it worked there, in thousandths of an H100.</param>
    private void HandOn(LeaseRecord lease, Job last, int speed, Batch batch)
    {
        var line = _scheduler.Line(Clock(batch.Now)).Select(c => _jobs[new(c.Number)]).Where(j => _scheduler.HeldBackBy(_claims[j.Id]) is null);
        var twins = line.TakeWhile(j => IsTwin(j, last) || !CouldUse(j, lease, batch.Now)).Where(j => IsTwin(j, last)).GetEnumerator();
        if (!twins.MoveNext() || !EndsInTime(twins.Current, lease, speed, batch.Now))
        {
            Release(lease, batch);
            return;
        }
        var next = twins.Current;
        // Its own place in the pool's line is for the next who has none there.
        if (_leases.Values.FirstOrDefault(l => l.Job == next.Id && l.Pool == lease.Pool && l.Alternative == lease.Alternative && !l.IsTaken) is { } place)
            while (twins.MoveNext())
            {
                var has = _leases.Values.Where(l => l.Job == twins.Current.Id).ToList();
                if (has.Count >= MostHedges || has.Exists(l => l.Pool == lease.Pool)) continue;
                Keep(place with { Job = twins.Current.Id }, batch);
                break;
            }
        var here = lease.NodeIds().ToDictionary(n => n, n => _holdings.Find(n)!);
        var handed = lease with { Job = next.Id };
        if (PartsOf(handed, _claims[next.Id].Shape.Ways[lease.Alternative], here) is { } parts) Start(next, handed, here, parts, batch);
        else Release(lease, batch);
    }

    // What one person's job leaves on a node is no other's business.
    private static bool IsTwin(Job job, Job last) =>
        job.Request == last.Request && job.Image == last.Image && job.Prefer == last.Prefer && job.Owner == last.Owner && job.Project == last.Project;

    private bool CouldUse(Job job, LeaseRecord lease, DateTimeOffset now) =>
        _offers.TryGetValue(lease.Pool, out var offers) && offers.Any(o => o.Kind == lease.Request.Kind && _claims[job.Id].Shape.Ways.Any(w => IsAllowed(w, lease.Pool) && Serves(o, w, job)))
        && !(_refused.TryGetValue((lease.Pool, lease.Request.Kind, job.Request, job.Image), out var no) && no.Until > now);

    private bool EndsInTime(Job job, LeaseRecord lease, int speed, DateTimeOffset now)
    {
        var claim = _claims[job.Id];
        var (likely, lasts) = (claim.Batch is null ? job.Limit : History.Likely(claim, Clock(now), HandOnLikelihood, speed), lease.Request.Limit ?? _pools[lease.Pool].Slurm?.Time);
        return now + likely <= lease.Since + (lasts < LongestHandedOn ? lasts : LongestHandedOn);
    }
}
