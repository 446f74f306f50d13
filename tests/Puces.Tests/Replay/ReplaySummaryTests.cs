using Puces.Core.Replay;
using Xunit;

namespace Puces.Tests.Replay;

public sealed class ReplaySummaryTests
{
    private static TraceJob Job(string id, double submit, double duration, int gpus, string project = "") => new(id, TimeSpan.FromSeconds(submit), TimeSpan.FromSeconds(duration), gpus * 1000, Project: project);

    private static ReplaySummary Summary(string policy, IReadOnlyList<TraceJob> jobs, params NodeGroup[] nodes) => ReplaySummary.Of(Replays.Run(policy, jobs, nodes, new()), jobs, ReplayBaseline.Of(jobs, nodes));

    [Fact]
    public void Times_count_from_the_first_submission_and_a_stop_is_a_wait()
    {
        // The long one begins, is stopped for the short one, and ends after it.
        var summary = Summary(Replays.PreemptiveSrtf, [Job("long", 1000, 100, 2), Job("short", 1010, 20, 2)], new NodeGroup(1, 4) with { Devices = 2 });
        Assert.Equal((70, 20, 120), (summary.MeanJct.TotalSeconds, summary.P50Wait.TotalSeconds, summary.Makespan.TotalSeconds));
        Assert.Equal((10.0, 1.0, 1), (summary.MeanWait.TotalSeconds, summary.Utilisation, summary.Preemptions));
    }

    [Theory]
    [InlineData(0, 0), InlineData(1, 0), InlineData(2, 1), InlineData(10, 5), InlineData(11, 5)]
    public void The_median_is_the_value_at_half_the_count_rounded_down(int count, int index)
    {
        TimeSpan[] sorted = [.. Enumerable.Range(0, count).Select(i => TimeSpan.FromSeconds(i))];
        Assert.Equal(index, ReplaySummary.At(sorted, 500).TotalSeconds);
        Assert.Equal(Math.Max(0, Math.Min(count - 1, count * 999 / 1000)), ReplaySummary.At(sorted, 999).TotalSeconds);
    }

    [Fact]
    public void The_bound_is_met_where_nothing_has_to_wait_and_where_jobs_run_one_after_the_other()
    {
        NodeGroup[] four = [new(1, 4)];
        TraceJob[] apart = [Job("a", 0, 50, 4), Job("b", 100, 10, 1)];
        Assert.Equal(30, LowerBound.MeanJct(apart, 4).TotalSeconds);
        Assert.Equal(30, Summary("fifo", apart, four).MeanJct.TotalSeconds);
        TraceJob[] together = [Job("a", 0, 30, 4), Job("b", 0, 10, 4), Job("c", 0, 20, 4)];
        Assert.Equal((10 + 30 + 60) / 3.0, LowerBound.MeanJct(together, 4).TotalSeconds, 1e-6);
        Assert.Equal((10 + 30 + 60) / 3.0, Summary("sjf", together, four).MeanJct.TotalSeconds, 1e-6);
    }

    [Fact]
    public void No_policy_is_better_than_the_bound()
    {
        for (var seed = 1UL; seed <= 5; seed++)
        {
            var jobs = TraceGenerator.Generate(400, seed, 32);
            foreach (var policy in Replays.Names.Where(p => Replays.Mistake(p, jobs, [new(4, 8)]) is null))
                Assert.True(Summary(policy, jobs, new NodeGroup(4, 8)) is var s && s.MeanJct >= s.BoundMeanJct, $"{policy}, seed {seed}");
        }
    }

    [Fact]
    public void A_project_that_fares_worse_than_on_its_own_share_shows_in_the_worst_fairness()
    {
        // Alone on one of two nodes, a's job takes 10 s; behind b's it takes 110.
        TraceJob[] jobs = [Job("b1", 0, 100, 4, "b"), Job("b2", 0, 100, 4, "b"), Job("a", 0, 10, 4, "a")];
        var baseline = ReplayBaseline.Of(jobs, [new(2, 4)]);
        Assert.Equal([("a", 10.0), ("b", 150.0)], baseline.Projects.Select(p => (p.Project, p.MeanJct.TotalSeconds)));
        Assert.Equal(11, Summary("fifo", jobs, new NodeGroup(2, 4)).WorstProjectFtf);
        Assert.True(Summary("sjf", jobs, new NodeGroup(2, 4)).WorstProjectFtf < 1.01);
    }

    [Fact]
    public void A_share_is_at_least_as_large_as_the_projects_largest_gang()
    {
        // A third of four nodes is two of them; c's gang needs three.
        TraceJob[] jobs = [Job("a", 0, 10, 1, "a"), Job("b", 0, 10, 1, "b"), Job("c", 0, 10, 24, "c")];
        Assert.All(ReplayBaseline.Of(jobs, [new(4, 8)]).Projects, p => Assert.Equal(10, p.MeanJct.TotalSeconds));
    }

    [Fact]
    public void Jobs_that_nothing_can_hold_or_of_unknown_length_are_left_out_and_counted()
    {
        TraceJob[] jobs = [Job("a", 0, 10, 1), Job("b", 0, 10, 9), Job("c", 0, 10, 1) with { Duration = null }, Job("d", 0, 1, 1) with { Accelerator = "T4" }, Job("e", 0, 1, 1) with { Accelerator = "A100|H100" }];
        Assert.Equal(["a", "e"], Replays.Possible(jobs, [new(1, 8, "H100")], out var withoutDuration, out var tooLarge).Select(j => j.Id));
        Assert.Equal((1, 2), (withoutDuration, tooLarge));
    }
}
