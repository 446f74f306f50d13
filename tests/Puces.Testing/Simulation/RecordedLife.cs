using Puces.Core.Contract;
using Puces.Core.Engine;
using Puces.Core.Fleet;
using Puces.Core.Jobs;

namespace Puces.Testing.Simulation;

/// <summary>
/// The engine under a load made of a seed, with nodes that do as they are told: gangs, alternatives, priorities, limits, failures that are
/// tried again, jobs that leave their devices to others. What is left is its history, as the server would tell it.
/// </summary>
public sealed class RecordedLife
{
    private static readonly byte[] Nothing = "{}"u8.ToArray();

    private readonly Luck _luck;
    private readonly World _world = new();
    private readonly SimulatedStore _store = new();
    private readonly PriorityQueue<Func<Command?>, (DateTimeOffset At, int Number)> _events = new();
    private readonly Dictionary<long, JobSpec> _specs = [];
    // Work that is left of each job, and when each live attempt began.
    private readonly Dictionary<JobId, TimeSpan> _left = [];
    private readonly Dictionary<AttemptId, DateTimeOffset> _began = [];
    private readonly HashSet<(AttemptId, int)> _over = [];
    private readonly List<Node> _machines = [];
    private DateTimeOffset _now = new DateTimeOffset(2026, 3, 1, 12, 3, 0, TimeSpan.Zero).AddTicks(1234567);
    private int _number;

    private RecordedLife(ulong seed) => _luck = new(seed);

    /// <summary>The jobs by their numbers.</summary>
    public IReadOnlyList<JobDetail> Jobs => [.. _store.Jobs.Values.Select(Detail)];

    /// <summary>What the server would tell of it.</summary>
    public HistoryPage Page => new(Jobs, [.. _machines.Select(n => new HistoryNode(
        n.Id, n.Pool, [.. n.Devices.Select(d => new HistoryDevice(d.Index, d.Model, d.Vendor, d.Memory.Bytes, d.Island))], n.MilliCpus / 1000.0, n.Memory.Bytes, n.Place))],
        _now, Windows: Windows);

    public IReadOnlyList<Window> Windows => [.. _store.Notes.Select(n => WindowNotes.Read(n.Key, n.Value)).OfType<Window>()];

    public DateTimeOffset Now => _now;

    public static RecordedLife Of(ulong seed)
    {
        var life = new RecordedLife(seed);
        life.Begin(seed);
        for (var rounds = 0; life._world.Jobs.Count > 0 || life._events.Count > 0; rounds++)
        {
            if (rounds > 100_000) throw new InvalidOperationException($"the life of seed {seed} does not end");
            life.Step();
        }
        return life;
    }

    private void Begin(ulong seed)
    {
        var names = Enumerable.Range(1, _luck.Between(2, 6)).ToList();
        while (names.Count > 0)
        {
            // Seen in any order.
            var at = _luck.Below(names.Count);
            _machines.Add(Cluster.NodeOf($"office/n{names[at]}", _luck.Of(0, 4, 8, 8), _luck.Of("H100", "H100", "A100"), 16, 64));
            if (seed % 4 == 1) _machines[^1] = Cluster.Joined(_machines[^1], seed % 8 == 1 ? 2 : 4, $"row{names[at] % 2}/rack{names[at] % 3}");
            names.RemoveAt(at);
        }
        Apply([.. _machines.Select(n => new Command.NodeSeen(n, []))]);
        var at1 = _now;
        for (var left = _luck.Between(10, 60); left > 0; left--)
        {
            if (_luck.Chance(75)) at1 += TimeSpan.FromMilliseconds(_luck.Below(_luck.Of(1000, 60_000, 1_200_000)) + 1);
            var spec = Spec();
            At(at1, () => Submit(spec));
        }
        if (seed % 3 == 0) Announce(new(seed));
    }

    /// <summary>Machines are closed for a while, and some of that is called off.</summary>
    private void Announce(Luck luck)
    {
        for (var number = luck.Between(1, 3); number > 0; number--)
        {
            var at = _now + TimeSpan.FromSeconds(luck.Below(7200) + 1);
            var from = at + TimeSpan.FromMinutes(luck.Below(luck.Of(1, 60, 400)));
            var window = new Window(0, "office", "", default, luck.Chance(25) ? null : _machines[luck.Below(_machines.Count)].Id, from, from + TimeSpan.FromMinutes(luck.Between(1, 300)));
            At(at, () => new Command.SetWindow(window));
            if (!luck.Chance(25)) continue;
            var (back, which) = (at + TimeSpan.FromMinutes(luck.Between(1, 200)), number);
            At(back, () => new Command.RemoveWindow(which));
        }
    }

    private Command.Submit Submit(JobSpec spec)
    {
        var number = _specs.Count + 1;
        _specs[number] = spec;
        _left[new(number)] = TimeSpan.FromMilliseconds(_luck.Below(_luck.Of(2000, 600_000, 10_000_000)) + 1);
        return new(new(spec.Name, spec.Project, "ada", spec.Priority, Request.Of(spec), Retry.Of(spec.Retries), spec.Expected, spec.Limit, spec.Checkpoint is not null), Nothing);
    }

    private JobSpec Spec()
    {
        while (true)
        {
            var gpus = _luck.Of(0, 1, 1, 2, 4, 8);
            var model = _luck.Of("H100", "H100", "A100", null);
            var share = gpus == 1 && _luck.Chance(40) ? _luck.Of(250, 333, 500, 700) : 0;
            var (nodes, cpus) = (share > 0 ? 1 : _luck.Of(1, 1, 1, 2, 3), _luck.Of(0, 0, 1, 4));
            if (_machines.Count(m => m.Devices.Count >= gpus && (gpus == 0 || model is null || m.Devices[0].Model == model)) < nodes) continue;
            return new(_luck.Of("train", "sweep-1", "sweep-2", "eval"), new("true"))
            {
                Project = _luck.Of("text", "vision"),
                Gpus = gpus == 0 ? [] : model is null ? [new(gpus, Vram: new(new(40_000_000_000), null), Share: share)] : _luck.Chance(20) ? [new(gpus, model), new(gpus, "A100")] : [new(gpus, model, Share: share)],
                Nodes = nodes,
                Cpus = cpus == 0 ? null : cpus,
                Memory = _luck.Chance(30) ? new(8_000_000_000) : null,
                Priority = _luck.Of(0, 0, 0, 100, -100),
                Limit = _luck.Chance(20) ? TimeSpan.FromHours(_luck.Between(3, 5)) : null,
                Checkpoint = _luck.Chance(50) ? new() : null,
                Retries = _luck.Chance(25) ? new(2, TimeSpan.FromSeconds(_luck.Between(1, 90))) : null,
            };
        }
    }

    private void At(DateTimeOffset at, Func<Command?> happens) => _events.Enqueue(happens, (at, ++_number));

    private void Step()
    {
        var tick = _world.NextTick;
        var next = _events.TryPeek(out _, out var first) && (tick is null || first.At < tick) ? first.At : tick ?? throw new InvalidOperationException("somebody waits for ever");
        _now = next > _now ? next : _now.AddTicks(1);
        var commands = new List<Command>();
        while (_events.TryPeek(out var happens, out first) && first.At <= _now)
        {
            _events.Dequeue();
            if (happens() is { } command) commands.Add(command);
        }
        Apply(commands);
    }

    private void Apply(IReadOnlyList<Command> commands)
    {
        var outcome = _world.Apply(commands, _now);
        _store.Commit(outcome.Changes, outcome.Events);
        foreach (var effect in outcome.Effects)
        {
            switch (effect)
            {
                case Effect.Start start: Run(start.Attempt, start.Allocation); break;
                case Effect.Stop stop: Stop(stop); break;
            }
        }
    }

    private void Run(AttemptId attempt, Allocation allocation)
    {
        var begins = _now;
        for (var rank = 0; rank < allocation.Shares.Count; rank++)
        {
            var (which, node, at) = (rank, allocation.Shares[rank].Node, _now + TimeSpan.FromMilliseconds(_luck.Between(1, 3000)));
            At(at, () => _over.Contains((attempt, which)) ? null : new Command.Started(attempt, which, node, at));
            if (at > begins) begins = at;
        }
        _began[attempt] = begins;
        var fails = _specs[attempt.Job.Value].Retries is not null && _luck.Chance(50);
        var work = fails ? _left[attempt.Job] / 2 : _left[attempt.Job];
        for (var rank = 0; rank < allocation.Shares.Count; rank++) End(attempt, rank, allocation.Shares[rank].Node, begins + work + TimeSpan.FromMilliseconds(rank), fails && rank == 0 ? 1 : 0, ExitCause.Exit);
    }

    private void End(AttemptId attempt, int rank, string node, DateTimeOffset at, int code, ExitCause cause) => At(at, () =>
        _over.Add((attempt, rank)) ? new Command.Exited(attempt, rank, node, new(code, cause, "run", _began[attempt], at, TimeSpan.FromSeconds(1), 1 << 20)) : null);

    private void Stop(Effect.Stop stop)
    {
        var saves = stop.Rank == 0 && _specs[stop.Attempt.Job.Value].Checkpoint is not null && _now > _began[stop.Attempt] && _luck.Chance(80);
        var done = _now - _began[stop.Attempt];
        if (saves)
        {
            _left[stop.Attempt.Job] -= done < _left[stop.Attempt.Job] ? done : TimeSpan.Zero;
            At(_now + TimeSpan.FromMilliseconds(1), () => new Command.Checkpointed(stop.Attempt, "step"));
        }
        End(stop.Attempt, stop.Rank, stop.Node, _now + TimeSpan.FromMilliseconds(_luck.Between(2, 20_000)), 143, ExitCause.Stopped);
    }

    private JobDetail Detail(SimulatedStore.StoredJob kept)
    {
        var job = kept.Job;
        var attempts = Enumerable.Range(1, job.Attempts).Select(n => _store.Attempts[new(job.Id, n)].Attempt);
        return new(
            new(job.Id.Value, job.Name, job.Project, job.Owner, job.State.Word, job.Priority, job.Request.ToString(), job.Submitted), _specs[job.Id.Value],
            [.. attempts.Select(a => new AttemptView(a.Id.Number, a.Nodes, a.Decided, a.Started, a.Ended, a.ExitCode, a.Reason, null, null, a.Checkpoint, a.Preempted, a.Saved, a.Saves))]);
    }
}
