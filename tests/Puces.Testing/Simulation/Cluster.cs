using Puces.Core.Contract;
using Puces.Core.Engine;
using Puces.Core.Fleet;
using Puces.Core.Jobs;
using Puces.Core.Scheduling;

namespace Puces.Testing.Simulation;

/// <summary>A world with its store, a clock that the test moves, and nodes that say what the test lets them say.</summary>
public sealed class Cluster
{
    private static readonly byte[] Spec = "{}"u8.ToArray();
    private readonly List<Effect> _effects = [];

    public Cluster()
    {
        World = new();
        Last = World.Apply([], Now);
    }

    public World World { get; private set; }
    public SimulatedStore Store { get; } = new();
    public DateTimeOffset Now { get; private set; } = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);

    /// <summary>Of the last call.</summary>
    public Outcome Last { get; private set; }

    /// <summary>All effects since this was read last.</summary>
    public IReadOnlyList<Effect> TakeEffects()
    {
        Effect[] taken = [.. _effects];
        _effects.Clear();
        return taken;
    }

    public IReadOnlyList<Answer> Apply(params IReadOnlyList<Command> commands)
    {
        Last = World.Apply(commands, Now);
        Store.Commit(Last.Changes, Last.Events);
        _effects.AddRange(Last.Effects);
        return Last.Answers;
    }

    public static Node NodeOf(string id, int gpus = 0, string model = "H100", int cpus = 16, int gigabytes = 64, bool isUp = true, string? problem = null) => new(
        id, id.Split('/')[0], [.. Enumerable.Range(0, gpus).Select(i => DeviceOf(i, model))], cpus * 1000, new(gigabytes * 1_000_000_000L), true, isUp,
        DateTimeOffset.UnixEpoch, problem);

    /// <summary>The same node with fast links between so many devices at a time, standing somewhere.</summary>
    public static Node Joined(Node node, int islands, string? place = null) =>
        node with { Devices = [.. node.Devices.Select(d => d with { Island = d.Index / islands })], Place = place };

    private static Device DeviceOf(int index, string model) =>
        new(index, model, Accelerators.Find(model)?.Vendor ?? "nvidia", Accelerators.Find(model)?.Memory ?? default);

    /// <summary>The node says hello, with these ranks.</summary>
    public Cluster Node(Node node, params RankReport[] ranks)
    {
        Apply(new Command.NodeSeen(node, ranks));
        return this;
    }

    public Cluster Node(string id, int gpus = 0, string model = "H100", int cpus = 16, int gigabytes = 64) =>
        Node(NodeOf(id, gpus, model, cpus, gigabytes));

    /// <summary>The node says hello once more, as it was, with these ranks.</summary>
    public Cluster Back(string id, params RankReport[] ranks) => Node(World.Nodes[id].Node with { IsUp = true, Problem = null }, ranks);

    public Cluster Down(string id)
    {
        Apply(new Command.NodeSeen(World.Nodes[id].Node with { IsUp = false, Problem = "no route" }));
        return this;
    }

    public static NewJob Asking(
        string name = "job", int gpus = 0, string? model = "H100", int nodes = 1, double cpus = 0, int gigabytes = 0, int priority = 0,
        Retry? retry = null, IReadOnlyList<string>? where = null, int share = 0) => new(
        name, "default", "ada", priority,
        new(gpus > 0 ? [new(gpus, model, Share: share)] : [], nodes, (int)(cpus * 1000), new(gigabytes * 1_000_000_000L), where ?? []), retry ?? Retry.None);

    /// <summary>The line as it is now, and what is likely to come of it.</summary>
    public Forecast Foresee(ForecastBounds? bounds = null) => World.Foresee(
        World.Jobs, World.Jobs.Where(j => Store.Attempts.ContainsKey(j.Attempt)).Select(j => Store.Attempts[j.Attempt].Attempt), World.Pools,
        World.Nodes.Values, Store.Notes, Now, bounds ?? ForecastBounds.Default);

    /// <summary>A job that starts at once, runs so long, and ends well.</summary>
    public JobId Ran(NewJob job, TimeSpan length)
    {
        var id = Submit(job).Id!.Value;
        Runs(id).After(length).Exits(id);
        return id;
    }

    public Answer Submit(NewJob job, IdempotencyKey? key = null) => Apply(new Command.Submit(job, Spec, key))[0];

    public JobId Submit(
        string name = "job", int gpus = 0, string? model = "H100", int nodes = 1, double cpus = 0, int gigabytes = 0, int priority = 0,
        Retry? retry = null, IReadOnlyList<string>? where = null) =>
        Submit(Asking(name, gpus, model, nodes, cpus, gigabytes, priority, retry, where)).Id!.Value;

    /// <summary>The job as stored, live or ended.</summary>
    public Job this[JobId id] => Store.Jobs[id].Job;

    public AttemptRecord Attempt(JobId id) => Store.Attempts[this[id].Attempt].Attempt;

    private string NodeAt(JobId id, int rank) => Attempt(id).Nodes[rank];

    public Answer Cancel(JobId id) => Apply(new Command.Cancel(id, "ada"))[0];

    /// <summary>Ranks of the job's current attempt begin.</summary>
    public Cluster Runs(JobId id, params int[] ranks)
    {
        foreach (var rank in ranks is [] ? [0] : ranks) Apply(new Command.Started(this[id].Attempt, rank, NodeAt(id, rank), Now));
        return this;
    }

    public Verdict Verdict(int code = 0, ExitCause cause = ExitCause.Exit, string? detail = null) =>
        new(code, cause, "run", Now, Now, TimeSpan.FromSeconds(2), 1 << 20, detail);

    public Cluster Exits(JobId id, int code = 0, int rank = 0, ExitCause cause = ExitCause.Exit) => Exits(id, rank, Verdict(code, cause));

    public Cluster Exits(JobId id, int rank, Verdict verdict)
    {
        Apply(new Command.Exited(this[id].Attempt, rank, NodeAt(id, rank), verdict));
        return this;
    }

    public Cluster Refuses(JobId id, int rank = 0)
    {
        Apply(new Command.Refused(this[id].Attempt, rank, NodeAt(id, rank), "the disk is full"));
        return this;
    }

    public RankReport Report(JobId id, RankPhase phase, int rank = 0, Verdict? verdict = null) =>
        new(RankTag.Of(this[id].Attempt, rank), phase, 0, phase is RankPhase.Starting or RankPhase.Refused ? null : Now, verdict);

    /// <summary>Time passes, and the world is not told.</summary>
    public Cluster Pass(TimeSpan time)
    {
        Now += time;
        return this;
    }

    public Cluster After(TimeSpan time)
    {
        Now += time;
        Apply(new Command.Tick());
        return this;
    }

    /// <summary>A node, or all of a pool, is closed from so long from now, null for since ever, until then.</summary>
    public Window Close(string target, TimeSpan? from, TimeSpan? to, string note = "")
    {
        var pool = target.Split('/')[0];
        return Apply(new Command.SetWindow(new(0, pool, note, default, pool == target ? null : target, Now + from, Now + to)))[0].Window!;
    }

    /// <summary>The daemon ends, and begins again from what is stored. It has seen no node yet.</summary>
    public Cluster Restart()
    {
        _effects.Clear();
        World = Store.Load(Now);
        _effects.AddRange(World.Resume());
        return this;
    }

    /// <summary>Why a job waits, as people are told.</summary>
    public string Reason(JobId id) => Waiting.Reason(this[id].Request, [.. World.Nodes.Values]);
}
