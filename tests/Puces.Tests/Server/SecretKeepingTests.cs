using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Puces.Core.Contract;
using Xunit;

namespace Puces.Tests.Server;

[System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
public sealed class SecretKeepingTests(SharedDaemon daemon) : IClassFixture<SharedDaemon>
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    private Task<Reply> SetAsync(string name, string value) =>
        daemon.SendAsync(HttpMethod.Put, $"api/v1/secrets/{name}", JsonSerializer.Serialize(new(value), ContractJson.Default.SetSecret), Ct);

    [Fact]
    public async Task Secrets_are_listed_by_name_changed_and_removed()
    {
        Assert.Equal(204, (await SetAsync("LISTED", "one")).Status);
        Assert.Equal(204, (await SetAsync("LISTED", "two")).Status);
        var listed = await daemon.GetAsync("api/v1/secrets", ContractJson.Default.SecretList, Ct);
        Assert.Single(listed.Secrets, s => s.Name == "LISTED");
        var job = await daemon.Process.SubmitAsync("[ \"$LISTED\" = two ]", Ct, s => s with { Secrets = ["LISTED"] });
        Assert.Equal(0, (await daemon.Process.EndAsync(job.Id, Ct)).Job.ExitCode);
        Assert.Equal(204, (await daemon.SendAsync(HttpMethod.Delete, "api/v1/secrets/LISTED", null, Ct)).Status);
        Assert.Equal((404, "there is no secret LISTED"), (await daemon.SendAsync(HttpMethod.Delete, "api/v1/secrets/LISTED", null, Ct) is var none ? (none.Status, none.Problem.Title) : default));
        Assert.DoesNotContain(await SecretsAsync(), s => s.Name == "LISTED");
    }

    [Fact]
    public async Task A_secret_reaches_the_job_and_no_other_place()
    {
        // Letters that JSON leaves alone, so that a search of bytes finds the value wherever it is written.
        var value = "s3cr3t" + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(20));
        Assert.Equal(204, (await SetAsync("KEPT", value)).Status);
        var job = await daemon.Process.SubmitAsync(
            "printf %s \"$KEPT\" | sha256sum; sh -c 'printf %s \"$KEPT\" | wc -c'; until [ -e ../../../go ]; do sleep 0.05; done",
            Ct, s => s with { Secrets = ["KEPT"], Gpus = [new(1, "H100")], Setup = "test -n \"$KEPT\"", Retries = new(1) });
        await daemon.Process.UntilAsync(job.Id, j => j.State == "running", Ct);
        await HashIsSeenAsync(job.Id, value);
        Assert.Empty(CommandLinesWith(value));
        // While it runs its order holds the value, readable by its owner only; nothing else does.
        var holding = FilesWith(value);
        Assert.All(holding, file => Assert.Equal("order.json", Path.GetFileName(file)));
        Assert.All(holding, file => Assert.Equal((UnixFileMode)0, File.GetUnixFileMode(file) & (UnixFileMode)0b000_111_111));
        File.WriteAllText(Path.Combine(RunnerOf(job.Id), "go"), "");
        Assert.Equal("succeeded", (await daemon.Process.EndAsync(job.Id, Ct)).Job.State);
        await daemon.Process.LogAsync(job.Id, Ct);
        Assert.Empty(FilesWith(value));
        foreach (var path in (string[])["api/v1/jobs?state=all", $"api/v1/jobs/{job.Id}", $"api/v1/jobs/{job.Id}/why", $"api/v1/jobs/{job.Id}/logs", "api/v1/feed", "api/v1/secrets", "api/v1/info", "api/v1/pools"])
            Assert.DoesNotContain(value, (await daemon.GetAsync(path, Ct)).Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_is_wrong_with_a_secret_is_said_without_repeating_it()
    {
        foreach (var body in (string[])["""{"value": "hunter2hunter2", "valeu": "hunter2hunter2"}""", """{"value": ["hunter2hunter2"]}""", "{\"value\": \"hunter2hunter2\\u0000\"}", "\"hunter2hunter2\"", "hunter2hunter2"])
        {
            var reply = await daemon.SendAsync(HttpMethod.Put, "api/v1/secrets/WRONG", body, Ct);
            Assert.InRange(reply.Status, 400, 422);
            Assert.DoesNotContain("hunter2", reply.Text, StringComparison.Ordinal);
        }
        Assert.Empty(FilesWith("hunter2"));
        Assert.DoesNotContain(await SecretsAsync(), s => s.Name == "WRONG");
    }

    private async Task<IReadOnlyList<SecretView>> SecretsAsync() => (await daemon.GetAsync("api/v1/secrets", ContractJson.Default.SecretList, Ct)).Secrets;

    private async Task HashIsSeenAsync(long job, string value)
    {
        var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.ASCII.GetBytes(value)));
        var texts = new List<string>();
        await foreach (var line in daemon.EventsAsync($"api/v1/jobs/{job}/logs?follow=true", ContractJson.Default.LogLine, Ct))
        {
            texts.Add(line.Data.Text.Trim());
            if (texts.Count == 2) break;
        }
        Assert.Equal([$"{hash}  -", "46"], texts);
    }

    private string RunnerOf(long job) => Assert.Single(Directory.EnumerateDirectories(Path.Combine(daemon.Process.Data, "runner")), node => Directory.Exists(Path.Combine(node, "jobs", $"{job}")));

    /// <summary>Every regular file below the daemon's data folder, its own log and its store among them, that holds the bytes.</summary>
    private List<string> FilesWith(string value)
    {
        var (bytes, found) = (Encoding.ASCII.GetBytes(value), new List<string>());
        foreach (var file in Directory.EnumerateFiles(daemon.Process.Data, "*", SearchOption.AllDirectories))
        {
            try
            {
                // Pipes would be waited for; what has no length holds nothing.
                if (new FileInfo(file) is { Length: > 0 } && ReadShared(file).AsSpan().IndexOf(bytes) >= 0) found.Add(file);
            }
            catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
            {
            }
        }
        return found;
    }

    private static byte[] ReadShared(string file)
    {
        using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        var bytes = new byte[stream.Length];
        stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
        return bytes;
    }

    private static List<string> CommandLinesWith(string value)
    {
        var found = new List<string>();
        foreach (var folder in Directory.EnumerateDirectories("/proc").Where(f => int.TryParse(Path.GetFileName(f), out _)))
        {
            try
            {
                if (File.ReadAllText(folder + "/cmdline") is var line && line.Contains(value, StringComparison.Ordinal)) found.Add(line);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
            }
        }
        return found;
    }
}
