using CsCheck;
using Puces.Core.Engine;
using Puces.Core.Jobs;
using Puces.Core.Scheduling;
using Puces.Testing.Simulation;
using Xunit;

namespace Puces.Tests.Engine;

/// <summary>When those who wait are likely to start, in small worlds.</summary>
public sealed class ForecastTests
{
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1), Hour = TimeSpan.FromHours(1);

    /// <summary>One node with one device, on which jobs called train have run for these times.</summary>
    private static Cluster Seen(params double[] hours)
    {
        var cluster = new Cluster().Node("p/a", 1);
        foreach (var length in hours) cluster.Ran(Cluster.Asking("train", 1), length * Hour);
        return cluster;
    }

    /// <summary>What one more that waits is told.</summary>
    private static Estimate? Of(Cluster cluster, string name)
    {
        var job = cluster.Submit(name, 1);
        return cluster.Foresee().EstimateOf(job);
    }

    private static void About(TimeSpan expected, DateTimeOffset? at, Cluster cluster) =>
        Assert.InRange(at!.Value - cluster.Now, expected * 0.85, expected * 1.15);

    [Fact]
    public void One_that_waits_for_another_starts_when_such_as_that_one_have_ended()
    {
        var cluster = Seen([.. Enumerable.Repeat(1.0, 20)]);
        cluster.Submit("train", 1);
        cluster.After(15 * Minute);
        var waiting = cluster.Submit("other", 1);
        About(45 * Minute, cluster.Foresee().EstimateOf(waiting)!.Expected, cluster);
    }

    [Fact]
    public void The_interval_is_from_a_quarter_to_three_quarters_of_what_was_seen()
    {
        var cluster = Seen([.. Enumerable.Range(1, 40).Select(i => i / 10.0)]);
        cluster.Submit("train", 1);
        var estimate = Of(cluster, "other")!;
        About(1 * Hour, estimate.From, cluster);
        About(2 * Hour, estimate.Expected, cluster);
        About(3 * Hour, estimate.To, cluster);
    }

    [Fact]
    public void One_that_has_run_longer_than_most_is_expected_to_run_as_the_longest_did()
    {
        var cluster = Seen([.. Enumerable.Repeat(0.2, 30), .. Enumerable.Repeat(5.0, 20)]);
        cluster.Submit("train", 1);
        cluster.After(1 * Hour);
        About(4 * Hour, Of(cluster, "other")!.Expected, cluster);
    }

    [Fact]
    public void Those_further_back_start_later()
    {
        var cluster = Seen([.. Enumerable.Repeat(1.0, 20)]);
        for (var i = 0; i < 4; i++) cluster.Submit("train", 1);
        var forecast = cluster.Foresee();
        Assert.Equal(3, forecast.Line.Count);
        for (var i = 0; i < 3; i++) About((i + 1) * Hour, forecast.EstimateOf(forecast.Line[i])!.Expected, cluster);
    }

    [Fact]
    public void What_the_owner_expects_is_believed_while_nothing_else_is_known()
    {
        var cluster = new Cluster().Node("p/a", 1);
        cluster.Submit(Cluster.Asking("new", 1) with { Expected = 8 * Hour });
        var estimate = Of(cluster, "other")!;
        Assert.Equal((6.0, 8.0, 10.0), ((estimate.From - cluster.Now).TotalHours, (estimate.Expected!.Value - cluster.Now).TotalHours, (estimate.To!.Value - cluster.Now).TotalHours));
    }

    [Fact]
    public void A_limit_ends_a_job_that_would_run_longer()
    {
        var cluster = Seen([.. Enumerable.Repeat(5.0, 20)]);
        cluster.Submit(Cluster.Asking("train", 1) with { Limit = 2 * Hour });
        About(2 * Hour, Of(cluster, "other")!.To, cluster);
    }

    [Fact]
    public void One_that_no_node_could_carry_has_a_place_and_no_estimate()
    {
        var cluster = new Cluster().Node("p/a", 1);
        var waiting = cluster.Submit("big", 8);
        var forecast = cluster.Foresee();
        Assert.Equal(1, forecast.PositionOf(waiting));
        Assert.Null(forecast.EstimateOf(waiting));
    }

    [Fact]
    public void One_for_which_only_a_node_would_do_that_cannot_be_reached_has_no_estimate()
    {
        var cluster = new Cluster().Node("p/a", 1).Down("p/a");
        Assert.Null(Of(cluster, "train"));
    }

    [Fact]
    public void Beyond_what_is_looked_at_it_says_that_it_is_later()
    {
        var cluster = Seen([.. Enumerable.Repeat(1.0, 20)]);
        for (var i = 0; i < 6; i++) cluster.Submit("train", 1);
        var forecast = cluster.Foresee(ForecastBounds.Default with { Starts = 2 });
        Assert.All(forecast.Line.Take(2), job => Assert.NotNull(forecast.EstimateOf(job)!.Expected));
        var last = forecast.EstimateOf(forecast.Line[4])!;
        Assert.Equal((null, null), (last.To, last.Expected));
        About(2 * Hour, last.From, cluster);
    }

    [Fact]
    public void One_that_is_held_back_stands_last_and_does_not_start_before_its_time()
    {
        var cluster = new Cluster().Node("p/a", 1);
        var again = cluster.Submit("flaky", 1, retry: new(3, 10 * Minute, []));
        cluster.Runs(again).Exits(again, 1);
        var running = cluster.Submit(Cluster.Asking("short", 1) with { Expected = Minute }).Id;
        var other = cluster.Submit("other", 1);
        var forecast = cluster.Foresee();
        Assert.Equal([other, again], forecast.Line);
        Assert.True(forecast.EstimateOf(again)!.From >= cluster.Now + 10 * Minute, $"{running} {forecast.EstimateOf(again)}");
    }

    [Fact]
    public void One_that_another_leaves_its_devices_to_starts_in_a_moment()
    {
        var cluster = Seen([.. Enumerable.Repeat(0.1, 20)]);
        cluster.Submit(Cluster.Asking("long", 1) with { CanYield = true, Expected = 90 * Hour });
        cluster.After(6 * Hour);
        var brief = cluster.Submit("train", 1);
        cluster.After(10 * Minute);
        Assert.Contains(cluster.World.Jobs, j => j.State is JobState.Stopping { Reason: StopReason.Preempted } s && s.For == brief);
        Assert.InRange(cluster.Foresee().EstimateOf(brief)!.Expected!.Value - cluster.Now, TimeSpan.Zero, Minute);
    }

    [Fact]
    public void One_that_has_come_since_stands_at_the_end_and_who_has_left_is_left_out()
    {
        var cluster = new Cluster();
        var jobs = Enumerable.Range(0, 4).Select(_ => cluster.Submit("job", 1)).ToList();
        var later = cluster.Foresee().With(j => j != jobs[1], [jobs[0], jobs[2], jobs[3], new(9)]);
        Assert.Equal([jobs[0], jobs[2], jobs[3], new(9)], later.Line);
        Assert.Equal([1, 0, 2, 3, 4], new[] { jobs[0], jobs[1], jobs[2], jobs[3], new(9) }.Select(later.PositionOf));
    }

    private static readonly Gen<NewJob> AnyJob = Gen.Select(Gen.Int[0, 4], Gen.Int[1, 2], Gen.Int[0, 2], Gen.Int[-1, 1], Gen.Int[0, 3], Gen.Bool, Gen.Int[0, 3],
        (gpus, nodes, model, priority, name, canYield, limit) => Cluster.Asking(
            $"{(char)('a' + name)}", gpus, model switch { 0 => "A100", 1 => null, _ => "H100" }, nodes, priority: priority) with
        {
            CanYield = canYield,
            Limit = limit == 0 ? Hour : null,
        });

    [Fact]
    public void Who_waits_has_a_place_without_gaps_in_the_order_of_the_scheduler_a_reason_and_an_estimate_if_it_can_ever_start() =>
        Gen.Select(Gen.Select(Gen.Int[0, 4], Gen.Bool).Array[1, 4], Gen.Select(AnyJob, Gen.Int[0, 40], Gen.Int[0, 3]).Array[1, 14]).Sample((nodes, jobs) =>
        {
            var cluster = new Cluster();
            for (var i = 0; i < nodes.Length; i++) cluster.Node($"p/{i}", nodes[i].Item1, nodes[i].Item2 ? "A100" : "H100");
            foreach (var (job, minutes, end) in jobs)
            {
                cluster.Submit(job);
                foreach (var started in cluster.World.Jobs.Where(j => j.State is JobState.Starting).ToList())
                    cluster.Runs(started.Id, [.. Enumerable.Range(0, started.State.Held!.Shares.Count)]);
                cluster.After(minutes * Minute);
                if (end == 0 && cluster.World.Jobs.FirstOrDefault(j => j.State is JobState.Running) is { } running)
                    for (var rank = 0; rank < running.State.Held!.Shares.Count; rank++) cluster.Exits(running.Id, 0, rank);
            }
            var forecast = cluster.Foresee();
            var waiting = cluster.World.Jobs.Where(j => j.State is JobState.Queued).ToList();
            var vacancies = new Vacancies([.. cluster.World.Nodes.Values], [.. waiting.Where(j => j.State is JobState.Queued { Reserved: not null })]);
            // Not the order: a forecast looks anew at who is due, and the world looked at its last tick.
            Assert.Equal(waiting.Select(j => j.Id).Order(), forecast.Line.Order());
            Assert.Equal(Enumerable.Range(1, waiting.Count), waiting.Select(j => forecast.PositionOf(j.Id)).Order());
            foreach (var job in waiting)
            {
                Assert.NotEmpty(Waiting.Reason(job, vacancies));
                var canEver = cluster.World.Nodes.Values.Count(n => Placement.CouldFit(job.Request, n.Node)) >= job.Request.Nodes;
                Assert.Equal(canEver, forecast.EstimateOf(job.Id) is not null);
                if (forecast.EstimateOf(job.Id) is { Expected: { } expected } e)
                    Assert.True(cluster.Now <= e.From && e.From <= expected && (e.To is null || expected <= e.To), e.ToString());
            }
        }, iter: 300);
}
