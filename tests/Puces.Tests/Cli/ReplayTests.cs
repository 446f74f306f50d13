using System.IO.Compression;
using System.Text;
using System.Text.Json;
using Xunit;

namespace Puces.Tests.Cli;

public sealed class ReplayTests : IDisposable
{
    private const string Three = "job_id,submit_s,duration_s,gpus,project\na,100,1000,8,x\nb,110,100,4,y\nc,120,50.5,4,x\n";

    private readonly Desk _desk = new();

    public void Dispose() => _desk.Dispose();

    [Fact]
    public async Task A_replay_is_a_table_with_a_line_for_each_policy()
    {
        _desk.Write("t.csv", Three);
        var outcome = await _desk.RunAsync("replay", "t.csv", "--nodes", "1x8", "--policy", "fifo,preemptive-srtf");
        Assert.Equal((0, ""), (outcome.Code, outcome.Error));
        var lines = outcome.Out.Split('\n');
        Assert.Equal("t.csv: 3 jobs on 1 node, 8 devices; no schedule has a mean JCT below 6.81 min", lines[0]);
        Assert.Matches("^POLICY +MEAN JCT +P50", lines[1]);
        Assert.Matches("^fifo +17[.]3 min", lines[2]);
        Assert.Matches("^preemptive-srtf +6[.]95 min", lines[3]);
    }

    [Fact]
    public async Task For_programs_it_is_an_array_with_an_object_for_each_policy_in_seconds()
    {
        _desk.Write("t.csv", Three);
        var outcome = await _desk.RunAsync("replay", "t.csv", "--nodes", "1x8", "--policy", "fifo", "--policy", "srsf", "--json");
        var all = JsonDocument.Parse(outcome.Out).RootElement;
        Assert.Equal(["fifo", "srsf"], all.EnumerateArray().Select(s => s.GetProperty("policy").GetString()));
        Assert.Equal(
            "policy jobs mean_jct_s p50_jct_s p99_jct_s mean_wait_s p50_wait_s p90_wait_s p99_wait_s p999_wait_s makespan_s utilisation fragmentation worst_project_ftf preemptions work_lost_device_s bound_mean_jct_s cpu_s",
            string.Join(' ', all[0].EnumerateObject().Select(p => p.Name)));
        Assert.Equal((1040.1666666, 1090, 1100), (all[0].GetProperty("mean_jct_s").GetDouble(), all[0].GetProperty("p99_jct_s").GetDouble(), all[0].GetProperty("makespan_s").GetDouble()));
    }

    [Fact]
    public async Task Starts_and_ends_are_written_for_each_policy_whole_where_they_are_whole()
    {
        using (var packed = new GZipStream(File.Create(Path.Combine(_desk.Folder, "t.csv.gz")), CompressionMode.Compress)) packed.Write(Encoding.UTF8.GetBytes(Three));
        await _desk.RunAsync("replay", "t.csv.gz", "--nodes", "1x8", "--policy", "fifo", "--jobs-out", "out.csv");
        Assert.Equal("job_id,start_s,end_s\na,0,1000\nb,1000,1100\nc,1000,1050.500000\n", await File.ReadAllTextAsync(Path.Combine(_desk.Folder, "out.csv"), TestContext.Current.CancellationToken));
        await _desk.RunAsync("replay", "t.csv.gz", "--nodes", "1x8", "--policy", "fifo,sjf", "--jobs-out", "out.csv");
        Assert.True(File.Exists(Path.Combine(_desk.Folder, "out.fifo.csv")) && File.Exists(Path.Combine(_desk.Folder, "out.sjf.csv")));
    }

    [Fact]
    public async Task With_other_nodes_a_mean_wait_is_foretold_with_its_error()
    {
        // Each half alike: what the first says of the second is right.
        _desk.Write("t.csv", "job_id,submit_s,duration_s,gpus\n" + string.Concat(new[] { 0, 5000 }.SelectMany(z => Enumerable.Range(0, 8).Select(i => $"{z + i},{z + i},100,8\n"))));
        string[] more = ["replay", "t.csv", "--nodes", "1x8", "--add", "1x8", "--policy", "fifo"];
        var one = JsonDocument.Parse((await _desk.RunAsync([.. more, "--json"])).Out).RootElement[0];
        Assert.Equal((147.0, 0.0), (one.GetProperty("predicted_mean_wait_s").GetDouble(), one.GetProperty("error").GetDouble()));
        Assert.Equal(one.GetProperty("mean_wait_s").GetDouble(), one.GetProperty("predicted_mean_wait_s").GetDouble());
        Assert.EndsWith("\nfifo: with these nodes expect a mean wait of 2.45 min, ±0%\n", (await _desk.RunAsync(more)).Out, StringComparison.Ordinal);
        // Nobody waits in the second half: what the first says of it cannot be checked.
        _desk.Write("u.csv", "job_id,submit_s,duration_s,gpus\na,0,100,8\nb,1,100,8\nc,5000,100,8\n");
        Assert.EndsWith("too little was waited for an error bar\n", (await _desk.RunAsync(["replay", "u.csv", .. more[2..]])).Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task More_nodes_and_fewer_are_tried_without_touching_the_list()
    {
        _desk.Write("t.csv", Three);
        _desk.Write("pool.txt", "2x8:H100\n");
        async Task<double> Makespan(params string[] options) =>
            JsonDocument.Parse((await _desk.RunAsync(["replay", "t.csv", "--pools", "pool.txt", "--policy", "fifo", "--json", .. options])).Out).RootElement[0].GetProperty("makespan_s").GetDouble();
        Assert.Equal(1000, await Makespan());
        Assert.Equal(1100, await Makespan("--remove", "1x8"));
        Assert.Equal(1000, await Makespan("--remove", "1x8:H100", "--add", "1x8"));
        Assert.Equal(1000, await Makespan("--overhead", "60s"));
        Assert.Equal(1000, await Makespan("--checkpoint-every", "30m"));
    }

    [Fact]
    public async Task Jobs_that_cannot_be_replayed_are_left_out_aloud()
    {
        _desk.Write("t.csv", Three + "big,130,10,64,x\nopen,130,,1,x\n");
        var outcome = await _desk.RunAsync("replay", "t.csv", "--nodes", "1x8", "--policy", "fifo");
        Assert.Equal("left out: 1 job of which the trace does not say how long they ran\nleft out: 1 job that ask for more than these nodes have\n", outcome.Error);
        Assert.StartsWith("t.csv: 3 jobs", outcome.Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_report_is_one_file_that_asks_nothing_of_the_network()
    {
        var outcome = await _desk.RunAsync("replay", "--generate", "500:3", "--nodes", "4x8", "--policy", "fifo,srsf", "--html", "r.html");
        Assert.Equal(0, outcome.Code);
        var page = await File.ReadAllTextAsync(Path.Combine(_desk.Folder, "r.html"), TestContext.Current.CancellationToken);
        Assert.All(["http:", "https:", "src=", "url(", "<script", "<link", "NaN", "Infinity"], word => Assert.DoesNotContain(word, page, StringComparison.Ordinal));
        Assert.All(["How long jobs wait", "Devices in use", "Devices wanted", "Completion time by size", "Projects", "prefers-color-scheme: dark", "@media print", "</html>"], word => Assert.Contains(word, page, StringComparison.Ordinal));
        Assert.Equal(page.Split("<svg").Length, page.Split("</svg>").Length);
    }

    [Fact]
    public async Task What_a_name_says_is_no_markup()
    {
        _desk.Write("t.csv", Three.Replace(",x\n", ",<b>x</b>\n", StringComparison.Ordinal));
        await _desk.RunAsync("replay", "t.csv", "--nodes", "1x8", "--policy", "fifo", "--html", "r.html");
        Assert.DoesNotContain("<b>", await File.ReadAllTextAsync(Path.Combine(_desk.Folder, "r.html"), TestContext.Current.CancellationToken), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Muris_rules_take_its_own_form_and_its_overheads()
    {
        _desk.Write("m.csv", "job_id,num_gpu,submit_time,iterations,model_name,iteration_time\n0,8,0,1000,dqn,1000\n1,8,100000,100,vgg,1000\n");
        _desk.Write("o.csv", "model,gpus_1,gpus_2,gpus_4,gpus_8\ndqn,1,2,3,4\n");
        await _desk.RunAsync("replay", "m.csv", "--nodes", "1x8", "--rules", "muri", "--overheads", "o.csv", "--policy", "preemptive-srtf", "--jobs-out", "out.csv");
        // 1015 s of work of which 100 ran, less 4 s of overhead; the other takes 101.5 s in between.
        Assert.Equal("job_id,start_s,end_s\nm0,0,1120.500000\nm1,100,201.500000\n", await File.ReadAllTextAsync(Path.Combine(_desk.Folder, "out.csv"), TestContext.Current.CancellationToken));
    }

    [Theory]
    [InlineData("replay --nodes 1x8", "there is nothing to replay")]
    [InlineData("replay t.csv", "needs nodes")]
    [InlineData("replay t.csv --nodes 8", "--nodes 8")]
    [InlineData("replay missing.csv --nodes 1x8", "there is no file missing.csv")]
    [InlineData("replay bad.csv --nodes 1x8", "bad.csv:2: gpus 'x' is no amount")]
    [InlineData("replay t.csv --nodes 1x8 --policy fiffo", "did you mean fifo?")]
    [InlineData("replay t.csv --nodes 1x8 --remove 2x8", "--remove 2x8")]
    [InlineData("replay t.csv --nodes 1x8 --overhead 60", "--overhead 60")]
    [InlineData("replay t.csv --nodes 1x8 --generate 5", "exclude each other")]
    [InlineData("replay --generate many --nodes 1x8", "--generate many")]
    [InlineData("replay t.csv --nodes 1x2", "no job of t.csv fits on 1x2")]
    [InlineData("replay t.csv --nodes 1x8 --rules muri", "there is no column num_gpu")]
    [InlineData("replay t.csv --nodes 1x8 --rules slurm", "slurm")]
    [InlineData("replay t.csv --nodes 1x8 --checkpoint-every often", "--checkpoint-every 30m")]
    [InlineData("replay t.csv --nodes 1x8 --overheads o.csv", "--rules muri")]
    [InlineData("replay t.csv --nodes 1x8 --nodes 1x4 --policy preemptive-srtf", "equally many devices")]
    public async Task A_mistake_names_itself_and_ends_with_2(string line, string named)
    {
        _desk.Write("t.csv", Three);
        _desk.Write("bad.csv", "job_id,submit_s,duration_s,gpus\na,1,1,x\n");
        var outcome = await _desk.RunAsync(line.Split(' '));
        Assert.Equal(2, outcome.Code);
        Assert.StartsWith("error: ", outcome.Error, StringComparison.Ordinal);
        Assert.Contains(named, outcome.Error, StringComparison.Ordinal);
        Assert.Contains("\n  try: ", outcome.Error, StringComparison.Ordinal);
        Assert.Equal("", outcome.Out);
    }
}
