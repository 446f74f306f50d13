using Puces.Core.Fleet;
using Puces.Core.Jobs;
using Puces.Core.Scheduling;

namespace Puces.Core.Engine;

// What is likely to come: a world is made as after a restart, and its scheduler runs on under a clock of its own.
public sealed partial class World
{
    // Of those that are not seen to start, so many of the first may still have something kept for them.
    private const int MostWaitedFor = 8 * Scheduler.MostReservations;

    /// <summary>The line of a world as it is stored and seen, and when those in it are likely to start.</summary>
    public static Forecast Foresee(
        IEnumerable<Job> jobs, IEnumerable<AttemptRecord> attempts, IReadOnlyCollection<Pool> pools, IEnumerable<NodeUse> nodes,
        IReadOnlyCollection<KeyValuePair<string, string>> notes, DateTimeOffset now, ForecastBounds bounds)
    {
        var (live, records, places) = (jobs.ToList(), attempts.ToList(), nodes.Select(n => n.Node).ToList());
        var world = Made(live);
        var line = world.LineOf(now);
        var stays = world._grid.Windows.Count == 0 ? null : line.ToDictionary(j => j, j => world.StayOf(j, now));
        if (line.Count == 0) return new(now, line, new Dictionary<JobId, Estimate>());
        var median = new Rehearsal(world, 0.5, now, bounds);
        median.Run();
        // The two ends need only those that matter: who starts, and the first of those that do not.
        var kept = line.Where(j => !median.Starts.ContainsKey(j)).Take(MostWaitedFor).Concat(median.Starts.Keys).ToHashSet();
        live.RemoveAll(j => j.State is JobState.Queued && !kept.Contains(j.Id));
        var (early, late) = (new Rehearsal(Made(live), 0.25, now, bounds), new Rehearsal(Made(live), 0.75, now, bounds));
        early.Run();
        late.Run();
        var estimates = new Dictionary<JobId, Estimate>(line.Count);
        foreach (var job in line)
        {
            if (median.Starts.TryGetValue(job, out var expected))
            {
                var from = early.Starts.TryGetValue(job, out var first) && first < expected ? first : expected;
                DateTimeOffset? to = late.Starts.TryGetValue(job, out var last) ? last > expected ? last : expected : null;
                estimates[job] = new(from, to, expected);
            }
            else if (median.End is { } end && world.CouldStart(job)) estimates[job] = new(end);
        }
        return new(now, line, estimates, stays);

        World Made(List<Job> which)
        {
            var made = new World(which, records, pools, [], 0, 0, notes, now);
            foreach (var node in places) made._grid.Set(node);
            return made;
        }
    }

    private List<JobId> LineOf(DateTimeOffset now)
    {
        // A pass begins so.
        _scheduler.Advance(Clock(now));
        if (_scheduler.TickBefore(Clock(now)) is { } tick) _scheduler.Look(tick);
        return [.. Line(now), .. _held.Select(h => h.Job)];
    }

    private readonly Dictionary<Shape, bool> _possible = [];

    private bool CouldStart(JobId job)
    {
        var shape = ClaimOf(_jobs[job]).Shape;
        if (!_possible.TryGetValue(shape, out var could)) _possible[shape] = could = _grid.CouldEver(shape);
        return could;
    }

    /// <summary>The world's scheduler under a virtual clock, as long as it may be; the world is of no use afterwards.</summary>
    /// <param name="likelihood">All run as long as this share of their kind does at most.</param>
    private sealed class Rehearsal(World world, double likelihood, DateTimeOffset now, ForecastBounds bounds)
    {
        // Saving and leaving takes a moment.
        private static readonly TimeSpan Leaving = TimeSpan.FromSeconds(10);

        private readonly Scheduler _scheduler = world._scheduler;
        private readonly PriorityQueue<Claim, (long At, long Number)> _ends = new();
        // When each that holds ends; of one that was stopped an older end is still in the queue.
        private readonly Dictionary<long, long> _endOf = [];
        // Who was being stopped already, and has left since.
        private readonly HashSet<long> _back = [];
        private TimeSpan _clock = Clock(now);

        public Dictionary<JobId, DateTimeOffset> Starts { get; } = [];

        /// <summary>Where it broke off, with some still waiting; null where it came to the end.</summary>
        public DateTimeOffset? End { get; private set; }

        public void Run()
        {
            foreach (var holding in _scheduler.Holding.OrderBy(c => c.Number))
                Begin(holding, StateOf(holding) is JobState.Stopping ? Leaving : History.Remaining(holding, _clock, likelihood));
            var left = world._jobs.Values.Count(j => j.State is JobState.Queued && world.CouldStart(j.Id));
            var looks = 0;
            while (true)
            {
                var look = Decide();
                if (Starts.Count == left) return;
                looks += _scheduler.Groups + world._grid.Count + 1;
                if (Starts.Count >= bounds.Starts || looks > bounds.Looks || _clock - Clock(now) > bounds.Horizon)
                {
                    End = Time(_clock);
                    return;
                }
                if (!Advance(look)) return;
            }
        }

        /// <summary>On to the next moment at which something is different; false where nothing ever will be.</summary>
        private bool Advance(TimeSpan? look)
        {
            var next = look ?? TimeSpan.MaxValue;
            if (_ends.TryPeek(out _, out var first) && first.At < next.Ticks) next = new(first.At);
            if (world._held.Count > 0 && Clock(world._held.Min.Until) is var until && until < next) next = until;
            if (next == TimeSpan.MaxValue) return false;
            // What is a day away need not be known to the second: moments within a hundredth of the way are one.
            var step = (_clock - Clock(now)) / 100;
            _clock = next > _clock + step ? next : _clock + step;
            while (_ends.TryPeek(out var ending, out var end) && end.At <= _clock.Ticks)
            {
                _ends.Dequeue();
                if (_endOf.GetValueOrDefault(ending.Number) == end.At) Leave(ending);
            }
            while (world._held.Count > 0 && Clock(world._held.Min.Until) <= _clock)
            {
                var job = world._jobs[world._held.Min.Job];
                world._held.Remove(world._held.Min);
                _scheduler.Add(world.ClaimOf(job), _clock);
            }
            return true;
        }

        private TimeSpan? Decide()
        {
            while (true)
            {
                var plan = _scheduler.Decide(_clock);
                foreach (var claim in plan.Starts)
                {
                    if (StateOf(claim) is JobState.Queued) Starts.TryAdd(new(claim.Number), Time(_clock));
                    Begin(claim, History.Remaining(claim, _clock, likelihood));
                }
                if (plan.Stops.Count == 0) return plan.Look;
                foreach (var stop in plan.Stops.ToArray())
                {
                    _endOf.Remove(stop.Victim.Number);
                    _scheduler.Leave(stop.Victim, stop.Victim.Attained(_clock));
                    _scheduler.Add(stop.Victim, _clock);
                }
            }
        }

        private void Begin(Claim claim, TimeSpan length)
        {
            var end = (_clock + length).Ticks;
            _endOf[claim.Number] = end;
            _ends.Enqueue(claim, (end, claim.Number));
        }

        // What is only supposed teaches nothing: the claim leaves, and is not said to have ended.
        private void Leave(Claim claim)
        {
            _endOf.Remove(claim.Number);
            var comesBack = StateOf(claim) is JobState.Stopping { Reason: not StopReason.Cancelled } && _back.Add(claim.Number);
            _scheduler.Leave(claim, comesBack ? claim.Attained(_clock) : claim.Worked);
            if (comesBack) _scheduler.Add(claim, _clock);
        }

        private JobState StateOf(Claim claim) => world._jobs[new(claim.Number)].State;
    }
}
