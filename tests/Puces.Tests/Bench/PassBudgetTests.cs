using Puces.Core.Fleet;
using Puces.Core.Replay;
using Puces.Core.Scheduling;
using Xunit;

namespace Puces.Tests.Bench;

/// <summary>What a pass of the scheduler may allocate, in bytes, and how many nodes and waiting groups it may look at: counted, so that a busy machine changes nothing.</summary>
public sealed class PassBudgetTests
{
    private const int Nodes = 200, Waiting = 2000;

    [Theory]
    [InlineData("fifo", 1000)]
    [InlineData("las", 20_000)]
    [InlineData("puces", 20_000)]
    public void A_release_and_the_pass_after_it_allocate_little_however_many_wait(string policy, long most)
    {
        var (scheduler, shapes, now) = (new Scheduler(Policies.Find(policy)!, GridOf()), new Shapes(), TimeSpan.Zero);
        // Ten projects with a hundred recipes: as many groups as kinds. Nobody may be stopped.
        var number = 0;
        for (; number < Nodes * 8 + Waiting; number++)
            scheduler.Add(new() { Number = number, Shape = shapes.Of(1000 << number % 4, "", 0, default, [8]), Project = $"p{number % 10}", Owner = "ann", Name = "train-" + (char)('a' + number % 25) }, now);
        for (var i = 0; i < 200; i++) Pass();
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 100; i++) Pass();
        Assert.InRange((GC.GetAllocatedBytesForCurrentThread() - before) / 100, 0, most);
        Assert.True(scheduler.WaitingCount > Waiting / 2);

        void Pass()
        {
            now += TimeSpan.FromSeconds(1);
            if (scheduler.Holding.Count > 0) scheduler.End(scheduler.Holding[(int)(now.Ticks % scheduler.Holding.Count)], TimeSpan.FromMinutes(10), now);
            scheduler.Decide(now);
        }
    }

    [Fact]
    public void A_release_and_the_pass_after_it_look_at_few_of_the_nodes_though_everybody_may_be_stopped()
    {
        var (scheduler, shapes, now) = (new Scheduler(new PucesPolicy(), GridOf()), new Shapes(), TimeSpan.Zero);
        for (var p = 0; p < 10; p += 3) scheduler.Set(new($"p{p}", Weight: 1 + p, Quota: new Dictionary<string, int> { ["H100"] = Nodes }));
        var (number, looks) = (0, 0L);
        for (var i = -500; i < 500; i++)
        {
            while (scheduler.WaitingCount < Waiting) Add();
            now += TimeSpan.FromSeconds(1);
            var before = scheduler.NodeLooks;
            var ending = scheduler.Holding.Count > 0 ? scheduler.Holding[number * 7 % scheduler.Holding.Count] : null;
            if (ending is not null) scheduler.End(ending, ending.Attained(now), now);
            foreach (var stop in scheduler.Decide(now).Stops.ToArray())
            {
                scheduler.Leave(stop.Victim, stop.Victim.Attained(now));
                scheduler.Add(stop.Victim, now);
            }
            if (i >= 0) looks += scheduler.NodeLooks - before;
        }
        // One walk over all nodes for one of the shapes would be as many.
        Assert.InRange(looks / 500, 1, Nodes);

        void Add() => scheduler.Add(new()
        {
            Number = number++,
            Shape = shapes.Of(1000 << number % 4, "", 0, default, [8]),
            Submitted = now,
            Project = $"p{number % 10}",
            Owner = $"o{number % 50}",
            Name = "train-" + (char)('a' + number % 25),
            CanYield = true,
        }, now);
    }

    [Fact]
    public void A_release_and_the_pass_after_it_look_at_few_of_those_who_wait_for_another_shape()
    {
        var (scheduler, shapes, now) = (new Scheduler(new PucesPolicy(), GridOf()), new Shapes(), TimeSpan.Zero);
        var (number, looks, passes) = (0, 0L, 0);
        // Of each owner one: as many groups as claims.
        for (; number < Nodes * 8 + Waiting; number++)
            scheduler.Add(new() { Number = number, Shape = shapes.Of(1000 << number % 4, "", 0, default, [8]), Project = $"p{number % 10}", Owner = $"o{number}", CanYield = true }, now);
        scheduler.Decide(now);
        Assert.InRange(scheduler.Groups, Waiting, int.MaxValue);
        while (passes++ < 200)
        {
            now += TimeSpan.FromSeconds(1);
            var before = scheduler.GroupLooks;
            scheduler.End(scheduler.Holding[number++ * 7 % scheduler.Holding.Count], TimeSpan.FromMinutes(10), now);
            scheduler.Decide(now);
            looks += scheduler.GroupLooks - before;
        }
        Assert.InRange(looks / passes, 1, Waiting / 8);
    }

    [Fact]
    public void A_replay_under_fifo_allocates_less_than_1_KB_for_each_job()
    {
        var jobs = TraceGenerator.Generate(5000, 1, Nodes * 8);
        Replays.Run("fifo", jobs, [new(Nodes, 8)], ReplayCosts.Default);
        var before = GC.GetAllocatedBytesForCurrentThread();
        Replays.Run("fifo", jobs, [new(Nodes, 8)], ReplayCosts.Default);
        Assert.InRange((GC.GetAllocatedBytesForCurrentThread() - before) / jobs.Count, 1, 1000);
    }

    private static Grid GridOf()
    {
        var grid = new Grid();
        Device[] devices = [.. Enumerable.Range(0, 8).Select(i => new Device(i, "H100", "nvidia", default))];
        for (var i = 0; i < Nodes; i++) grid.Set(new($"pool/n{i:D4}", "pool", devices, 0, default, IsVirtual: true, IsUp: true, default));
        return grid;
    }
}
