using System.Diagnostics;
using System.Text;
using System.Threading.Channels;
using Puces.Core.Contract;
using Puces.Core.Fleet;
using Puces.Core.Market;
using Puces.Providers;
using Puces.Providers.Agents;
using Puces.Providers.Local;
using Puces.Testing;
using Puces.Tests.Runner;
using Xunit;

namespace Puces.Tests.Server;

public sealed class NodeLinkTests : RunnerSuite
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(40);

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    private INodeShell Shell(string program)
    {
        var lease = new Lease(new("host"), LeaseState.Ready, [new(Path.GetFileName(Root))]);
        return new LocalProvider(new Pool("local"), program, Path.GetDirectoryName(Root)!, Path.Combine(Root, "blobs"), TimeProvider.System).ShellTo(lease, lease.Nodes[0]);
    }

    private NodeLink Link(Listener listener, string? program = null)
    {
        var link = new NodeLink("local/host", Shell(program ?? RunnerProcess.Program), Pace.For(null), listener, _ => { });
        link.Start();
        return link;
    }

    [Fact]
    public async Task A_rank_is_started_heard_of_in_order_and_acknowledged()
    {
        var listener = new Listener();
        await using var link = Link(listener);
        await listener.UntilAsync<FromNode.Hello>();
        Assert.True(link.IsUp);
        link.Send(new ToNode.Start(Order(1, "for i in $(seq 500); do echo line $i; done")));
        var end = await listener.UntilAsync<RankReport>(r => r.Phase is RankPhase.Ended);
        Assert.Equal(0, end.Verdict!.ExitCode);
        if (!listener.Heard.OfType<FromNode.Log>().Any(l => l.IsLast)) await listener.UntilAsync<FromNode.Log>(l => l.IsLast);
        var logged = 0L;
        foreach (var log in listener.Heard.OfType<FromNode.Log>())
        {
            Assert.Equal(logged, log.Offset);
            logged += log.Data.Length;
        }
        Assert.Contains("line 500\n", Encoding.UTF8.GetString(listener.Heard.OfType<FromNode.Log>().Last(l => l.Data.Length > 0).Data), StringComparison.Ordinal);
        link.Send(new ToNode.Acknowledge("1-1.0"));
        link.Send(new ToNode.Stop("1-1.0", "nothing is left to stop"));
        Assert.Equal("1-1.0", await listener.UntilAsync<string>());
        Assert.Equal(1, listener.MostAtOnce);
    }

    [Fact]
    public async Task A_killed_agent_is_reported_and_the_next_one_finds_what_runs()
    {
        var listener = new Listener();
        await using var link = Link(listener);
        await listener.UntilAsync<FromNode.Hello>();
        link.Send(new ToNode.Start(Order(2, "sleep 600")));
        await listener.UntilAsync<RankReport>(r => r.Phase is RankPhase.Run);
        var first = link.AgentPid!.Value;
        Kill(first);
        Assert.Contains("agent", (await listener.UntilAsync<Down>()).Why, StringComparison.Ordinal);
        var hello = await listener.UntilAsync<FromNode.Hello>();
        Assert.Equal(("2-1.0", RankPhase.Run), (hello.Ranks.Single().Tag, hello.Ranks.Single().Phase));
        Assert.NotEqual(first, link.AgentPid);
    }

    [Fact]
    public async Task An_agent_that_cannot_be_started_is_said_with_the_reason_and_tried_again()
    {
        var listener = new Listener();
        await using var link = Link(listener, Path.Combine(Root, "nothing-here"));
        Assert.Contains("cannot be started", (await listener.UntilAsync<Down>()).Why, StringComparison.Ordinal);
        await listener.UntilAsync<Down>();
        Assert.False(link.IsUp);
        link.Send(new ToNode.Ping());
    }

    [Fact]
    public async Task The_end_of_the_link_ends_the_agent_and_not_what_it_has_started()
    {
        var listener = new Listener();
        var link = Link(listener);
        await listener.UntilAsync<FromNode.Hello>();
        link.Send(new ToNode.Start(Order(3, "sleep 600")));
        await listener.UntilAsync<RankReport>(r => r.Phase is RankPhase.Run);
        var agent = link.AgentPid!.Value;
        await link.DisposeAsync();
        await link.DisposeAsync();
        Assert.Throws<ArgumentException>(() => Process.GetProcessById(agent));
        Assert.False(Process.GetProcessById(Watcher("3-1.0")).HasExited);
        Assert.Empty(listener.Heard.OfType<Down>());
    }

    [Fact]
    public async Task A_listener_that_throws_does_not_end_the_link()
    {
        var listener = new Listener { ThrowsOnHello = true };
        await using var link = Link(listener);
        await listener.UntilAsync<FromNode.Hello>();
        link.Send(new ToNode.Stop("9-1.0", "nobody"));
        Assert.Equal("9-1.0", await listener.UntilAsync<string>());
    }

    private sealed record Down(string Why);

    /// <summary>Notes what it hears, and how many calls there were at once.</summary>
    private sealed class Listener : INodeListener
    {
        public bool Knows(string node) => true;

        private readonly Channel<object> _news = Channel.CreateUnbounded<object>();
        private int _now;

        public List<object> Heard { get; } = [];
        public int MostAtOnce { get; private set; }
        public bool ThrowsOnHello { get; init; }

        public async Task<T> UntilAsync<T>(Predicate<T>? isIt = null)
        {
            using var patience = CancellationTokenSource.CreateLinkedTokenSource(Ct);
            patience.CancelAfter(Patience);
            while (true)
            {
                var next = await _news.Reader.ReadAsync(patience.Token);
                Heard.Add(next);
                if (next is T found && isIt?.Invoke(found) != false) return found;
            }
        }

        private async ValueTask NoteAsync(object news)
        {
            MostAtOnce = Math.Max(MostAtOnce, Interlocked.Increment(ref _now));
            await Task.Yield();
            _news.Writer.TryWrite(news);
            Interlocked.Decrement(ref _now);
            if (ThrowsOnHello && news is FromNode.Hello) throw new InvalidOperationException("as the test asks");
        }

        public ValueTask HelloAsync(string node, FromNode.Hello hello) => NoteAsync(hello);
        public ValueTask DownAsync(string node, string why) => NoteAsync(new Down(why));
        public ValueTask ReportAsync(string node, RankReport rank) => NoteAsync(rank);
        public ValueTask LogAsync(string node, FromNode.Log log) => NoteAsync(log);
        public ValueTask GoneAsync(string node, string tag) => NoteAsync(tag);
        public ValueTask ProblemAsync(string node, string? tag, string message) => NoteAsync((tag, message));
    }
}
