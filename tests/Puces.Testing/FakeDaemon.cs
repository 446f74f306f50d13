using System.Globalization;
using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Puces.Core.Contract;

namespace Puces.Testing;

/// <summary>
/// The REST interface over a <see cref="FakeWorld"/> in memory, for trying clients: it keeps the contract, and can be
/// stopped and started again at another port without losing the world, or cut its streams after some events.
/// </summary>
public sealed class FakeDaemon(FakeWorld world) : IAsyncDisposable
{
    private WebApplication? _app;

    public string Url { get; private set; } = "";
    public Task Stopped => _app!.WaitForShutdownAsync(CancellationToken.None);

    public async Task StartAsync(int port, CancellationToken ct)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls($"http://127.0.0.1:{port}");
        builder.WebHost.ConfigureKestrel(o => o.Limits.MaxRequestBodySize = null);
        builder.Services.ConfigureHttpJsonOptions(o => o.SerializerOptions.TypeInfoResolverChain.Insert(0, ContractJson.Default));
        builder.Services.Configure<HostOptions>(o => o.ShutdownTimeout = TimeSpan.FromMilliseconds(200));
        _app = builder.Build();
        _app.Use(AuthoriseAsync);
        Map(_app);
        await _app.StartAsync(ct);
        Url = _app.Urls.Single();
    }

    public async Task StopAsync(CancellationToken ct)
    {
        if (_app is null) return;
        await _app.StopAsync(ct);
        await _app.DisposeAsync();
        _app = null;
    }

    public async ValueTask DisposeAsync() => await StopAsync(CancellationToken.None);

    private async Task AuthoriseAsync(HttpContext context, RequestDelegate next)
    {
        world.Requests.Add($"{context.Request.Method} {context.Request.Path}{context.Request.QueryString}");
        var isOpen = context.Request.Path.Value is "/healthz" or "/readyz";
        if (!isOpen && context.Request.Headers.Authorization != $"Bearer {world.Token}")
            await Refusal("the token is not known", 401).ExecuteAsync(context);
        else if (!isOpen && world.RefusesNext()) await Refusal("another daemon leads", 503).ExecuteAsync(context);
        else await next(context);
    }

    private void Map(WebApplication app)
    {
        app.MapGet("/healthz", () => "ok");
        app.MapGet("/readyz", () => "ok");
        app.MapGet("/api/v1/info", () => world.Info());
        app.MapPost("/api/v1/shutdown", () =>
        {
            _ = Task.Run(() => app.StopAsync(CancellationToken.None));
            return Results.Ok();
        });
        app.MapPost("/api/v1/jobs", (SubmitJob job, HttpContext http) =>
        {
            var view = world.Submit(job, http.Request.Headers["Idempotency-Key"].ToString());
            return world.LosesNextReply() ? Abort(http) : Results.Created($"/api/v1/jobs/{view.Id}", view);
        });
        app.MapGet("/api/v1/jobs", (string? state, string? name, string? owner, int? limit, string? cursor) => world.Page(state ?? "live", name, owner, limit ?? 100, cursor));
        app.MapGet("/api/v1/jobs/{id:long}", (long id) => world.Find(id) is { } job ? Results.Ok(new JobDetail(job.View, job.Spec, [])) : NoJob(id));
        app.MapGet("/api/v1/jobs/{id:long}/why", (long id) => world.Find(id) is { } job
            ? Results.Ok(new WhyView(job.View, job.View.Reason ?? "it does not wait", ["8 H100 on one node"], ["--gpus H100:3"], 2)) : NoJob(id));
        app.MapPost("/api/v1/jobs/{id:long}/cancel", (long id) => world.Find(id) is { } job
            ? Results.Ok(job.Change(v => v with { State = "cancelled", Ended = DateTimeOffset.UtcNow, Position = null })) : NoJob(id));
        app.MapGet("/api/v1/jobs/{id:long}/watch", (long id, CancellationToken ct) => world.Find(id) is { } job
            ? TypedResults.ServerSentEvents(Events(job.WatchAsync(ct), ContractJson.Default.JobView, _ => null)) : NoJob(id));
        app.MapGet("/api/v1/jobs/{id:long}/logs", (long id, bool? follow, int? attempt, string? after, CancellationToken ct) => world.Find(id) is { } job
            ? TypedResults.ServerSentEvents(Events(Cut(job.LogAsync(follow ?? false, after, ct), ct), ContractJson.Default.LogLine, l => l.Cursor)) : NoJob(id));
        app.MapGet("/api/v1/pools", () => FakeWorld.Pools());
        app.MapPut("/api/v1/pools/{name}", (string name, SetPool pool) => { world.SetPools[name] = pool; });
        app.MapGet("/api/v1/secrets", () => new SecretList([.. world.Secrets.Keys.Order(StringComparer.Ordinal).Select(n => new SecretView(n, DateTimeOffset.UtcNow))]));
        app.MapPut("/api/v1/secrets/{name}", (string name, SetSecret secret) => { world.Secrets[name] = secret.Value; });
        app.MapDelete("/api/v1/secrets/{name}", (string name) => world.Secrets.TryRemove(name, out _) ? Results.NoContent() : Refusal($"there is no secret {name}", 404));
        app.MapGet("/api/v1/feed", () => new FeedPage([new(1, DateTimeOffset.UtcNow, "submitted", "job 1 is in line", 1)], 2));
        app.MapMethods("/api/v1/blobs/{sha}", ["HEAD"], (string sha) => world.Blobs.ContainsKey(sha) ? Results.Ok() : Results.NotFound());
        app.MapPut("/api/v1/blobs/{sha}", async (string sha, HttpRequest request, CancellationToken ct) =>
        {
            var body = new MemoryStream();
            await request.Body.CopyToAsync(body, ct);
            if (Convert.ToHexStringLower(SHA256.HashData(body.ToArray())) != sha) return Refusal("the content has another SHA-256", 400);
            world.Blobs[sha] = body.ToArray();
            return Results.StatusCode(201);
        });
    }

    private async IAsyncEnumerable<LogLine> Cut(IAsyncEnumerable<LogLine> lines, [EnumeratorCancellation] CancellationToken ct)
    {
        var sent = 0;
        await foreach (var line in lines.WithCancellation(ct))
        {
            yield return line;
            if (++sent == world.CutsLogsAfter) throw new IOException("cut, as the test asks");
        }
    }

    private static async IAsyncEnumerable<SseItem<string>> Events<T>(
        IAsyncEnumerable<T> items, System.Text.Json.Serialization.Metadata.JsonTypeInfo<T> type, Func<T, string?> id)
    {
        await foreach (var item in items) yield return new(JsonSerializer.Serialize(item, type)) { EventId = id(item) };
    }

    private static IResult Abort(HttpContext http)
    {
        http.Abort();
        return Results.Empty;
    }

    private static IResult NoJob(long id) => Refusal(string.Create(CultureInfo.InvariantCulture, $"there is no job {id}"), 404);

    private static IResult Refusal(string title, int status) =>
        Results.Json(new Problem(title, status), ContractJson.Default.Problem, "application/problem+json", status);
}
