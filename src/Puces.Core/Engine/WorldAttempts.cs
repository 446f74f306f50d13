using Puces.Core.Contract;
using Puces.Core.Jobs;

namespace Puces.Core.Engine;

// The life of attempts: what nodes say of their ranks, and what follows.
public sealed partial class World
{
    /// <summary>The live attempt of this id; null where the news is of one that is over (invariant 2: an old one never counts).</summary>
    private LiveAttempt? Live(AttemptId id) =>
        _jobs.TryGetValue(id.Job, out var job) && job.Attempts == id.Number ? _attempts.GetValueOrDefault(id.Job) : null;

    /// <summary>A rank says that it runs.</summary>
    private void Started(Command.Started c, Batch batch)
    {
        // It was settled without us having seen it run: an order was late, or was taken for refused.
        if (Live(c.Attempt) is not { } live || c.Rank >= live.Ranks.Length || live.Ranks[c.Rank].IsOver)
            batch.Effects.Add(new Effect.Stop(c.Attempt, c.Rank, c.Node, "this attempt is over"));
        else Began(c.Attempt, live, c.Rank, c.At, batch);
    }

    private void Began(AttemptId id, LiveAttempt live, int rank, DateTimeOffset at, Batch batch)
    {
        if (live.Ranks[rank].IsStarted) return;
        live.Ranks[rank].IsStarted = true;
        if (!live.IsRunning || live.Record.Started is not null) return;
        batch.Set(live.Record = live.Record with { Started = at });
        var job = _jobs[id.Job];
        if (job.State is JobState.Starting starting)
        {
            Set(job with { State = new JobState.Running(starting.Allocation, at) }, batch);
            batch.Say("running", $"job {job.Id} ({job.Name}) runs", job);
        }
        else if (job.State is JobState.Stopping stopping) Set(job with { State = stopping with { Started = at } }, batch);
    }

    private void RankLost(Command.Lost c, Batch batch)
    {
        if (Live(c.Attempt) is not { } live || c.Rank >= live.Ranks.Length) return;
        var isStopping = _jobs[c.Attempt.Job].State is JobState.Stopping;
        // A rank that has not begun and is not to be stopped is simply started again: its order did not arrive.
        if (!live.Ranks[c.Rank].IsStarted && !isStopping) batch.Effects.Add(new Effect.StartRank(c.Attempt, c.Rank, live.Allocation, _jobs[c.Attempt.Job].Limit));
        else RankOver(c.Attempt, c.Rank, c.Node, r => r.Evidence = c.Evidence, batch);
    }

    private void RankOver(AttemptId id, int rank, string node, Action<LiveAttempt.Rank> how, Batch batch, DateTimeOffset? began = null)
    {
        if (Live(id) is not { } live || rank >= live.Ranks.Length)
        {
            // Told again, of an attempt that is over and stored so: the node may forget it.
            batch.Effects.Add(new Effect.Acknowledge(id, rank, node));
            return;
        }
        if (live.Ranks[rank].IsOver) return;
        if (began is { } at) Began(id, live, rank, at, batch);
        how(live.Ranks[rank]);
        live.Ranks[rank].IsOver = true;
        live.Ranks[rank].Order = live.Ranks.Count(r => r.IsOver);
        var job = _jobs[id.Job];
        if (live.IsOver) Settle(job, live, batch);
        else if (live.Ranks[rank].IsBad && job.State is JobState.Starting or JobState.Running)
            StopAll(job, StopReason.RankLost, $"rank {rank} is gone", batch);
    }

    private Job StopAll(Job job, StopReason reason, string text, Batch batch, JobId? by = null)
    {
        var live = _attempts[job.Id];
        for (var i = 0; i < live.Ranks.Length; i++)
            if (!live.Ranks[i].IsOver) batch.Effects.Add(new Effect.Stop(job.Attempt, i, live.Ranks[i].Node, text));
        return Set(job with { State = new JobState.Stopping(live.Allocation, batch.Now, live.Record.Started, reason, by) }, batch);
    }

    /// <summary>All ranks are gone: releases what they held, and ends the job or puts it back in line.</summary>
    private void Settle(Job job, LiveAttempt live, Batch batch)
    {
        _holdings.Release(job.Id, live.Allocation);
        _attempts.Remove(job.Id);
        // Not before all are gone: a restarted daemon must hear each verdict of the gang again.
        for (var i = 0; i < live.Ranks.Length; i++) batch.Effects.Add(new Effect.Acknowledge(job.Attempt, i, live.Ranks[i].Node));
        batch.Nodes.UnionWith(live.Record.Nodes);
        // A lease ends with the attempt, unless the next job can go on there.
        var lease = Spare(live);
        Withdraw(job.Id, null, batch);
        // One that was told to stop is never why: after a restart the news of it may come first.
        var first = live.Ranks.Where(r => r.IsBad).MinBy(r => (r.Verdict is { Cause: ExitCause.Stopped }, r.Order));
        var verdicts = live.Ranks.Where(r => r.Verdict is not null).Select(r => r.Verdict!).ToList();
        var started = live.Record.Started ?? (verdicts.Count > 0 ? verdicts.Min(v => v.Started) : null);
        var code = first?.Verdict?.ExitCode ?? (first is null ? 0 : 1);
        var faulty = first is null ? null : FaultyOf(live);
        var reason = first is null ? null : faulty is null ? Why(first) : $"{faulty.Node} failed it: {faulty.Verdict!.Fault!.Text}";
        batch.Set(live.Record with
        {
            Started = started,
            Ended = batch.Now,
            ExitCode = first is { Verdict: null } ? null : code,
            Reason = reason,
            Cpu = verdicts.Count > 0 ? new(verdicts.Sum(v => v.Cpu.Ticks)) : null,
            PeakMemory = verdicts.Count > 0 ? verdicts.Max(v => v.PeakMemory) : null,
        });
        var claim = _claims[job.Id];
        var speed = claim.Speed;
        var worked = started is { } began ? batch.Now - began : TimeSpan.Zero;
        var isBlamed = faulty is not null && Blame(ref job, faulty, batch);
        if (first is not null && job.State is not JobState.Stopping { Reason: StopReason.Cancelled } && Again(ref job, first, isBlamed))
        {
            job = job with { Worked = job.Worked + live.Record.Kept(worked) };
            _scheduler.Leave(claim, job.Worked);
            job = job with { Gained = claim.Gained };
            Requeue(job, reason!, batch);
        }
        else
        {
            _scheduler.End(claim, claim.Worked + worked, Clock(batch.Now));
            if (first is null) End(job, JobResult.Succeeded, 0, started, null, batch);
            else if (job.State is JobState.Stopping { Reason: StopReason.Cancelled }) End(job, JobResult.Cancelled, first.Verdict is { ExitCode: not 0 } v ? v.ExitCode : 143, started, "cancelled", batch);
            else End(job, JobResult.Failed, code is 0 ? 1 : code, started, reason, batch);
        }
        // Where there are limits, somebody may be within them again.
        _asksAll |= Shares.HasLimits;
        if (lease is not null) HandOn(lease, job, speed, batch);
    }

    /// <summary>Whether the job is tried again after this rank's end; it is given what the end costs it.</summary>
    /// <param name="isBlamed">It was the node's fault.</param>
    private static bool Again(ref Job job, LiveAttempt.Rank first, bool isBlamed)
    {
        job = job with { Refusals = first.IsRefused ? job.Refusals + 1 : 0 };
        if (isBlamed) return true;
        switch (first.Verdict)
        {
            case null when first.IsRefused: return job.Refusals < RefusalLimit;
            case null: return true;
            case { Cause: ExitCause.Term or ExitCause.Fenced or ExitCause.Stopped }: return true;
            case { Cause: ExitCause.Limit }: return false;
            case { ExitCode: var code } when job.Retry.RestartCodes.Contains(code): return true;
            default:
                job = job with { Failures = job.Failures + 1 };
                return job.Failures <= job.Retry.Count;
        }
    }

    private void Requeue(Job job, string reason, Batch batch)
    {
        var (by, isClosed) = ((job.State as JobState.Stopping)?.For, job.State is JobState.Stopping { Reason: StopReason.Closed });
        if (job.Request.Avoid is not null && !CouldBeOn(job.Request)) Change(ref job, job.Request with { Avoid = null });
        var queued = new JobState.Queued(batch.Now, by is null && !isClosed ? batch.Now + job.Retry.After(job.Attempts) : null, LeftTo: by);
        job = Set(job with { State = queued }, batch);
        Wait(job, queued, batch.Now);
        batch.Say("requeued", by is { } other
            ? $"job {job.Id} ({job.Name}) has left its devices to job {other}, and waits to go on"
            : isClosed ? $"job {job.Id} ({job.Name}) has left its node, which is closed, and waits to go on"
            : $"job {job.Id} ({job.Name}) is tried again in {(queued.NotBefore!.Value - batch.Now).TotalSeconds:0} s: {reason}", job);
    }

    private static string Why(LiveAttempt.Rank rank) => rank switch
    {
        { Verdict: { Cause: ExitCause.Limit } } => "ran longer than its limit",
        { Verdict: { Cause: ExitCause.OutOfMemory } v } => v.Detail ?? "used more memory than it asked for",
        { Verdict: { Cause: ExitCause.Term } } => "stopped itself: the daemon was not heard for its term",
        { Verdict: { Cause: ExitCause.Fenced } } => "stopped itself: a newer attempt runs",
        { Verdict: { Cause: ExitCause.Stopped } v } => v.Detail ?? "was stopped",
        { Verdict: { } v } => $"exit code {v.ExitCode}{(v.Phase == "setup" ? " in setup" : "")}{(v.Detail is null ? "" : ": " + v.Detail)}",
        { IsRefused: true } => $"{rank.Node} could not start it: {rank.Evidence}",
        _ => $"lost on {rank.Node}: {rank.Evidence}",
    };

    private void Checkpointed(Command.Checkpointed c, Batch batch)
    {
        if (Live(c.Attempt) is not { } live || live.Record.Checkpoint == c.Checkpoint) return;
        batch.Set(live.Record = live.Record with { Checkpoint = c.Checkpoint, Saved = batch.Now, Saves = live.Record.Saves + 1 });
        _claims[c.Attempt.Job].Saved = Clock(batch.Now);
        batch.Say("checkpoint", $"job {c.Attempt.Job} saved {c.Checkpoint}", _jobs[c.Attempt.Job]);
    }

    /// <summary>Makes both sides agree, from the node's full list (invariants 1 to 4).</summary>
    private void Reconcile(string node, IReadOnlyList<RankReport> ranks, Batch batch)
    {
        var seen = new HashSet<(AttemptId, int)>();
        foreach (var report in ranks)
        {
            if (!RankTag.TryParse(report.Tag, out var id, out var rank)) continue;
            seen.Add((id, rank));
            foreach (var news in News(report, id, rank, node)) Take(news, batch);
            if (report.Phase is RankPhase.Starting or RankPhase.Setup or RankPhase.Run && MustStop(id, rank) is { } why)
                batch.Effects.Add(new Effect.Stop(id, rank, node, why));
        }
        foreach (var job in _holdings.JobsOn(node)?.ToList() ?? [])
        {
            if (!_jobs.TryGetValue(job, out var held) || !_attempts.TryGetValue(job, out var live)) continue;
            for (var i = 0; i < live.Ranks.Length; i++)
                if (live.Ranks[i].Node == node && !live.Ranks[i].IsOver && !seen.Contains((held.Attempt, i)))
                    Take(new Command.Lost(held.Attempt, i, node, "the node answers and has nothing of it"), batch);
        }
    }

    private string? MustStop(AttemptId id, int rank)
    {
        if (Live(id) is not { } live || rank >= live.Ranks.Length) return "this attempt is over";
        return _jobs[id.Job].State is JobState.Stopping ? "stopping" : null;
    }

    /// <summary>What a rank's report means: the commands that it stands for, in order.</summary>
    public static IEnumerable<Command> News(RankReport report, AttemptId id, int rank, string node)
    {
        if (report.Checkpoint is { } checkpoint) yield return new Command.Checkpointed(id, checkpoint);
        switch (report.Phase)
        {
            case RankPhase.Setup or RankPhase.Run when report.Started is { } at: yield return new Command.Started(id, rank, node, at); break;
            case RankPhase.Ended when report.Verdict is { } verdict:
                yield return new Command.Exited(id, rank, node, verdict);
                break;
            case RankPhase.Vanished:
                yield return new Command.Vanished(id, rank, node, report.Detail ?? "its watcher is gone", report.Started);
                break;
            case RankPhase.Refused: yield return new Command.Refused(id, rank, node, report.Detail ?? "no reason given"); break;
        }
    }
}
