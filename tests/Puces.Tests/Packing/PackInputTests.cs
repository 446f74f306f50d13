using Puces.Core.Packing;
using Xunit;

namespace Puces.Tests.Packing;

public sealed class PackInputTests
{
    private const string Columns = "job_id,submit_s,duration_s,gpus,gpu_type,project,status,cpus,mem_gb\n";

    [Fact]
    public void Pods_are_read_by_the_names_of_their_columns()
    {
        var pods = PackInput.Pods(new StringReader(Columns + "a,0,1,1,,LS,Running,12,16\r\nb,1,,0.46,,,,6.5,0.5\n\nc,2,,8,T4|G2,,,,\nd,3,,0,,,,4,1\n"), "pods.csv");
        Assert.Equal([new(12_000, 16_384, 1, 1000), new(6_500, 512, 1, 460), new(0, 0, 8, 1000, "T4|G2"), new(4_000, 1024, 0, 0)], pods);
    }

    [Fact]
    public void Nodes_are_read_too()
    {
        var nodes = PackInput.Nodes(new StringReader("sn,cpu_milli,memory_mib,gpu,model\nn1,64000,262144,2,P100\n"), "nodes.csv");
        Assert.Equal([new("n1", 64_000, 262_144, 2, "P100")], nodes);
    }

    [Theory]
    [InlineData("", "pods.csv:1: there is no column gpus; the first line must name gpus,cpus,mem_gb")]
    [InlineData("gpus,cpus,mem_gb\n1,2\n", "pods.csv:2: 2 fields where the first line names 3")]
    [InlineData("gpus,cpus,mem_gb\n1,2,3\nmany,2,3\n", "pods.csv:3: gpus is \"many\"; right would be a number from 0 to 4096")]
    [InlineData("gpus,cpus,mem_gb\n1.5,2,3\n", "pods.csv:2: gpus is \"1.5\"; right would be a share below 1, or a whole number")]
    [InlineData("gpus,cpus,mem_gb\n1,-2,3\n", "pods.csv:2: cpus is \"-2\"; right would be a number from 0 to 1000000")]
    [InlineData("gpus,cpus,mem_gb\n1,NaN,3\n", "pods.csv:2: cpus is \"NaN\"; right would be a number from 0 to 1000000")]
    [InlineData("gpus,cpus,mem_gb\n0,2,3\n", "pods.csv: no pod asks for a GPU; a packing experiment needs pods with gpus above 0")]
    public void A_bad_file_of_pods_is_answered_with_its_line_and_what_would_be_right(string text, string message) =>
        Assert.Equal(message, Assert.Throws<PackInputException>(() => PackInput.Pods(new StringReader(text), "pods.csv")).Message);

    [Theory]
    [InlineData("sn,gpu\n", "nodes.csv:1: there is no column cpu_milli; the first line must name sn,cpu_milli,memory_mib,gpu,model")]
    [InlineData("sn,cpu_milli,memory_mib,gpu,model\na,1,1,17,T4\n", "nodes.csv:2: gpu is \"17\"; right would be a whole number from 0 to 16")]
    [InlineData("sn,cpu_milli,memory_mib,gpu,model\na,1,1,1,T4\na,1,1,1,T4\n", "nodes.csv:3: sn is \"a\"; right would be a name that no other node has")]
    [InlineData("sn,cpu_milli,memory_mib,gpu,model\na,1,1,0,\n", "nodes.csv: no node has a GPU; a packing experiment needs nodes with gpu above 0")]
    public void A_bad_file_of_nodes_is_too(string text, string message) =>
        Assert.Equal(message, Assert.Throws<PackInputException>(() => PackInput.Nodes(new StringReader(text), "nodes.csv")).Message);
}
