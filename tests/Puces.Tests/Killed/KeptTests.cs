using Puces.Testing;
using Xunit;

namespace Puces.Tests.Killed;

/// <summary>The long form, beside Slurm, is eng/kept.cs with its result in bench/results/kept.txt.</summary>
public sealed class KeptTests(ITestOutputHelper output)
{
    [Fact]
    public async Task Of_100_acknowledged_jobs_none_is_lost_and_no_number_is_given_twice()
    {
        var random = new Seed(output);
        await using var daemon = new DaemonProcess();
        var kept = await Kept.ByPucesAsync(daemon, batches: 5, random.Value, TestContext.Current.CancellationToken);
        Assert.Equal((100, 5, 0, 0), (kept.Acknowledged, kept.Kills, kept.Lost, kept.Reused));
    }
}
