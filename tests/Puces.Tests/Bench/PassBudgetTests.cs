using Puces.Core.Fleet;
using Puces.Core.Replay;
using Puces.Core.Scheduling;
using Xunit;

namespace Puces.Tests.Bench;

/// <summary>What a pass of the scheduler may allocate, in bytes: counted, so that a busy machine changes nothing.</summary>
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
