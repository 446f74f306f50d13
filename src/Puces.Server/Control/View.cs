using System.Collections.Concurrent;
using System.Collections.Immutable;
using Puces.Core.Contract;
using Puces.Core.Engine;
using Puces.Core.Fleet;
using Puces.Core.Jobs;
using Puces.Core.Queues;
using Puces.Core.Scheduling;

namespace Puces.Server.Control;

/// <summary>What readers see: immutable, of one commit. Reads never touch the writer.</summary>
public sealed record View(
    ImmutableSortedDictionary<JobId, Job> Live, ImmutableSortedSet<Turn> Line, ImmutableDictionary<JobId, AttemptRecord> Attempts,
    ImmutableSortedDictionary<string, NodeUse> Nodes, ImmutableSortedDictionary<string, Pool> Pools)
{
    private const int MostReasons = 10_000;

    /// <summary>Why requests wait on these nodes, as far as somebody has asked: the same until a node is used differently.</summary>
    private ConcurrentDictionary<Request, string> Reasons { get; init; } = new();

    /// <summary>What is stored of projects and what they have used, by key.</summary>
    public ImmutableSortedDictionary<string, string> Projects { get; private init; } = ImmutableSortedDictionary.Create<string, string>(StringComparer.Ordinal);

    /// <summary>Some project has been set.</summary>
    internal bool HasProjects => Projects.Keys.FirstOrDefault()?.StartsWith(ProjectNotes.Project, StringComparison.Ordinal) ?? false;

    /// <summary>The projects with what they hold, made when somebody first asks.</summary>
    internal Lazy<Shares> Tree => _tree ??= new(() => ProjectViews.Tree(this));

    private Lazy<Shares>? _tree;

    public static readonly View Empty = new(
        ImmutableSortedDictionary<JobId, Job>.Empty, [], ImmutableDictionary<JobId, AttemptRecord>.Empty,
        ImmutableSortedDictionary.Create<string, NodeUse>(StringComparer.Ordinal), ImmutableSortedDictionary.Create<string, Pool>(StringComparer.Ordinal));

    public static View Of(IEnumerable<Job> jobs, IEnumerable<AttemptRecord> attempts, IEnumerable<Pool> pools, IEnumerable<KeyValuePair<string, string>>? notes = null)
    {
        var live = jobs.ToImmutableSortedDictionary(j => j.Id, j => j);
        return Empty with
        {
            Live = live,
            Line = [.. live.Values.Where(j => j.State is JobState.Queued).Select(Turn.Of)],
            Attempts = attempts.ToImmutableDictionary(a => a.Id.Job),
            Pools = pools.ToImmutableSortedDictionary(p => p.Name, p => p, StringComparer.Ordinal),
            Projects = (notes ?? []).Where(n => ProjectViews.IsShown(n.Key)).ToImmutableSortedDictionary(StringComparer.Ordinal),
        };
    }

    /// <summary>The view after an outcome.</summary>
    public View After(Outcome outcome)
    {
        var live = Live.ToBuilder();
        var line = Line.ToBuilder();
        var attempts = Attempts.ToBuilder();
        var (pools, projects) = (Pools, Projects);
        foreach (var change in outcome.Changes)
        {
            switch (change)
            {
                case Change.JobSet { Job: var job }:
                    if (job.State is JobState.Queued) line.Add(Turn.Of(job));
                    else line.Remove(Turn.Of(job));
                    if (job.State is JobState.Ended) live.Remove(job.Id);
                    else live[job.Id] = job;
                    break;
                case Change.AttemptSet { Attempt: var attempt }: attempts[attempt.Id.Job] = attempt; break;
                case Change.NoteSet note when ProjectViews.IsShown(note.Key): projects = note.Text is { } text ? projects.SetItem(note.Key, text) : projects.Remove(note.Key); break;
                case Change.PoolSet { Pool: var pool }: pools = pools.SetItem(pool.Name, pool); break;
            }
        }
        foreach (var change in outcome.Changes)
            if (change is Change.JobSet { Job: { State: JobState.Ended } ended }) attempts.Remove(ended.Id);
        var nodes = Nodes;
        foreach (var use in outcome.Nodes) nodes = use.Node.Since == default ? nodes.Remove(use.Node.Id) : nodes.SetItem(use.Node.Id, use);
        return new(live.ToImmutable(), line.ToImmutable(), attempts.ToImmutable(), nodes, pools)
        {
            Projects = projects,
            Reasons = nodes == Nodes && Reasons.Count < MostReasons ? Reasons : new(),
        };
    }

    /// <summary>A live or an ended job as people see it.</summary>
    public JobView Show(Job job) => Show(job, job.State is JobState.Queued ? Line.IndexOf(Turn.Of(job)) + 1 : 0);

    /// <summary>The same for a list: its place is known.</summary>
    public JobView Show(Job job, int position)
    {
        var view = new JobView(job.Id.Value, job.Name, job.Project, job.Owner, job.State.Word, job.Priority, job.Request.ToString(), job.Submitted)
        {
            Attempt = job.Attempts,
            Nodes = job.State.Held?.ToString(),
            Checkpoint = Attempts.GetValueOrDefault(job.Id)?.Checkpoint,
            IsVirtual = job.State.Held?.Shares.Any(s => Nodes.TryGetValue(s.Node, out var use) && use.Node.IsVirtual) ?? false,
        };
        return job.State switch
        {
            JobState.Queued q => view with { Position = position > 0 ? position : null, Reason = Reason(job, q) },
            JobState.Starting => view with { Reason = "starting on its nodes" },
            JobState.Running r => view with { Started = r.Since },
            JobState.Stopping s => view with
            {
                Started = s.Started,
                Reason = s.Reason switch
                {
                    StopReason.Cancelled => "being cancelled",
                    StopReason.Preempted => $"saves, and leaves its devices to job {s.For}{(s.Why is null ? "" : ", " + s.Why)}",
                    _ => "a node of the gang is gone",
                }
            },
            JobState.Ended e => view with { Started = e.Started, Ended = e.At, ExitCode = e.ExitCode, Reason = e.Reason },
            _ => view,
        };
    }

    public WhyView Why(Job job)
    {
        var shown = Show(job);
        if (job.State is not JobState.Queued queued) return new(shown, shown.Reason ?? $"job {job.Id} is {shown.State}", [], []);
        IReadOnlyList<NodeUse> nodes = [.. Nodes.Values];
        var text = shown.Position is { } position ? $"{Ordinal(position)} of {Line.Count} in line; {shown.Reason}" : shown.Reason!;
        return new(shown, text, [.. Needs(job, queued, nodes)], Waiting.Hints(job.Request, nodes), shown.Position - 1);
    }

    private IEnumerable<string> Needs(Job job, JobState.Queued queued, IReadOnlyList<NodeUse> nodes)
    {
        if (HeldUntil(queued) is { } until)
        {
            yield return $"is held back until {until.UtcDateTime:HH:mm:ss} UTC after attempt {job.Attempts}";
            if (Placement.Find(job.Request, nodes) is not null) yield break;
        }
        yield return Waiting.Reason(job.Request, nodes);
        if (Line.Count > 0 && Line[0].Job != job.Id) yield return $"job {Line[0].Job} is first in line: {Show(Live[Line[0].Job]).Reason}";
    }

    private string Reason(Job job, JobState.Queued queued)
    {
        if (HeldUntil(queued) is { } until) return $"tried again at {until.UtcDateTime:HH:mm:ss} UTC, after attempt {job.Attempts} failed{(Attempts.GetValueOrDefault(job.Id)?.Reason is { } why ? ": " + why : "")}";
        if (ProjectViews.HeldBack(this, job) is { } over) return over;
        if (Line.Count > 0 && Line[0].Job == job.Id && Placement.Find(job.Request, [.. Nodes.Values]) is not null) return "is first in line and fits: it is about to start";
        return Reasons.GetOrAdd(job.Request, request => Waiting.Reason(request, [.. Nodes.Values]));
    }

    /// <summary>Until when a job is held back; null once it waits as all others do.</summary>
    private static DateTimeOffset? HeldUntil(JobState.Queued queued) => queued.NotBefore is { } until && until > DateTimeOffset.UtcNow ? until : null;

    private static string Ordinal(int n) => n + (n % 100 is 11 or 12 or 13 ? "th" : (n % 10) switch { 1 => "st", 2 => "nd", 3 => "rd", _ => "th" });

    public PoolList ShowPools() => new([.. Pools.Values.Select(pool =>
    {
        var nodes = Nodes.Values.Where(n => n.Node.Pool == pool.Name).ToList();
        return new PoolView(
            pool.Name, pool.Provider, pool.IsVirtual,
            [.. nodes.Select(n => new NodeView(
                n.Node.Id, n.Node.IsUp, n.Node.IsVirtual,
                n.Node.Devices.Count == 0 ? "no accelerator" : Waiting.Models(n.Node) + (n.Node.IsVirtual ? " (virtual)" : ""),
                n.Node.Devices.Count, n.Free.Count, n.Node.MilliCpus / 1000.0, n.FreeMilliCpus / 1000.0,
                n.Node.Memory.Bytes, n.FreeMemory.Bytes, [.. n.Jobs.Select(j => j.Value)], n.Node.Problem))],
            nodes.Sum(n => n.Node.Devices.Count), nodes.Sum(n => n.Free.Count), nodes.Count == 0 ? "no node has answered yet" : null);
    })]);
}
