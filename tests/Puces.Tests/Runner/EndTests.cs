using System.Diagnostics;
using Puces.Core.Contract;
using Puces.Core.Engine;
using Xunit;

namespace Puces.Tests.Runner;

public sealed class EndTests : RunnerSuite
{
    [Fact]
    public void A_stop_goes_through_the_checkpoint_signal_and_leaves_the_time_to_save()
    {
        var agent = Agent();
        agent.Say(new ToNode.Start(Order(1, "trap 'sleep 1; echo saved; exit 0' USR1; echo ready; while :; do sleep 0.1; done",
            checkpoint: new(Signal: "USR1", Grace: TimeSpan.FromSeconds(20)))));
        agent.UntilLogged("1-1.0", "ready");
        agent.Say(new ToNode.Stop("1-1.0", "cancelled by ada"));
        var report = agent.UntilOver("1-1.0");
        Assert.Equal((ExitCause.Stopped, 0, "cancelled by ada"), (report.Verdict!.Cause, report.Verdict.ExitCode, report.Verdict.Detail));
        Assert.Contains("saved", agent.Lines("1-1.0", 'o'));
    }

    [Fact]
    public void A_program_that_saves_below_a_shell_that_does_not_care_has_its_grace()
    {
        var agent = Agent();
        agent.Say(new ToNode.Start(Order(1, "bash -c 'trap \"sleep 1; echo saved; exit 0\" TERM; echo ready; while :; do sleep 0.1; done'; echo next")));
        agent.UntilLogged("1-1.0", "ready");
        agent.Say(new ToNode.Stop("1-1.0", "cancelled"));
        agent.UntilOver("1-1.0");
        Assert.Contains("saved", agent.Lines("1-1.0", 'o'));
    }

    [Fact]
    public void Who_does_not_end_in_the_grace_is_ended()
    {
        var agent = Agent();
        agent.Say(new ToNode.Start(Order(1, "trap : TERM; echo ready; while :; do sleep 0.1 || :; done", checkpoint: new(Grace: TimeSpan.FromSeconds(1)))));
        agent.UntilLogged("1-1.0", "ready");
        var begun = Stopwatch.StartNew();
        agent.Say(new ToNode.Stop("1-1.0", "cancelled"));
        Assert.Equal(137, agent.UntilOver("1-1.0").Verdict!.ExitCode);
        Assert.InRange(begun.Elapsed.TotalSeconds, 5.9, 15);
    }

    [Theory]
    [InlineData("no-such-python train.py", 127, "its last error line is: run.sh: line 1: no-such-python: command not found")]
    [InlineData("echo 'Traceback' >&2; echo 'ValueError: no data' >&2; echo >&2; echo done; exit 1", 1, "its last error line is: ValueError: no data")]
    [InlineData("printf 'no line feed' >&2; exit 3", 3, "its last error line is: no line feed")]
    [InlineData("echo all well; exit 2", 2, null)]
    [InlineData("echo a warning >&2", 0, null)]
    public void A_rank_that_fails_says_its_last_error_line(string script, int code, string? detail)
    {
        var verdict = Agent().Run(Order(1, script)).Verdict!;
        Assert.Equal((code, detail), (verdict.ExitCode, verdict.Detail));
    }

    [Fact]
    public void A_program_that_is_not_there_is_named()
    {
        var verdict = Agent().Run(Order(1, arguments: ["no-such-python", "train.py"])).Verdict!;
        Assert.Equal((127, "no-such-python: command not found"), (verdict.ExitCode, verdict.Detail));
    }

    [Fact]
    public void No_child_outlives_a_stop_however_it_hides()
    {
        var agent = Agent();
        agent.Say(new ToNode.Start(Order(1, "(setsid env -i /bin/sleep 98761 > /dev/null 2>&1 &); (trap '' TERM; sleep 98762) & echo ready; wait")));
        agent.UntilLogged("1-1.0", "ready");
        Assert.True(Eventually(() => Processes("sleep 9876").Count == 2));
        agent.Say(new ToNode.Stop("1-1.0", "cancelled"));
        agent.UntilOver("1-1.0");
        Assert.Empty(Processes("sleep 9876"));
    }

    [Fact]
    public void No_child_outlives_the_script()
    {
        Agent().Run(Order(1, "(setsid sleep 98763 > /dev/null 2>&1 &)"));
        Assert.Empty(Processes("sleep 98763"));
    }

    [Fact]
    public void A_checkpoint_signal_alone_reaches_those_who_handle_it_and_ends_nobody()
    {
        var agent = Agent();
        agent.Say(new ToNode.Start(Order(1, "bash -c 'trap \"echo saving; touch saved\" USR1; echo ready; until [ -e saved ]; do sleep 0.1; done'; echo went on", checkpoint: new(Signal: "USR1"))));
        agent.UntilLogged("1-1.0", "ready");
        agent.Say(new ToNode.Checkpoint("1-1.0"));
        Assert.Equal(0, agent.UntilOver("1-1.0").Verdict!.ExitCode);
        Assert.Equal(["ready", "saving", "went on"], agent.Lines("1-1.0", 'o'));
    }

    [Fact]
    public void A_rank_that_is_over_its_limit_is_stopped()
    {
        var report = Agent().Run(Order(1, "sleep 60", limit: TimeSpan.FromSeconds(1)));
        Assert.Equal(ExitCause.Limit, report.Verdict!.Cause);
    }

    [Fact]
    public void Pings_of_a_daemon_that_has_heard_no_answer_or_does_not_know_of_the_connection_renew_no_term()
    {
        var agent = Agent();
        agent.Say(new ToNode.Start(Order(1, "sleep 60", term: TimeSpan.FromSeconds(6))));
        var report = default(RankReport);
        for (var heard = 0L; report is not { Phase: RankPhase.Ended } && heard < 20;)
        {
            Thread.Sleep(500);
            // The first ping could be one that was long on its way; the others are of a daemon whose engine has not taken our hello in.
            agent.Say(heard == 0 ? new ToNode.Ping() : new ToNode.Ping(heard, Renews: false));
            heard = agent.Until<FromNode.Pong>(_ => true).Number;
            report = agent.All.OfType<FromNode.Report>().LastOrDefault()?.Rank;
        }
        Assert.Equal(ExitCause.Term, report!.Verdict!.Cause);
    }

    [Fact]
    public void A_rank_whose_term_has_ended_unheard_stops_itself()
    {
        var agent = Agent();
        agent.Say(new ToNode.Start(Order(1, "echo ready; sleep 60", term: TimeSpan.FromSeconds(6))));
        agent.UntilLogged("1-1.0", "ready");
        for (var (i, heard) = (0, 0L); i < 5; i++)
        {
            Thread.Sleep(1000);
            agent.Say(new ToNode.Ping(heard));
            heard = agent.Until<FromNode.Pong>(_ => true).Number;
        }
        Assert.NotEmpty(Processes(Root + "/ranks/1-1.0/run.sh"));
        agent.Close();
        Assert.True(Eventually(() => Processes(Root + "/ranks/1-1.0/run.sh").Count == 0));
        var next = Agent();
        var rank = next.Hello.Ranks.Single();
        if (rank.Verdict is null) rank = next.UntilOver("1-1.0");
        Assert.Equal((RankPhase.Ended, ExitCause.Term), (rank.Phase, rank.Verdict!.Cause));
    }

    [Fact]
    public void An_older_attempt_ends_before_a_newer_one_begins()
    {
        var agent = Agent();
        const string script = "if mkdir alone; then trap 'rmdir alone; exit' TERM; echo ready; sleep ${NAP}; rmdir alone; else echo NOT ALONE; fi";
        agent.Say(new ToNode.Start(Order(1, script, env: new() { ["NAP"] = "60" })));
        agent.UntilLogged("1-1.0", "ready");
        var second = agent.Run(Order(1, script, number: 2, env: new() { ["NAP"] = "0" }));
        Assert.Equal(0, second.Verdict!.ExitCode);
        Assert.DoesNotContain("NOT ALONE", agent.LogOf("1-2.0"), StringComparison.Ordinal);
        var first = agent.All.OfType<FromNode.Report>().Single(r => r.Rank is { Tag: "1-1.0", Phase: RankPhase.Ended }).Rank;
        Assert.Equal(ExitCause.Fenced, first.Verdict!.Cause);
        Assert.Equal(RankPhase.Refused, agent.Run(Order(1, script) with { Rank = 1 }).Phase);
    }
}
