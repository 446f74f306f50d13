using Puces.Core.Engine;
using Puces.Core.Fleet;
using Puces.Core.Jobs;
using Puces.Testing.Simulation;
using Xunit;

namespace Puces.Tests.Engine;

/// <summary>A node with one H100, another with one L4, and jobs that would take either.</summary>
public sealed class SpeedTests
{
    private static readonly TimeSpan Hour = TimeSpan.FromHours(1);
    private static readonly double Slower = 1000.0 / Accelerators.WeightOf("L4");

    private readonly Cluster _cluster = new Cluster().Node("p/fast", 1).Node("p/slow", 1, "L4");

    private static NewJob Either(string name) => Cluster.Asking(name, 1) with { Request = new([new(1, "H100"), new(1, "L4")], 1, 0, default, []) };

    [Fact]
    public void What_ran_for_an_hour_on_the_fast_one_is_expected_to_run_as_much_longer_on_the_slow_one()
    {
        for (var i = 0; i < 20; i++) _cluster.Ran(Either("train"), Hour);
        _cluster.Submit("long", 1);
        Assert.Equal("p/slow", Assert.Single(Held(_cluster.Submit(Either("train")).Id!.Value).Shares).Node);
        About(Hour * Slower, StartOfNextOn("L4"));
    }

    [Fact]
    public void And_what_ran_on_the_slow_one_is_expected_to_be_done_sooner_on_the_fast_one()
    {
        var blocks = _cluster.Submit("long", 1);
        for (var i = 0; i < 20; i++) _cluster.Ran(Either("train"), Hour);
        _cluster.Cancel(blocks);
        _cluster.Exits(blocks, code: 143);
        Assert.Equal("p/fast", Assert.Single(Held(_cluster.Submit(Either("train")).Id!.Value).Shares).Node);
        About(Hour / Slower, StartOfNextOn("H100"));
    }

    [Fact]
    public void Of_jobs_that_take_one_model_only_the_time_is_what_was_seen()
    {
        for (var i = 0; i < 20; i++) _cluster.Ran(Cluster.Asking("train", 1, "L4"), Hour);
        _cluster.Submit("train", 1, "L4");
        About(Hour, StartOfNextOn("L4"));
    }

    [Theory, InlineData(false), InlineData(true)]
    public void One_that_moves_keeps_its_work_also_after_a_restart(bool isRestarted)
    {
        for (var i = 0; i < 20; i++) _cluster.Ran(Either("train"), Hour);
        var (blocks, moves) = (_cluster.Submit("long", 1), _cluster.Submit(Either("train")).Id!.Value);
        _cluster.Runs(blocks).Runs(moves).After(Hour * Slower / 2);
        if (isRestarted)
            _cluster.Restart().Node(Cluster.NodeOf("p/fast", 1), _cluster.Report(blocks, Core.Contract.RankPhase.Run))
                .Node(Cluster.NodeOf("p/slow", 1, "L4"), _cluster.Report(moves, Core.Contract.RankPhase.Run));
        // Half of an hour's work is done when it must go on elsewhere.
        _cluster.Apply(new Command.Checkpointed(_cluster[moves].Attempt, "step-1"));
        _cluster.Exits(blocks).Apply(new Command.NodeGone("p/slow"));
        _cluster.After(TimeSpan.FromSeconds(30));
        Assert.Equal("p/fast", Assert.Single(Held(moves).Shares).Node);
        Assert.InRange(_cluster[moves].Worked + _cluster[moves].Gained, Hour / 2 * 0.99, Hour / 2 * 1.01);
        About(Hour / 2, StartOfNextOn("H100"));
    }

    private Allocation Held(JobId id) => _cluster[id].State.Held!;

    private TimeSpan StartOfNextOn(string model)
    {
        var next = _cluster.Submit("next", 1, model);
        return _cluster.Foresee().EstimateOf(next)!.Expected!.Value - _cluster.Now;
    }

    private static void About(TimeSpan expected, TimeSpan told) => Assert.InRange(told, expected * 0.85, expected * 1.15);
}
