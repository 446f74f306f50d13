using System.Globalization;
using Puces.Testing.Simulation;
using Xunit;

namespace Puces.Tests.Engine;

/// <summary>Thousands of short lives of a daemon, each from a seed: whatever fails, and whenever, each must keep all promises.</summary>
public sealed class SimulationTests
{
    private const int Seeds = 20_000;

    [Fact]
    public void Whatever_fails_and_whenever_no_promise_is_broken()
    {
        var output = TestContext.Current.TestOutputHelper!;
        if (ulong.TryParse(Environment.GetEnvironmentVariable("PUCES_SEED"), NumberStyles.None, CultureInfo.InvariantCulture, out var only))
        {
            Assert.NotEmpty(Simulation.Run(only, say: output.WriteLine).Events);
            return;
        }
        var seeds = Environment.GetEnvironmentVariable("PUCES_SOAK") == "1" ? Seeds * 10 : Seeds;
        var watch = System.Diagnostics.Stopwatch.StartNew();
        Exception? cause = null;
        var run = Parallel.For(1, seeds + 1, new ParallelOptions { CancellationToken = TestContext.Current.CancellationToken }, (seed, loop) =>
        {
            if (FailureOf((ulong)seed) is not { } failure) return;
            Interlocked.CompareExchange(ref cause, failure, null);
            loop.Break();
        });
        if (run.LowestBreakIteration is { } seed)
            Assert.Fail($"seed {seed}: {(FailureOf((ulong)seed) ?? cause)!.Message}\nsee what happens: PUCES_SEED={seed} ./test --filter {nameof(Whatever_fails_and_whenever_no_promise_is_broken)}");
        output.WriteLine($"{seeds} seeds in {watch.Elapsed.TotalSeconds:0.0} s");
    }

    private static Exception? FailureOf(ulong seed) => Record.Exception(() => { Simulation.Run(seed); });

    [Fact]
    public void A_seed_is_one_life()
    {
        for (var seed = 1UL; seed <= 50; seed++) Assert.Equal(Simulation.Run(seed).Events, Simulation.Run(seed).Events);
    }

    [Fact]
    public void The_seeds_come_to_everything_that_may_happen()
    {
        string[] kinds = ["submitted", "started", "running", "ended", "requeued", "cancelling", "node-up", "node-down", "node-gone", "checkpoint", "window", "closed", "opened", "project", "preempted", "fault", "drained"];
        string[] reasons =
        [
            "lost on", "could not start it", "a secret is not set", "ran longer than its limit", "more memory", "for its term", "exit code 75", "exit code 1", "has left its pool", "failed it: an error of the hardware",
        ];
        var (seenKinds, seenReasons, gangs, nodes) = (new HashSet<string>(), new HashSet<string>(), 0, 0);
        for (var seed = 1UL; seed <= 1000; seed++)
        {
            var store = Simulation.Run(seed);
            seenKinds.UnionWith(store.Events.Select(e => e.Kind));
            foreach (var (attempt, _) in store.Attempts.Values)
            {
                seenReasons.UnionWith(reasons.Where(r => attempt.Reason?.Contains(r, StringComparison.Ordinal) ?? false));
                if (attempt.Nodes.Count > 1) gangs++;
                nodes = Math.Max(nodes, attempt.Nodes.Count);
            }
        }
        Assert.Empty(kinds.Except(seenKinds));
        Assert.Empty(reasons.Except(seenReasons));
        Assert.True(gangs > 100, $"only {gangs} gangs");
        Assert.Equal(4, nodes);
    }

    [Theory]
    [InlineData(Fault.EffectsBeforeCommit, Invariant.IntentBeforeEffect)]
    [InlineData(Fault.NothingIsAcknowledged, Invariant.IntentBeforeEffect)]
    [InlineData(Fault.OrdersOutliveHellos, Invariant.OneAttempt)]
    [InlineData(Fault.DownIsDead, Invariant.CannotSeeIsNotDead)]
    [InlineData(Fault.TermsNeverEnd, Invariant.CannotSeeIsNotDead)]
    [InlineData(Fault.VerdictsAreForgotten, Invariant.VerdictKept)]
    [InlineData(Fault.AnswersBeforeCommit, Invariant.JobKept)]
    public void A_broken_promise_is_noticed(Fault fault, Invariant invariant)
    {
        for (var seed = 1UL; seed <= Seeds; seed++)
            if (Record.Exception(() => { Simulation.Run(seed, fault); }) is BrokenException broken && broken.Invariant == invariant) return;
        Assert.Fail($"{Seeds} seeds, and nobody notices {fault}");
    }
}
