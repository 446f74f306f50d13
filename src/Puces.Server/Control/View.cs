using System.Collections.Concurrent;
using System.Collections.Immutable;
using Puces.Core.Contract;
using Puces.Core.Engine;
using Puces.Core.Fleet;
using Puces.Core.Jobs;
using Puces.Core.Queues;
using Puces.Core.Scheduling;
using Puces.Server.Store;

namespace Puces.Server.Control;

/// <summary>What readers see: immutable, of one commit. Reads never touch the writer.</summary>
/// <param name="WaitingCount">How many wait.</param>
/// <param name="Reserving">Those who wait and have something kept for them.</param>
/// <param name="Stopping">Those who have been told to end.</param>
/// <param name="Notes">What the engine wrote down to go by later.</param>
public sealed record View(
    ImmutableSortedDictionary<JobId, Job> Live, int WaitingCount, ImmutableSortedSet<JobId> Reserving, ImmutableSortedSet<JobId> Stopping,
    ImmutableDictionary<JobId, AttemptRecord> Attempts, ImmutableSortedDictionary<string, NodeUse> Nodes,
    ImmutableSortedDictionary<string, Pool> Pools, ImmutableDictionary<string, string> Notes)
{
    private const int MostReasons = 10_000;

    /// <summary>Shared by all views of one daemon: what is dear to foresee is not foreseen for each of them.</summary>
    internal Outlook Outlook { get; init; } = new(TimeProvider.System);

    /// <summary>Why requests wait, as far as somebody has asked: the same until a node is used differently, or other nodes are kept.</summary>
    private ConcurrentDictionary<Request, string> Reasons { get; init; } = new();

    /// <summary>What is stored of projects and what they have used, by key.</summary>
    public ImmutableSortedDictionary<string, string> Projects { get; private init; } = ImmutableSortedDictionary.Create<string, string>(StringComparer.Ordinal);

    /// <summary>Some project has been set.</summary>
    internal bool HasProjects => Projects.Keys.FirstOrDefault()?.StartsWith(ProjectNotes.Project, StringComparison.Ordinal) ?? false;

    /// <summary>The projects with what they hold, made when somebody first asks.</summary>
    internal Lazy<Shares> Tree => _tree ??= new(() => ProjectViews.Tree(this));

    private Lazy<Shares>? _tree;

    /// <summary>When nodes are closed, those windows too that are over or removed.</summary>
    public ImmutableSortedDictionary<int, Window> Windows { get; private init; } = ImmutableSortedDictionary<int, Window>.Empty;

    private Vacancies? _vacancies;

    private Vacancies Vacancies => _vacancies ??= new([.. Nodes.Values], [.. Reserving.Select(r => Live[r])], job => Outlook.Now + Forecast.StayOf(job.Id));

    public static View Empty => new(
        ImmutableSortedDictionary<JobId, Job>.Empty, 0, [], [], ImmutableDictionary<JobId, AttemptRecord>.Empty,
        ImmutableSortedDictionary.Create<string, NodeUse>(StringComparer.Ordinal), ImmutableSortedDictionary.Create<string, Pool>(StringComparer.Ordinal),
        ImmutableDictionary<string, string>.Empty);

    internal static View Of(Stored stored, Outlook outlook)
    {
        var live = stored.LiveJobs.ToImmutableSortedDictionary(j => j.Id, j => j);
        return new(
            live, live.Values.Count(j => j.State is JobState.Queued),
            [.. live.Values.Where(j => j.State is JobState.Queued { Reserved: not null }).Select(j => j.Id)],
            [.. live.Values.Where(j => j.State is JobState.Stopping).Select(j => j.Id)],
            stored.LiveAttempts.ToImmutableDictionary(a => a.Id.Job), Empty.Nodes,
            stored.Pools.ToImmutableSortedDictionary(p => p.Name, p => p, StringComparer.Ordinal), stored.Notes.ToImmutableDictionary())
        {
            Outlook = outlook,
            Windows = stored.Notes.Select(n => WindowNotes.Read(n.Key, n.Value)).OfType<Window>().ToImmutableSortedDictionary(w => w.Number, w => w),
            Projects = stored.Notes.Where(n => ProjectViews.IsShown(n.Key)).ToImmutableSortedDictionary(StringComparer.Ordinal),
        };
    }

    /// <summary>The view after an outcome.</summary>
    public View After(Outcome outcome)
    {
        var (live, attempts, notes) = (Live.ToBuilder(), Attempts.ToBuilder(), Notes.ToBuilder());
        var (reserving, stopping, pools, projects, windows, waiting, isKeptElse) = (Reserving, Stopping, Pools, Projects, Windows, WaitingCount, false);
        foreach (var change in outcome.Changes)
        {
            switch (change)
            {
                case Change.JobSet { Job: var job }:
                    var (was, now) = (live.GetValueOrDefault(job.Id)?.State, job.State);
                    waiting += (now is JobState.Queued ? 1 : 0) - (was is JobState.Queued ? 1 : 0);
                    if ((was as JobState.Queued)?.Reserved != (now as JobState.Queued)?.Reserved) isKeptElse = true;
                    reserving = now is JobState.Queued { Reserved: not null } ? reserving.Add(job.Id) : reserving.Remove(job.Id);
                    stopping = now is JobState.Stopping ? stopping.Add(job.Id) : stopping.Remove(job.Id);
                    if (now is JobState.Ended) live.Remove(job.Id);
                    else live[job.Id] = job;
                    break;
                case Change.AttemptSet { Attempt: var attempt }: attempts[attempt.Id.Job] = attempt; break;
                case Change.PoolSet { Pool: var pool } set: pools = set.IsRemoved ? pools.Remove(pool.Name) : pools.SetItem(pool.Name, pool); break;
                case Change.NoteSet { Key: var key, Text: var text }:
                    if (text is null) notes.Remove(key);
                    else notes[key] = text;
                    if (text is not null && WindowNotes.Read(key, text) is { } window) windows = windows.SetItem(window.Number, window);
                    if (ProjectViews.IsShown(key)) projects = text is null ? projects.Remove(key) : projects.SetItem(key, text);
                    break;
            }
        }
        foreach (var change in outcome.Changes)
            if (change is Change.JobSet { Job: { State: JobState.Ended } ended }) attempts.Remove(ended.Id);
        var nodes = Nodes;
        foreach (var use in outcome.Nodes) nodes = use.Node.Since == default ? nodes.Remove(use.Node.Id) : nodes.SetItem(use.Node.Id, use);
        return new(live.ToImmutable(), waiting, reserving, stopping, attempts.ToImmutable(), nodes, pools, notes.ToImmutable())
        {
            Outlook = Outlook,
            Projects = projects,
            Windows = windows,
            Reasons = nodes == Nodes && !isKeptElse && Reasons.Count < MostReasons ? Reasons : new(),
        };
    }

    /// <summary>The line in order, and when those in it are likely to start.</summary>
    public Forecast Forecast => Outlook.Of(this);

    /// <summary>A live or an ended job as people see it.</summary>
    public JobView Show(Job job) => job.State is JobState.Queued ? Show(job, Forecast) : Show(job, Forecast.Empty);

    /// <summary>The same for a list.</summary>
    public JobView Show(Job job, Forecast forecast)
    {
        var view = new JobView(job.Id.Value, job.Name, job.Project, job.Owner, job.State.Word, job.Priority, job.Request.ToString(), job.Submitted)
        {
            Attempt = job.Attempts,
            Nodes = job.State.Held is not { } held ? null : string.Join(", ", held.Shares.Select(s =>
                new Allocation([s]).ToString() + (Nodes.TryGetValue(s.Node, out var on) ? Waiting.Links(on.Node, s.Devices) : ""))),
            Checkpoint = Attempts.GetValueOrDefault(job.Id)?.Checkpoint,
            IsVirtual = job.State.Held?.Shares.Any(s => Nodes.TryGetValue(s.Node, out var use) && use.Node.IsVirtual) ?? false,
        };
        return job.State switch
        {
            JobState.Queued q => view with
            {
                Position = forecast.PositionOf(job.Id) is > 0 and var position ? position : null,
                Reason = Reason(job, q, forecast),
                Estimate = forecast.EstimateOf(job.Id),
            },
            JobState.Starting => view with { Reason = "starting on its nodes" },
            JobState.Running r => view with { Started = r.Since },
            JobState.Stopping s => view with
            {
                Started = s.Started,
                Reason = s.Reason switch
                {
                    StopReason.Cancelled => "being cancelled",
                    StopReason.Closed => $"saves, and leaves {s.Why}",
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
        if (job.State is not JobState.Queued queued)
        {
            var over = Show(job);
            return new(over, over.Reason ?? $"job {job.Id} is {over.State}", [], []);
        }
        var (forecast, now) = (Forecast, Outlook.Now);
        var shown = Show(job, forecast);
        var text = shown.Position is { } position ? $"{Ordinal(position)} of {forecast.Line.Count} in line; {shown.Reason}" : shown.Reason!;
        if (shown.Estimate is { } estimate) text += "; " + EstimateText.Starts(estimate, now);
        return new(shown, text, [.. Needs(job, queued, forecast)], Waiting.Hints(job, Vacancies, now), shown.Position - 1, Outlook.Record);
    }

    private IEnumerable<string> Needs(Job job, JobState.Queued queued, Forecast forecast)
    {
        if (HeldUntil(queued) is { } until)
        {
            yield return $"is held back until {until.UtcDateTime:HH:mm:ss} UTC after attempt {job.Attempts}";
            if (Placement.Find(job.Request, Vacancies.For(job)) is not null) yield break;
        }
        var leases = Leases.Where(l => l.Job == job.Id).ToList();
        var (words, isCarried) = (PoolWords.Of(this, job), IsCarried(job));
        if (words is null && leases.Count == 0 && !isCarried) words = PoolWords.Shapes(this, job);
        if (leases.Count == 0 && words is null || isCarried) yield return Waiting.Reason(job, Vacancies);
        if (words is not null) yield return words;
        if (queued.Reserved is { } reserved) yield return Kept(job, reserved, forecast);
        foreach (var lease in leases) yield return LeaseText.Of(lease);
        if (forecast.Line is [var first, ..] && first != job.Id && Live.TryGetValue(first, out var head))
            yield return $"job {first} is first in line: {Show(head, forecast).Reason}";
    }

    private string Reason(Job job, JobState.Queued queued, Forecast forecast)
    {
        if (HeldUntil(queued) is { } until) return $"tried again at {until.UtcDateTime:HH:mm:ss} UTC, after attempt {job.Attempts} failed{(Attempts.GetValueOrDefault(job.Id)?.Reason is { } why ? ": " + why : "")}";
        if (ProjectViews.HeldBack(this, job) is { } over) return over;
        foreach (var leaving in Stopping)
            if (Live[leaving].State is JobState.Stopping stopping && stopping.For == job.Id)
                return $"job {leaving} {(stopping.Reason is StopReason.Cancelled ? "is cancelled" : "saves")}, and leaves its devices to it";
        if (forecast.Line is [var first, ..] && first == job.Id && Placement.Find(job.Request, Vacancies.For(job)) is not null) return "is first in line and fits: it is about to start";
        var reason = queued.Reserved is null
            ? Vacancies.IsAnyClosing ? Waiting.Reason(job, Vacancies) : Reasons.GetOrAdd(job.Request, _ => Waiting.Reason(job, Vacancies))
            : $"{Waiting.Reason(job, Vacancies)}; {Kept(job, queued.Reserved, forecast)}";
        if (Pools.Values.Any(p => p.HasLine))
        {
            if (Leases.FirstOrDefault(l => l.Job == job.Id) is { } lease) reason = LeaseText.Of(lease);
            else if (IsCarried(job)) reason = PoolWords.Of(this, job) is { } trouble ? $"{reason}; {trouble}" : reason;
            else reason = PoolWords.Of(this, job) ?? PoolWords.Shapes(this, job) ?? reason;
        }
        return queued.LeftTo is { } other ? $"left its devices to job {other}, and waits to go on: {reason}" : reason;
    }

    /// <summary>Nodes that are here now could carry it.</summary>
    private bool IsCarried(Job job) => Nodes.Values.Count(n => Placement.CouldFit(job.Request, n.Node)) >= job.Request.Nodes;

    // The forecast looks further than the scheduler did when it reserved.
    private static string Kept(Job job, Reservation reserved, Forecast forecast) =>
        $"{string.Join(", ", reserved.Nodes)} {(reserved.Nodes.Count == 1 ? "is" : "are")} kept for it, from about {Waiting.Clock(forecast.EstimateOf(job.Id)?.Expected ?? reserved.At)}";

    /// <summary>Until when a job is held back; null once it waits as all others do.</summary>
    private DateTimeOffset? HeldUntil(JobState.Queued queued) => queued.NotBefore is { } until && until > Outlook.Now ? until : null;

    private static string Ordinal(int n) => n + (n % 100 is 11 or 12 or 13 ? "th" : (n % 10) switch { 1 => "st", 2 => "nd", 3 => "rd", _ => "th" });

    public PoolList ShowPools() => new([.. Pools.Values.Select(pool =>
    {
        var nodes = Nodes.Values.Where(n => n.Node.Pool == pool.Name).ToList();
        return new PoolView(
            pool.Name, pool.Provider, pool.IsVirtual,
            [.. nodes.Select(n => new NodeView(
                n.Node.Id, n.Node.IsUp, n.Node.IsVirtual,
                n.Node.Devices.Count == 0 ? "no accelerator" : Waiting.Models(n.Node) + Waiting.Links(n.Node) + (n.Node.IsVirtual ? " (virtual)" : ""),
                n.Node.Devices.Count, n.Free.Count, n.Node.MilliCpus / 1000.0, n.FreeMilliCpus / 1000.0,
                n.Node.Memory.Bytes, n.FreeMemory.Bytes, [.. n.Jobs.Select(j => j.Value)], n.Node.Problem, n.Closed?.Until, n.Node.Place,
                n.Shared is { } s ? [.. s.Select(d => d.Left / 1000.0)] : null, n.Node.Engine))],
            nodes.Sum(n => n.Node.Devices.Count), nodes.Where(n => n.Closed is null).Sum(n => n.Free.Count), nodes.Count == 0 && !pool.HasLine ? "no node has answered yet" : null,
            [.. Gap.Of(nodes, [.. Vacancies.ToAnybody.Where(n => n.Node.Pool == pool.Name)])
                .Select(g => new GapView(g.Model, g.Devices, g.Free, Math.Round(g.Fragmentation, 3), g.OnOneNode, g.OverNodes, g.EachNode))],
            [.. Windows.Values.Where(w => w.Pool == pool.Name && w.IsAhead(Outlook.Now)).OrderBy(w => w.From ?? DateTimeOffset.MinValue).ThenBy(w => w.Number).Select(Show)],
            Leases: pool.HasLine ? [.. Leases.Where(l => l.Pool == pool.Name).Select(l => new LeaseView(l.Id.Value, l.Job.Value, LeaseText.State(l), l.Reason, l.ExpectedStart))] : null,
            Price: pool.Price?.ToString());
    })]);

    /// <summary>Nodes that are held of pools with a line of their own, or waited for there.</summary>
    internal IReadOnlyList<LeaseRecord> Leases =>
        _leases ??= [.. Notes.Select(n => LeaseNotes.Read(n.Key, n.Value)).OfType<LeaseRecord>().OrderBy(l => l.Asked).ThenBy(l => l.Id.Value, StringComparer.Ordinal)];

    private IReadOnlyList<LeaseRecord>? _leases;

    /// <summary>A window as people see it.</summary>
    public WindowView Show(Window window)
    {
        var nodes = Nodes.Values.Where(n => window.Covers(n.Node.Pool, n.Node.Id)).ToList();
        var models = Waiting.Models(nodes.SelectMany(n => n.Node.Devices));
        return new(
            window.Number, window.Note, $"{window}{(models.Length > 0 ? $" ({models})" : "")}",
            window.IsAt(Outlook.Now) ? [.. nodes.SelectMany(n => n.Jobs).Distinct().Order().Select(j => j.Value)] : [], window.Node, window.From, window.To);
    }
}
