using System.Text.Encodings.Web;
using System.Text.Json;
using Puces.Core.Contract;
using Puces.Core.Jobs;
using Puces.Server.Blobs;
using Puces.Server.Store;

namespace Puces.Server.Api;

/// <summary>A mistake of the caller, to be told as problem+json (RFC 9457).</summary>
public sealed class RequestException(int status, string title, string? detail = null, IReadOnlyList<FieldError>? errors = null) : Exception(title)
{
    public Problem Problem { get; } = Problems.Of(status, title, detail, errors);
}

/// <summary>Turns what went wrong into one reply that says what would be right.</summary>
internal static partial class Problems
{
    // People read errors in a terminal: quotes stay quotes. No browser takes this type for a page.
    private static readonly ContractJson Plainly = new(new(ContractJson.Default.Options) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });

    public static async Task HandleAsync(HttpContext context, RequestDelegate next)
    {
        try
        {
            await next(context);
            if (!context.Response.HasStarted && context.Response.StatusCode >= 400 && context.Response.ContentType is null) await WriteAsync(context, Plain(context));
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

    public static Problem Of(int status, string title, string? detail = null, IReadOnlyList<FieldError>? errors = null) =>
        new(title, status, detail, $"https://httpwg.org/specs/rfc9110.html#status.{status}", errors);

    public static Task WriteAsync(HttpContext context, Problem problem)
    {
        context.Response.StatusCode = problem.Status;
        context.Response.ContentType = "application/problem+json";
        if (problem.Status == 503) context.Response.Headers.RetryAfter = "1";
        return JsonSerializer.SerializeAsync(context.Response.Body, problem, Plainly.Problem, context.RequestAborted);
    }

    /// <summary>A status that the framework has set without a word.</summary>
    private static Problem Plain(HttpContext context)
    {
        var (request, status) = (context.Request, context.Response.StatusCode);
        return status switch
        {
            405 => Of(405, $"{request.Path} takes {context.Response.Headers.Allow}, not {request.Method}", "see /openapi/v1.json"),
            415 => Of(415, $"a body of the kind {request.ContentType} is not understood", "send Content-Type: application/json"),
            404 when request.Method == HttpMethods.Head => Of(404, "it is not here"),
            404 => Of(404, $"there is no {request.Path}", "see /openapi/v1.json"),
            _ => Of(status, $"{request.Method} {request.Path} could not be answered", "see /openapi/v1.json"),
        };
    }

    private static Problem Of(Exception e, HttpContext context)
    {
        switch (e)
        {
            case RequestException r: return r.Problem;
            case JobFileException j: return Of(422, "the job has mistakes", null, j.ErrorsInRequest());
            case BadHttpRequestException { StatusCode: 413 }: return Of(413, "the body is too large", "at most 2 GiB for a packed folder, 64 MiB for anything else");
            case BadHttpRequestException b: return Of(b.StatusCode, Arguments.Mistake(b) ?? b.Message);
            case IOException i when BlobStore.IsFull(i): return Of(503, "the daemon's disk is full; ask again when there is room", i.Message);
            case StoreException s: return Of(503, "the daemon cannot store now; ask again with the same Idempotency-Key", s.Message);
            // What it read from was closed while it did: this daemon takes the lead, or ends.
            case ObjectDisposedException: return Of(503, "the daemon opens its store anew; ask again");
        }
        LogBug(context.RequestServices.GetRequiredService<ILogger<Problem>>(), e, context.Request.Method, context.Request.Path);
        return Of(500, "a mistake of the daemon's own; its log has the details");
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "{Method} {Path}")]
    private static partial void LogBug(ILogger logger, Exception cause, string method, string path);
}
