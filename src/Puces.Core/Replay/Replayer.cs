using Puces.Core.Scheduling;

namespace Puces.Core.Replay;

/// <summary>What stopping and going on costs in a replay.</summary>
/// <param name="Restart">Time that a job holds its devices without working, each time that it goes on after a stop: to save, to move, to load.</param>
/// <param name="SavesEvery">How often a job saves what it has done, from when it was given its devices: what came after is lost with a stop. Zero: when it is stopped.</param>
public readonly record struct ReplayCosts(TimeSpan Restart, TimeSpan SavesEvery = default)
{
    public static readonly ReplayCosts Default = new(TimeSpan.FromSeconds(60));
    public static readonly ReplayCosts None = new(TimeSpan.Zero);
}

/// <summary>The scheduler under a virtual clock: at one instant jobs end first, then others arrive, then the line is looked at.</summary>
public sealed partial class Replayer
{
    private readonly IReadOnlyList<TraceJob> _jobs;
    private readonly ReplayCosts _costs;
    private readonly Scheduler _scheduler;
    private readonly Grid _grid;
    private readonly ReplayPool _pool;
    private readonly Course[] _runs;
    private readonly int _devices;
    private int _told;
    // What is taken from the trace's clock: all of it where only differences matter, nothing where the scheduler's ticks are moments of the day.
    private readonly TimeSpan _zero;
    private readonly TimeSpan _first;
    // What a stopped attempt would have come to stays here, and is passed over when its turn comes.
    private readonly PriorityQueue<(int Job, int Attempt, Turn Turn), (long At, int Job)> _ends = new();
    private readonly Curve _use = new();
    private TimeSpan _now;
    private TimeSpan _lost, _held;
    private int _preemptions;

    /// <summary>One job: its claim while it is in the system, and when it started and ended.</summary>
    private struct Course
    {
        public Claim? Claim;
        public TimeSpan Start, End, Loading;
        public int Attempt;
        /// <summary>Of a job whose attempts were recorded: how long it still holds devices until it leaves them by itself.</summary>
        public TimeSpan Left;
        /// <summary>The recorded attempt that it has come to.</summary>
        public int Recorded;
    }

    /// <summary>What comes when its time has come.</summary>
    private enum Turn { End, Leave, Return }

    private Replayer(IReadOnlyList<TraceJob> jobs, IReadOnlyList<NodeGroup> nodes, IPolicy policy, ReplayCosts costs)
    {
        _pool = new(nodes);
        _grid = _pool.Grid;
        _devices = _grid.Devices;
        (_jobs, _costs, _scheduler) = (jobs, costs, new(policy, _grid));
        _runs = new Course[jobs.Count];
        var first = jobs.Count > 0 ? jobs[0].Submitted : default;
        _zero = jobs.Count > 0 && jobs[0].Request is not null ? default : first;
        _first = first - _zero;
    }

    /// <summary>Replays the jobs, which must be in order of their submit times.</summary>
    /// <param name="progress">Told from time to time how many jobs have ended.</param>
    /// <exception cref="ReplayException">A job has no duration, or the pool could never carry it.</exception>
    public static Replayed Run(
        IReadOnlyList<TraceJob> jobs, IReadOnlyList<NodeGroup> nodes, IPolicy policy, ReplayCosts costs, Action<int>? progress = null) =>
        new Replayer(jobs, nodes, policy, costs).Run(progress);

    private Replayed Run(Action<int>? progress)
    {
        var (arrived, ended) = (0, 0);
        TimeSpan? look = null;
        Know(_first);
        while (ended < _jobs.Count)
        {
            var next = arrived < _jobs.Count ? _jobs[arrived].Submitted - _zero : TimeSpan.MaxValue;
            if (_ends.TryPeek(out _, out var end) && end.At < next.Ticks) next = new(end.At);
            if (look is { } at && at < next) next = at;
            if (_told < _pool.News.Count && _pool.News[_told].At < next) next = _pool.News[_told].At;
            if (next == TimeSpan.MaxValue) throw Stuck();
            _now = next;
            _scheduler.Advance(_now);
            while (_ends.TryPeek(out var ending, out end) && end.At == next.Ticks)
            {
                _ends.Dequeue();
                if (_runs[ending.Job].Attempt != ending.Attempt) continue;
                if (_jobs[ending.Job].Attempts is { } attempts) { if (!Turns(ending.Job, attempts, ending.Turn)) continue; }
                else End(ending.Job);
                if ((++ended & 0xFFF) == 0) progress?.Invoke(ended);
            }
            Know(_now);
            for (; arrived < _jobs.Count && _jobs[arrived].Submitted - _zero == next; arrived++) Arrive(arrived);
            look = Decide();
            _use.Add(_now - _first, _grid.Devices, _grid.Devices - _grid.FreeDevices, _scheduler.WantedDevices);
        }
        progress?.Invoke(ended);
        return new(
            _scheduler.Policy.Name, _devices, [.. _runs.Select(r => r.Start - _first)], [.. _runs.Select(r => r.End - _first)], _use.Points,
            _preemptions, _lost, _held, _use.IdleWhileWanted(_devices), default);
    }

    /// <summary>Windows that are known by then.</summary>
    private void Know(TimeSpan now)
    {
        for (; _told < _pool.News.Count && _pool.News[_told].At <= now; _told++) _grid.Close(_pool.News[_told].Window);
    }

    private void Arrive(int job)
    {
        var row = _jobs[job];
        var claim = _runs[job].Claim = new()
        {
            Number = job,
            Shape = _pool.ShapeOf(row),
            Submitted = _now,
            Project = row.Project,
            Owner = row.Owner,
            Name = row.Name,
            Duration = row.Duration,
            Priority = row.Priority,
            CanYield = row.CanYield,
            Limit = row.Limit,
            Expected = row.Expected,
            SavesEvery = _costs.SavesEvery,
            GoesByModel = row.Attempts is not null,
        };
        if (row.Duration is null) throw new ReplayException($"job {row.Id} has no duration: it cannot be replayed");
        if (!_pool.CouldCarry(claim.Shape))
            throw new ReplayException($"job {row.Id} asks for {row.Request?.ToString() ?? $"{row.MilliGpus / 1000.0:0.###} devices"}{(row.Accelerator.Length > 0 ? " of " + row.Accelerator : "")}, which the pool could never give: add nodes");
        _scheduler.Add(claim, _now);
    }

    private TimeSpan? Decide()
    {
        while (true)
        {
            var plan = _scheduler.Decide(_now);
            foreach (var claim in plan.Starts) Start(claim);
            var look = plan.Look;
            var isAnyGone = false;
            foreach (var stop in plan.Stops.ToArray()) isAnyGone |= Stop(stop.Victim);
            if (!isAnyGone) return look;
        }
    }

    private void Start(Claim claim)
    {
        ref var run = ref _runs[claim.Number];
        if (++run.Attempt == 1) run.Start = _now;
        run.Loading = run.Attempt == 1 ? TimeSpan.Zero : _costs.Restart;
        if (_jobs[(int)claim.Number].Attempts is { } attempts)
        {
            Start(claim, attempts);
            return;
        }
        _lost += run.Loading * DevicesOf(claim);
        _ends.Enqueue(((int)claim.Number, run.Attempt, Turn.End), ((_now + run.Loading + claim.Duration!.Value - claim.Worked).Ticks, (int)claim.Number));
    }

    /// <summary>Whether it has left its devices at once.</summary>
    private bool Stop(Claim claim)
    {
        if (_jobs[(int)claim.Number].Attempts is { } attempts) return Stop(claim, attempts);
        ref var run = ref _runs[claim.Number];
        run.Attempt++;
        _preemptions++;
        _held += (_now - claim.Since) * DevicesOf(claim);
        var worked = _now - claim.Since - run.Loading;
        var saved = claim.SavedBy(_now) - claim.Since - run.Loading;
        if (saved < TimeSpan.Zero) saved = TimeSpan.Zero;
        // What was not saved is lost; and of the cost of loading, what was not paid before it was stopped is not.
        _lost += (worked - (worked < TimeSpan.Zero ? TimeSpan.Zero : saved)) * DevicesOf(claim);
        _scheduler.Leave(claim, claim.Worked + saved);
        _scheduler.Add(claim, _now);
        return true;
    }

    private void End(int job)
    {
        ref var run = ref _runs[job];
        run.End = _now;
        _held += (_now - run.Claim!.Since) * DevicesOf(run.Claim);
        _scheduler.End(run.Claim, run.Claim.Duration!.Value, _now);
        run.Claim = null;
    }

    // Not the shape's, which lets a job without any weigh as one with.
    private static int DevicesOf(Claim claim) => claim.Shape.Ways[0].Total;

    private ReplayException Stuck() => new($"{_scheduler.WaitingCount} jobs wait for ever under {_scheduler.Policy.Name}");
}

/// <summary>A trace that cannot be replayed on a pool, with what to do.</summary>
public sealed class ReplayException(string message) : Exception(message);
