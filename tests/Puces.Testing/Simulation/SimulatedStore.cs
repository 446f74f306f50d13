using System.Text.Json;
using Puces.Core.Engine;
using Puces.Core.Jobs;

namespace Puces.Testing.Simulation;

/// <summary>A store in memory. It holds exactly what was committed, in the stored form, and a world is rebuilt from that form.</summary>
public sealed class SimulatedStore
{
    private readonly SortedDictionary<JobId, StoredJob> _jobs = [];
    private readonly Dictionary<AttemptId, StoredAttempt> _attempts = [];
    private readonly SortedDictionary<string, string> _pools = new(StringComparer.Ordinal);
    private readonly SortedDictionary<string, string> _notes = new(StringComparer.Ordinal);
    private readonly List<FeedEvent> _events = [];
    private long _lastJob;

    /// <summary>A job, its spec and its key, as committed.</summary>
    public sealed record StoredJob(Job Job, string Json, ReadOnlyMemory<byte> Spec, IdempotencyKey? Key);

    /// <summary>An attempt as committed.</summary>
    public sealed record StoredAttempt(AttemptRecord Attempt, string Json);

    public IReadOnlyDictionary<JobId, StoredJob> Jobs => _jobs;
    public IReadOnlyDictionary<AttemptId, StoredAttempt> Attempts => _attempts;
    public IReadOnlyList<FeedEvent> Events => _events;
    public IReadOnlyDictionary<string, string> Notes => _notes;
    public bool HasPools => _pools.Count > 0;

    public void Commit(IReadOnlyList<Change> changes, IReadOnlyList<FeedEvent> events)
    {
        foreach (var change in changes)
        {
            switch (change)
            {
                case Change.JobSet { Job: var job } set:
                    var known = _jobs.GetValueOrDefault(job.Id);
                    var spec = set.Spec ?? known?.Spec ?? throw new InvalidOperationException($"job {job.Id} came without its spec");
                    _jobs[job.Id] = new(job, JsonSerializer.Serialize(job, EngineJson.Stored.Job), spec, set.Key ?? known?.Key);
                    _lastJob = Math.Max(_lastJob, job.Id.Value);
                    break;
                case Change.AttemptSet { Attempt: var attempt }:
                    _attempts[attempt.Id] = new(attempt, JsonSerializer.Serialize(attempt, EngineJson.Stored.AttemptRecord));
                    break;
                case Change.NoteSet { Text: null } note: _notes.Remove(note.Key); break;
                case Change.NoteSet note: _notes[note.Key] = note.Text; break;
                case Change.PoolSet { IsRemoved: true, Pool: var gone }: _pools.Remove(gone.Name); break;
                case Change.PoolSet { Pool: var pool }: _pools[pool.Name] = JsonSerializer.Serialize(pool, EngineJson.Stored.Pool); break;
            }
        }
        _events.AddRange(events);
    }

    /// <summary>What a daemon that starts now begins with.</summary>
    public World Load(DateTimeOffset now)
    {
        var live = _jobs.Values.Where(j => j.Job.State is not JobState.Ended).ToList();
        var attempts = live.Where(j => _attempts.ContainsKey(j.Job.Attempt)).Select(j => _attempts[j.Job.Attempt]);
        var keys = _jobs.Values.Where(j => j.Key is not null && now - j.Job.Submitted <= World.KeyLife).Select(j => (j.Key!.Value, j.Job.Id));
        return new(
            [.. live.Select(j => JsonSerializer.Deserialize(j.Json, EngineJson.Stored.Job)!)],
            [.. attempts.Select(a => JsonSerializer.Deserialize(a.Json, EngineJson.Stored.AttemptRecord)!)],
            [.. _pools.Values.Select(p => JsonSerializer.Deserialize(p, EngineJson.Stored.Pool)!)],
            [.. keys], _lastJob, _events.Count == 0 ? 0 : _events[^1].Seq, [.. _notes], now);
    }
}
