using System.Collections.Concurrent;
using System.Globalization;
using System.Runtime.CompilerServices;
using Puces.Core.Contract;
using Puces.Core.Jobs;

namespace Puces.Testing;

/// <summary>What a <see cref="FakeDaemon"/> knows: it outlives the daemon, as a store does.</summary>
public sealed class FakeWorld
{
    private readonly ConcurrentDictionary<long, FakeJob> _jobs = new();
    private readonly ConcurrentDictionary<string, long> _keys = new();
    private readonly Lock _gate = new();
    private long _lastId;
    private int _repliesToLose;
    private int _unavailable;

    /// <summary>Requests that are still answered with 503.</summary>
    public int Unavailable { get => _unavailable; set => _unavailable = value; }

    public string Token { get; init; } = "fake";
    public ConcurrentBag<string> Requests { get; } = [];
    public ConcurrentDictionary<string, byte[]> Blobs { get; } = new();
    public ConcurrentDictionary<string, string> Secrets { get; } = new();
    public ConcurrentDictionary<string, SetPool> SetPools { get; } = new();

    /// <summary>Each log stream breaks after so many lines; zero never.</summary>
    public int CutsLogsAfter { get; set; }

    /// <summary>How each submitted job goes; the default waits for the test to change it.</summary>
    public Action<FakeJob>? OnSubmit { get; set; }

    public IReadOnlyCollection<FakeJob> Jobs => [.. _jobs.Values.OrderBy(j => j.View.Id)];

    /// <summary>The next submission is stored and its connection cut before the reply.</summary>
    public void LoseNextReply() => _repliesToLose = 1;

    internal bool RefusesNext() => _unavailable > 0 && Interlocked.Decrement(ref _unavailable) >= 0;

    internal bool LosesNextReply() => Interlocked.Exchange(ref _repliesToLose, 0) == 1;

    public JobView Submit(SubmitJob job, string key)
    {
        FakeJob added;
        lock (_gate)
        {
            if (key.Length > 0 && _keys.TryGetValue(key, out var known)) return _jobs[known].View;
            var id = ++_lastId;
            added = new(job, new(id, job.Spec.Name, job.Spec.Project, job.Owner, "queued", job.Spec.Priority, Request.Of(job.Spec).ToString(), DateTimeOffset.UtcNow, (int)id, "needs H100:8; gra-1 has the most free, 3"));
            _jobs[id] = added;
            if (key.Length > 0) _keys[key] = id;
        }
        OnSubmit?.Invoke(added);
        return added.View;
    }

    public FakeJob? Find(long id) => _jobs.GetValueOrDefault(id);

    public JobPage Page(string state, string? name, string? owner, int limit, string? cursor)
    {
        var from = cursor is null ? 0 : long.Parse(cursor, CultureInfo.InvariantCulture);
        var found = _jobs.Values.Select(j => j.View).OrderBy(v => v.Id).Where(v => v.Id > from && (name is null || v.Name == name) && (owner is null || v.Owner == owner) && state switch
        {
            "live" => !v.IsOver,
            "waiting" => v.State == "queued",
            "running" => v.State is "running" or "starting" or "stopping",
            "ended" => v.IsOver,
            _ => true,
        }).Take(limit + 1).ToList();
        return found.Count > limit ? new(found[..limit], found[limit - 1].Id.ToString(CultureInfo.InvariantCulture)) : new(found);
    }

    public ServerInfo Info() => new("0.1.0", "memory", true, DateTimeOffset.UtcNow, _jobs.Values.Count(j => j.View.State == "queued"), _jobs.Values.Count(j => j.View.State == "running"), [new("store", true, "in memory")]);

    public static PoolList Pools() => new([new("local", "local", true,
        [new("local/1", true, true, "8 × H100 (virtual)", 8, 3, 2, 1.5, 8_000_000_000, 6_000_000_000, [7])], 8, 3)]);

}

/// <summary>A job of a <see cref="FakeWorld"/>, which the test moves.</summary>
public sealed class FakeJob(SubmitJob request, JobView view)
{
    private readonly Lock _gate = new();
    private readonly List<LogLine> _lines = [];
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private JobView _view = view;

    public SubmitJob Request => request;
    public JobSpec Spec => request.Spec;
    public JobView View => _view;

    public JobView Change(Func<JobView, JobView> change)
    {
        lock (_gate) _view = change(_view);
        Wake();
        return _view;
    }

    public void Start() => Change(v => v with { State = "running", Position = null, Reason = null, Nodes = "local/1 [0]", Attempt = v.Attempt + 1, Started = DateTimeOffset.UtcNow });

    public void Print(string text, string stream = "out", int rank = 0, bool isPartial = false)
    {
        lock (_gate) _lines.Add(new(DateTimeOffset.UtcNow, _view.Attempt, rank, stream, text, isPartial, (_lines.Count + 1).ToString(CultureInfo.InvariantCulture)));
        Wake();
    }

    public void End(int code) =>
        Change(v => v with { State = code == 0 ? "succeeded" : "failed", ExitCode = code, Ended = DateTimeOffset.UtcNow, Position = null, Reason = code == 0 ? null : "its command failed" });

    public async IAsyncEnumerable<JobView> WatchAsync([EnumeratorCancellation] CancellationToken ct)
    {
        JobView? sent = null;
        while (sent is not { IsOver: true })
        {
            var changed = _changed.Task;
            if (_view is var now && now != sent) yield return sent = now;
            else await changed.WaitAsync(ct);
        }
    }

    public async IAsyncEnumerable<LogLine> LogAsync(bool follow, string? after, [EnumeratorCancellation] CancellationToken ct)
    {
        var at = after is null ? 0 : int.Parse(after, CultureInfo.InvariantCulture);
        while (true)
        {
            var changed = _changed.Task;
            var isOver = _view.IsOver;
            LogLine[] fresh;
            lock (_gate) fresh = [.. _lines.Skip(at)];
            foreach (var line in fresh) yield return line;
            at += fresh.Length;
            if (fresh.Length == 0 && (isOver || !follow)) yield break;
            if (fresh.Length == 0) await changed.WaitAsync(ct);
        }
    }

    private void Wake() => Interlocked.Exchange(ref _changed, new(TaskCreationOptions.RunContinuationsAsynchronously)).SetResult();
}
