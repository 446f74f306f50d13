using Puces.Testing;
using Xunit;

namespace Puces.Tests.Server;

public sealed class DaemonTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_job_runs_to_its_end_and_its_log_and_verdict_are_kept()
    {
        await using var daemon = new DaemonProcess();
        await daemon.StartAsync(Ct);
        var job = await daemon.SubmitAsync("for i in 1 2 3; do echo line $i; done; exit 7", Ct);
        var end = await daemon.EndAsync(job.Id, Ct);
        Assert.Equal(("failed", 7, 1), (end.Job.State, end.Job.ExitCode, end.Attempts.Count));
        Assert.Equal(["line 1", "line 2", "line 3"], (await daemon.LogAsync(job.Id, Ct)).Where(l => l.Stream == "out").Select(l => l.Text));
        Assert.Equal(0, await daemon.StopAsync(Ct));
    }
}
