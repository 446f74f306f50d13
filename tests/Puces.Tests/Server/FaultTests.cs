using System.Net.Http.Json;
using Puces.Core.Contract;
using Puces.Testing;
using Xunit;

namespace Puces.Tests.Server;

/// <summary>A node that fails its jobs, from the kernel's log to what people read.</summary>
public sealed class FaultTests : IDisposable
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    private readonly string _kernelLog = Path.GetTempFileName();

    [Fact]
    public async Task A_node_that_fails_a_job_twice_is_drained_and_the_evidence_is_why_the_job_waits()
    {
        await using var daemon = new DaemonProcess();
        await daemon.With("PUCES_KERNEL_LOG", _kernelLog).StartAsync(Ct);
        // The kernel names the control group of what it ends.
        var script = $"echo oom-kill:constraint=CONSTRAINT_NONE,global_oom,task_memcg=$(tr '\\n' ' ' < /proc/self/cgroup) >> {_kernelLog}; exit 137";
        var job = await daemon.SubmitAsync(script, Ct, spec => spec with { Memory = new(64 << 20), Retries = new(0, TimeSpan.FromMilliseconds(100)) });
        const string evidence = "the node had no memory left, and its kernel ended a rank within its 64MiB";
        var waits = await daemon.UntilAsync(job.Id, j => j.IsOver || j.Reason?.Contains("is closed for good", StringComparison.Ordinal) == true, Ct);
        Assert.Equal(("queued", 2), (waits.Job.State, waits.Attempts.Count));
        Assert.EndsWith($"local/host could carry it and is closed for good: 2 faults in 24 h, the last: {evidence}", waits.Job.Reason);
        Assert.All(waits.Attempts, a => Assert.Equal($"local/host failed it: {evidence}", a.Reason));
        var pools = await daemon.Http.GetFromJsonAsync("/api/v1/pools", ContractJson.Default.PoolList, Ct);
        Assert.Equal($"for good: 2 faults in 24 h, the last: {evidence}", pools!.Pools.Single().Nodes.Single().Closed);
    }

    public void Dispose() => File.Delete(_kernelLog);
}
