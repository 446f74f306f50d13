using Puces.Core.Contract;
using Puces.Core.Engine;
using Puces.Testing;
using Xunit;

namespace Puces.Tests.Runner;

public sealed class OutliveTests : RunnerSuite
{
    [Fact]
    public void A_killed_agent_harms_no_rank_and_the_next_one_has_the_whole_log()
    {
        var first = Agent();
        first.Say(new ToNode.Start(Order(1, "for i in $(seq 1 200); do echo $i; sleep 0.01; done")));
        first.UntilLogged("1-1.0", " o 5\n");
        first.Kill();
        var heard = first.LogOf("1-1.0");
        var second = Agent();
        Assert.Equal("1-1.0", second.Hello.Ranks.Single().Tag);
        second.Say(new ToNode.Follow("1-1.0", heard.Length));
        Assert.Equal(0, second.UntilOver("1-1.0").Verdict!.ExitCode);
        var lines = (heard + second.LogOf("1-1.0")).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line[30..]);
        Assert.Equal(Enumerable.Range(1, 200).Select(i => $"{i}"), lines);
    }

    [Fact]
    public void A_verdict_is_kept_until_it_is_acknowledged()
    {
        Agent().Run(Order(1, "exit 5"));
        for (var i = 0; i < 2; i++)
        {
            var agent = Agent();
            Assert.Equal(5, agent.Hello.Ranks.Single().Verdict!.ExitCode);
            if (i == 1) agent.Say(new ToNode.Acknowledge("1-1.0"));
            agent.Say(new ToNode.Ping());
            agent.Until<FromNode.Pong>(_ => true);
            agent.Close();
        }
        Assert.Empty(Agent().Hello.Ranks);
    }

    [Fact]
    public void A_newer_agent_takes_over_from_one_that_is_still_there()
    {
        var older = Agent();
        older.Say(new ToNode.Start(Order(1, "echo ready; sleep 60")));
        older.UntilLogged("1-1.0", "ready");
        var newer = Agent();
        newer.Say(new ToNode.Stop("1-1.0", "cancelled"));
        Assert.Equal(ExitCause.Stopped, newer.UntilOver("1-1.0").Verdict!.Cause);
    }

    [Fact]
    public void A_rank_whose_watcher_was_killed_vanishes_with_all_its_processes()
    {
        var agent = Agent();
        agent.Say(new ToNode.Start(Order(1, "(setsid sleep 98771 > /dev/null 2>&1 &); echo ready; sleep 98772")));
        agent.UntilLogged("1-1.0", "ready");
        Kill(Watcher("1-1.0"));
        agent.UntilPhase("1-1.0", RankPhase.Vanished);
        Assert.Empty(Processes("sleep 9877"));
    }

    [Fact]
    public void A_watcher_killed_while_no_agent_was_there_is_found_out_by_the_next()
    {
        var first = Agent();
        first.Say(new ToNode.Start(Order(1, "echo ready; sleep 98773")));
        first.UntilLogged("1-1.0", "ready");
        first.Close();
        Kill(Watcher("1-1.0"));
        var second = Agent();
        if (second.Hello.Ranks.Single().Phase != RankPhase.Vanished) second.UntilPhase("1-1.0", RankPhase.Vanished);
        Assert.Empty(Processes("sleep 98773"));
    }

    [Fact]
    public void Clearing_up_after_a_dead_watcher_leaves_a_rank_of_the_same_name_alone_that_another_daemon_runs()
    {
        using var other = new RunnerProcess(Path.Combine(Root, "other"));
        other.Say(new ToNode.Start(Order(1, "echo ready; sleep 3; echo still here")));
        other.UntilLogged("1-1.0", "ready");
        var agent = Agent();
        agent.Say(new ToNode.Start(Order(1, "echo ready; sleep 60")));
        agent.UntilLogged("1-1.0", "ready");
        Kill(Watcher("1-1.0"));
        agent.UntilPhase("1-1.0", RankPhase.Vanished);
        Assert.Equal(0, other.UntilOver("1-1.0").Verdict!.ExitCode);
    }

    [Fact]
    public void A_whole_checkpoint_is_reported_and_the_next_attempt_is_told_of_it()
    {
        var agent = Agent();
        const string script = """
            echo "from ${PUCES_CHECKPOINT:-nothing}"
            cd $PUCES_CHECKPOINT_DIR
            mkdir -p step-9 step-10 step-11
            echo '{"step":9}' > step-9/manifest.json
            echo data > step-10/model; echo '{"step":10,"files":{"model":5}}' > step-10/m; mv step-10/m step-10/manifest.json
            echo '{"step":11,"files":{"model":5}}' > step-11/manifest.json
            """;
        Assert.Equal("step-10", agent.Run(Order(1, script)).Checkpoint);
        Assert.Equal(["from nothing"], agent.Lines("1-1.0", 'o'));
        agent.Run(Order(1, script, number: 2));
        Assert.Equal([$"from {Root}/jobs/1/checkpoint/step-10"], agent.Lines("1-2.0", 'o'));
    }

    [Fact]
    public void A_checkpoint_may_be_one_named_file()
    {
        var report = Agent().Run(Order(1, "echo $PUCES_CHECKPOINT_DIR; echo weights > model.pt", checkpoint: new(Path: "model.pt")));
        Assert.Equal("model.pt", report.Checkpoint);
    }
}
