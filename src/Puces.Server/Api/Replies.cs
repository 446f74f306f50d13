using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Puces.Server.Api;

/// <summary>Writes replies: JSON, and server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html).</summary>
internal static class Replies
{
    private static readonly TimeSpan Heartbeat = TimeSpan.FromSeconds(15);

    public static Task JsonAsync<T>(HttpContext context, T value, JsonTypeInfo<T> type, int status = 200)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/json; charset=utf-8";
        return JsonSerializer.SerializeAsync(context.Response.Body, value, type, context.RequestAborted);
    }

    public static bool WantsEvents(HttpContext context) => context.Request.Headers.Accept.ToString().Contains("text/event-stream", StringComparison.OrdinalIgnoreCase);

    public static void BeginEvents(HttpContext context)
    {
        context.Response.ContentType = "text/event-stream";
        context.Response.Headers.CacheControl = "no-store";
        context.Response.Headers["X-Accel-Buffering"] = "no";
    }

    public static async Task EventAsync<T>(HttpContext context, T value, JsonTypeInfo<T> type, string? id = null)
    {
        if (id is not null) await context.Response.WriteAsync($"id: {id}\n", context.RequestAborted);
        await context.Response.WriteAsync("data: ", context.RequestAborted);
        await context.Response.Body.WriteAsync(JsonSerializer.SerializeToUtf8Bytes(value, type), context.RequestAborted);
        await context.Response.WriteAsync("\n\n", context.RequestAborted);
        await context.Response.Body.FlushAsync(context.RequestAborted);
    }

    /// <summary>Until the signal; meanwhile a comment now and then, so that both sides notice a dead connection.</summary>
    public static async Task WaitAsync(HttpContext context, Task signal)
    {
        var stopping = context.RequestServices.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping;
        using var either = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, stopping);
        await context.Response.Body.FlushAsync(either.Token);
        while (true)
        {
            try
            {
                await signal.WaitAsync(Heartbeat, either.Token);
                return;
            }
            catch (TimeoutException)
            {
                await context.Response.WriteAsync(": still here\n\n", either.Token);
                await context.Response.Body.FlushAsync(either.Token);
            }
        }
    }
}
