using Microsoft.AspNetCore.Http.Features;
using Puces.Server.Auth;
using Puces.Server.Dashboard;

namespace Puces.Server.Api;

/// <summary>Who may come in: a bearer token for programs, the same token in a cookie for browsers.</summary>
internal static class Doors
{
    private const string Cookie = "puces";
    private const int LargestForm = 16 * 1024;

    public static async Task HandleAsync(HttpContext context, RequestDelegate next, Tokens tokens)
    {
        var path = context.Request.Path.Value ?? "/";
        var headers = context.Response.Headers;
        headers.ContentSecurityPolicy = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
        headers.XContentTypeOptions = "nosniff";
        headers["Referrer-Policy"] = "no-referrer";
        if (path is "/healthz" or "/readyz" || path.StartsWith("/assets/", StringComparison.Ordinal))
        {
            await next(context);
            return;
        }
        if (path == "/login")
        {
            await LoginAsync(context, tokens);
            return;
        }
        if (context.Request.Query["token"] is [{ Length: > 0 } given] && HttpMethods.IsGet(context.Request.Method) && !IsForPrograms(path))
        {
            // The address that "puces dashboard" prints; the token leaves the address bar at once.
            await EnterAsync(context, tokens, given!, path);
            return;
        }
        var bearer = context.Request.Headers.Authorization.ToString();
        if (bearer.StartsWith("Bearer ", StringComparison.OrdinalIgnoreCase) && tokens.IsValid(bearer.AsSpan(7).Trim())) { await next(context); return; }
        // A cookie comes along whoever made the browser ask: it may only read. SameSite=Strict keeps other sites out in any case.
        var hasCookie = bearer.Length == 0 && context.Request.Cookies[Cookie] is { } kept && tokens.IsValid(kept);
        if (hasCookie && HttpMethods.IsGet(context.Request.Method)) { await next(context); return; }
        if (!IsForPrograms(path))
        {
            await FormAsync(context, null, path);
            return;
        }
        headers.WWWAuthenticate = "Bearer";
        await Problems.WriteAsync(context, Problems.Of(401,
            hasCookie ? "a browser's cookie may only read" : bearer.Length == 0 ? "a token is needed" : "that token is not this server's",
            "send Authorization: Bearer TOKEN; the token stands in the file token of the daemon's data folder"));
    }

    private static bool IsForPrograms(string path) =>
        path.StartsWith("/api/", StringComparison.Ordinal) || path.StartsWith("/openapi", StringComparison.Ordinal);

    /// <summary>The form of the login page, sent in the body so that the token stands in no address, history or proxy's log.</summary>
    private static async Task LoginAsync(HttpContext context, Tokens tokens)
    {
        if (!HttpMethods.IsPost(context.Request.Method) || !context.Request.HasFormContentType)
        {
            await FormAsync(context, null, "/");
            return;
        }
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit) limit.MaxRequestBodySize = LargestForm;
        IFormCollection form;
        try
        {
            form = await context.Request.ReadFormAsync(context.RequestAborted);
        }
        catch (InvalidDataException e)
        {
            throw new RequestException(400, "the form is not understood: open / and type the token there", e.Message);
        }
        await EnterAsync(context, tokens, form["token"].ToString().Trim(), form["to"].ToString());
    }

    private static async Task EnterAsync(HttpContext context, Tokens tokens, string token, string to)
    {
        // Only a page of ours: "//elsewhere" would be another host.
        if (!to.StartsWith('/') || to is [_, '/' or '\\', ..]) to = "/";
        if (!tokens.IsValid(token))
        {
            await FormAsync(context, "that token is not this server's", to);
            return;
        }
        context.Response.Cookies.Append(Cookie, token, new() { HttpOnly = true, SameSite = SameSiteMode.Strict, Secure = context.Request.IsHttps, MaxAge = TimeSpan.FromDays(30) });
        context.Response.StatusCode = StatusCodes.Status303SeeOther;
        context.Response.Headers.Location = new PathString(to).ToUriComponent();
    }

    private static Task FormAsync(HttpContext context, string? message, string to)
    {
        context.Response.StatusCode = 401;
        context.Response.ContentType = "text/html; charset=utf-8";
        return context.Response.WriteAsync(Pages.Login(message, to), context.RequestAborted);
    }
}
