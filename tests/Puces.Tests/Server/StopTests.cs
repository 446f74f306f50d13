using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using Puces.Testing;
using Xunit;

namespace Puces.Tests.Server;

public sealed class StopTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task The_daemon_stops_in_good_order_with_streams_open_and_its_jobs_go_on(bool bySignal)
    {
        await using var daemon = new DaemonProcess();
        await daemon.StartAsync(Ct);
        var job = await daemon.SubmitAsync("until [ -e go ]; do sleep 0.05; done; echo still here", Ct);
        await daemon.UntilAsync(job.Id, j => j.State == "running", Ct);
        var streams = await Task.WhenAll(((string[])["api/v1/feed", $"api/v1/jobs/{job.Id}/watch", $"api/v1/jobs/{job.Id}/logs?follow=true"]).Select(path => OpenAsync(daemon, path)));
        if (bySignal) Assert.Equal(0, await daemon.StopAsync(Ct));
        else
        {
            using var reply = await daemon.Http.PostAsync("api/v1/shutdown", null, Ct);
            Assert.Equal(HttpStatusCode.Accepted, reply.StatusCode);
            await UntilAsync(() => daemon.HasExited);
        }
        Assert.False(File.Exists(Path.Combine(daemon.Data, "server.json")));
        foreach (var stream in streams) await DrainAsync(stream);
        await daemon.StartAsync(Ct);
        await daemon.UntilAsync(job.Id, j => j is { State: "running", Attempt: 1 }, Ct);
        await File.WriteAllTextAsync(Path.Combine(daemon.Data, "runner", "host", "jobs", $"{job.Id}", "work", "go"), "", Ct);
        Assert.Equal(1, (await daemon.EndAsync(job.Id, Ct)).Job.Attempt);
        Assert.Contains(await daemon.LogAsync(job.Id, Ct), l => l.Text == "still here");
        Assert.DoesNotContain("\"LogLevel\":\"Error\"", await File.ReadAllTextAsync(daemon.ErrorFile, Ct), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_second_daemon_on_the_same_data_says_who_has_it_and_leaves_the_first_alone()
    {
        await using var daemon = new DaemonProcess();
        await daemon.StartAsync(Ct);
        var said = await File.ReadAllTextAsync(Path.Combine(daemon.Data, "server.json"), Ct);
        using var second = Process.Start(new ProcessStartInfo(DaemonProcess.Program, ["--data", daemon.Data]) { RedirectStandardError = true, RedirectStandardOutput = true })!;
        var error = await second.StandardError.ReadToEndAsync(Ct);
        await second.WaitForExitAsync(Ct);
        Assert.Equal((1, $"pucesd: {daemon.Data}/puces.db is in use by process {daemon.Pid}. Stop that pucesd first, or give this one another file.\n"), (second.ExitCode, error));
        Assert.Equal(said, await File.ReadAllTextAsync(Path.Combine(daemon.Data, "server.json"), Ct));
        Assert.Equal("succeeded", (await daemon.EndAsync((await daemon.SubmitAsync("true", Ct)).Id, Ct)).Job.State);
    }

    [Fact]
    public async Task What_a_killed_daemon_has_left_of_uploads_is_gone_after_the_next_start()
    {
        await using var daemon = new DaemonProcess();
        await daemon.StartAsync(Ct);
        await daemon.KillAsync();
        var part = Path.Combine(daemon.Data, "blobs", "aa", "aaaa.1.part");
        Directory.CreateDirectory(Path.GetDirectoryName(part)!);
        await File.WriteAllTextAsync(part, "half", Ct);
        await daemon.StartAsync(Ct);
        Assert.False(File.Exists(part));
    }

    private static async Task<Stream> OpenAsync(DaemonProcess daemon, string path)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue("text/event-stream"));
        var reply = await daemon.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Ct);
        Assert.Equal(HttpStatusCode.OK, reply.StatusCode);
        return await reply.Content.ReadAsStreamAsync(Ct);
    }

    private static async Task DrainAsync(Stream stream)
    {
        // Its end, or its breaking off: only not for ever.
        try { await stream.CopyToAsync(Stream.Null, Ct); }
        catch (Exception e) when (e is IOException or HttpRequestException) { }
    }

    private static async Task UntilAsync(Func<bool> isSo)
    {
        for (var begun = Stopwatch.StartNew(); !isSo(); await Task.Delay(10, Ct)) Assert.True(begun.Elapsed < TimeSpan.FromSeconds(60), "it takes too long");
    }
}
