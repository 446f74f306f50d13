using System.IO.Compression;
using Puces.Core.Packing;
using Puces.Testing;
using Xunit;

namespace Puces.Tests.Packing;

/// <summary>The published means of the ATC'23 paper, on its own traces.</summary>
public sealed class PublishedPackingTests
{
    private const int Seeds = 2;

    [Theory]
    [InlineData("random", 86.30, 1.0)]
    [InlineData("packing", 91.78, 1.0)]
    [InlineData("best-fit", 92.86, 0.5)]
    [InlineData("fgd", 95.23, 0.5)]
    public void A_published_policy_gives_out_what_was_published(string policy, double mean, double noise) =>
        Assert.InRange(Measure(policy, "default"), mean - noise, mean + noise);

    [Theory]
    [InlineData("default", 95.5)]
    [InlineData("cpu050", 95.00)]
    [InlineData("cpu100", 95.21)]
    [InlineData("gpushare40", 93.96)]
    [InlineData("gpushare60", 91.26)]
    [InlineData("multigpu20", 95.53)]
    [InlineData("multigpu30", 96.36)]
    [InlineData("gpuspec10", 94.66)]
    [InlineData("gpuspec20", 94.66)]
    public void Our_policy_gives_out_at_least_what_the_best_published_one_does(string mix, double least) =>
        Assert.InRange(Measure("puces", mix), least, 100);

    [Fact]
    public void Renaming_and_shuffling_the_nodes_changes_nothing()
    {
        var (nodes, pods) = Read("default");
        Assert.Equal(new PackExperiment(nodes, pods).Run("puces", 1.3, 1), new PackExperiment(PackExperimentTests.Renamed(nodes, 5), pods).Run("puces", 1.3, 1));
    }

    private static double Measure(string policy, string mix)
    {
        var (nodes, pods) = Read(mix);
        var experiment = new PackExperiment(nodes, pods);
        return Enumerable.Range(1, Seeds).Average(seed => 100 * experiment.Run(policy, 1.3, (ulong)seed).GivenAtCapacity!.Value);
    }

    private static (IReadOnlyList<PackNode> Nodes, IReadOnlyList<PackPod> Pods) Read(string mix) =>
        (Read("nodes", PackInput.Nodes), Read(mix, PackInput.Pods));

    private static T Read<T>(string name, Func<TextReader, string, T> read)
    {
        var path = SharedData.Find($"data/traces/openb2023_{name}.csv.gz");
        Assert.SkipWhen(path is null, SharedData.Reason);
        using var text = new StreamReader(new GZipStream(File.OpenRead(path), CompressionMode.Decompress));
        return read(text, name);
    }
}
