using Puces.Core.Fleet;
using Puces.Core.Jobs;
using Puces.Core.Scheduling;

namespace Puces.Core.Engine;

/// <summary>
/// The state machine that everything turns on: pure, deterministic, single-threaded. Live, in replay and in simulation it is this class;
/// only the loop around it differs.
/// </summary>
public sealed partial class World
{
    private readonly SortedDictionary<JobId, Job> _jobs = [];
    private readonly SortedSet<(DateTimeOffset Until, JobId Job)> _held = [];
    private readonly Dictionary<JobId, LiveAttempt> _attempts = [];
    private readonly Holdings _holdings = new();
    private readonly SortedDictionary<string, Pool> _pools = new(StringComparer.Ordinal);
    private readonly Dictionary<UInt128, (JobId Job, long Body)> _keys = [];
    private readonly Queue<(DateTimeOffset At, UInt128 Key)> _keyAges = [];
    private readonly Dictionary<Request, Request> _requests = [];
    private long _lastJob;
    private long _lastEvent;

    /// <summary>How long an idempotency key is remembered.</summary>
    public static readonly TimeSpan KeyLife = TimeSpan.FromHours(24);

    /// <summary>Starts that a node refused before the job is given up: then it is the job, not the node.</summary>
    public const int RefusalLimit = 5;

    /// <param name="policy">The name of the policy that orders the line.</param>
    public World(string policy = "puces")
    {
        _scheduler = new(Policies.Find(policy) ?? throw new ArgumentException($"there is no policy {policy}", nameof(policy)), _grid);
    }

    /// <summary>The world as it was stored. Follow with <see cref="Resume"/> for what must be done again.</summary>
    public World(
        IEnumerable<Job> jobs, IEnumerable<AttemptRecord> attempts, IEnumerable<Pool> pools,
        IEnumerable<(IdempotencyKey Key, JobId Job)> keys, long lastJob, long lastEvent,
        IEnumerable<KeyValuePair<string, string>> notes, DateTimeOffset now,
        string policy = "puces") : this(policy)
    {
        (_lastJob, _lastEvent) = (lastJob, lastEvent);
        Recall(notes);
        foreach (var pool in pools) _pools[pool.Name] = pool;
        foreach (var pool in _pools.Keys) _opening[pool] = new(1);
        foreach (var (key, job) in keys) Remember(key, job, now);
        var records = attempts.ToDictionary(a => a.Id);
        foreach (var stored in jobs)
        {
            var job = _jobs[stored.Id] = stored with { Request = Shared(stored.Request) };
            if (job.State is JobState.Queued queued) Wait(job, queued, now);
            if (job.State.Held is not { } allocation) continue;
            _holdings.Hold(job.Id, allocation);
            var live = new LiveAttempt(records[job.Attempt], allocation);
            // A stored Running means that all ranks had begun. One that has ended since will say so again: it was not acknowledged.
            if (live.Record.Started is not null) foreach (var rank in live.Ranks) rank.IsStarted = true;
            _attempts[job.Id] = live;
            foreach (var node in live.Record.Nodes) Unheard(node, now);
            Restore(job, allocation, live.Record);
        }
    }

    /// <summary>Live jobs in order of their numbers.</summary>
    public IReadOnlyCollection<Job> Jobs => _jobs.Values;

    public IReadOnlyDictionary<string, NodeUse> Nodes => _holdings.Uses;

    public IReadOnlyCollection<Pool> Pools => _pools.Values;

    /// <summary>The effects of what is stored: pools to open. What is on their nodes is settled when each node is seen.</summary>
    public IReadOnlyList<Effect> Resume() => [.. _pools.Values.Select(p => new Effect.OpenPool(p)), .. ResumeLeases()];

    /// <summary>When something that is held back may go.</summary>
    public DateTimeOffset? NextTick
    {
        get
        {
            var next = _held.Count == 0 || _look < _held.Min.Until ? _look : _held.Min.Until;
            return NextTerm is { } term && !(next < term) ? term : next;
        }
    }

    /// <summary>Applies the commands in order, then decides who starts. Never throws for what a command says; the answer tells.</summary>
    public Outcome Apply(IReadOnlyList<Command> commands, DateTimeOffset now)
    {
        var batch = new Batch(_lastEvent, now);
        _scheduler.Advance(Clock(now));
        ReleaseHeld(batch);
        ForgetKeys(now);
        foreach (var command in commands) batch.Answers.Add(Take(command, batch));
        // After the commands: a node that says hello in this batch is heard.
        EndTerms(batch);
        // Asked for at one hello, and over by a later one of the same batch: nobody may start it any more.
        batch.Effects.RemoveAll(e => e is Effect.StartRank again && (Live(again.Attempt) is not { } live || live.Ranks[again.Rank].IsOver));
        Decide(batch);
        Ask(batch);
        _lastEvent = batch.LastEvent;
        return new(batch.Answers, batch.Changes, batch.Events, batch.Effects, [.. batch.Nodes.Select(UseOf)], NextTick);
    }

    private Answer Take(Command command, Batch batch)
    {
        switch (command)
        {
            case Command.Submit c: return Submit(c, batch);
            case Command.Cancel c: return Cancel(c, batch);
            case Command.Started c: Started(c, batch); break;
            case Command.Exited c: RankOver(c.Attempt, c.Rank, c.Node, r => r.Verdict = c.Verdict, batch, c.Verdict.Started); break;
            case Command.Vanished c: RankOver(c.Attempt, c.Rank, c.Node, r => r.Evidence = c.Evidence, batch, c.Began); break;
            case Command.Lost c: RankLost(c, batch); break;
            case Command.Refused c: RankOver(c.Attempt, c.Rank, c.Node, r => (r.Evidence, r.IsRefused) = (c.Reason, true), batch); break;
            case Command.Checkpointed c: Checkpointed(c, batch); break;
            case Command.NodeSeen c: NodeSeen(c, batch); break;
            case Command.NodeGone c: NodeGone(c.Node, batch); break;
            case Command.PoolOpened c: PoolOpened(c.Pool); break;
            case Command.SetWindow c: return SetWindow(c.Window, batch);
            case Command.RemoveWindow c: return RemoveWindow(c.Number, batch);
            case Command.OffersSeen c: OffersSeen(c); break;
            case Command.LeasesSeen c: LeasesSeen(c, batch); break;
            case Command.LeaseRefused c: LeaseRefused(c, batch); break;
            case Command.SetProject c: return SetProject(c.Project, batch);
            case Command.RemoveProject c: return RemoveProject(c.Name, batch);
            case Command.SetPool c: return SetPool(c.Pool, batch);
            case Command.RemovePool c: return RemovePool(c.Name, batch);
            case Command.SetSecret c: batch.Add(new Change.SecretSet(c.Name, c.Encrypted, batch.Now)); break;
        }
        return Answer.Taken;
    }

    private Answer Submit(Command.Submit c, Batch batch)
    {
        if (c.Key is { } key)
        {
            if (_keys.TryGetValue(c.Batch ?? key.Key, out var used) && used.Body != key.Body)
                return new(Error: $"this Idempotency-Key was used for another request (job {used.Job}); use a new one");
            if (_keys.TryGetValue(key.Key, out var first)) return new(_jobs.GetValueOrDefault(first.Job), IsRepeat: true, Id: first.Job);
        }
        if (Refusal(c, batch) is { } refusal) return new(Error: refusal);
        var request = Shared(c.Job.Request);
        var retry = c.Job.Retry == Retry.None ? Retry.None : c.Job.Retry;
        var job = new Job(new(++_lastJob), c.Job.Name, c.Job.Project, c.Job.Owner, c.Job.Priority, request, retry, batch.Now,
            new JobState.Queued(batch.Now), c.Job.Expected, Limit: c.Job.Limit ?? LongestRun(c.Job.Project), CanYield: c.Job.CanYield, Prefer: c.Job.Prefer, Image: c.Job.Image);
        Wait(job, (JobState.Queued)job.State, batch.Now);
        _jobs[job.Id] = job = job with { Kin = _claims[job.Id].BatchNumber };
        if (c.Key is { } given) Remember(given, job.Id, batch.Now);
        batch.New(job, c.Spec, c.Key);
        batch.Say("submitted", $"job {job.Id} ({job.Name}) asks for {request}", job);
        return new(job, Id: job.Id);
    }

    private Answer Cancel(Command.Cancel c, Batch batch)
    {
        if (!_jobs.TryGetValue(c.Job, out var job)) return new(Error: $"job {c.Job} is not live");
        switch (job.State)
        {
            case JobState.Queued queued:
                Unwait(job, queued);
                return new(End(job, JobResult.Cancelled, 143, null, $"cancelled by {c.By} before it started", batch));
            case JobState.Starting or JobState.Running:
                batch.Say("cancelling", $"job {job.Id} ({job.Name}) is being cancelled by {c.By}", job);
                return new(StopAll(job, StopReason.Cancelled, $"cancelled by {c.By}", batch));
            case JobState.Stopping { Reason: not StopReason.Cancelled } stopping:
                batch.Say("cancelling", $"job {job.Id} ({job.Name}) is being cancelled by {c.By}", job);
                return new(Set(job with { State = stopping with { Reason = StopReason.Cancelled } }, batch));
            default:
                return new(job, IsRepeat: true);
        }
    }

    private Job Set(Job job, Batch batch)
    {
        _jobs[job.Id] = job;
        batch.Set(job);
        return job;
    }

    private Job End(Job job, JobResult result, int exitCode, DateTimeOffset? started, string? reason, Batch batch)
    {
        job = job with { State = new JobState.Ended(result, exitCode, batch.Now, started, reason) };
        batch.Set(job);
        _jobs.Remove(job.Id);
        _claims.Remove(job.Id);
        Withdraw(job.Id, null, batch);
        batch.Say("ended", $"job {job.Id} ({job.Name}) {job.State.Word}{(reason is null ? "" : ": " + reason)}", job);
        return job;
    }

    private void ReleaseHeld(Batch batch)
    {
        while (_held.Count > 0 && _held.Min.Until <= batch.Now)
        {
            var job = _jobs[_held.Min.Job];
            _held.Remove(_held.Min);
            // Stored, so that nobody is told of a time that is past; most start now, and then this is no write of its own.
            var queued = (JobState.Queued)job.State with { NotBefore = null };
            Wait(Set(job with { State = queued }, batch), queued, batch.Now);
        }
    }

    private NodeUse UseOf(string id) => _holdings.Uses.TryGetValue(id, out var use)
        ? use
        : new(new(id, id.Split('/')[0], [], 0, default, false, false, default, "left its pool"), [], 0, default, []);

    /// <summary>One instance for equal requests: a long line of one shape costs one.</summary>
    private Request Shared(Request request)
    {
        if (_requests.TryGetValue(request, out var shared)) return shared;
        if (_requests.Count > 10_000) _requests.Clear();
        return _requests[request] = request;
    }

    private void Remember(IdempotencyKey key, JobId job, DateTimeOffset now)
    {
        if (_keys.TryAdd(key.Key, (job, key.Body))) _keyAges.Enqueue((now, key.Key));
    }

    private void ForgetKeys(DateTimeOffset now)
    {
        while (_keyAges.TryPeek(out var oldest) && now - oldest.At > KeyLife) _keys.Remove(_keyAges.Dequeue().Key);
    }
}
