using Puces.Core.Fleet;
using Puces.Core.Market;
using Puces.Providers;
using Puces.Providers.Local;
using Puces.Providers.Ssh;
using Puces.Testing;
using Xunit;

namespace Puces.Tests.Providers;

/// <summary>Three hosts and one behind them, for all tests of a class.</summary>
public sealed class SshFixture : IAsyncLifetime
{
    private SshHosts? _hosts;

    public SshHosts Hosts => _hosts ?? throw new InvalidOperationException("the hosts have not started");

    /// <summary>Started by the first test, which alone can be skipped.</summary>
    public async Task<SshHosts> StartAsync() => _hosts ??= await SshHosts.StartAsync(3, TestContext.Current.CancellationToken);

    public ValueTask InitializeAsync() => default;

    public ValueTask DisposeAsync() => _hosts?.DisposeAsync() ?? default;
}

public sealed class LocalProviderTests : ProviderSuite, IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("puces-local-").FullName;

    protected override bool Ends => false;

    protected override LeaseId NewId() => new("host");

    protected override Task<IProvider> OpenAsync() =>
        Task.FromResult<IProvider>(new LocalProvider(new("local"), RunnerProcess.Program, _folder, Path.Combine(_folder, "blobs"), TimeProvider.System));

    protected override LeaseRequest Request(LeaseId id, Offer offer) => new(id, "suite", offer.Kind, 1, null, 0, 0, default, null, TimeSpan.Zero);

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}

public sealed class SshProviderTests(SshFixture fixture) : ProviderSuite, IClassFixture<SshFixture>
{
    protected override bool Ends => false;

    protected override LeaseId NewId() => new("h2");

    protected override async Task<IProvider> OpenAsync() => Provider(await fixture.StartAsync(), "h1", "h2", "inner");

    protected override LeaseRequest Request(LeaseId id, Offer offer) => new(id, "suite", id.Value, 1, null, 0, 0, default, null, TimeSpan.Zero);

    private static SshProvider Provider(SshHosts hosts, params string[] names) => Provider(hosts, hosts.Pool("lab", names));

    private static SshProvider Provider(SshHosts hosts, Pool pool, string? runner = null) =>
        new(pool, runner ?? NativeRunner.Path, Path.Combine(hosts.Folder, "known_hosts"), "suite", TimeProvider.System);

    [Fact]
    public async Task A_host_behind_another_is_reached_through_it()
    {
        await using var provider = Provider(await fixture.StartAsync(), "inner");
        var lease = (await provider.ObserveAsync(Ct)).Single();
        await using var agent = await SuiteAgent.OpenAsync(provider.ShellTo(lease, lease.Nodes[0]), Ct);
        Assert.Equal(fixture.Hosts.AddressOf("inner"), agent.Hello.Address);
    }

    [Fact]
    public async Task The_runner_is_brought_once_for_each_version()
    {
        var hosts = await fixture.StartAsync();
        await using var provider = Provider(hosts, "h3");
        // Another test may have been here before.
        foreach (var earlier in Runners()) File.Delete(earlier);
        await provider.OffersAsync(Ct);
        var brought = Runners().Single();
        var when = File.GetLastWriteTimeUtc(brought);
        await provider.OffersAsync(Ct);
        Assert.Equal(when, File.GetLastWriteTimeUtc(Runners().Single()));

        List<string> Runners() => [.. Directory.Exists(hosts.HomeOf("h3") + "/.puces") ? Directory.EnumerateFiles(hosts.HomeOf("h3") + "/.puces", "puces-runner-*") : []];
    }

    [Fact]
    public async Task What_a_login_shell_prints_is_passed_by()
    {
        var hosts = await fixture.StartAsync();
        var profile = Path.Combine(hosts.HomeOf("h1"), ".ssh");
        Directory.CreateDirectory(profile);
        await File.WriteAllTextAsync(Path.Combine(profile, "rc"), "echo 'Welcome to h1!'; echo 'puces says nothing here'\n", Ct);
        try
        {
            await using var provider = Provider(hosts, "h1");
            Assert.Null((await provider.OffersAsync(Ct)).Single().Problem);
        }
        finally
        {
            Directory.Delete(profile, recursive: true);
        }
    }

    [Theory]
    [InlineData("key", "does not let us in")]
    [InlineData("name", "nobody knows a host")]
    [InlineData("port", "refuses connections")]
    [InlineData("away", "cannot be reached")]
    [InlineData("runner", "no runner that can be sent")]
    [InlineData("folder", "h1")]
    [InlineData("full", "free for ")]
    [InlineData("shared", "is not a folder that puces-host can write to")]
    public async Task What_is_wrong_is_said_with_what_to_do(string what, string expected)
    {
        var hosts = await fixture.StartAsync();
        var other = Path.Combine(hosts.Folder, "other-key");
        if (!File.Exists(other)) System.Diagnostics.Process.Start("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", other]).WaitForExit();
        var pool = hosts.Pool("lab", ["h1"], term: TimeSpan.FromSeconds(20));
        var host = pool.Ssh!.Hosts[0];
        pool = what switch
        {
            "key" => pool with { Ssh = pool.Ssh with { Key = other } },
            "name" => pool with { Ssh = pool.Ssh with { Hosts = [host with { Host = "nowhere.invalid" }] } },
            "port" => pool with { Ssh = pool.Ssh with { Port = 2222 } },
            "away" => pool with { Ssh = pool.Ssh with { Hosts = [host with { Host = hosts.AddressOf("h1")[..^2] + "99" }] } },
            "folder" => pool with { Ssh = pool.Ssh with { Folder = "/proc/puces" } },
            "full" => pool with { Ssh = pool.Ssh with { Folder = Path.Combine(hosts.Folder, "h1", "small") } },
            "shared" => pool with { Ssh = pool.Ssh with { Shared = "/nowhere" } },
            _ => pool,
        };
        await using var provider = Provider(hosts, pool, what == "runner" ? "/bin/true" : null);
        CheckStep? wrong = null;
        await foreach (var step in provider.CheckAsync(Ct))
            if (step.IsGood is false) wrong ??= step;
        Assert.Contains(expected, wrong!.Found + wrong.What, StringComparison.Ordinal);
        if (what != "folder") Assert.NotNull(wrong.Hint);
        // What the node shows, and with it each job that could run there.
        if (what == "full") Assert.Contains("No space left", (await provider.OffersAsync(Ct)).Single().Problem, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_host_whose_key_has_changed_is_refused_until_somebody_has_looked()
    {
        var hosts = await fixture.StartAsync();
        await using var provider = Provider(hosts, "h3");
        Assert.Null((await provider.OffersAsync(Ct)).Single().Problem);
        await hosts.RekeyAsync("h3", Ct);
        Assert.Contains("another host key than before", (await provider.OffersAsync(Ct)).Single().Problem, StringComparison.Ordinal);
        var refused = await Assert.ThrowsAsync<ProviderException>(() => provider.AcquireAsync(new(new("h3"), "", "h3", 1, null, 0, 0, default, null, default), Ct));
        Assert.Equal(Remedy.Ask, refused.Remedy);
        // What the hint says to do.
        Assert.Contains("ssh-keygen -R", refused.Hint, StringComparison.Ordinal);
        using (var keygen = System.Diagnostics.Process.Start("ssh-keygen", refused.Hint![(refused.Hint!.IndexOf("-R", StringComparison.Ordinal))..].Split(' '))) await keygen.WaitForExitAsync(Ct);
        Assert.Null((await provider.OffersAsync(Ct)).Single().Problem);
    }
}
