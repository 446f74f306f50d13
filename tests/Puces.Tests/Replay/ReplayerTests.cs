using System.Globalization;
using CsCheck;
using Puces.Core.Replay;
using Xunit;

namespace Puces.Tests.Replay;

public sealed class ReplayerTests
{
    private static readonly string[] Strict = ["itp_cluster02.n16", "itp_cluster03.n24", "itp_cluster05.n2", "itp_cluster07.n40", "itp_cluster08.n12", "philly_2017_10.n96"];

    public static TheoryData<string> Files => [.. Strict.SelectMany(f => (string[])[$"{f}.fifo", $"{f}.sjf", $"{f}.srsf"])];

    [Theory, MemberData(nameof(Files))]
    public void Every_job_of_a_published_trace_starts_and_ends_when_the_reference_says(string name)
    {
        var parts = name.Split('.');
        var jobs = Golden.Trace(parts[0]);
        var told = Replays.Run(parts[2], jobs, [new(int.Parse(parts[1].AsSpan(1), CultureInfo.InvariantCulture), 8)], ReplayCosts.Default);
        Assert.Equal(
            Golden.Answers(name).Select(a => (a.Job, a.Start, a.End)), jobs.Select((j, i) => (j.Id, Seconds(told.Starts[i]), Seconds(told.Ends[i]))));
        Assert.Equal(0, told.Preemptions);
    }

    private static string Seconds(TimeSpan time) => time.TotalSeconds.ToString(CultureInfo.InvariantCulture);

    [Fact]
    public void No_golden_answers_are_left_out()
    {
        Assert.SkipWhen(!Golden.Names("*").Any(), Testing.SharedData.Reason);
        Assert.Equal(
            Golden.Names("*").Where(n => !n.StartsWith("muri", StringComparison.Ordinal) && !n.Contains(".pre_", StringComparison.Ordinal)),
            Files.Select(r => r.Data).Order(StringComparer.Ordinal));
    }

    /// <summary>Every policy, on made-up traces: nothing over-given, each job run once and for as long as it takes, and the same each time.</summary>
    [Theory]
    [InlineData("fifo"), InlineData("sjf"), InlineData("srsf"), InlineData("las"), InlineData("qssf"), InlineData("fair-share"), InlineData("gittins"), InlineData("puces")]
    public void Whatever_the_policy_all_jobs_run_and_a_replay_is_the_same_each_time(string policy) => Gen.Select(Gen.Int[1, 200], Gen.Int[1, 4], Gen.ULong[0, 1000]).Sample((count, nodes, seed) =>
    {
        IReadOnlyList<NodeGroup> pool = [new(nodes, 8)];
        var jobs = Replays.Possible(TraceGenerator.Generate(count, seed, nodes * 8), pool, out _, out _);
        var told = Replays.Run(policy, jobs, pool, ReplayCosts.Default);
        var again = Replays.Run(policy, jobs, pool, ReplayCosts.Default);
        return told.Ends.SequenceEqual(again.Ends) && told.Use.All(u => u.Held >= 0 && u.Held <= nodes * 8)
            && jobs.Select((j, i) => told.Starts[i] >= j.Submitted - jobs[0].Submitted && told.Ends[i] - told.Starts[i] >= j.Duration).All(right => right);
    }, iter: 40);

    [Fact]
    public void A_gang_that_the_nodes_could_never_carry_is_said()
    {
        TraceJob[] jobs = [new("big", default, TimeSpan.FromHours(1), 16_000)];
        var e = Assert.Throws<ReplayException>(() => Replays.Run("puces", jobs, [new(1, 8)], ReplayCosts.Default));
        Assert.Equal("job big asks for 16 devices, which the pool could never give: add nodes", e.Message);
    }

    [Fact]
    public void Policies_that_know_nothing_give_back_what_a_stop_costs()
    {
        // One long job, and a short one of a kind that always was short: the long one is stopped, and pays a minute to go on.
        var jobs = Enumerable.Range(0, 40).Select(i => new TraceJob($"short{i}", TimeSpan.FromHours(i), TimeSpan.FromMinutes(5), 8000, Name: "short"))
            .Append(new("long", TimeSpan.FromHours(50), TimeSpan.FromHours(20), 8000, Name: "long"))
            .Append(new("last", TimeSpan.FromHours(60), TimeSpan.FromMinutes(5), 8000, Name: "short")).ToList();
        var told = Replays.Run("puces", jobs, [new(1, 8)], ReplayCosts.Default);
        Assert.Equal(1, told.Preemptions);
        Assert.Equal(TimeSpan.FromMinutes(8), told.WorkLost);
        Assert.Equal(jobs[^1].Duration, told.Ends[^1] - told.Starts[^1]);
        Assert.Equal(TimeSpan.FromHours(50) + TimeSpan.FromHours(20) + TimeSpan.FromMinutes(6), told.Ends[^2]);
    }

    [Fact]
    public void What_was_not_saved_is_lost_with_a_stop()
    {
        // The long one saves every four hours, and is stopped after ten.
        var jobs = Enumerable.Range(0, 40).Select(i => new TraceJob($"short{i}", TimeSpan.FromHours(i), TimeSpan.FromMinutes(5), 8000, Name: "short"))
            .Append(new("long", TimeSpan.FromHours(50), TimeSpan.FromHours(20), 8000, Name: "long"))
            .Append(new("last", TimeSpan.FromHours(60), TimeSpan.FromMinutes(5), 8000, Name: "short")).ToList();
        var told = Replays.Run("puces", jobs, [new(1, 8)], new(TimeSpan.Zero, SavesEvery: TimeSpan.FromHours(4)));
        Assert.Equal((1, 8 * TimeSpan.FromHours(2)), (told.Preemptions, told.WorkLost));
        Assert.Equal(TimeSpan.FromHours(50) + TimeSpan.FromHours(22) + TimeSpan.FromMinutes(5), told.Ends[^2]);
    }

    [Fact]
    public void Who_was_stopped_is_left_twice_as_long_before_it_is_stopped_again()
    {
        // For two hours a short one comes every seven minutes. They wait for each other to come rather than stop the long one for each.
        var jobs = Enumerable.Range(0, 40).Select(i => new TraceJob($"short{i}", TimeSpan.FromHours(i), TimeSpan.FromMinutes(2), 8000, Name: "short"))
            .Append(new("long", TimeSpan.FromHours(50), TimeSpan.FromHours(20), 8000, Name: "long"))
            .Concat(Enumerable.Range(0, 17).Select(i => new TraceJob($"late{i}", TimeSpan.FromHours(60) + i * TimeSpan.FromMinutes(7), TimeSpan.FromMinutes(2), 8000, Name: "short"))).ToList();
        var told = Replays.Run("puces", jobs, [new(1, 8)], ReplayCosts.Default);
        Assert.InRange(told.Preemptions, 2, 5);
    }
}
