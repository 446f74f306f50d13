using Puces.Core.Engine;
using Puces.Core.Fleet;
using Puces.Core.Jobs;
using Puces.Core.Scheduling;
using Puces.Core.Units;
using Xunit;

namespace Puces.Tests.Scheduling;

public sealed class PassTests
{
    [Fact]
    public void A_pass_looks_at_one_job_of_a_long_line_whose_jobs_all_ask_for_the_same()
    {
        var line = new Line();
        for (var i = 1; i <= 10_000; i++) line.Add(JobOf(i, 0, "H100", 8));
        var passed = new HashSet<Request>();
        var looks = 0;
        foreach (var job in line.InOrder(passed))
        {
            looks++;
            passed.Add(job.Request);
        }
        Assert.Equal(1, looks);
    }

    /// <summary>The rule itself, job by job: what the line by shapes must come to.</summary>
    [Fact]
    public void A_line_kept_by_shapes_starts_the_jobs_that_a_walk_along_it_starts()
    {
        var random = new Random(20261123);
        for (var round = 0; round < 300; round++)
        {
            Job[] jobs = [.. Enumerable.Range(1, random.Next(1, 40)).Select(i =>
                JobOf(i, random.Next(3), random.Next(2) == 0 ? "H100" : "A100", 1 << random.Next(4), random.Next(4) == 0 ? 2 : 1))];
            (string, string, int)[] sizes = [("a", "H100", random.Next(9)), ("b", "H100", random.Next(9)), ("c", "A100", random.Next(9)), ("d", "A100", random.Next(9))];
            var (seen, walked) = (Nodes(sizes), Nodes(sizes));
            var starts = StrictOrder.Decide(LineOf(jobs), seen.Uses, s => seen.Hold(s.Job.Id, s.Allocation));
            Assert.Equal(Walk(jobs, walked), starts.Select(s => $"{s.Job.Id} {s.Allocation}"));
        }
    }

    [Fact]
    public void A_job_that_left_the_line_is_passed_over_and_may_come_back()
    {
        var first = JobOf(1, 0, "H100", 4);
        var line = LineOf(first, JobOf(2, 0, "H100", 4));
        line.Remove(first);
        line.Remove(first);
        Assert.Equal([2], Starts());
        line.Add(first);
        Assert.Equal([1], Starts());

        IEnumerable<long> Starts()
        {
            var nodes = Nodes(("a", "H100", 4));
            return StrictOrder.Decide(line, nodes.Uses, s => nodes.Hold(s.Job.Id, s.Allocation)).Select(s => s.Job.Id.Value);
        }
    }

    private static List<string> Walk(IEnumerable<Job> jobs, Holdings nodes)
    {
        var starts = new List<string>();
        var open = nodes.Uses.Keys.Where(id => nodes.Uses[id].FreeMilliCpus > 0).ToList();
        foreach (var job in jobs.OrderBy(Turn.Of))
        {
            if (Placement.Find(job.Request, [.. open.Select(id => nodes.Uses[id])]) is { } allocation)
            {
                starts.Add($"{job.Id} {allocation}");
                nodes.Hold(job.Id, allocation);
                open.RemoveAll(id => nodes.Uses[id].FreeMilliCpus == 0);
            }
            else if (nodes.Uses.Values.Count(use => Placement.CouldFit(job.Request, use.Node)) >= job.Request.Nodes)
            {
                open.RemoveAll(id => Placement.CouldFit(job.Request, nodes.Uses[id].Node));
            }
        }
        return starts;
    }

    private static Job JobOf(long id, int priority, string model, int gpus, int nodes = 1) => new(
        new(id), "job", "default", "ann", priority, new([new(gpus, model)], nodes, 0, default, []), Retry.None,
        DateTimeOffset.UnixEpoch, new JobState.Queued(DateTimeOffset.UnixEpoch));

    private static Holdings Nodes(params (string Name, string Model, int Devices)[] nodes)
    {
        var holdings = new Holdings();
        foreach (var (name, model, devices) in nodes)
            holdings.Set(new(
                "local/" + name, "local", [.. Enumerable.Range(0, devices).Select(i => new Device(i, model, "nvidia", new Memory(80L << 30)))],
                16_000, new(64L << 30), IsVirtual: true, IsUp: true, DateTimeOffset.UnixEpoch));
        return holdings;
    }

    private static Line LineOf(params IEnumerable<Job> jobs)
    {
        var line = new Line();
        foreach (var job in jobs) line.Add(job);
        return line;
    }
}
