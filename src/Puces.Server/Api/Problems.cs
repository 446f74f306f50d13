using System.Text.Json;
using Puces.Core.Contract;
using Puces.Core.Jobs;
using Puces.Server.Blobs;
using Puces.Server.Store;

namespace Puces.Server.Api;

/// <summary>A mistake of the caller, to be told as problem+json (RFC 9457).</summary>
public sealed class RequestException(int status, string title, string? detail = null, IReadOnlyList<FieldError>? errors = null) : Exception(title)
{
    public Problem Problem { get; } = new(title, status, detail, $"https://www.rfc-editor.org/rfc/rfc9110#name-{status}", errors);
}

/// <summary>Turns what went wrong into one reply that says what would be right.</summary>
internal static partial class Problems
{
    public static async Task HandleAsync(HttpContext context, RequestDelegate next)
    {
        try
        {
            await next(context);
            if (!context.Response.HasStarted && context.Response.StatusCode is 404 or 405 && context.Response.ContentLength is null or 0)
            {
                await WriteAsync(context, new($"{context.Request.Method} {context.Request.Path} is not part of this interface",
                    context.Response.StatusCode, "see /openapi/v1.json"));
            }
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested || context.Response.HasStarted)
        {
            // Nobody is left to answer, or the daemon stops in the middle of a stream: the client asks again from its cursor.
        }
        catch (Exception e) when (!context.Response.HasStarted)
        {
            await WriteAsync(context, Of(e, context));
        }
    }

    public static Task WriteAsync(HttpContext context, Problem problem)
    {
        context.Response.StatusCode = problem.Status;
        context.Response.ContentType = "application/problem+json";
        if (problem.Status == 503) context.Response.Headers.RetryAfter = "1";
        return JsonSerializer.SerializeAsync(context.Response.Body, problem, ContractJson.Default.Problem, context.RequestAborted);
    }

    private static Problem Of(Exception e, HttpContext context)
    {
        switch (e)
        {
            case RequestException r: return r.Problem;
            case JobFileException j: return new("the job has mistakes", 422, null, null, j.ErrorsInRequest());
            case JsonException j: return new("the body is not the JSON that is expected here", 400, j.Message);
            case BadHttpRequestException b: return new(b.Message, b.StatusCode);
            case IOException i when BlobStore.IsFull(i): return new("the daemon's disk is full; ask again when there is room", 503, i.Message);
            case StoreException s: return new("the daemon cannot store now; ask again with the same Idempotency-Key", 503, s.Message);
        }
        LogBug(context.RequestServices.GetRequiredService<ILogger<Problem>>(), e, context.Request.Method, context.Request.Path);
        return new("a mistake of the daemon's own; its log has the details", 500);
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "{Method} {Path}")]
    private static partial void LogBug(ILogger logger, Exception cause, string method, string path);
}
