using Puces.Core.Engine;
using Puces.Core.Fleet;
using Puces.Runner;
using Puces.Runner.Containers;
using Puces.Runner.Health;
using Xunit;

namespace Puces.Tests.Runner;

/// <summary>What a rank's end is told with, when the node was at fault.</summary>
public sealed class HealthTests : RunnerSuite
{
    private const string FellOff = "NVRM: Xid (PCI:0000:3b:00): 79, pid='<unknown>', name=<unknown>, GPU has fallen off the bus.";
    private const string Illegal = "NVRM: Xid (PCI:0000:3b:00): 31, pid=4711, name=python, Ch 00000008, intr 10000000. MMU Fault";

    private static readonly Device[] One = [new(0, "H100", "nvidia", default, "GPU-aa")];

    private string KernelLog => Path.Combine(Root, "kmsg");

    /// <summary>An agent with a kernel log of its own, and an <c>nvidia-smi</c> that says this; none where that is null.</summary>
    private Testing.RunnerProcess SickAgent(string? smi = null)
    {
        File.WriteAllText(KernelLog, FellOff + "\n");
        var programs = Directory.CreateDirectory(Path.Combine(Root, "bin")).FullName;
        if (smi is not null)
        {
            File.WriteAllText(programs + "/nvidia-smi", "#!/bin/sh\n" + smi + "\n");
            if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(programs + "/nvidia-smi", (UnixFileMode)0x1ED);
        }
        return Agent(new Dictionary<string, string> { ["PUCES_KERNEL_LOG"] = KernelLog, ["PATH"] = $"{programs}:{Environment.GetEnvironmentVariable("PATH")}", ["PUCES_ENGINES"] = "none" });
    }

    private NodeFault? Fault(string script, string? smi = null, long memory = 0, Device[]? devices = null, long job = 1) =>
        SickAgent(smi).Run(Order(job, script, devices: devices ?? One, memory: memory, enforce: true, env: new() { ["LOG"] = KernelLog })).Verdict!.Fault;

    [Fact]
    public void A_device_that_fell_off_the_bus_while_the_rank_ran_is_why_it_failed()
    {
        var agent = SickAgent();
        var verdict = agent.Run(Order(1, $"echo \"{FellOff}\" >> {KernelLog}; exit 1", devices: One, enforce: true)).Verdict!;
        Assert.Equal((1, ExitCause.Exit, new NodeFault(FaultKind.DeviceLost, "Xid 79 on 0000:3b:00: the device has fallen off the bus")), (verdict.ExitCode, verdict.Cause, verdict.Fault));
        Assert.Contains("The node is at fault: Xid 79 on 0000:3b:00: the device has fallen off the bus.", agent.Lines("1-1.0", 'p'));
    }

    [Theory]
    [InlineData("exit 1")]
    [InlineData($"echo \"{Illegal}\" >> $LOG; exit 1")]
    [InlineData($"echo \"{FellOff}\" >> $LOG; exit 0")]
    public void What_was_before_what_a_program_does_to_itself_and_what_harmed_nobody_is_no_fault(string script) => Assert.Null(Fault(script));

    [Fact]
    public void An_error_of_a_device_that_the_rank_does_not_hold_is_not_why_it_failed()
    {
        const string smi = "echo 'GPU-aa, 00000000:17:00.0, 0'; echo 'GPU-bb, 00000000:3B:00.0, 0'";
        Assert.Null(Fault($"echo \"{FellOff}\" >> $LOG; exit 1", smi));
        Assert.Equal("Xid 79 on GPU-bb: the device has fallen off the bus", Fault($"echo \"{FellOff}\" >> $LOG; exit 1", smi, devices: [One[0] with { Uuid = "GPU-bb" }], job: 2)!.Text);
    }

    [Theory]
    [InlineData("echo 'GPU-bb, 00000000:17:00.0, 0'", FaultKind.DeviceLost, "GPU-aa is not there any more")]
    [InlineData("echo 'Unable to determine the device handle for GPU 0000:3B:00.0: GPU is lost.'; exit 15", FaultKind.DeviceLost, "GPU-aa is not there any more; nvidia-smi: Unable to determine the device handle for GPU 0000:3B:00.0: GPU is lost.")]
    [InlineData("echo 'GPU-aa, 00000000:3B:00.0, [Unknown Error]'", FaultKind.DeviceLost, "GPU-aa does not answer; nvidia-smi: [Unknown Error]")]
    [InlineData("echo 'GPU-aa, 00000000:3B:00.0, 2'", FaultKind.DeviceError, "GPU-aa has had 2 uncorrected memory errors since its driver was loaded")]
    public void What_nvidia_smi_says_of_the_ranks_devices_is_told(string smi, FaultKind kind, string text) =>
        Assert.Equal(new(kind, text), Fault("exit 1", smi));

    [Theory]
    [InlineData("echo 'GPU-aa, 00000000:3B:00.0, 0'")]
    [InlineData("echo 'GPU-aa, 00000000:3B:00.0, [N/A]'")]
    public void A_device_that_answers_is_well(string smi) => Assert.Null(Fault("exit 1", smi));

    [Fact]
    public void A_rank_within_its_memory_that_the_kernel_ended_for_want_of_any_is_the_nodes_fault()
    {
        var name = new RankFolder(Path.Combine(Root, "ranks", "1-1.0")).Name;
        var line = $"oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,task_memcg=/puces/{name},task=python,pid=4711,uid=0";
        Assert.Equal(new(FaultKind.HostMemory, "the node had no memory left, and its kernel ended a rank within its 1GiB"), Fault($"echo '{line}' >> $LOG; exit 137", memory: 1 << 30, devices: []));
    }

    [Fact]
    public async Task A_full_disk_is_the_nodes_fault()
    {
        await using var disk = await Testing.SmallDisk.MakeAsync(8, TestContext.Current.CancellationToken);
        using var agent = new Testing.RunnerProcess(disk.Folder);
        var fault = agent.Run(Order(1, "head -c 100000000 /dev/zero > fill; exit 1", enforce: true)).Verdict!.Fault!;
        Assert.Equal(FaultKind.DiskFull, fault.Kind);
    }

    [Fact]
    public void Of_several_errors_the_one_that_loses_a_device_is_told()
    {
        string[] lines = ["NVRM: Xid (0000:17:00): 94, pid=1, Contained", "NVRM: Xid (PCI:0000:17:00.0): 63, Row", FellOff, "NVRM: Xid (PCI:0000:17:00): 13, Graphics"];
        Assert.Equal("Xid 79 on 0000:3b:00: the device has fallen off the bus", Xids.Find(lines, new Dictionary<string, string>())!.Text);
        Assert.Equal(new(FaultKind.DeviceError, "Xid 94 on GPU-x: contained ECC error"), Xids.Find(lines, new Dictionary<string, string> { ["0000:17:00"] = "GPU-x" }));
    }

    [Fact]
    public void An_instance_of_a_device_is_not_missed_where_only_devices_are_listed() =>
        Assert.Null(Smi.Read([new(0, "A100-1G.5GB", "nvidia", default, "MIG-1")], new Said(0, "GPU-aa, 00000000:3B:00.0, 0", ""))!.Fault);

    [Fact]
    public void On_a_node_for_trials_nothing_is_anybodys_fault()
    {
        var order = Order(1, $"echo \"{FellOff}\" >> {KernelLog}; exit 1", devices: One);
        Assert.Null(SickAgent("exit 15").Run(order).Verdict!.Fault);
    }
}
