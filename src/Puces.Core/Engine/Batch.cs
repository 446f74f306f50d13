using Puces.Core.Jobs;

namespace Puces.Core.Engine;

/// <summary>What one call of <see cref="World.Apply"/> gathers. Of several changes to one job the last is kept, with the spec of the first.</summary>
internal sealed class Batch(long lastEvent, DateTimeOffset now)
{
    private readonly List<Change> _changes = [];
    private readonly Dictionary<JobId, int> _jobs = [];
    private readonly Dictionary<AttemptId, int> _attempts = [];

    public DateTimeOffset Now { get; } = now;
    public List<Answer> Answers { get; } = [];
    public List<FeedEvent> Events { get; } = [];
    public List<Effect> Effects { get; } = [];
    /// <summary>Jobs of one request that were held against the limits, and what was wrong with them.</summary>
    public (IReadOnlyList<NewJob>? Jobs, string? Error) Checked { get; set; }
    public SortedSet<string> Nodes { get; } = new(StringComparer.Ordinal);
    public IReadOnlyList<Change> Changes => _changes;
    public long LastEvent { get; private set; } = lastEvent;

    public void Add(Change change) => _changes.Add(change);

    public void New(Job job, ReadOnlyMemory<byte> spec, IdempotencyKey? key)
    {
        _jobs[job.Id] = _changes.Count;
        _changes.Add(new Change.JobSet(job, spec, key));
    }

    public void Set(Job job)
    {
        if (_jobs.TryGetValue(job.Id, out var at)) { _changes[at] = ((Change.JobSet)_changes[at]) with { Job = job }; return; }
        _jobs[job.Id] = _changes.Count;
        _changes.Add(new Change.JobSet(job));
    }

    public void Set(AttemptRecord attempt)
    {
        if (_attempts.TryGetValue(attempt.Id, out var at)) { _changes[at] = new Change.AttemptSet(attempt); return; }
        _attempts[attempt.Id] = _changes.Count;
        _changes.Add(new Change.AttemptSet(attempt));
    }

    public void Say(string kind, string text, Job? job = null) => Events.Add(new(++LastEvent, Now, kind, text, job?.Id, job?.Project));
}
