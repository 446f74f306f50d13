using System.Collections.Concurrent;
using System.Threading.Channels;
using Puces.Core.Contract;
using Puces.Core.Engine;
using Puces.Core.Fleet;
using Puces.Core.Units;
using Puces.Providers.Local;
using Puces.Server.Auth;
using Puces.Server.Logs;
using Puces.Server.Store;

namespace Puces.Server.Control;

/// <summary>
/// The daemon's side of all nodes: carries effects out, in order, and brings news to the inbox. What it knows it has from the store
/// and from the nodes; it keeps nothing that a restart would miss.
/// </summary>
public sealed partial class Nodes(ServerOptions options, Inbox inbox, LogBook logs, Orders orders, TimeProvider clock, ILogger<Nodes> logger) : INodeListener, IDisposable
{
    private readonly ConcurrentDictionary<string, (NodeLink Link, Pool Pool)> _links = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, Node> _seen = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, string> _unacknowledged = new(StringComparer.Ordinal);
    private Channel<Decided> _effects = Channel.CreateUnbounded<Decided>();
    private readonly HashSet<(Core.Jobs.AttemptId, int)> _refused = [];
    private Task _work = Task.CompletedTask;
    private CancellationTokenSource _ending = new();

    internal void Begin(IStore store, IReadOnlyList<Effect> effects)
    {
        _effects = Channel.CreateUnbounded<Decided>(new() { SingleReader = true });
        _ending.Dispose();
        _ending = new();
        _refused.Clear();
        _work = WorkAsync(store, _effects.Reader, _ending.Token);
        Post(effects, new Dictionary<string, NodeUse>());
    }

    /// <summary>An effect, with the nodes as they were known when it was decided.</summary>
    private readonly record struct Decided(Effect Effect, IReadOnlyDictionary<string, NodeUse> Known);

    /// <param name="known">The nodes as the world knew them when it decided these.</param>
    internal void Post(IReadOnlyList<Effect> effects, IReadOnlyDictionary<string, NodeUse> known)
    {
        foreach (var effect in effects) _effects.Writer.TryWrite(new(effect, known));
    }

    /// <summary>Lets go of all nodes; what runs on them goes on.</summary>
    internal async Task EndAsync()
    {
        _effects.Writer.TryComplete();
        await _ending.CancelAsync();
        await _work;
        await Task.WhenAll(_links.Values.Select(l => l.Link.DisposeAsync().AsTask()));
        _links.Clear();
        _unacknowledged.Clear();
        logs.LetGo();
    }

    public void Dispose() => _ending.Dispose();

    /// <summary>Folder in which a local node keeps its jobs.</summary>
    public static string RootOf(ServerOptions options, string node) => Path.Combine(options.Data, "runner", node.Split('/')[1]);

    private async Task WorkAsync(IStore store, ChannelReader<Decided> effects, CancellationToken ending)
    {
        await foreach (var (effect, known) in effects.ReadAllAsync(CancellationToken.None))
        {
            try
            {
                await DoAsync(store, effect, known, ending);
            }
            catch (OperationCanceledException) when (ending.IsCancellationRequested)
            {
            }
#pragma warning disable CA1031 // Whatever it is, one effect must not end the others.
            catch (Exception e)
            {
                LogEffect(e, effect);
            }
#pragma warning restore CA1031
        }
    }

    private async Task DoAsync(IStore store, Effect effect, IReadOnlyDictionary<string, NodeUse> known, CancellationToken ending)
    {
        switch (effect)
        {
            case Effect.Start e:
                for (var rank = 0; rank < e.Allocation.Shares.Count; rank++) await StartAsync(store, e.Attempt, rank, e.Allocation, e.Limit, known, ending);
                break;
            case Effect.StartRank e: await StartAsync(store, e.Attempt, e.Rank, e.Allocation, e.Limit, known, ending); break;
            case Effect.Stop e: Send(e.Node, new ToNode.Stop(RankTag.Of(e.Attempt, e.Rank), e.Reason)); break;
            case Effect.Acknowledge e: Acknowledge(e.Node, RankTag.Of(e.Attempt, e.Rank)); break;
            case Effect.OpenPool e: await OpenAsync(e.Pool); break;
        }
    }

    private async Task StartAsync(
        IStore store, Core.Jobs.AttemptId attempt, int rank, Allocation allocation, TimeSpan? limit, IReadOnlyDictionary<string, NodeUse> known,
        CancellationToken ending)
    {
        var node = allocation.Shares[rank].Node;
        if (!_links.TryGetValue(node, out var open) || !open.Link.IsUp) return; // Asked for again when the node is seen.
        // The node has said hello since: the world answers that itself, and may have given this attempt up meanwhile.
        if (_seen.GetValueOrDefault(node)?.Since != known.GetValueOrDefault(node)?.Node.Since || _refused.Contains((attempt, rank))) return;
        try
        {
            if (await orders.MakeAsync(store, attempt, rank, allocation, limit, DevicesOf(node), !open.Pool.IsVirtual) is { } order)
            {
                CrashPoint.Pass("before-start");
                open.Link.Send(new ToNode.Start(order));
                CrashPoint.Pass("after-start");
            }
            else Refuse("its spec is not in the store");
        }
        catch (Exception e) when (e is OrderException or SecretException)
        {
            Refuse(e.Message);
        }
        catch (StoreException e)
        {
            // Not the job's fault. What was decided later waits with it: a stop must not come before the start that it means.
            LogProblem(node, RankTag.Of(attempt, rank), e.Message);
            await Task.Delay(TimeSpan.FromSeconds(1), clock, ending);
            await StartAsync(store, attempt, rank, allocation, limit, known, ending);
        }

        void Refuse(string reason)
        {
            // An order for it that still waits here must not be carried out once the world counts it as over.
            _refused.Add((attempt, rank));
            inbox.Tell(new Command.Refused(attempt, rank, node, reason));
        }
    }

    private IReadOnlyList<Device> DevicesOf(string node) => _seen.GetValueOrDefault(node)?.Devices ?? [];

    private void Send(string node, ToNode message)
    {
        if (_links.TryGetValue(node, out var open)) open.Link.Send(message);
    }

    /// <summary>A node may forget a rank once its verdict is stored and its log is here whole.</summary>
    private void Acknowledge(string node, string tag)
    {
        if (logs.IsComplete(tag)) Forget(node, tag);
        else if (_unacknowledged.TryAdd(tag, node)) Send(node, new ToNode.Follow(tag, logs.Length(tag)));
    }

    private async Task OpenAsync(Pool pool)
    {
        try
        {
            foreach (var (node, open) in _links.Where(l => l.Value.Pool.Name == pool.Name).ToList())
            {
                _links.TryRemove(node, out _);
                await open.Link.DisposeAsync();
            }
        }
        finally
        {
            inbox.Tell(new Command.PoolOpened(pool.Name));
        }
        foreach (var name in Pool.NodeNames(pool.Nodes))
        {
            var node = $"{pool.Name}/{name}";
            var link = new NodeLink(node, options.Runner, RootOf(options, node), Path.Combine(options.Data, "blobs"), this, line => LogAgent(node, line));
            _links[node] = (link, pool);
            link.Start();
        }
    }

    public ValueTask HelloAsync(string node, FromNode.Hello hello)
    {
        if (!_links.TryGetValue(node, out var open)) return default;
        var pool = open.Pool;
        var devices = pool.Gpus is null ? hello.Devices : VirtualDevices.Of(pool.Gpus, pool.Islands);
        var seen = _seen[node] = new(
            node, pool.Name, devices, pool.Cpus is { } cpus ? (int)(cpus * 1000) : hello.MilliCpus,
            pool.Memory ?? new Memory(hello.Memory), pool.IsVirtual, true, clock.GetUtcNow(),
            Place: pool.Places?.GetValueOrDefault(node[(pool.Name.Length + 1)..]));
        // Before the engine hears of them: a log that is on its way must not look settled.
        foreach (var rank in hello.Ranks)
            if (!logs.IsComplete(rank.Tag)) open.Link.Send(new ToNode.Follow(rank.Tag, logs.Length(rank.Tag)));
        // A verdict whose log is on its way comes once more after it: until then, for the engine, the rank runs.
        inbox.Tell(new Command.NodeSeen(seen, [.. hello.Ranks.Select(r => r.Phase < RankPhase.Ended || logs.IsComplete(r.Tag) ? r : r with { Phase = RankPhase.Run, Verdict = null })]));
        return default;
    }

    public ValueTask DownAsync(string node, string why)
    {
        if (_links.TryGetValue(node, out var open))
        {
            var last = _seen.GetValueOrDefault(node) ?? new(node, open.Pool.Name, [], 0, default, open.Pool.IsVirtual, false, default);
            inbox.Tell(new Command.NodeSeen(last with { IsUp = false, Since = clock.GetUtcNow(), Problem = why }));
        }
        return default;
    }

    public ValueTask ReportAsync(string node, RankReport rank)
    {
        if (RankTag.TryParse(rank.Tag, out var attempt, out var number)) inbox.Tell([.. World.News(rank, attempt, number, node)]);
        return default;
    }

    public ValueTask LogAsync(string node, FromNode.Log log)
    {
        if (!logs.Append(log, out var expected))
        {
            // A full disk, most likely: the node keeps the log until there is room here.
            _ = FollowLaterAsync(node, log.Tag, expected);
            return default;
        }
        if (log.IsLast && _unacknowledged.TryRemove(log.Tag, out _)) Forget(node, log.Tag);
        return default;
    }

    private void Forget(string node, string tag)
    {
        CrashPoint.Pass("before-acknowledge");
        Send(node, new ToNode.Acknowledge(tag));
        logs.Forget(tag);
    }

    private async Task FollowLaterAsync(string node, string tag, long offset)
    {
        await Task.Delay(TimeSpan.FromSeconds(1), clock);
        Send(node, new ToNode.Follow(tag, offset));
    }

    public ValueTask GoneAsync(string node, string tag)
    {
        _unacknowledged.TryRemove(tag, out _);
        logs.Forget(tag);
        if (RankTag.TryParse(tag, out var attempt, out var rank)) inbox.Tell(new Command.Lost(attempt, rank, node, "the node has nothing of it"));
        return default;
    }

    public ValueTask ProblemAsync(string node, string? tag, string message)
    {
        LogProblem(node, tag ?? "", message);
        return default;
    }

    /// <summary>Process ids of the agents, by node: for <c>puces doctor</c> and for tests that kill them.</summary>
    public IReadOnlyDictionary<string, int?> Agents => _links.ToDictionary(l => l.Key, l => l.Value.Link.AgentPid);

    [LoggerMessage(Level = LogLevel.Error, Message = "{Effect} could not be carried out")]
    private partial void LogEffect(Exception cause, Effect effect);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Node}: {Line}")]
    private partial void LogAgent(string node, string line);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Node} {Tag}: {Message}")]
    private partial void LogProblem(string node, string tag, string message);
}
