using System.Numerics;
using Puces.Core.Fleet;
using Puces.Core.Jobs;
using Puces.Core.Scheduling;

namespace Puces.Core.Engine;

// The line: jobs as the scheduler sees them, and what it decides.
public sealed partial class World
{
    private readonly Grid _grid = new();
    private readonly Shapes _shapes = new();
    private readonly Scheduler _scheduler;
    private readonly Dictionary<JobId, Claim> _claims = [];
    private DateTimeOffset? _look;

    /// <summary>Who waits, in the order in which they would be looked at now.</summary>
    public IReadOnlyList<JobId> Line(DateTimeOffset now) => [.. _scheduler.Line(Clock(now)).Select(c => new JobId(c.Number))];

    /// <summary>Whether one live job would be looked at before another, if both waited now.</summary>
    public bool GoesBefore(JobId one, JobId other, DateTimeOffset now) => _scheduler.GoesBefore(_claims[one], _claims[other], Clock(now));

    private static TimeSpan Clock(DateTimeOffset at) => at - DateTimeOffset.UnixEpoch;

    private static DateTimeOffset Time(TimeSpan clock) => DateTimeOffset.UnixEpoch + clock;

    private Claim ClaimOf(Job job)
    {
        if (_claims.TryGetValue(job.Id, out var claim)) return claim;
        return _claims[job.Id] = new()
        {
            Number = job.Id.Value,
            Shape = _shapes.Of(job.Request),
            Submitted = Clock(job.Submitted),
            Project = job.Project,
            Owner = job.Owner,
            Name = job.Name,
            Priority = job.Priority,
            Expected = job.Expected,
            Limit = job.Limit,
            CanYield = job.CanYield,
            Worked = job.Worked,
            Gained = job.Gained,
            Attempts = job.Attempts,
            Kin = job.Kin,
        };
    }

    // Keys of notes begin with what they are about.
    private const string RunTimesNote = "run-times/", PolicyNote = "policy/", StoppedLastNote = "stopped-last";

    private void Recall(IEnumerable<KeyValuePair<string, string>> notes)
    {
        _scheduler.History.Load(notes.Where(n => n.Key.StartsWith(RunTimesNote, StringComparison.Ordinal)).Select(n => (n.Key[RunTimesNote.Length..], n.Value)));
        if (notes.FirstOrDefault(n => n.Key == PolicyNote + _scheduler.Policy.Name).Value is { } kept) _scheduler.Policy.Load(kept);
        if (notes.FirstOrDefault(n => n.Key == StoppedLastNote).Value is { } stopped) _scheduler.LoadStoppedLast(stopped);
        RecallProjects(notes);
        RecallWindows(notes);
        RecallLeases(notes);
        RecallFaults(notes);
    }

    private void Note(Batch batch)
    {
        foreach (var (key, text) in _scheduler.History.TakeLearned()) batch.Add(new Change.NoteSet(RunTimesNote + key, text.Length > 0 ? text : null));
        if (_scheduler.Policy.TakeKept() is { } kept) batch.Add(new Change.NoteSet(PolicyNote + _scheduler.Policy.Name, kept));
        if (_scheduler.TakeStoppedLast() is { } stopped) batch.Add(new Change.NoteSet(StoppedLastNote, stopped));
        foreach (var (project, usage) in _scheduler.Shares.TakeChanged()) batch.Add(new Change.NoteSet(ProjectNotes.Usage + project, usage));
    }

    private void Restore(Job job, Allocation held, AttemptRecord attempt)
    {
        var parts = held.Shares.Select(s => new Part(_grid.IndexOf(s.Node), Mask(s.Devices), s.OfDevice, s.MilliCpus, s.Memory.Bytes)).ToArray();
        var claim = ClaimOf(job);
        claim.Attempts--;
        _scheduler.Restore(claim, parts, attempt.GuestOf?.Value, Clock(attempt.Decided), attempt.Devices, attempt.Speed ?? 1000);
        claim.Saved = attempt.Saved is { } saved ? Clock(saved) : null;
    }

    private void Wait(Job job, JobState.Queued queued, DateTimeOffset now)
    {
        if (queued.NotBefore is { } until)
        {
            _held.Add((until, job.Id));
            return;
        }
        _unasked.Add(job.Id);
        var reserved = queued.Reserved is { } r ? new Reserved([.. r.Nodes.Select(_grid.IndexOf)], Clock(r.At)) : null;
        _scheduler.Add(ClaimOf(job), Clock(now), reserved, hasLeft: queued.LeftTo is not null);
    }

    private void Unwait(Job job, JobState.Queued queued)
    {
        if (queued.NotBefore is { } until) _held.Remove((until, job.Id));
        else _scheduler.Withdraw(ClaimOf(job));
    }

    private void Decide(Batch batch)
    {
        Turn(batch);
        var plan = _scheduler.Decide(Clock(batch.Now));
        foreach (var claim in plan.Starts) Begin(_jobs[new(claim.Number)], claim, batch);
        foreach (var stop in plan.Stops)
        {
            var victim = _jobs[new(stop.Victim.Number)];
            if (stop.For is { } by) Preempt(victim, _jobs[new(by.Number)], stop.Cause.Words(stop.Victim), batch);
            else LeaveClosed(victim, batch);
        }
        foreach (var claim in plan.Reservations)
        {
            if (_jobs.TryGetValue(new(claim.Number), out var job) && job.State is JobState.Queued queued)
                Set(job with { State = queued with { Reserved = claim.Reserved is { } r ? new([.. r.Nodes.Select(n => _grid.NodeAt(n).Id)], Time(r.At)) : null } }, batch);
        }
        Note(batch);
        _look = plan.Look is { } look ? Time(look) : null;
    }

    private void Begin(Job job, Claim claim, Batch batch)
    {
        // Those who lose are withdrawn before the winner starts.
        Withdraw(job.Id, claim.Parts.Count > 0 && _leaseOf.TryGetValue(_grid.NodeAt(claim.Parts[0].Node).Id, out var lease) ? lease : null, batch);
        var allocation = new Allocation([.. claim.Parts.Select(p => new Share(_grid.NodeAt(p.Node).Id, Indexes(p.Devices), p.MilliCpus, new(p.Memory), p.Share))]);
        job = job with { Attempts = job.Attempts + 1, State = new JobState.Starting(allocation, batch.Now) };
        var record = new AttemptRecord(
            job.Attempt, [.. allocation.Shares.Select(s => s.Node)], batch.Now, GuestOf: claim.GuestOf is { } host ? new(host) : null,
            Devices: Scheduler.DevicesOf(claim), Speed: claim.Speed == 1000 ? null : claim.Speed);
        _holdings.Hold(job.Id, allocation);
        _attempts[job.Id] = new(record, allocation);
        Set(job, batch);
        batch.Set(record);
        batch.Nodes.UnionWith(record.Nodes);
        batch.Say("started", $"job {job.Id} ({job.Name}) starts on {allocation}", job);
        batch.Effects.Add(new Effect.Start(job.Attempt, allocation, job.Limit));
    }

    private void Preempt(Job victim, Job by, string why, Batch batch)
    {
        var live = _attempts[victim.Id];
        batch.Set(live.Record = live.Record with { Preempted = batch.Now });
        if (victim.State is JobState.Stopping { Reason: not StopReason.RankLost } leaving)
        {
            // It is on its way already, and for its own reason: one that was cancelled must not come back.
            Set(victim with { State = leaving with { For = by.Id } }, batch);
            return;
        }
        SaveAndLeave(victim, StopReason.Preempted, $"its devices to job {by.Id} ({by.Name}), {why}", $"its devices go to job {by.Id}, {why}", why, batch, by.Id);
    }

    /// <param name="what">What it leaves, for the feed.</param>
    /// <param name="text">The same for its ranks.</param>
    private void SaveAndLeave(Job job, StopReason reason, string what, string text, string why, Batch batch, JobId? by = null)
    {
        batch.Say("preempted", $"job {job.Id} ({job.Name}) saves and leaves {what}", job);
        var stopped = StopAll(job with { Preemptions = job.Preemptions + 1 }, reason, text, batch, by);
        Set(stopped with { State = (JobState.Stopping)stopped.State with { Why = why } }, batch);
    }

    private static ulong Mask(IReadOnlyList<int> devices)
    {
        var mask = 0UL;
        foreach (var device in devices) mask |= 1UL << device;
        return mask;
    }

    private static int[] Indexes(ulong mask)
    {
        var indexes = new int[BitOperations.PopCount(mask)];
        for (var i = 0; i < indexes.Length; i++, mask &= mask - 1) indexes[i] = BitOperations.TrailingZeroCount(mask);
        return indexes;
    }
}
