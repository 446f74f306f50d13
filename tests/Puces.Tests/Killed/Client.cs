using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Net.ServerSentEvents;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Puces.Core.Contract;
using Xunit;

namespace Puces.Tests.Killed;

/// <summary>
/// A client that does not give up: it asks again, with the same key, until one of the daemons answers. What it hears in between must be
/// an honest "not now".
/// </summary>
internal sealed class Client(Func<string> token, params string[] addresses) : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(90), Look = TimeSpan.FromMilliseconds(20);
    private readonly HttpClient _http = new() { Timeout = TimeSpan.FromSeconds(30) };
    private int _at, _notNow;

    /// <summary>Requests that were answered with "not now", so far.</summary>
    public int NotNow => _notNow;

    public async Task<JobView> SubmitAsync(SubmitJob job, string key, CancellationToken ct)
    {
        using var reply = await AskAsync(HttpMethod.Post, "api/v1/jobs", ct, request =>
        {
            request.Headers.Add("Idempotency-Key", key);
            request.Content = JsonContent.Create(job, ContractJson.Default.SubmitJob);
        });
        return await ReadAsync(reply, ContractJson.Default.JobView, ct);
    }

    public async Task<JobDetail> ShowAsync(long job, CancellationToken ct) => await GetAsync($"api/v1/jobs/{job}", ContractJson.Default.JobDetail, ct);

    public async Task<JobDetail> EndAsync(long job, CancellationToken ct)
    {
        for (var begun = Stopwatch.StartNew(); ; await Task.Delay(Look, ct))
        {
            var detail = await ShowAsync(job, ct);
            if (detail.Job.IsOver) return detail;
            Assert.True(begun.Elapsed < Patience, $"job {job} is still {detail.Job.State} ({detail.Job.Reason})");
        }
    }

    /// <summary>The whole feed.</summary>
    public async Task<IReadOnlyList<FeedLine>> FeedAsync(CancellationToken ct)
    {
        var lines = new List<FeedLine>();
        while (await GetAsync($"api/v1/feed?after={lines.Count}&limit=10000", ContractJson.Default.FeedPage, ct) is { Lines.Count: > 0 } page) lines.AddRange(page.Lines);
        return lines;
    }

    /// <summary>Follows a log to its end, each time from the cursor of the last line, however often the daemon goes away.</summary>
    public async Task<IReadOnlyList<LogLine>> FollowAsync(long job, CancellationToken ct)
    {
        var lines = new List<LogLine>();
        while (true)
        {
            var after = lines.Count > 0 ? "&after=" + Uri.EscapeDataString(lines[^1].Cursor) : "";
            using var reply = await AskAsync(HttpMethod.Get, $"api/v1/jobs/{job}/logs?follow=true{after}", ct, r => r.Headers.Accept.Add(new("text/event-stream")));
            try
            {
                await using var body = await reply.Content.ReadAsStreamAsync(ct);
                await foreach (var item in SseParser.Create(body).EnumerateAsync(ct))
                    if (item.Data.StartsWith('{')) lines.Add(JsonSerializer.Deserialize(item.Data, ContractJson.Default.LogLine)!);
                if ((await ShowAsync(job, ct)).Job.IsOver) return lines;
            }
            catch (Exception e) when (e is IOException or HttpRequestException)
            {
            }
            _at++;
        }
    }

    public async Task UntilReadyAsync(CancellationToken ct)
    {
        using var reply = await AskAsync(HttpMethod.Get, "readyz", ct);
    }

    /// <summary>Asks once. Null where nobody answers.</summary>
    public async Task<HttpResponseMessage?> AskOnceAsync(HttpMethod method, string path, CancellationToken ct, Action<HttpRequestMessage>? with = null)
    {
        try
        {
            using var request = new HttpRequestMessage(method, addresses[_at % addresses.Length] + path);
            request.Headers.Authorization = new("Bearer", token());
            with?.Invoke(request);
            return await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, ct);
        }
        catch (Exception e) when (e is HttpRequestException or IOException || e is OperationCanceledException && !ct.IsCancellationRequested)
        {
            return null;
        }
    }

    public void Dispose() => _http.Dispose();

    private async Task<T> GetAsync<T>(string path, JsonTypeInfo<T> type, CancellationToken ct)
    {
        using var reply = await AskAsync(HttpMethod.Get, path, ct);
        return await ReadAsync(reply, type, ct);
    }

    private static async Task<T> ReadAsync<T>(HttpResponseMessage reply, JsonTypeInfo<T> type, CancellationToken ct) => (await reply.Content.ReadFromJsonAsync(type, ct))!;

    /// <summary>Asks until there is an answer, its body read unless it is a stream.</summary>
    private async Task<HttpResponseMessage> AskAsync(HttpMethod method, string path, CancellationToken ct, Action<HttpRequestMessage>? with = null)
    {
        for (var begun = Stopwatch.StartNew(); ; await Task.Delay(Look, ct))
        {
            if (await AskOnceAsync(method, path, ct, with) is { } reply)
            {
                var isStream = reply.Content.Headers.ContentType?.MediaType == "text/event-stream";
                try
                {
                    if (reply.IsSuccessStatusCode && !isStream) await reply.Content.LoadIntoBufferAsync(ct);
                    if (reply.IsSuccessStatusCode) return reply;
                    var text = await reply.Content.ReadAsStringAsync(ct);
                    Assert.True(reply.StatusCode == HttpStatusCode.ServiceUnavailable, string.Create(CultureInfo.InvariantCulture, $"{method} {path}: {(int)reply.StatusCode} {text}"));
                    if (path != "readyz") Assert.Equal("application/problem+json", reply.Content.Headers.ContentType?.MediaType);
                    Interlocked.Increment(ref _notNow);
                }
                catch (Exception e) when (e is HttpRequestException or IOException)
                {
                }
                reply.Dispose();
            }
            _at++;
            Assert.True(begun.Elapsed < Patience, $"{method} {path}: nobody answers");
        }
    }
}
