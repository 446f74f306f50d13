using Puces.Core.Replay;
using Xunit;

namespace Puces.Tests.Replay;

public sealed class TraceGeneratorTests
{
    [Fact]
    public void One_seed_gives_one_trace_for_ever()
    {
        var jobs = TraceGenerator.Generate(1000, 42, 64);
        Assert.Equal(jobs, TraceGenerator.Generate(1000, 42, 64));
        Assert.NotEqual(jobs, TraceGenerator.Generate(1000, 43, 64));
        // Kept: what was measured on such a trace stays comparable.
        Assert.Equal("1512+13x16:train-4-3-2 2720+31x2:train-1-5-3 3246+3994x8:train-3-0-1", string.Join(' ', jobs.Take(3).Select(j => $"{j.Submitted.TotalSeconds}+{j.Duration!.Value.TotalSeconds}x{j.MilliGpus / 1000}:{j.Name}")));
    }

    [Fact]
    public void Jobs_come_in_order_with_gangs_that_fit_and_names_that_repeat()
    {
        var jobs = TraceGenerator.Generate(5000, 7, 16);
        Assert.Equal(jobs, jobs.OrderBy(j => j.Submitted));
        Assert.All(jobs, j => Assert.True(int.IsPow2(j.MilliGpus / 1000) && j.MilliGpus <= 16_000 && j.Duration >= TimeSpan.FromSeconds(10)));
        Assert.InRange(jobs.Select(j => j.Name).Distinct().Count(), 200, 360);
        Assert.Equal(6, jobs.Select(j => j.Project).Distinct().Count());
        // Sweeps come together, and more by day than by night.
        Assert.Contains(jobs.Zip(jobs.Skip(4)), p => p.First.Name == p.Second.Name && p.Second.Submitted - p.First.Submitted < TimeSpan.FromSeconds(20));
        Assert.True(jobs.Count(j => j.Submitted.Hours is >= 9 and < 18) > 2 * jobs.Count(j => j.Submitted.Hours is < 6));
    }

    [Fact]
    public void The_load_is_about_what_is_asked_for()
    {
        var jobs = TraceGenerator.Generate(20_000, 5, 256, load: 80);
        var asked = jobs.Sum(j => j.MilliGpus / 1000.0 * j.Duration!.Value.TotalSeconds);
        Assert.InRange(asked / (256 * jobs[^1].Submitted.TotalSeconds), 0.7, 0.95);
    }
}
