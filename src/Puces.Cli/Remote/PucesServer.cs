using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Puces.Cli.Local;
using Puces.Cli.Terminal;
using Puces.Core.Contract;

namespace Puces.Cli.Remote;

/// <summary>Whether a command starts the local daemon where none runs.</summary>
internal enum StartDaemon { IfNeeded, AfterCrash, Never }

/// <summary>
/// The REST interface. Calls that may be repeated are, while nothing listens or the server says 503: a daemon that is being
/// restarted is waited for. The local daemon may come back at another port, so its address is read again each time.
/// </summary>
internal sealed class PucesServer : IDisposable
{
    // A newer server may say more than this client knows.
    private static readonly ContractJson Tolerant = new(new(ContractJson.Default.Options)
    {
        UnmappedMemberHandling = System.Text.Json.Serialization.JsonUnmappedMemberHandling.Skip,
        AllowDuplicateProperties = true,
    });

    private readonly Session _session;
    private readonly HttpClient _http;
    private readonly LocalDaemon _daemon;
    private ServerAddress? _address;

    public PucesServer(Session session)
    {
        _session = session;
        _daemon = new(session);
        _address = ServerAddress.Configured(session);
        _http = new(new SocketsHttpHandler
        {
            ConnectTimeout = TimeSpan.FromSeconds(5),
            UseProxy = _address is { Url.IsLoopback: false },
            AllowAutoRedirect = false,
            UseCookies = false,
        })
        { Timeout = Timeout.InfiniteTimeSpan };
    }

    public static ContractJson Json => Tolerant;

    /// <summary>Configured, or where the local daemon said it is; null before it has ever started.</summary>
    public ServerAddress? Address => _address ??= ServerAddress.Local(_daemon.Files);

    public bool IsLocal => Address is null or { IsLocal: true };

    public LocalDaemon Daemon => _daemon;

    public Task<T> GetAsync<T>(string path, JsonTypeInfo<T> type, CancellationToken ct) =>
        GetAsync(path, type, StartDaemon.IfNeeded, ct);

    public Task<T> GetAsync<T>(string path, JsonTypeInfo<T> type, StartDaemon start, CancellationToken ct) =>
        AskAsync(() => new(HttpMethod.Get, path), type, start, ct);

    public async Task<T> AskAsync<T>(Func<HttpRequestMessage> make, JsonTypeInfo<T> type, StartDaemon start, CancellationToken ct)
    {
        using var reply = await SendAsync(make, start, ct);
        // Whole: the reader of pieces takes half as long again.
        var body = await reply.Content.ReadAsByteArrayAsync(ct);
        try
        {
            return JsonSerializer.Deserialize(body, type) ?? throw new JsonException("null");
        }
        catch (JsonException e)
        {
            throw new CommandException($"the reply is not what this version understands ({Address?.Url}): {e.Message}", "puces doctor, to compare versions", cause: e);
        }
    }

    /// <summary>The reply as it came, to pass on to a program.</summary>
    public async Task CopyAsync(string path, CancellationToken ct)
    {
        using var reply = await SendAsync(() => new(HttpMethod.Get, path), StartDaemon.IfNeeded, ct);
        _session.Screen.Line(await reply.Content.ReadAsStringAsync(ct));
    }

    public static Func<HttpRequestMessage> Message<T>(HttpMethod method, string path, T body, JsonTypeInfo<T> type) =>
        () => new(method, path) { Content = JsonContent.Create(body, type) };

    /// <summary>Sends a request that may be repeated, until there is a reply; one that is an error throws.</summary>
    public async Task<HttpResponseMessage> SendAsync(Func<HttpRequestMessage> make, StartDaemon start, CancellationToken ct)
    {
        var reply = await TrySendAsync(make, start, _session.Patience, ct);
        if (reply.IsSuccessStatusCode) return reply;
        using (reply) throw await ErrorOfAsync(reply, ct);
    }

    /// <summary>As <see cref="SendAsync"/>, with the reply whatever its status.</summary>
    public async Task<HttpResponseMessage> TrySendAsync(Func<HttpRequestMessage> make, StartDaemon start, TimeSpan patience, CancellationToken ct)
    {
        try
        {
            return await InsistAsync(make, start, patience, ct);
        }
        finally
        {
            _session.Screen.Trouble(null);
        }
    }

    private async Task<HttpResponseMessage> InsistAsync(Func<HttpRequestMessage> make, StartDaemon start, TimeSpan patience, CancellationToken ct)
    {
        var began = DateTimeOffset.UtcNow;
        for (var wait = TimeSpan.FromMilliseconds(50); ; wait = wait < TimeSpan.FromSeconds(1) ? wait * 2 : wait)
        {
            Exception? cause = null;
            string trouble;
            if (Address is { } address)
            {
                try
                {
                    var reply = await SendOnceAsync(address, make(), ct);
                    if (reply.StatusCode is not HttpStatusCode.ServiceUnavailable) return reply;
                    trouble = (await ErrorOfAsync(reply, ct)).Message;
                    reply.Dispose();
                }
                catch (Exception e) when (e is HttpRequestException or IOException or TaskCanceledException && !ct.IsCancellationRequested)
                {
                    cause = e;
                    trouble = $"cannot reach the server ({address.Url.ToString().TrimEnd('/')}, from {address.Origin}): {Innermost(e).Message}";
                }
            }
            else trouble = "the local daemon does not run";
            if (IsLocal && await StartAsync(start, DateTimeOffset.UtcNow - began, ct)) continue;
            if (DateTimeOffset.UtcNow - began > patience || (IsLocal && start is StartDaemon.Never))
                throw new CommandException(trouble, IsLocal ? "puces up; puces doctor" : "check the address and that pucesd runs there; puces doctor", cause: cause);
            _session.Screen.Trouble($"{trouble}; trying again for {Say.Duration(patience - (DateTimeOffset.UtcNow - began))}");
            if (wait == TimeSpan.FromMilliseconds(400) && !_session.Screen.HasStatus)
                _session.Screen.Note($"{trouble}; trying again for {Say.Duration(patience)}");
            await Task.Delay(wait, ct);
        }
    }

    /// <summary>
    /// Server-sent events, each once and in order, across restarts of the server: every connection begins after the last event seen.
    /// </summary>
    /// <param name="path">The path that gives what comes after a cursor.</param>
    /// <param name="isOver">Asked when a connection ends in good order: nothing more will come. Null where one whole connection is all.</param>
    public async IAsyncEnumerable<SseItem<T>> EventsAsync<T>(
        Func<string?, string> path, string? cursor, JsonTypeInfo<T> type, Func<CancellationToken, Task<bool>>? isOver, [EnumeratorCancellation] CancellationToken ct)
    {
        for (var wasOver = isOver is null; ;)
        {
            using var reply = await TrySendAsync(() => EventRequest(path(cursor)), StartDaemon.AfterCrash, _session.FollowPatience, ct);
            if (!reply.IsSuccessStatusCode) throw await ErrorOfAsync(reply, ct);
            await using var body = await reply.Content.ReadAsStreamAsync(ct);
            await using var items = SseParser.Create(body, (_, data) => JsonSerializer.Deserialize(data, type)!).EnumerateAsync(ct).GetAsyncEnumerator(ct);
            var isBroken = false;
            while (true)
            {
                try
                {
                    var next = items.MoveNextAsync();
                    if (!next.IsCompleted) _session.Screen.Flush();
                    if (!await next) break;
                }
                catch (Exception e) when (e is IOException and not ReaderGoneException or HttpRequestException)
                {
                    isBroken = true;
                    break;
                }
                if (items.Current.EventId is { Length: > 0 } id) cursor = id;
                yield return items.Current;
            }
            // A server that stops closes its streams in good order too: only a stream that began after the end has surely all of it.
            if (!isBroken && wasOver) yield break;
            if (!isBroken && isOver is not null) wasOver = await isOver(ct);
            if (!wasOver) await Task.Delay(100, ct);
        }
    }

    private static HttpRequestMessage EventRequest(string path)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, path);
        request.Headers.Accept.Add(new("text/event-stream"));
        return request;
    }

    public async Task<bool> IsReadyAsync(ServerFile server, CancellationToken ct)
    {
        try
        {
            using var reply = await _http.GetAsync(new Uri(new Uri(server.Url.TrimEnd('/') + '/'), "readyz"), ct);
            return reply.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }

    /// <summary>The error that a reply stands for: the server's own words and what to do.</summary>
    public async Task<CommandException> ErrorOfAsync(HttpResponseMessage reply, CancellationToken ct)
    {
        Problem? problem = null;
        try
        {
            if (reply.Content.Headers.ContentType?.MediaType?.EndsWith("json", StringComparison.Ordinal) == true)
                problem = await JsonSerializer.DeserializeAsync(await reply.Content.ReadAsStreamAsync(ct), Tolerant.Problem, ct);
        }
        catch (JsonException)
        {
            // A proxy's page, not ours: the status says enough.
        }
        var text = problem is null
            ? $"the server answered {(int)reply.StatusCode} {reply.ReasonPhrase} ({reply.RequestMessage?.RequestUri})"
            // Of what is missing, or of who we are, the detail says what to do.
            : problem.Detail is { Length: > 0 } detail && problem.Status is not (401 or 403 or 404) ? $"{problem.Title}: {detail}" : problem.Title;
        foreach (var mistake in problem?.Errors ?? []) text += $"\n  {mistake.Path}: {mistake.Message}";
        var remedy = reply.StatusCode switch
        {
            HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden => $"puces login {Address?.Url.ToString().TrimEnd('/')}, or set PUCES_TOKEN",
            HttpStatusCode.NotFound when problem is not null => problem.Detail,
            HttpStatusCode.NotFound => "check that the address is a Puces server's: puces doctor",
            _ => null,
        };
        return new(text, remedy);
    }

    public void Dispose() => _http.Dispose();

    private async Task<HttpResponseMessage> SendOnceAsync(ServerAddress address, HttpRequestMessage request, CancellationToken ct)
    {
        request.RequestUri = new(address.Url, request.RequestUri!);
        request.Headers.UserAgent.Add(new("puces", AppVersion.Text));
        if (address.Token is { } token) request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        return await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, ct);
    }

    // True where the address is new and worth another try at once.
    private async Task<bool> StartAsync(StartDaemon start, TimeSpan since, CancellationToken ct)
    {
        var said = ServerAddress.Local(_daemon.Files);
        if (said is not null && said != _address)
        {
            _address = said;
            return true;
        }
        var isAlive = _daemon.Files.ReadServer() is { IsAlive: true };
        if (isAlive || start is StartDaemon.Never) return false;
        if (start is StartDaemon.AfterCrash)
        {
            if (said is null) throw new CommandException("the daemon has been stopped; running jobs go on", "puces up, then ask again");
            // Whoever runs the daemon may be bringing it back: give them the first chance.
            if (since < TimeSpan.FromSeconds(5)) return false;
        }
        await _daemon.EnsureAsync(IsReadyAsync, ct);
        _address = ServerAddress.Local(_daemon.Files);
        return true;
    }

    private static Exception Innermost(Exception e) => e.InnerException is { } inner ? Innermost(inner) : e;
}
