using CsCheck;
using Puces.Core.Jobs;
using Puces.Core.Scheduling;
using Puces.Testing.Simulation;
using Xunit;

namespace Puces.Tests.Scheduling;

public sealed class LineTests
{
    private static readonly HashSet<Request> Nobody = [];

    private static Job JobOf(long id, int gpus, int priority = 0)
    {
        var asks = Cluster.Asking(gpus: gpus, priority: priority);
        return new(new(id), asks.Name, asks.Project, asks.Owner, priority, asks.Request, asks.Retry, default, new JobState.Queued(default));
    }

    private static readonly Gen<Job[]> Jobs =
        Gen.Select(Gen.Int[1, 4], Gen.Int[-1, 1]).Array[0, 30].Select(all => all.Select((a, i) => JobOf(i + 1, a.Item1, a.Item2)).ToArray());

    [Fact]
    public void All_who_wait_come_in_order_whoever_left_before() => Gen.Select(Jobs, Gen.Int[0, 30].Array[0, 20], Gen.Int[0, 1000]).Sample((jobs, leaving, seed) =>
    {
        var line = new Line();
        var luck = new Luck((ulong)seed);
        foreach (var job in jobs.OrderBy(_ => luck.Next())) line.Add(job);
        var rest = jobs.ToList();
        foreach (var at in leaving)
        {
            if (at >= jobs.Length) continue;
            line.Remove(jobs[at]);
            rest.Remove(jobs[at]);
        }
        return line.InOrder(Nobody).SequenceEqual(rest.OrderBy(Turn.Of));
    });

    [Fact]
    public void Who_asks_for_what_was_passed_is_left_out_from_then_on() => Gen.Select(Jobs, Gen.Int[1, 4]).Sample((jobs, gpus) =>
    {
        var line = new Line();
        foreach (var job in jobs) line.Add(job);
        var passed = new HashSet<Request>();
        var seen = new List<Job>();
        foreach (var job in line.InOrder(passed))
        {
            seen.Add(job);
            if (job.Request.Gpus[0].Count >= gpus) passed.Add(job.Request);
        }
        var firsts = jobs.OrderBy(Turn.Of).Where(j => j.Request.Gpus[0].Count >= gpus).DistinctBy(j => j.Request);
        return seen.SequenceEqual(jobs.Where(j => j.Request.Gpus[0].Count < gpus).Concat(firsts).OrderBy(Turn.Of));
    });

    [Fact]
    public void A_line_of_a_hundred_thousand_costs_a_look_for_each_request_that_cannot_start()
    {
        var line = new Line();
        for (var i = 1; i <= 100_000; i++) line.Add(JobOf(i, 1 + i % 3));
        var passed = new HashSet<Request>();
        var looks = 0;
        foreach (var job in line.InOrder(passed))
        {
            looks++;
            passed.Add(job.Request);
        }
        Assert.Equal(3, looks);
    }

    [Fact]
    public void Who_does_not_wait_is_removed_without_effect()
    {
        var line = new Line();
        line.Add(JobOf(1, 1));
        line.Remove(JobOf(2, 1));
        line.Remove(JobOf(3, 2));
        Assert.Equal(JobOf(1, 1).Id, Assert.Single(line.InOrder(Nobody)).Id);
    }
}
