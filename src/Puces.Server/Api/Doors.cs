using Puces.Server.Auth;
using Puces.Server.Dashboard;

namespace Puces.Server.Api;

/// <summary>Who may come in: a bearer token for programs, the same token in a cookie for browsers.</summary>
internal static class Doors
{
    private const string Cookie = "puces";

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
        if (context.Request.Query["token"] is [{ Length: > 0 } given] && HttpMethods.IsGet(context.Request.Method) && !path.StartsWith("/api/", StringComparison.Ordinal))
        {
            if (!tokens.IsValid(given)) { await LoginAsync(context, "that token is not this server's"); return; }
            context.Response.Cookies.Append(Cookie, given!, new() { HttpOnly = true, SameSite = SameSiteMode.Strict, Secure = context.Request.IsHttps, MaxAge = TimeSpan.FromDays(30) });
            context.Response.Redirect(path);
            return;
        }
        var bearer = context.Request.Headers.Authorization.ToString();
        if (bearer.StartsWith("Bearer ", StringComparison.OrdinalIgnoreCase) && tokens.IsValid(bearer.AsSpan(7).Trim())) { await next(context); return; }
        // A cookie comes along whoever made the browser ask: it may only read. SameSite=Strict keeps other sites out in any case.
        if (bearer.Length == 0 && context.Request.Cookies[Cookie] is { } kept && tokens.IsValid(kept) && HttpMethods.IsGet(context.Request.Method)) { await next(context); return; }
        if (path.StartsWith("/api/", StringComparison.Ordinal) || path.StartsWith("/openapi", StringComparison.Ordinal))
        {
            headers.WWWAuthenticate = "Bearer";
            await Problems.WriteAsync(context, new(
                bearer.Length == 0 ? "a token is needed" : "that token is not this server's", 401, "send Authorization: Bearer TOKEN; the token stands in the file token of the daemon's data folder"));
        }
        else await LoginAsync(context, null);
    }

    private static Task LoginAsync(HttpContext context, string? message)
    {
        context.Response.StatusCode = 401;
        context.Response.ContentType = "text/html; charset=utf-8";
        return context.Response.WriteAsync(Pages.Login(message), context.RequestAborted);
    }
}
