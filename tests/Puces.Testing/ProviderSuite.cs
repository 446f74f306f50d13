using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Puces.Core.Contract;
using Puces.Core.Market;
using Puces.Providers;
using Xunit;

namespace Puces.Testing;

/// <summary>
/// What makes a provider one. A provider's tests derive from it and give it the real place; a gap is an override that says why.
/// </summary>
public abstract class ProviderSuite
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    protected static CancellationToken Ct => TestContext.Current.CancellationToken;

    /// <summary>A provider over a place that is as it should be. Each call gives a new one, as a restarted daemon would have.</summary>
    protected abstract Task<IProvider> OpenAsync();

    /// <summary>Something that the place can give, under this id.</summary>
    protected abstract LeaseRequest Request(LeaseId id, Offer offer);

    /// <summary>Leases come and go, as they do where machines are rented; false where they are somebody's own and stay.</summary>
    protected virtual bool Ends => true;

    /// <summary>The id of a lease to ask for; where leases stay, that of one that is there.</summary>
    protected virtual LeaseId NewId() => new("suite-" + Guid.NewGuid().ToString("n")[..8]);

    [Fact]
    public async Task It_offers_what_there_is()
    {
        await using var provider = await OpenAsync();
        var offers = await provider.OffersAsync(Ct);
        Assert.Contains(offers, o => o.Problem is null && o.Nodes > 0);
        Assert.All(offers, o => Assert.InRange(o.FreeNodes, 0, o.Nodes));
        Assert.Equal(offers.Count, offers.Select(o => (o.Kind, o.Model)).Distinct().Count());
    }

    [Fact]
    public async Task The_same_id_again_is_the_same_lease_even_for_a_daemon_that_was_started_again()
    {
        var id = NewId();
        await using (var first = await OpenAsync()) await AcquireAsync(first, id);
        await using var again = await OpenAsync();
        await AcquireAsync(again, id);
        Assert.Single(await again.ObserveAsync(Ct), l => l.Id == id);
        await again.ReleaseAsync(id, Ct);
    }

    [Fact]
    public async Task A_lease_becomes_ready_and_each_of_its_machines_answers()
    {
        await using var provider = await OpenAsync();
        var lease = await ReadyAsync(provider, NewId());
        Assert.NotEmpty(lease.Nodes);
        Assert.Equal(lease.Nodes.Count, lease.Nodes.Select(n => n.Name).Distinct().Count());
        foreach (var node in lease.Nodes)
        {
            await using var agent = await SuiteAgent.OpenAsync(provider.ShellTo(lease, node), Ct);
            Assert.NotEmpty(agent.Hello.Version);
            Assert.True(agent.Hello.MilliCpus > 0);
        }
        await provider.ReleaseAsync(lease.Id, Ct);
    }

    [Fact]
    public async Task A_release_may_be_repeated_and_one_of_what_never_was_is_no_error()
    {
        await using var provider = await OpenAsync();
        var id = NewId();
        await AcquireAsync(provider, id);
        await provider.ReleaseAsync(id, Ct);
        await provider.ReleaseAsync(id, Ct);
        await provider.ReleaseAsync(new("never-was"), Ct);
        if (Ends) await UntilAsync(async () => (await provider.ObserveAsync(Ct)).All(l => l.Id != id || l.State is LeaseState.Ended));
    }

    [Fact]
    public async Task A_rank_outlives_its_agent_and_its_verdict_is_kept_until_it_is_acknowledged()
    {
        await using var provider = await OpenAsync();
        var lease = await ReadyAsync(provider, NewId());
        var shell = provider.ShellTo(lease, lease.Nodes[0]);
        var number = RandomNumberGenerator.GetInt32(1, int.MaxValue);
        var order = SuiteAgent.Order(number, "echo begun; sleep 3; echo ended; exit 7");
        await using (var agent = await SuiteAgent.OpenAsync(shell, Ct))
        {
            agent.Say(new ToNode.Start(order));
            await agent.UntilAsync(r => r.Phase is RankPhase.Run, Ct);
        }
        for (var times = 0; times < 2; times++)
        {
            await using var next = await SuiteAgent.OpenAsync(shell, Ct);
            var rank = next.Hello.Ranks.Single(r => r.Tag == order.Tag);
            if (rank.Verdict is null) rank = await next.UntilAsync(r => r.Phase is RankPhase.Ended, Ct);
            Assert.Equal(7, rank.Verdict!.ExitCode);
            next.Say(new ToNode.Follow(order.Tag, 0));
            Assert.Contains("ended", await next.LogAsync(Ct), StringComparison.Ordinal);
            if (times == 1) next.Say(new ToNode.Acknowledge(order.Tag));
        }
        await provider.ReleaseAsync(lease.Id, Ct);
    }

    [Fact]
    public async Task Files_are_brought_to_a_machine_once_and_only_whole()
    {
        await using var provider = await OpenAsync();
        var lease = await ReadyAsync(provider, NewId());
        var shell = provider.ShellTo(lease, lease.Nodes[0]);
        if (!shell.SharesBlobs)
        {
            var bytes = RandomNumberGenerator.GetBytes(300_000);
            var digest = Convert.ToHexStringLower(SHA256.HashData(bytes));
            Assert.NotEqual(0, await ReceiveAsync(shell, digest, bytes[..1000], "need"));
            Assert.Equal(0, await ReceiveAsync(shell, digest, bytes, "need"));
            Assert.Equal(0, await ReceiveAsync(shell, digest, [], "have"));
        }
        await provider.ReleaseAsync(lease.Id, Ct);
    }

    [Fact]
    public async Task A_check_finds_all_in_order_where_it_is()
    {
        await using var provider = await OpenAsync();
        var steps = new List<CheckStep>();
        await foreach (var step in provider.CheckAsync(Ct)) steps.Add(step);
        Assert.NotEmpty(steps);
        Assert.All(steps, s => Assert.True(s.IsGood is not false, $"{s.What}: {s.Found}"));
    }

    private async Task<Lease> AcquireAsync(IProvider provider, LeaseId id)
    {
        var offer = (await provider.OffersAsync(Ct)).First(o => o.Problem is null && (o.FreeNodes > 0 || o.FreeDevices > 0));
        return await provider.AcquireAsync(Request(id, offer), Ct);
    }

    private async Task<Lease> ReadyAsync(IProvider provider, LeaseId id)
    {
        var lease = await AcquireAsync(provider, id);
        await UntilAsync(async () => (lease = (await provider.ObserveAsync(Ct)).Single(l => l.Id == lease.Id)).State is not LeaseState.Waiting);
        Assert.Equal(LeaseState.Ready, lease.State);
        return lease;
    }

    protected static async Task UntilAsync(Func<Task<bool>> isSo)
    {
        for (var begun = DateTime.UtcNow; !await isSo(); await Task.Delay(200, Ct)) Assert.True(DateTime.UtcNow - begun < Patience, "it does not come to that");
    }

    private static async Task<int> ReceiveAsync(INodeShell shell, string digest, byte[] bytes, string expected)
    {
        await using var process = await shell.StartAsync(["receive", digest], Ct);
        using var output = new StreamReader(process.Output, Encoding.ASCII);
        Assert.Equal(expected, await output.ReadLineAsync(Ct));
        await process.Input.WriteAsync(bytes, Ct);
        process.Input.Close();
        return await process.WaitAsync(Ct);
    }
}

/// <summary>A conversation with a node's agent, word by word.</summary>
public sealed class SuiteAgent : IAsyncDisposable
{
    private readonly INodeProcess _process;
    private readonly StreamReader _output;
    private readonly StringBuilder _log = new();
    private bool _isLast;

    private SuiteAgent(INodeProcess process) => (_process, _output) = (process, new(process.Output));

    public FromNode.Hello Hello { get; private set; } = null!;

    public static async Task<SuiteAgent> OpenAsync(INodeShell shell, CancellationToken ct)
    {
        var agent = new SuiteAgent(await shell.StartAsync(["agent"], ct));
        agent.Hello = (FromNode.Hello)await agent.NextAsync(ct);
        return agent;
    }

    /// <summary>An order for one rank of a job that no other test has.</summary>
    public static RankOrder Order(long job, string script, TimeSpan? term = null) =>
        new(new(job), 1, 0, "suite", "default", ["127.0.0.1"], 29500, new(script), null, null, new Dictionary<string, string>(), new Dictionary<string, string>(),
            new Dictionary<string, string>(), [], 1000, 0, false, new(), null, term, 1 << 20);

    public void Say(ToNode message)
    {
        _process.Input.Write(JsonSerializer.SerializeToUtf8Bytes(message, RunnerJson.Default.ToNode));
        _process.Input.Write("\n"u8);
        _process.Input.Flush();
    }

    public async Task<RankReport> UntilAsync(Predicate<RankReport> isIt, CancellationToken ct)
    {
        while (true)
            if (await NextAsync(ct) is FromNode.Report { Rank: var rank } && isIt(rank)) return rank;
    }

    public async Task<string> LogAsync(CancellationToken ct)
    {
        while (!_isLast) await NextAsync(ct);
        return _log.ToString();
    }

    public async ValueTask DisposeAsync()
    {
        _process.Input.Close();
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(5));
        try { await _process.WaitAsync(patience.Token); }
        catch (OperationCanceledException) { _process.Kill(); }
        _output.Dispose();
        await _process.DisposeAsync();
    }

    private async Task<FromNode> NextAsync(CancellationToken ct)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(ct);
        patience.CancelAfter(TimeSpan.FromSeconds(60));
        var line = await _output.ReadLineAsync(patience.Token) ?? throw new EndOfStreamException("the agent has gone");
        var message = JsonSerializer.Deserialize(line, RunnerJson.Default.FromNode)!;
        if (message is FromNode.Log log)
        {
            _log.Append(Encoding.UTF8.GetString(log.Data));
            _isLast |= log.IsLast;
        }
        return message;
    }
}
