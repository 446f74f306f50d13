using Puces.Core.Contract;
using Puces.Core.Engine;
using Puces.Core.Fleet;
using Xunit;

namespace Puces.Tests.Runner;

public sealed class RunTests : RunnerSuite
{
    [Fact]
    public void A_rank_runs_and_its_exit_code_and_both_streams_are_reported()
    {
        var agent = Agent();
        var report = agent.Run(Order(1, "echo one; echo two >&2; printf part; exit 7"));
        Assert.Equal((7, ExitCause.Exit, "run"), (report.Verdict!.ExitCode, report.Verdict.Cause, report.Verdict.Phase));
        Assert.Equal(["one"], agent.Lines("1-1.0", 'o'));
        Assert.Equal(["two"], agent.Lines("1-1.0", 'e'));
        Assert.Equal(["part"], agent.Lines("1-1.0", 'O'));
        Assert.Equal(report.LogLength, agent.LogOf("1-1.0").Length);
        Assert.True(agent.All.FindIndex(m => m is FromNode.Log { IsLast: true }) < agent.All.FindIndex(m => m is FromNode.Report { Rank.Phase: RankPhase.Ended }));
    }

    [Fact]
    public void Many_lines_come_in_order_and_none_is_lost()
    {
        var agent = Agent();
        agent.Run(Order(1, "seq 1 20000"));
        Assert.Equal(Enumerable.Range(1, 20000).Select(i => $"{i}"), agent.Lines("1-1.0", 'o'));
    }

    [Fact]
    public void A_long_line_comes_in_parts()
    {
        var agent = Agent();
        agent.Run(Order(1, "head -c 40000 /dev/zero | tr '\\0' x; echo"));
        Assert.Equal(40000, (string.Concat(agent.Lines("1-1.0", 'O')) + string.Concat(agent.Lines("1-1.0", 'o'))).Length);
        Assert.Equal(2, agent.Lines("1-1.0", 'O').Length);
    }

    [Fact]
    public void A_failed_setup_is_the_end()
    {
        var agent = Agent();
        var report = agent.Run(Order(1, "echo never", setup: "echo before; false; echo after"));
        Assert.Equal((1, "setup"), (report.Verdict!.ExitCode, report.Verdict.Phase));
        Assert.Equal(["before"], agent.Lines("1-1.0", 'o'));
    }

    [Fact]
    public void Arguments_are_given_as_they_are_and_no_shell_sees_them()
    {
        var agent = Agent();
        agent.Run(Order(1, arguments: ["printf", "%s\\n", "$HOME; echo `x`", "a b"]));
        Assert.Equal(["$HOME; echo `x`", "a b"], agent.Lines("1-1.0", 'o'));
    }

    [Fact]
    public void A_command_that_is_not_there_ends_with_127_and_says_so()
    {
        var agent = Agent();
        Assert.Equal(127, agent.Run(Order(1, arguments: ["no-such-command"])).Verdict!.ExitCode);
        Assert.Equal(["no-such-command: command not found"], agent.Lines("1-1.0", 'p'));
    }

    [Fact]
    public void A_signal_is_128_and_its_number() =>
        Assert.Equal(137, Agent().Run(Order(1, "kill -9 $$")).Verdict!.ExitCode);

    [Fact]
    public void The_environment_is_clean_and_says_where_the_rank_stands()
    {
        var agent = Agent(new Dictionary<string, string> { ["PUCES_TOKEN"] = "token-of-the-daemon", ["AWS_SECRET_ACCESS_KEY"] = "cloud" });
        var devices = new[] { new Device(3, "H100", "nvidia", default), new Device(5, "H100", "nvidia", default) };
        agent.Run(Order(1, "env; pwd", env: new() { ["A"] = "1 2" }, devices: devices) with { Hosts = ["alpha", "beta"], Number = 4, Rank = 1 });
        var said = agent.Lines("1-4.1", 'o');
        foreach (var expected in (string[])["A=1 2", "PUCES_JOB_ID=1", "PUCES_JOB_NAME=trial", "PUCES_PROJECT=research", "PUCES_ATTEMPT=4", "PUCES_RANK=1",
            "PUCES_NODES=2", "PUCES_NODE_RANK=1", "PUCES_HOSTS=alpha,beta", "PUCES_GPUS=2", "MASTER_ADDR=alpha", "MASTER_PORT=29500", "WORLD_SIZE=4",
            "NODE_RANK=1", "LOCAL_WORLD_SIZE=2", "CUDA_VISIBLE_DEVICES=3,5", "ROCR_VISIBLE_DEVICES=", "ZE_AFFINITY_MASK=", "TERM=dumb",
            $"PUCES_CHECKPOINT_DIR={Root}/jobs/1/checkpoint", $"PUCES_WORKDIR={Root}/jobs/1/work", $"{Root}/jobs/1/work"])
            Assert.Contains(expected, said);
        Assert.DoesNotContain(said, line => line.StartsWith("PUCES_TOKEN", StringComparison.Ordinal) || line.Contains("cloud", StringComparison.Ordinal));
    }

    [Fact]
    public void A_rank_that_has_a_part_of_a_device_is_told_which_part()
    {
        var agent = Agent();
        agent.Run(Order(1, "env", devices: [new(3, "L4", "nvidia", default)]) with { GpuShare = 250 });
        var said = agent.Lines("1-1.0", 'o');
        foreach (var expected in (string[])["PUCES_GPUS=1", "PUCES_GPU_SHARE=0.25", "CUDA_VISIBLE_DEVICES=3", "CUDA_MPS_ACTIVE_THREAD_PERCENTAGE=25"]) Assert.Contains(expected, said);
        agent.Run(Order(2, "env", devices: [new(3, "L4", "nvidia", default)]));
        Assert.DoesNotContain(agent.Lines("2-1.0", 'o'), line => line.StartsWith("PUCES_GPU_SHARE", StringComparison.Ordinal));
    }

    [Fact]
    public void A_mig_instance_is_shown_by_its_id()
    {
        var agent = Agent();
        agent.Run(Order(1, "env", devices: [new(4, "A100-1G.5GB", "nvidia", default, "MIG-7f"), new(1, "A100", "nvidia", default, "GPU-1")]));
        Assert.Contains("CUDA_VISIBLE_DEVICES=MIG-7f,GPU-1", agent.Lines("1-1.0", 'o'));
    }

    [Fact]
    public void A_secret_reaches_the_process_and_nothing_else()
    {
        var agent = Agent();
        agent.Say(new ToNode.Start(Order(1, "test ${#KEY} = 11 && echo got it; sleep 1", secrets: new() { ["KEY"] = "very-secret" })));
        agent.UntilLogged("1-1.0", "got it");
        Assert.Empty(Processes("very-secret"));
        var order = Path.Combine(Root, "ranks", "1-1.0", "order.json");
        if (!OperatingSystem.IsWindows()) Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(order));
        foreach (var file in Directory.EnumerateFiles(Root, "*", SearchOption.AllDirectories))
            if (file != order && Path.GetFileName(file) is not ("bell" or "control")) Assert.DoesNotContain("very-secret", File.ReadAllText(file), StringComparison.Ordinal);
        agent.UntilOver("1-1.0");
        Assert.Equal(0, new FileInfo(order).Length);
    }

    [Fact]
    public void An_acknowledged_rank_is_forgotten_and_its_work_stays()
    {
        var agent = Agent();
        agent.Run(Order(1, "echo kept > result"));
        agent.Say(new ToNode.Acknowledge("1-1.0"));
        agent.Say(new ToNode.Stop("1-1.0", "too late"));
        agent.Until<FromNode.Gone>(gone => gone.Tag == "1-1.0");
        Assert.False(Directory.Exists(Path.Combine(Root, "ranks", "1-1.0")));
        Assert.Equal("kept\n", File.ReadAllText(InWork("result")));
    }

    [Fact]
    public void Rank_after_rank_has_only_its_own_log_state_and_variables()
    {
        var agent = Agent();
        for (var job = 1; job <= 20; job++)
        {
            var tag = $"{job}-1.0";
            var report = agent.Run(Order(job, $"echo {job}:$A; exit {job}", env: job % 2 == 0 ? new() { ["A"] = "even" } : []));
            Assert.Equal(job, report.Verdict!.ExitCode);
            Assert.Equal([$"{job}:{(job % 2 == 0 ? "even" : "")}"], agent.Lines(tag, 'o'));
            agent.Say(new ToNode.Acknowledge(tag));
        }
        agent.Close();
        Assert.All(Directory.EnumerateFiles(Path.Combine(Root, "spare"), "*.json", SearchOption.AllDirectories), file => Assert.Equal(0, new FileInfo(file).Length));
        Assert.Empty(Agent().Hello.Ranks);
    }

    [Fact]
    public void The_same_start_again_runs_nothing_again()
    {
        var agent = Agent();
        var order = Order(1, "echo once >> log");
        agent.Run(order);
        Assert.Equal(RankPhase.Ended, agent.Run(order).Phase);
        Assert.Equal("once\n", File.ReadAllText(InWork("log")));
    }

    [Theory]
    [InlineData("not json")]
    [InlineData("{\"$type\":\"dance\"}")]
    [InlineData("{\"$type\":\"start\",\"order\":{\"job\":{\"value\":1},\"number\":1,\"rank\":0}}")]
    [InlineData("{\"$type\":\"start\"}")]
    [InlineData("[]")]
    [InlineData("{\"$type\":\"stop\",\"tag\":7}")]
    public void A_line_that_makes_no_sense_is_a_problem_and_the_agent_goes_on(string line)
    {
        var agent = Agent();
        agent.SayLine(line);
        agent.Until<FromNode.Problem>(_ => true);
        agent.Say(new ToNode.Ping());
        agent.Until<FromNode.Pong>(_ => true);
    }

    [Fact]
    public void Output_of_what_outlives_the_script_for_a_moment_is_kept()
    {
        var agent = Agent();
        agent.Run(Order(1, "(sleep 0.3; echo late) & echo early"));
        Assert.Equal(["early", "late"], agent.Lines("1-1.0", 'o'));
    }
}
