using System.Diagnostics;
using Puces.Core.Contract;
using Puces.Core.Engine;
using Puces.Testing;
using Xunit;

namespace Puces.Tests.Runner;

/// <summary>Ranks with an image, in real containers of Podman.</summary>
public sealed class ContainerTests(PodmanStore podman) : RunnerSuite, IClassFixture<PodmanStore>
{
    private RunnerProcess PodmanAgent() => Agent(podman.Environment);

    private static RankOrder In(RankOrder order, string image = PodmanStore.Image, string? engine = "podman") => order with { Image = image, Engine = engine };

    private static string Owner(string path)
    {
        using var stat = Process.Start(new ProcessStartInfo("stat", ["--format", "%u:%g", path]) { RedirectStandardOutput = true })!;
        return stat.StandardOutput.ReadToEnd();
    }

    [Fact]
    public void A_node_says_which_engine_works_there()
    {
        Assert.Equal("podman", PodmanAgent().Hello.Engine);
        Assert.Null(Agent(new Dictionary<string, string> { ["PUCES_ENGINES"] = "enroot", ["PATH"] = "/nowhere" }).Hello.Engine);
    }

    [Fact]
    public void A_job_with_an_image_sees_its_work_folder_and_writes_files_of_its_own_user()
    {
        var agent = PodmanAgent();
        var report = agent.Run(In(Order(1, "pwd; echo $PUCES_CHECKPOINT_DIR; echo text > here; touch $PUCES_CHECKPOINT_DIR/there; ls /bin/busybox")));
        Assert.Equal(0, report.Verdict!.ExitCode);
        Assert.Equal([$"{Root}/jobs/1/work", $"{Root}/jobs/1/checkpoint", "/bin/busybox"], agent.Lines("1-1.0", 'o'));
        Assert.Equal("text\n", File.ReadAllText(InWork("here")));
        Assert.True(File.Exists($"{Root}/jobs/1/checkpoint/there"));
        File.WriteAllText($"{Root}/mine", "");
        Assert.Equal(Owner($"{Root}/mine"), Owner(InWork("here")));
        Assert.Empty(podman.Containers);
    }

    [Fact]
    public void What_setup_installs_in_the_container_is_there_for_run()
    {
        var agent = PodmanAgent();
        var report = agent.Run(In(Order(1, "cat /installed", setup: "echo from setup > /installed")));
        Assert.Equal((0, "run"), (report.Verdict!.ExitCode, report.Verdict.Phase));
        Assert.Equal(["from setup"], agent.Lines("1-1.0", 'o'));
        Assert.Equal((7, "setup"), agent.Run(In(Order(2, "echo never", setup: "exit 7"))).Verdict is { } failed ? (failed.ExitCode, failed.Phase) : default);
        Assert.Empty(agent.Lines("2-1.0", 'o'));
    }

    [Theory]
    [InlineData("exit 5", 5)]
    [InlineData("kill -USR1 $$; sleep 5; exit 3", 3)]
    [InlineData("sh -c 'kill -9 $$'", 137)]
    public void Its_exit_code_is_the_ranks(string script, int code) =>
        Assert.Equal((code, ExitCause.Exit), PodmanAgent().Run(In(Order(1, script))).Verdict is { } verdict ? (verdict.ExitCode, verdict.Cause) : default);

    [Fact]
    public void It_stands_in_the_nodes_network_where_the_other_ranks_of_its_gang_find_it()
    {
        var agent = PodmanAgent();
        agent.Run(In(Order(1, "readlink /proc/self/ns/net; echo $MASTER_ADDR:$MASTER_PORT")));
        Assert.Equal([new FileInfo("/proc/self/ns/net").LinkTarget!, "127.0.0.1:29500"], agent.Lines("1-1.0", 'o'));
    }

    [Theory]
    [InlineData("no-such-program", 127)]
    [InlineData("/no/such/program", 127)]
    [InlineData("/etc/passwd", 126)]
    public void A_command_that_cannot_be_run_is_the_jobs_own_failure(string program, int code)
    {
        var agent = PodmanAgent();
        Assert.Equal(code, agent.Run(In(Order(1, arguments: [program]))).Verdict!.ExitCode);
        Assert.Empty(podman.Containers);
    }

    [Fact]
    public void One_whose_engine_lost_it_is_ended_and_costs_the_job_nothing()
    {
        var agent = PodmanAgent();
        agent.Say(new ToNode.Start(In(Order(1, "echo ready; sleep 98766"))));
        agent.UntilLogged("1-1.0", "ready");
        Kill(Processes("podman start --attach puces-1-1.0").Single());
        var report = agent.UntilOver("1-1.0");
        Assert.Equal((RankPhase.Refused, "podman does not say how the container ended; its program did with exit code 137"), (report.Phase, report.Detail));
        Assert.Empty(Processes("sleep 98766"));
        Assert.Empty(podman.Containers);
    }

    [Fact]
    public void A_command_without_a_shell_gets_its_words_as_they_are()
    {
        var agent = PodmanAgent();
        agent.Run(In(Order(1, arguments: ["echo", "two  words", "$HOME", "'"])));
        Assert.Equal(["two  words $HOME '"], agent.Lines("1-1.0", 'o'));
    }

    [Fact]
    public void Log_lines_come_in_order_from_both_streams()
    {
        var agent = PodmanAgent();
        agent.Run(In(Order(1, "for i in $(seq 1 300); do echo $i; echo e$i >&2; done")));
        Assert.Equal(Enumerable.Range(1, 300).Select(i => $"{i}"), agent.Lines("1-1.0", 'o'));
        Assert.Equal(Enumerable.Range(1, 300).Select(i => $"e{i}"), agent.Lines("1-1.0", 'e'));
    }

    [Fact]
    public void Variables_and_secrets_reach_it_and_stand_in_no_command_line()
    {
        var agent = PodmanAgent();
        var several = "one\ntwo = 'three'";
        agent.Say(new ToNode.Start(In(Order(1, "echo \"$A|$B|$PATH\"; sleep 30", env: new() { ["A"] = several, ["PATH"] = "/bin:/mine" }, secrets: new() { ["B"] = "s3cr3t word" }))));
        agent.UntilLogged("1-1.0", "|/bin:/mine");
        Assert.Equal(["one", "two = 'three'|s3cr3t word|/bin:/mine"], agent.Lines("1-1.0", 'o'));
        Assert.Empty(Processes("s3cr3t"));
        Assert.Empty(Directory.EnumerateFiles(Root, "variables", SearchOption.AllDirectories));
        agent.Say(new ToNode.Stop("1-1.0", "done"));
        agent.UntilOver("1-1.0");
    }

    [Fact]
    public void A_stop_leaves_it_the_grace_to_save_a_checkpoint()
    {
        var agent = PodmanAgent();
        const string script = """
            save() { mkdir $PUCES_CHECKPOINT_DIR/step-3; sleep 1; echo '{"step":3}' > $PUCES_CHECKPOINT_DIR/step-3/manifest.json; exit 0; }
            trap save USR1
            echo ready
            while true; do sleep 0.1; done
            """;
        agent.Say(new ToNode.Start(In(Order(1, script, checkpoint: new(Signal: "USR1")))));
        agent.UntilLogged("1-1.0", "ready");
        agent.Say(new ToNode.Stop("1-1.0", "cancelled"));
        var report = agent.UntilOver("1-1.0");
        Assert.Equal(("step-3", ExitCause.Stopped, 0), (report.Checkpoint, report.Verdict!.Cause, report.Verdict.ExitCode));
        Assert.Empty(podman.Containers);
    }

    [Fact]
    public void What_does_not_end_by_itself_is_killed_with_all_that_it_started()
    {
        var agent = PodmanAgent();
        agent.Say(new ToNode.Start(In(Order(1, "trap '' TERM; (trap '' TERM; sleep 98761) & echo ready; while true; do sleep 98762; done"))));
        agent.UntilLogged("1-1.0", "ready");
        agent.Say(new ToNode.Stop("1-1.0", "cancelled"));
        Assert.Equal(ExitCause.Stopped, agent.UntilOver("1-1.0").Verdict!.Cause);
        Assert.Empty(Processes("sleep 9876"));
        Assert.Empty(podman.Containers);
    }

    [Fact]
    public void A_killed_agent_harms_no_container_and_the_next_one_tells_its_end()
    {
        var first = PodmanAgent();
        first.Say(new ToNode.Start(In(Order(1, "echo ready; while [ ! -e go ]; do sleep 0.1; done; exit 6"))));
        first.UntilLogged("1-1.0", "ready");
        first.Kill();
        var second = PodmanAgent();
        Assert.Equal("1-1.0", second.Hello.Ranks.Single().Tag);
        File.WriteAllText(InWork("go"), "");
        Assert.Equal(6, second.UntilOver("1-1.0").Verdict!.ExitCode);
        Assert.Empty(podman.Containers);
    }

    [Fact]
    public void Of_a_killed_watcher_nothing_is_left_neither_running_nor_stopped()
    {
        var agent = PodmanAgent();
        agent.Say(new ToNode.Start(In(Order(1, "echo ready; sleep 98763"))));
        agent.UntilLogged("1-1.0", "ready");
        Kill(Watcher("1-1.0"));
        agent.UntilPhase("1-1.0", RankPhase.Vanished);
        Assert.Empty(Processes("sleep 98763"));
        Assert.Empty(podman.Containers);
    }

    [Fact]
    public void It_ends_with_its_term_when_the_agent_is_gone()
    {
        var agent = PodmanAgent();
        agent.Say(new ToNode.Start(In(Order(1, "echo ready; sleep 98764", term: TimeSpan.FromSeconds(16)))));
        agent.UntilLogged("1-1.0", "ready");
        agent.Kill();
        Assert.True(Eventually(() => Processes("sleep 98764").Count == 0));
        Assert.True(Eventually(() => podman.Containers.Length == 0));
        var next = PodmanAgent();
        var rank = next.Hello.Ranks.Single();
        Assert.Equal(ExitCause.Term, (rank.Verdict is null ? next.UntilOver("1-1.0") : rank).Verdict!.Cause);
    }

    [Fact]
    public void Without_an_engine_it_is_refused_and_never_run_bare()
    {
        var agent = PodmanAgent();
        var report = agent.Run(In(Order(1, "touch ran"), engine: null));
        Assert.Equal((RankPhase.Refused, "it needs a container engine (Docker, Podman, Apptainer or Enroot), and none works on this node"), (report.Phase, report.Detail));
        Assert.False(File.Exists(InWork("ran")));
    }

    [Fact]
    public void Where_the_runner_stands_in_the_image_itself_ranks_run_as_they_are()
    {
        var agent = Agent(new Dictionary<string, string> { ["PUCES_IN_IMAGE"] = "1" });
        Assert.Equal("inside", agent.Hello.Engine);
        Assert.Equal(0, agent.Run(In(Order(1, "touch ran"), engine: agent.Hello.Engine)).Verdict!.ExitCode);
        Assert.True(File.Exists(InWork("ran")));
    }

    [Fact]
    public void An_image_that_cannot_be_had_is_refused_in_the_engines_words()
    {
        var agent = PodmanAgent();
        var report = agent.Run(In(Order(1, "true"), image: "localhost:1/nobody/nothing:1"));
        Assert.Equal(RankPhase.Refused, report.Phase);
        Assert.StartsWith("podman could not pull localhost:1/nobody/nothing:1: ", report.Detail);
        Assert.Contains("connection refused", report.Detail);
        Assert.Contains("Try it there: podman pull --quiet localhost:1/nobody/nothing:1", report.Detail);
        Assert.Equal("Pulling localhost:1/nobody/nothing:1 with podman.", agent.Lines("1-1.0", 'p')[0]);
        Assert.Empty(podman.Containers);
    }

    [Fact]
    public void Its_limits_land_in_its_control_group()
    {
        var agent = PodmanAgent();
        Assert.SkipUnless(agent.Hello.Limits != "none", "this machine lets nobody make control groups here");
        agent.Say(new ToNode.Start(In(Order(1, "echo ready; sleep 98765", memory: 64 << 20, enforce: true))));
        agent.UntilLogged("1-1.0", "ready");
        var inspected = podman.Podman("inspect", "--format", "{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}} {{.State.CgroupPath}}", podman.Containers.Single()).Output.Split(' ');
        Assert.Equal(["67108864", "1000000000"], inspected[..2]);
        var limit = new[] { $"/sys/fs/cgroup/memory{inspected[2]}/memory.limit_in_bytes", $"/sys/fs/cgroup{inspected[2]}/memory.max" }.First(File.Exists);
        Assert.Equal("67108864", File.ReadAllText(limit).Trim());
        agent.Say(new ToNode.Stop("1-1.0", "done"));
        agent.UntilOver("1-1.0");
    }

    [Fact]
    public void What_it_uses_is_counted_and_not_what_its_engine_does()
    {
        var agent = PodmanAgent();
        Assert.SkipUnless(agent.Hello.Limits != "none", "this machine lets nobody make control groups here");
        var verdict = agent.Run(In(Order(1, "x=$(head -c 40000000 /dev/zero | tr '\\0' x); i=0; while [ $i -lt 3000000 ]; do i=$((i+1)); done; sleep 3; echo ${#x}", enforce: true))).Verdict!;
        Assert.True(verdict.Cpu > TimeSpan.FromSeconds(0.5), $"{verdict.Cpu}");
        Assert.True(verdict.PeakMemory > 40_000_000, $"{verdict.PeakMemory}");
    }

    [Fact]
    public void One_that_takes_more_memory_than_it_asked_for_is_told_so()
    {
        var agent = PodmanAgent();
        Assert.SkipUnless(agent.Hello.Limits != "none", "this machine lets nobody make control groups here");
        var report = agent.Run(In(Order(1, "x=$(head -c 200000000 /dev/zero | tr '\\0' x); echo ${#x}", memory: 64 << 20, enforce: true)));
        Assert.Equal((ExitCause.OutOfMemory, "it used more memory than the 64MiB that it had asked for"), (report.Verdict!.Cause, report.Verdict.Detail));
    }
}
