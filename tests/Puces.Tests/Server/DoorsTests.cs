using System.Net;
using Xunit;

namespace Puces.Tests.Server;

public sealed class DoorsTests(SharedDaemon daemon) : IClassFixture<SharedDaemon>, IDisposable
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    // No token and no jar: each test says itself what it brings.
    private readonly HttpClient _stranger = new(new SocketsHttpHandler { UseCookies = false, AllowAutoRedirect = false });

    public void Dispose() => _stranger.Dispose();

    private async Task<HttpResponseMessage> SendAsync(HttpMethod method, string path, string? cookie = null, string? bearer = null, HttpContent? body = null)
    {
        using var request = new HttpRequestMessage(method, new Uri(new Uri(daemon.Process.Url), path)) { Content = body };
        if (cookie is not null) request.Headers.Add("Cookie", "puces=" + cookie);
        if (bearer is not null) request.Headers.Add("Authorization", bearer);
        return await _stranger.SendAsync(request, Ct);
    }

    private static FormUrlEncodedContent Form(string token, string to) => new(new Dictionary<string, string> { ["token"] = token, ["to"] = to });

    public static TheoryData<string, string> Routes => new()
    {
        { "GET", "api/v1/jobs" }, { "POST", "api/v1/jobs" }, { "POST", "api/v1/jobs/batch" }, { "GET", "api/v1/jobs/1" }, { "GET", "api/v1/jobs/1/why" },
        { "POST", "api/v1/jobs/1/cancel" }, { "GET", "api/v1/jobs/1/watch" }, { "GET", "api/v1/jobs/1/logs" }, { "GET", "api/v1/feed" }, { "GET", "api/v1/pools" },
        { "PUT", "api/v1/projects/a/b" }, { "PUT", "api/v1/pools/local" }, { "GET", "api/v1/secrets" }, { "PUT", "api/v1/secrets/A" }, { "DELETE", "api/v1/secrets/A" }, { "PUT", "api/v1/blobs/a" },
        { "GET", "api/v1/info" }, { "POST", "api/v1/shutdown" }, { "GET", "openapi/v1.json" }, { "GET", "api/v1/nothing-here" }, { "GET", "API/v1/jobs" },
    };

    [Theory, MemberData(nameof(Routes))]
    public async Task Nobody_comes_in_without_a_token_or_with_another(string method, string path)
    {
        foreach (var bearer in (string?[])[null, "Bearer " + new string('x', 43), "Bearer", "Basic " + daemon.Process.Token, daemon.Process.Token, "Bearer " + daemon.Process.Token + "x"])
        {
            using var reply = await SendAsync(new(method), path, bearer: bearer);
            Assert.Equal(HttpStatusCode.Unauthorized, reply.StatusCode);
            Assert.DoesNotContain(daemon.Process.Token, await reply.Content.ReadAsStringAsync(Ct), StringComparison.Ordinal);
        }
        Assert.False(daemon.Process.HasExited);
    }

    [Fact]
    public async Task What_is_wrong_with_the_token_and_where_to_find_the_right_one_is_said()
    {
        using var none = await SendAsync(HttpMethod.Get, "api/v1/jobs");
        Assert.Contains("a token is needed", await none.Content.ReadAsStringAsync(Ct), StringComparison.Ordinal);
        Assert.Equal("Bearer", none.Headers.WwwAuthenticate.Single().Scheme);
        using var wrong = await SendAsync(HttpMethod.Get, "api/v1/jobs", bearer: "Bearer wrong");
        Assert.Contains("that token is not this server's", await wrong.Content.ReadAsStringAsync(Ct), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Health_and_readiness_are_open_to_all()
    {
        using var health = await SendAsync(HttpMethod.Get, "healthz");
        Assert.Equal("ok\n", await health.Content.ReadAsStringAsync(Ct));
        using var ready = await SendAsync(HttpMethod.Get, "readyz");
        Assert.Equal("ready\n", await ready.Content.ReadAsStringAsync(Ct));
    }

    [Fact]
    public async Task A_cookie_may_read_and_nothing_else()
    {
        var token = daemon.Process.Token;
        using (var read = await SendAsync(HttpMethod.Get, "api/v1/jobs", cookie: token)) Assert.Equal(HttpStatusCode.OK, read.StatusCode);
        using (var page = await SendAsync(HttpMethod.Get, "/", cookie: token)) Assert.Equal(HttpStatusCode.OK, page.StatusCode);
        foreach (var (method, path) in ((HttpMethod, string)[])[(HttpMethod.Post, "api/v1/jobs"), (HttpMethod.Post, "api/v1/jobs/1/cancel"), (HttpMethod.Post, "api/v1/shutdown"), (HttpMethod.Put, "api/v1/secrets/A"), (HttpMethod.Delete, "api/v1/secrets/A")])
        {
            using var reply = await SendAsync(method, path, cookie: token);
            Assert.Equal(HttpStatusCode.Unauthorized, reply.StatusCode);
            Assert.Contains("a browser's cookie may only read", await reply.Content.ReadAsStringAsync(Ct), StringComparison.Ordinal);
        }
        using var wrong = await SendAsync(HttpMethod.Get, "api/v1/jobs", cookie: "wrong");
        Assert.Equal(HttpStatusCode.Unauthorized, wrong.StatusCode);
    }

    [Fact]
    public async Task The_token_goes_in_by_the_form_and_comes_back_as_a_cookie_that_scripts_do_not_see()
    {
        using var form = await SendAsync(HttpMethod.Get, "jobs/7");
        var page = await form.Content.ReadAsStringAsync(Ct);
        Assert.Contains("<form method=\"post\" action=\"/login\">", page, StringComparison.Ordinal);
        Assert.Contains("value=\"/jobs/7\"", page, StringComparison.Ordinal);
        using var body = Form(daemon.Process.Token, "/jobs/7");
        using var reply = await SendAsync(HttpMethod.Post, "login", body: body);
        Assert.Equal((HttpStatusCode.SeeOther, "/jobs/7"), (reply.StatusCode, reply.Headers.Location!.ToString()));
        var cookie = reply.Headers.GetValues("Set-Cookie").Single();
        Assert.StartsWith($"puces={daemon.Process.Token};", cookie, StringComparison.Ordinal);
        Assert.Contains("httponly", cookie, StringComparison.OrdinalIgnoreCase);
        Assert.Contains("samesite=strict", cookie, StringComparison.OrdinalIgnoreCase);
    }

    [Theory]
    [InlineData("//elsewhere.example")]
    [InlineData("/\\elsewhere.example")]
    [InlineData("https://elsewhere.example/")]
    [InlineData("")]
    public async Task The_form_leads_to_no_other_host(string to)
    {
        using var body = Form(daemon.Process.Token, to);
        using var reply = await SendAsync(HttpMethod.Post, "login", body: body);
        Assert.Equal("/", reply.Headers.Location!.ToString());
    }

    [Fact]
    public async Task A_wrong_token_in_the_form_gives_the_form_again_and_no_cookie()
    {
        using var body = Form("wrong", "/");
        using var reply = await SendAsync(HttpMethod.Post, "login", body: body);
        Assert.Equal(HttpStatusCode.Unauthorized, reply.StatusCode);
        Assert.False(reply.Headers.Contains("Set-Cookie"));
        Assert.Contains("that token is not this server&#39;s", await reply.Content.ReadAsStringAsync(Ct), StringComparison.Ordinal);
        using var none = await SendAsync(HttpMethod.Post, "login", body: new StringContent("{}"));
        Assert.Equal(HttpStatusCode.Unauthorized, none.StatusCode);
    }

    [Fact]
    public async Task The_address_that_puces_dashboard_prints_leads_to_one_without_the_token()
    {
        using var reply = await SendAsync(HttpMethod.Get, $"jobs/3?token={daemon.Process.Token}");
        Assert.Equal((HttpStatusCode.SeeOther, "/jobs/3"), (reply.StatusCode, reply.Headers.Location!.ToString()));
        Assert.True(reply.Headers.Contains("Set-Cookie"));
        using var wrong = await SendAsync(HttpMethod.Get, "?token=wrong");
        Assert.Equal(HttpStatusCode.Unauthorized, wrong.StatusCode);
        // An address that programs call takes no token in it: addresses are written to logs.
        using var api = await SendAsync(HttpMethod.Get, $"api/v1/jobs?token={daemon.Process.Token}");
        Assert.Equal(HttpStatusCode.Unauthorized, api.StatusCode);
    }
}
