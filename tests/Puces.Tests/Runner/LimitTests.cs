using Puces.Core.Engine;
using Xunit;

namespace Puces.Tests.Runner;

public sealed class LimitTests : RunnerSuite
{
    [Fact]
    public void A_rank_that_takes_more_memory_than_it_asked_for_is_ended_and_told_why()
    {
        var agent = Agent();
        Assert.SkipUnless(agent.Hello.Limits != "none", "this machine lets nobody make control groups here");
        var report = agent.Run(Order(1, "x=$(head -c 200M /dev/zero | tr '\\0' x); echo ${#x}", memory: 64 << 20, enforce: true));
        Assert.Equal((ExitCause.OutOfMemory, "it used more memory than the 64MiB that it had asked for"), (report.Verdict!.Cause, report.Verdict.Detail));
    }

    [Fact]
    public void A_rank_within_its_limits_runs_and_its_use_is_counted()
    {
        var agent = Agent();
        var report = agent.Run(Order(1, "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done", memory: 256 << 20, enforce: true));
        Assert.Equal((0, ExitCause.Exit), (report.Verdict!.ExitCode, report.Verdict.Cause));
        Assert.True(report.Verdict.Cpu > TimeSpan.Zero);
        Assert.True(report.Verdict.PeakMemory > 0);
    }
}
