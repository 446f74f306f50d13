using Puces.Core.Engine;
using Puces.Core.Fleet;
using Puces.Core.Jobs;

namespace Puces.Testing.Simulation;

/// <summary>What a seed has: pools, machines, the jobs that will be submitted, and how rough the weather is.</summary>
public sealed class Scenario
{
    private static readonly string[] Models = ["H100", "H100", "H100", "A100", "MI300X"];

    private static readonly string[] Projects = ["lab", "lab/text", "lab/vision", "firm", "firm/ops"];

    public Scenario(Luck luck, DateTimeOffset now, bool hasWindows, bool isJoined, bool hasProjects)
    {
        (HasWindows, HasProjects) = (hasWindows, hasProjects);
        Pools = luck.Chance(70) ? [new("office", Nodes: 4, Gpus: "H100:4")] : [new("office", Nodes: 4, Gpus: "H100:4"), new("attic", Nodes: 4)];
        var count = luck.Of(1, 2, 2, 3, 3, 4);
        var usual = luck.Of(Models);
        for (var i = 0; i < count; i++)
        {
            var pool = Pools[luck.Below(Pools.Length)].Name;
            var model = luck.Chance(75) ? usual : luck.Of(Models);
            Machines.Add(Cluster.NodeOf($"{pool}/n{i + 1}", luck.Of(0, 2, 4, 4), model, luck.Of(4, 8), luck.Of(16, 64)) with { Since = now });
            if (isJoined) Machines[i] = Cluster.Joined(Machines[i], 2, $"rack{i % 2}");
        }
        List<NewJob> jobs = [];
        List<IdempotencyKey?> keys = [];
        for (var i = luck.Between(1, 7); i > 0; i--)
        {
            jobs.Add(NewJob(luck));
            keys.Add(Key(luck, i));
        }
        Weather = luck.Of(0, 3, 10, 25, 40);
        Steps = luck.Between(40, 240);
        // A luck of its own: the lives without parts of devices stay as they were.
        var parts = new Luck((ulong)(1000 * Steps + Weather));
        if (parts.Chance(40))
            for (var i = 0; i < jobs.Count; i++)
                if (jobs[i].Request.Gpus.Count > 0 && parts.Chance(60)) jobs[i] = Part(jobs[i], parts);
        for (var i = 0; i < jobs.Count && hasProjects; i++)
            jobs[i] = jobs[i] with { Project = parts.Of(Projects), Owner = parts.Of("ada", "eve"), CanYield = jobs[i].CanYield || parts.Chance(50) };
        // Another luck again, for terms.
        if (new Luck((ulong)(77 * Steps + Weather + count)).Chance(40)) Pools = [.. Pools.Select(p => p with { Term = TimeSpan.FromMinutes(4) })];
        for (var i = 0; i < jobs.Count; i++) Requests.Add(new(jobs[i], keys[i]));
    }

    public Pool[] Pools { get; }
    public List<Node> Machines { get; } = [];
    public List<Submission> Requests { get; } = [];

    /// <summary>Machines are closed for a time now and then, and some jobs can leave them.</summary>
    public bool HasWindows { get; }

    /// <summary>Jobs are of several projects, which get weights, quotas and limits now and then, and lose them.</summary>
    public bool HasProjects { get; }

    /// <summary>Of a hundred steps, how many are mishaps.</summary>
    public int Weather { get; }
    public int Steps { get; }

    /// <summary>Most jobs are such that a machine can carry them, some want more machines or another model than there are.</summary>
    private NewJob NewJob(Luck luck)
    {
        var machine = Machines[luck.Below(Machines.Count)];
        var model = machine.Devices.Count > 0 && luck.Chance(95) ? machine.Devices[0].Model : luck.Of(Models);
        var gpus = machine.Devices.Count == 0 || luck.Chance(30) ? 0 : luck.Between(1, machine.Devices.Count);
        var first = luck.Chance(20) ? new GpuRequest(gpus, Vram: new(new(40_000_000_000), null)) : new(gpus, model);
        var alike = Machines.Count(m => m.Devices.Count >= gpus && (gpus == 0 || m.Devices[0].Model == model));
        return new(
            "job", "default", "ada", luck.Of(0, 0, 0, -100, 100),
            new(gpus == 0 ? [] : luck.Chance(25) ? [first, new(luck.Between(1, 2), luck.Of(Models))] : [first],
                luck.Chance(50) ? 1 : luck.Between(1, Math.Max(1, luck.Chance(90) ? alike : 4)), luck.Of(0, 0, 1000, 2000), new(luck.Of(0, 0, 0, 4, 12) * 1_000_000_000L),
                luck.Chance(8) ? [luck.Of("office", "attic")] : []),
            luck.Chance(40) ? Retry.None : new(luck.Below(4), TimeSpan.FromSeconds(luck.Of(0, 1, 10)), [75]),
            Limit: HasWindows && luck.Chance(30) ? TimeSpan.FromMinutes(luck.Between(1, 20)) : null, CanYield: HasWindows && luck.Chance(50));
    }

    /// <summary>A project as it is from now on, or no longer.</summary>
    public static Command Arrange(Luck luck)
    {
        var name = luck.Of(Projects);
        if (luck.Chance(20)) return new Command.RemoveProject(name);
        var quota = luck.Chance(60) ? new Dictionary<string, int> { [luck.Of(Models)] = luck.Between(1, 4) } : null;
        return new Command.SetProject(new(name, luck.Between(1, 4), quota, luck.Chance(40) ? new(luck.Between(1, 6), luck.Chance(40) ? luck.Between(1, 4) : null) : null));
    }

    /// <summary>The same job for a part of one device, which is on one machine.</summary>
    private static NewJob Part(NewJob job, Luck luck)
    {
        var share = luck.Of(100, 250, 333, 500, 500, 700);
        return job with { Request = job.Request with { Nodes = 1, Gpus = [job.Request.Gpus[0] with { Count = 1, Share = share }, .. job.Request.Gpus.Skip(1)] } };
    }

    private static IdempotencyKey? Key(Luck luck, int number) => luck.Chance(80) ? new(new(0, (ulong)number), number) : null;
}

/// <summary>A client that submits one job, and again where it heard no answer.</summary>
public sealed class Submission(NewJob job, IdempotencyKey? key)
{
    private static readonly byte[] Spec = "{}"u8.ToArray();

    public JobId? Acknowledged { get; private set; }
    public int Sent { get; private set; }

    /// <summary>Without a key a client that heard nothing cannot ask again.</summary>
    public bool MaySend => Sent == 0 || key is not null;

    public void Send(SimulatedDaemon daemon)
    {
        Sent++;
        daemon.Tell(new Command.Submit(job, Spec, key), Hear);
    }

    /// <summary>The key with another body: must be refused once the first is known.</summary>
    public void SendOther(SimulatedDaemon daemon)
    {
        if (key is not { } k || Acknowledged is null) return;
        daemon.Tell(new Command.Submit(job with { Name = "other" }, Spec, k with { Body = -1 }),
            answer => _ = answer.Error is null ? throw new BrokenException(Invariant.JobKept, "a key was taken with another body") : true);
    }

    private void Hear(Answer answer)
    {
        if (answer is not { Error: null, Id: { } id }) throw new BrokenException(Invariant.JobKept, $"a submission was refused: {answer.Error}");
        if (Acknowledged is { } first && first != id && key is not null) throw new BrokenException(Invariant.JobKept, $"one key has given jobs {first} and {id}");
        Acknowledged = id;
    }
}
