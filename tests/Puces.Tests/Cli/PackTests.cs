using System.IO.Compression;
using System.Text;
using System.Text.Json;
using Puces.Cli;
using Xunit;

namespace Puces.Tests.Cli;

public sealed class PackTests : IDisposable
{
    private const string Pods = "gpus,cpus,mem_gb\n1,4,8\n0.5,2,8\n2,8,16\n";
    private const string Nodes = "sn,cpu_milli,memory_mib,gpu,model\na,16000,65536,4,T4\nb,16000,65536,4,T4\n";

    private readonly Desk _desk = new();

    [Fact]
    public async Task Each_policy_has_its_line()
    {
        Write();
        var done = await _desk.RunAsync("pack", "pods.csv", "--nodes-file", "nodes.csv", "--policy", "all", "--seeds", "3");
        Assert.Equal((ExitCodes.Ok, ""), (done.Code, done.Error));
        var lines = done.Out.Split('\n');
        Assert.Equal("8 GPUs on 2 nodes; 3 pods, 3 seeds; GPUs given out, in %", lines[0]);
        Assert.Equal(["POLICY", "random", "packing", "best-fit", "fgd", "puces"], lines[1..7].Select(l => l.Split(' ')[0]));
        Assert.Contains("100 % ASKED", lines[1], StringComparison.Ordinal);
        Assert.Contains("130 % ASKED", lines[1], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Json_has_the_values_of_each_seed()
    {
        Write();
        var done = await _desk.RunAsync("pack", "pods.csv", "--nodes-file", "nodes.csv", "--seeds", "2", "--json");
        using var reply = JsonDocument.Parse(done.Out);
        var policy = Assert.Single(reply.RootElement.GetProperty("policies").EnumerateArray());
        Assert.Equal("puces", policy.GetProperty("policy").GetString());
        Assert.Equal(2, policy.GetProperty("atEnd").GetProperty("values").GetArrayLength());
    }

    [Fact]
    public async Task Packed_files_are_read_as_plain_ones_are()
    {
        Write();
        foreach (var name in (string[])["pods.csv", "nodes.csv"])
        {
            using var packed = new GZipStream(File.Create(Path.Combine(_desk.Folder, name + ".gz")), CompressionLevel.Fastest);
            packed.Write(Encoding.UTF8.GetBytes(name == "pods.csv" ? Pods : Nodes));
        }
        var plain = await _desk.RunAsync("pack", "pods.csv", "--nodes-file", "nodes.csv");
        Assert.Equal(plain, await _desk.RunAsync("pack", "pods.csv.gz", "--nodes-file", "nodes.csv.gz"));
    }

    [Theory]
    [InlineData("pods.csv:2: gpus is \"x\"; right would be", "x,1,1", "--seeds", "1")]
    [InlineData("did you mean 'fgd'?", "1,1,1", "--policy", "fdg")]
    [InlineData("--until must be above 0 and at most 10", "1,1,1", "--until", "0")]
    [InlineData("--seeds must be from 1 to 1000", "1,1,1", "--seeds", "0")]
    public async Task A_mistake_is_answered_with_what_would_be_right(string error, string pod, string option, string value)
    {
        Write($"gpus,cpus,mem_gb\n{pod}\n");
        var done = await _desk.RunAsync("pack", "pods.csv", "--nodes-file", "nodes.csv", option, value);
        Assert.NotEqual(ExitCodes.Ok, done.Code);
        Assert.Contains(error, done.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_file_that_is_not_there_or_is_damaged_is_named()
    {
        Write();
        File.WriteAllBytes(Path.Combine(_desk.Folder, "bad.gz"), [0x1f, 0x8b, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
        Assert.Contains("there is no file none.csv", (await _desk.RunAsync("pack", "none.csv", "--nodes-file", "nodes.csv")).Error, StringComparison.Ordinal);
        Assert.Contains("bad.gz begins like a gzip file", (await _desk.RunAsync("pack", "bad.gz", "--nodes-file", "nodes.csv")).Error, StringComparison.Ordinal);
    }

    public void Dispose() => _desk.Dispose();

    private void Write(string pods = Pods)
    {
        _desk.Write("pods.csv", pods);
        _desk.Write("nodes.csv", Nodes);
    }
}
