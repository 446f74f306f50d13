using Puces.Testing;
using Xunit;

namespace Puces.Tests.Server;

/// <summary>Jobs with an image, from the queue into a container and back.</summary>
public sealed class ImageTests(PodmanStore podman) : IClassFixture<PodmanStore>
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_job_with_an_image_runs_in_it_on_a_node_with_an_engine()
    {
        await using var daemon = new DaemonProcess();
        foreach (var (name, value) in podman.Environment) daemon.With(name, value);
        await daemon.StartAsync(Ct);
        var job = await daemon.SubmitAsync("cat /etc/passwd; exit 7", Ct, spec => spec with { Image = PodmanStore.Image });
        Assert.Equal(7, (await daemon.EndAsync(job.Id, Ct)).Job.ExitCode);
        Assert.Equal(["root:x:0:0:root:/root:/bin/sh"], (await daemon.LogAsync(job.Id, Ct)).Where(l => l.Stream == "out").Select(l => l.Text));
        Assert.Empty(podman.Containers);
    }

    [Fact]
    public async Task Without_an_engine_it_waits_and_says_for_what()
    {
        await using var daemon = new DaemonProcess();
        await daemon.With("PUCES_ENGINES", "none").StartAsync(Ct);
        var job = await daemon.SubmitAsync("true", Ct, spec => spec with { Image = "any" });
        var waits = await daemon.UntilAsync(job.Id, j => j.Reason?.StartsWith("needs a container engine", StringComparison.Ordinal) == true, Ct);
        Assert.Equal("needs a container engine (Docker, Podman, Apptainer or Enroot): none on local/host", waits.Job.Reason);
    }
}
