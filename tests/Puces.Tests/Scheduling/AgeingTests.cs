using System.Globalization;
using Puces.Core.Replay;
using Puces.Core.Scheduling;
using Puces.Testing.Simulation;
using Xunit;

namespace Puces.Tests.Scheduling;

/// <summary>How long anyone can be passed.</summary>
public sealed class AgeingTests
{
    private static readonly NodeGroup[] Nodes = [new(4, 8)];

    // More than the nodes can do, of one project, with gangs of two and four nodes among them.
    private static readonly IReadOnlyList<TraceJob> Jobs = JobsOf(seed: 3);

    private static IReadOnlyList<TraceJob> JobsOf(int seed) => [.. TraceGenerator.Generate(2000, (ulong)seed, devices: 32, load: 105).Select(j => j with { Project = "lab" })];

    private static TimeSpan LongestWait(IReadOnlyList<TraceJob> jobs, IPolicy policy, params NodeGroup[] nodes)
    {
        var ends = Replayer.Run(jobs, nodes, policy, ReplayCosts.None).Ends;
        var waits = jobs.Select((j, i) => ends[i] - (j.Submitted - jobs[0].Submitted) - j.Duration!.Value).Order().ToArray();
        return waits[(int)(waits.Length * 0.999)];
    }

    [Fact]
    public void What_is_promised_is_what_strict_arrival_order_would_have_made_all_but_one_in_a_thousand_wait()
    {
        Assert.Contains(Jobs, j => j.MilliGpus > 8000);
        var policy = new PucesPolicy();
        LongestWait(Jobs, policy, Nodes);
        var inOrder = LongestWait(Jobs, new Fifo(), Nodes);
        Assert.InRange(policy.Ageing!.Longest / inOrder, 0.9, 1.3);
    }

    [Fact]
    public void Who_would_be_passed_for_too_long_goes_first()
    {
        // For two days and a half more small jobs come than one node can do; after an hour one comes that needs all of it for two hours.
        var jobs = Enumerable.Range(0, 600).Select(i => new TraceJob($"{i}", TimeSpan.FromMinutes(30 * (i / 5)), TimeSpan.FromMinutes(55), 1000, "", "lab") { Name = "small" })
            .Append(new("large", TimeSpan.FromHours(1), TimeSpan.FromHours(2), 8000, "", "lab") { Name = "large" }).OrderBy(j => j.Submitted).ToArray();
        TimeSpan Longest(IPolicy policy) => LongestWait(jobs, policy, new NodeGroup(1, 8));
        var (bounded, free, inOrder) = (Longest(new PucesPolicy()), Longest(new PucesPolicy(isBounded: false)), Longest(new Fifo()));
        Assert.InRange(bounded / inOrder, 0, 1.15);
        Assert.True(free / inOrder > 3, $"without a bound the longest wait is {free / inOrder:0.00} times as long as in order of arrival: these jobs show nothing");
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void All_but_one_in_a_thousand_wait_hardly_longer_than_in_order_of_arrival(int seed)
    {
        var jobs = JobsOf(seed);
        Assert.InRange(LongestWait(jobs, new PucesPolicy(), Nodes) / LongestWait(jobs, new Fifo(), Nodes), 0.01, 1.1);
    }

    [Fact]
    public void One_to_whom_nothing_is_promised_hides_nobody_who_came_with_it()
    {
        var (scheduler, shapes, now) = (new Scheduler(new PucesPolicy(), new Grid()), new Shapes(), TimeSpan.FromMinutes(1));
        scheduler.Grid.Set(Cluster.NodeOf("office/a", gpus: 8));
        Claim[] claims = [.. Enumerable.Range(1, 3).Select(i => new Claim { Number = i, Shape = shapes.Of(8000, "", 0, default, [8]), Name = "sweep" })];
        foreach (var claim in claims) scheduler.Add(claim, now);
        Assert.Same(claims[0], Assert.Single(scheduler.Decide(now).Starts));
        claims[1].IsExempt = true;
        scheduler.Regroup(claims[1], now);
        (claims[2].IsDue, claims[2].Due) = (true, now);
        scheduler.End(claims[0], now, 2 * now);
        Assert.Same(claims[2], Assert.Single(scheduler.Decide(2 * now).Starts));
    }

    [Fact]
    public void A_promise_outlives_a_restart()
    {
        var policy = new PucesPolicy();
        LongestWait(Jobs, policy, Nodes);
        var promised = policy.Ageing!.Longest;
        var next = new PucesPolicy();
        next.Load(policy.TakeKept()!);
        Assert.Null(policy.TakeKept());
        next.Look(new Scheduler(next, new Grid()), TimeSpan.FromDays(1));
        Assert.Equal(promised.TotalSeconds, next.Ageing!.Longest.TotalSeconds, 1.0);
        next.Look(new Scheduler(next, new Grid()), TimeSpan.FromDays(1) + promised);
        Assert.Equal(Ageing.Least, next.Ageing.Longest);
    }

    [Fact]
    public void What_is_promised_is_stored_and_read_again()
    {
        var cluster = new Cluster().Node(Cluster.NodeOf("office/a", gpus: 4));
        var first = cluster.Submit(gpus: 4);
        for (var i = 0; i < 3; i++) cluster.Submit(gpus: 4);
        cluster.Runs(first).After(TimeSpan.FromHours(5)).Exits(first);
        var promised = cluster.Store.Notes["policy/puces"];
        Assert.True(int.Parse(promised, CultureInfo.InvariantCulture) > 5 * 3600, promised);
        cluster.Restart().Node(Cluster.NodeOf("office/a", gpus: 4)).Submit(gpus: 4);
        Assert.Equal(promised, cluster.Store.Notes["policy/puces"]);
    }
}
