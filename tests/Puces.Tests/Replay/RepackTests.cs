using System.Globalization;
using Puces.Core.Replay;
using Xunit;

namespace Puces.Tests.Replay;

public sealed class RepackTests
{
    private static readonly string[] PreemptiveFiles = ["itp_cluster02.n16", "itp_cluster03.n24", "itp_cluster05.n2", "itp_cluster08.n12"];
    private static readonly string[] MuriFiles = ["muri_trace1", "muri_trace1_pr", "muri_trace3", "muri_trace3_pr"];

    public static TheoryData<string> Preemptive => [.. PreemptiveFiles.SelectMany(f => (string[])[$"{f}.pre_srtf", $"{f}.pre_srsf"])];

    public static TheoryData<string> Muri => [.. MuriFiles.SelectMany(f => (string[])[$"{f}.srtf", $"{f}.srsf", $"{f}.srtf.oh0", $"{f}.srsf.oh0"])];

    [Theory, MemberData(nameof(Preemptive))]
    public void Every_job_of_a_published_trace_ends_when_the_reference_says(string name)
    {
        var parts = name.Split('.');
        var answers = Golden.Answers(name);
        var jobs = Golden.Trace(parts[0]);
        var policy = parts[2] == "pre_srsf" ? Replays.PreemptiveSrsf : Replays.PreemptiveSrtf;
        NodeGroup[] nodes = [new(int.Parse(parts[1].AsSpan(1), CultureInfo.InvariantCulture), 8)];
        var told = Replays.Run(policy, jobs, nodes, new());
        Assert.Equal(answers.Select(a => (a.Job, a.End)), jobs.Select((j, i) => (j.Id, told.Ends[i].TotalSeconds.ToString("F6", CultureInfo.InvariantCulture))));

        var line = Golden.Summary($"{parts[0]} nodes={nodes[0].Nodes} preemptive {parts[2][4..]}");
        var summary = ReplaySummary.Of(told, jobs, ReplayBaseline.Of(jobs, nodes));
        Assert.Equal(Golden.Figure(line, "avgJCT"), summary.MeanJct.TotalSeconds, 1e-6);
        Assert.Equal(Golden.Figure(line, "makespan"), summary.Makespan.TotalSeconds);
        Assert.Equal(Golden.Figure(line, "p99JCT"), summary.P99Jct.TotalSeconds);
        Assert.Equal(Golden.Figure(Golden.Summary($"{parts[0]} bound"), "combined"), summary.BoundMeanJct.TotalSeconds, 0.0501);
    }

    [Theory, MemberData(nameof(Muri))]
    public void Every_job_ends_when_Muris_simulator_says_to_the_last_digit(string name)
    {
        var (trace, policy) = (name.Split('.')[0], name.Split('.')[1]);
        var answers = Golden.Answers(name);
        using var table = Golden.Text("data/traces/extra/muri_overheads_s.csv");
        var overheads = name.EndsWith(".oh0", StringComparison.Ordinal) ? null : MuriTrace.ReadOverheads(table, "overheads");
        using var text = Golden.Text($"data/traces/extra/{trace}.csv.gz");
        var (jobs, work) = MuriTrace.Read(text, trace, overheads);

        var exact = Repack.Run(work, 8, 8, policy == "srsf");
        Assert.Equal(answers.Select(a => (a.Job, a.End)), jobs.Select((j, i) => (j.Id, exact.Ends[i].ToString("F6", CultureInfo.InvariantCulture))));
        // What is kept as exact times says the same.
        var told = Replays.RunRepack(policy == "srsf" ? Replays.PreemptiveSrsf : Replays.PreemptiveSrtf, work, [new(8, 8)]);
        Assert.Equal(answers.Select(a => decimal.Parse(a.End, CultureInfo.InvariantCulture)), told.Ends.Select(e => (decimal)e.Ticks / TimeSpan.TicksPerSecond));
    }

    [Fact]
    public void No_golden_answers_are_left_out()
    {
        Assert.SkipWhen(!Golden.Names("*").Any(), Testing.SharedData.Reason);
        Assert.Equal(Golden.Names("*.pre_*").Concat(Golden.Names("muri_*")), Preemptive.Concat(Muri).Select(r => r.Data).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void A_shorter_job_takes_the_place_of_a_longer_one_which_then_goes_on()
    {
        var told = Repack.Run([new(0, 1, 100, 1), new(10, 1, 20, 1)], 1, 1, bySize: false);
        Assert.Equal([120, 30], told.Ends);
        Assert.Equal([0, 10], told.Starts);
        Assert.Equal((1, 120.0), (told.Preemptions, told.DeviceSeconds));
    }

    [Fact]
    public void Of_equals_the_one_that_was_there_first_stays()
    {
        var told = Repack.Run([new(0, 1, 100, 1), new(50, 1, 50, 1)], 1, 1, bySize: false);
        Assert.Equal([100, 150], told.Ends);
        Assert.Equal(0, told.Preemptions);
    }

    [Fact]
    public void Size_counts_only_where_it_is_asked_for()
    {
        RepackJob[] jobs = [new(0, 4, 50, 1), new(0, 1, 60, 1)];
        Assert.Equal([50, 110], Repack.Run(jobs, 1, 4, bySize: false).Ends);
        Assert.Equal([110, 60], Repack.Run(jobs, 1, 4, bySize: true).Ends);
    }

    [Fact]
    public void One_that_does_not_fit_is_passed_over_and_its_free_devices_count_as_stranded()
    {
        // Two of three devices are held; the gang of three waits, and one device is of no use to it.
        var told = Repack.Run([new(0, 2, 10, 1), new(0, 3, 20, 1)], 1, 3, bySize: false);
        Assert.Equal([10, 30], told.Ends);
        Assert.Equal(1, told.Fragmentation);
        Assert.Equal(new UsePoint(TimeSpan.Zero, 2, 3), told.Use[0]);
    }

    [Fact]
    public void A_gang_beyond_a_node_takes_whole_idle_nodes_and_the_rest_elsewhere()
    {
        // The first holds one device of node 0: nodes 1 and 2 are idle, and the rest of 20 devices fits beside it.
        Assert.Equal([5, 12], Repack.Run([new(0, 1, 5, 1), new(0, 20, 12, 1)], 3, 8, bySize: false).Ends);
        // Not so where that would need three idle nodes.
        Assert.Equal([5, 17], Repack.Run([new(0, 1, 5, 1), new(0, 24, 12, 1)], 3, 8, bySize: false).Ends);
    }

    [Fact]
    public void An_overhead_is_lost_between_events_and_not_in_the_last_stretch()
    {
        var told = Repack.Run([new(0, 2, 100, 1, Overhead: 7), new(30, 1, 10, 1)], 1, 3, bySize: false);
        // 30 s and 10 s of it are worth 23 and 3; the other ends in between.
        Assert.Equal([114, 40], told.Ends);
        Assert.Equal(28, told.DeviceSecondsLost);
    }

    [Fact]
    public void A_job_beyond_the_pool_is_refused() =>
        Assert.Contains("9 devices", Assert.Throws<ArgumentException>(() => Repack.Run([new(0, 9, 1, 1)], 1, 8, bySize: false)).Message, StringComparison.Ordinal);
}
