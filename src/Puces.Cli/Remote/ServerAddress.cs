using System.Text.Json;
using Puces.Cli.Local;

namespace Puces.Cli.Remote;

/// <summary>What <c>puces login</c> keeps.</summary>
internal sealed record Login(string Url, string? Token = null);

/// <summary>The server that commands speak to.</summary>
/// <param name="Origin">Where the address comes from, for messages.</param>
internal sealed record ServerAddress(Uri Url, string? Token, string Origin)
{
    public const string FromLocal = "the local daemon";

    public bool IsLocal => Origin == FromLocal;

    /// <summary>PUCES_URL, else the login; null where nothing is configured and the local daemon serves.</summary>
    public static ServerAddress? Configured(Session session)
    {
        var login = ReadLogin(session);
        var token = session.Variable("PUCES_TOKEN") is { Length: > 0 } given ? given : null;
        if (session.Variable("PUCES_URL") is { Length: > 0 } text)
        {
            var url = Parse(text, "PUCES_URL");
            return new(url, token ?? KnownToken(session, login, url), "PUCES_URL");
        }
        return login is null ? null : new(Parse(login.Url, LoginPath(session)), token ?? login.Token, "puces login");
    }

    /// <summary>The local daemon where it says it is.</summary>
    public static ServerAddress? Local(DaemonFiles files) =>
        files.ReadServer() is { } server ? new(new(server.Url.TrimEnd('/') + '/'), files.ReadToken(), FromLocal) : null;

    /// <summary>Reads <c>http://host:port</c>; a path in front of the interface stays.</summary>
    public static Uri Parse(string text, string where)
    {
        if (!Uri.TryCreate(text.Trim().TrimEnd('/') + '/', UriKind.Absolute, out var url) || url.Scheme is not ("http" or "https"))
            throw CommandException.Usage($"'{text}' is not the address of a server ({where})", "an address such as https://puces.example.org or http://gpu-1:8723");
        return url;
    }

    public static string LoginPath(Session session) => Path.Combine(session.Folders.Config, "config.json");

    public static Login? ReadLogin(Session session)
    {
        var path = LoginPath(session);
        try
        {
            return JsonSerializer.Deserialize(File.ReadAllBytes(path), CliJson.Default.Login);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
        catch (JsonException e)
        {
            throw new CommandException($"the login is not readable ({path}): {e.Message}", "puces logout, then puces login URL", cause: e);
        }
    }

    private static string? KnownToken(Session session, Login? login, Uri url)
    {
        if (login is not null && Uri.TryCreate(login.Url.TrimEnd('/') + '/', UriKind.Absolute, out var known) && known == url) return login.Token;
        var files = new DaemonFiles(session.Folders.State);
        return Local(files) is { } local && local.Url == url ? local.Token : null;
    }
}
