using Xunit;

namespace Puces.Tests.Bench;

public sealed class BenchTests
{
    private static readonly string File = Path.Combine(Path.GetTempPath(), $"puces-bench-{Environment.ProcessId}.txt");

    [Fact]
    public async Task The_bench_measures_puces_alone_and_writes_its_report()
    {
        // Its figures mean nothing here: that it runs, says what was aimed at, and leaves nothing behind is what counts.
        var folder = Path.Combine(Path.GetTempPath(), $"puces-bench-{Environment.ProcessId}");
        try
        {
            Assert.Equal(0, await Puces.Bench.Program.Main(["submit", "start", "--quick", "--without-slurm", "--bin", AppContext.BaseDirectory, "--dir", folder, "--out", File]));
            var report = await System.IO.File.ReadAllTextAsync(File, TestContext.Current.CancellationToken);
            Assert.Contains("HTTP, 64 callers", report, StringComparison.Ordinal);
            Assert.Contains("submit to running when idle, median by the API", report, StringComparison.Ordinal);
            Assert.False(Directory.Exists(folder));
        }
        finally
        {
            System.IO.File.Delete(File);
        }
    }

    [Fact]
    public async Task An_unknown_measurement_is_refused_with_those_that_there_are() =>
        Assert.Equal(2, await Puces.Bench.Program.Main(["speed"]));
}
