using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Puces.Core.Contract;
using Puces.Core.Jobs;
using Puces.Testing;
using Xunit;

namespace Puces.Tests.Server;

/// <summary>A reply with its body read.</summary>
public sealed record Reply(int Status, string? Type, string Text, HttpResponseHeaders Headers)
{
    public T Read<T>(JsonTypeInfo<T> type) => JsonSerializer.Deserialize(Text, type)!;

    public Problem Problem
    {
        get
        {
            Assert.Equal("application/problem+json", Type);
            var problem = Read(ContractJson.Default.Problem);
            Assert.Equal(Status, problem.Status);
            return problem;
        }
    }
}

/// <summary>One daemon for all tests of a class: two virtual nodes with eight devices each. Each test leaves the line empty.</summary>
public sealed class SharedDaemon : IAsyncLifetime
{
    public DaemonProcess Process { get; } = new("--gpus", "H100:8", "--nodes", "2", "--cpus", "16", "--memory", "64GB");

    public async ValueTask InitializeAsync() => await Process.StartAsync(TestContext.Current.CancellationToken);

    public ValueTask DisposeAsync() => Process.DisposeAsync();

    public Task<Reply> GetAsync(string path, CancellationToken ct) => SendAsync(new(HttpMethod.Get, path), ct);

    public Task<Reply> SendAsync(HttpMethod method, string path, string? json, CancellationToken ct, string? key = null)
    {
        var request = new HttpRequestMessage(method, path);
        if (json is not null) request.Content = new StringContent(json, Encoding.UTF8, "application/json");
        if (key is not null) request.Headers.TryAddWithoutValidation("Idempotency-Key", key);
        return SendAsync(request, ct);
    }

    public async Task<Reply> SendAsync(HttpRequestMessage request, CancellationToken ct)
    {
        using (request)
        {
            using var reply = await Process.Http.SendAsync(request, ct);
            return new((int)reply.StatusCode, reply.Content.Headers.ContentType?.MediaType, await reply.Content.ReadAsStringAsync(ct), reply.Headers);
        }
    }

    public async Task<T> GetAsync<T>(string path, JsonTypeInfo<T> type, CancellationToken ct) => (await Process.Http.GetFromJsonAsync(path, type, ct))!;

    /// <summary>Server-sent events as they come, comments left out.</summary>
    public async IAsyncEnumerable<SseItem<T>> EventsAsync<T>(string path, JsonTypeInfo<T> type, [EnumeratorCancellation] CancellationToken ct, string? lastId = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        request.Headers.Accept.Add(new("text/event-stream"));
        if (lastId is not null) request.Headers.Add("Last-Event-ID", lastId);
        using var reply = await Process.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, ct);
        Assert.Equal("text/event-stream", reply.EnsureSuccessStatusCode().Content.Headers.ContentType?.MediaType);
        await using var body = await reply.Content.ReadAsStreamAsync(ct);
        await foreach (var item in SseParser.Create(body, (_, data) => JsonSerializer.Deserialize(data, type)!).EnumerateAsync(ct)) yield return item;
    }

    /// <summary>A job that holds every device until it is cancelled, so that all others wait.</summary>
    public async Task<JobView> HoldAllAsync(CancellationToken ct)
    {
        var job = await Process.SubmitAsync("sleep 600", ct, s => s with { Name = "holder", Nodes = 2, Gpus = [new(8, "H100")], Priority = 1000 });
        return (await Process.UntilAsync(job.Id, j => j.State == "running", ct)).Job;
    }

    /// <summary>A job that waits while all devices are held.</summary>
    public Task<JobView> WaitingAsync(CancellationToken ct, Func<JobSpec, JobSpec>? with = null) =>
        Process.SubmitAsync("true", ct, s => (with ?? (j => j))(s with { Gpus = [new(8, "H100")], Nodes = 2 }));

    public async Task<JobView> CancelAsync(long job, CancellationToken ct) =>
        (await SendAsync(HttpMethod.Post, $"api/v1/jobs/{job}/cancel", null, ct)).Read(ContractJson.Default.JobView);

    /// <summary>Cancels all that is live, and waits until it is gone.</summary>
    public async Task ClearAsync(CancellationToken ct)
    {
        var live = (await GetAsync("api/v1/jobs?limit=10000", ContractJson.Default.JobPage, ct)).Jobs;
        // Those that wait first: else they would start when the others end.
        foreach (var job in live.OrderBy(j => j.State != "queued")) await CancelAsync(job.Id, ct);
        foreach (var job in live) await Process.EndAsync(job.Id, ct);
    }
}
