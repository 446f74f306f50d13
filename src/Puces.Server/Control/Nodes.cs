using System.Collections.Concurrent;
using System.Threading.Channels;
using Puces.Core.Contract;
using Puces.Core.Engine;
using Puces.Core.Fleet;
using Puces.Core.Market;
using Puces.Core.Units;
using Puces.Providers;
using Puces.Providers.Agents;
using Puces.Server.Auth;
using Puces.Server.Logs;
using Puces.Server.Store;

namespace Puces.Server.Control;

/// <summary>
/// The daemon's side of all nodes: carries effects out, in order, and brings news to the inbox. What it knows it has from the store
/// and from the nodes; it keeps nothing that a restart would miss.
/// </summary>
public sealed partial class Nodes(
    ServerOptions options, PoolProviders providers, Carrier carrier, Inbox inbox, Live live, LogBook logs, Orders orders, TimeProvider clock,
    ILogger<Nodes> logger) : INodeListener, IDisposable
{
    /// <summary>A node that we are connected with, or try to be.</summary>
    /// <param name="Lease">What was asked for, where it came with a lease.</param>
    private sealed record Open(NodeLink Link, Delivery Delivery, Pool Pool, string Declaration, LeaseRequest? Lease = null, LeaseNode? Machine = null)
    {
        public async Task CloseAsync()
        {
            await Link.DisposeAsync();
            await Delivery.DisposeAsync();
        }
    }

    private readonly ConcurrentDictionary<string, Open> _links = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, PoolLine> _lines = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, Node> _seen = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, string> _unacknowledged = new(StringComparer.Ordinal);
    private Channel<Decided> _effects = Channel.CreateUnbounded<Decided>();
    private readonly ConcurrentDictionary<(Core.Jobs.AttemptId, int), bool> _refused = new();
    private Task _work = Task.CompletedTask;
    private CancellationTokenSource _ending = new();
    private volatile IStore? _store;

    internal void Begin(IStore store, IReadOnlyList<Effect> effects)
    {
        _store = store;
        _effects = Channel.CreateUnbounded<Decided>(new() { SingleReader = true });
        _ending.Dispose();
        _ending = new();
        _refused.Clear();
        live.Ask(pool => _lines.TryGetValue(pool, out var line) ? new(line.Problem, line.Offers) : null);
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
        await Task.WhenAll([.. _links.Values.Select(l => l.CloseAsync()), .. _lines.Values.Select(l => l.DisposeAsync().AsTask())]);
        _lines.Clear();
        _store = null;
        _links.Clear();
        _unacknowledged.Clear();
        logs.LetGo();
    }

    public void Dispose() => _ending.Dispose();

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
            case Effect.Stop e: Send(e.Node, RankTag.Of(e.Attempt, e.Rank), new ToNode.Stop(RankTag.Of(e.Attempt, e.Rank), e.Reason), breaks: true); break;
            case Effect.Acknowledge e: Acknowledge(e.Node, RankTag.Of(e.Attempt, e.Rank)); break;
            case Effect.OpenPool e: await OpenAsync(e.Pool.Name, e.Pool); break;
            case Effect.ClosePool e: await OpenAsync(e.Pool, null); break;
            case Effect.Acquire e: _lines.GetValueOrDefault(e.Pool)?.Post(e); break;
            case Effect.OpenLease e: await OpenAsync(e); break;
            case Effect.Release e:
                await CloseAsync(e.Pool, e.Lease);
                _lines.GetValueOrDefault(e.Pool)?.Post(e);
                break;
        }
    }

    private async Task StartAsync(
        IStore store, Core.Jobs.AttemptId attempt, int rank, Allocation allocation, TimeSpan? limit, IReadOnlyDictionary<string, NodeUse> known,
        CancellationToken ending)
    {
        var node = allocation.Shares[rank].Node;
        if (!_links.TryGetValue(node, out var open) || !open.Link.IsUp) return; // Asked for again when the node is seen.
        // The node has said hello since: the world answers that itself, and may have given this attempt up meanwhile.
        if (_seen.GetValueOrDefault(node)?.Since != known.GetValueOrDefault(node)?.Node.Since || _refused.ContainsKey((attempt, rank))) return;
        var tag = RankTag.Of(attempt, rank);
        if (!open.Link.Shell.SharesBlobs)
        {
            // What is on its way to one node keeps no other waiting.
            open.Delivery.Start(tag, MakeAsync, Start, Refuse);
            return;
        }
        try
        {
            Start(await MakeAsync(ending));
        }
        catch (ProviderException e)
        {
            Refuse(e.Message);
        }

        async Task<RankOrder> MakeAsync(CancellationToken ct)
        {
            var restore = Carries(open) ? await carrier.NewestAsync(attempt.Job, rank, ct) : null;
            while (true)
            {
                try
                {
                    return await orders.MakeAsync(
                        store, attempt, rank, allocation, limit, [.. allocation.Shares.Select(s => _seen.GetValueOrDefault(s.Node))], open.Pool, restore)
                        ?? throw new ProviderException(Remedy.Ask, "its spec is not in the store");
                }
                catch (Exception e) when (e is OrderException or SecretException)
                {
                    throw new ProviderException(Remedy.Ask, e.Message, cause: e);
                }
                catch (StoreException e)
                {
                    // Not the job's fault. What was decided later waits with it: a stop must not come before the start that it means.
                    LogProblem(node, tag, e.Message);
                    await Task.Delay(TimeSpan.FromSeconds(1), clock, ct);
                }
            }
        }

        void Start(RankOrder order)
        {
            // Its files may have been long on their way, and the attempt be over.
            if (!open.Link.Shell.SharesBlobs && !IsWanted(attempt)) return;
            CrashPoint.Pass("before-start");
            open.Link.Send(new ToNode.Start(order));
            CrashPoint.Pass("after-start");
        }

        void Refuse(string reason)
        {
            // An order for it that still waits here must not be carried out once the world counts it as over.
            _refused[(attempt, rank)] = true;
            inbox.Tell(new Command.Refused(attempt, rank, node, reason));
        }
    }

    private bool IsWanted(Core.Jobs.AttemptId attempt) =>
        live.View.Live.GetValueOrDefault(attempt.Job) is { State: Core.Jobs.JobState.Starting or Core.Jobs.JobState.Running } job && job.Attempts == attempt.Number;

    /// <summary>Its checkpoints lie where no other node sees them.</summary>
    private static bool Carries(Open open) => !open.Link.Shell.SharesBlobs && open.Pool is not ({ Ssh.Shared: not null } or { Kubernetes.Shared: not null });

    /// <summary>Says something of a rank to its node: after what was said of it before.</summary>
    private void Send(string node, string tag, ToNode message, bool breaks = false)
    {
        if (!_links.TryGetValue(node, out var open)) return;
        if (open.Delivery.IsIdle) open.Link.Send(message);
        else open.Delivery.Follow(tag, () => open.Link.Send(message), breaks);
    }

    /// <summary>A node may forget a rank once its verdict is stored and its log is here whole.</summary>
    private void Acknowledge(string node, string tag)
    {
        if (logs.IsComplete(tag)) Forget(node, tag);
        // A verdict comes after its log. Of a rank that was given up without one, nobody need wait for what may never come; if its node
        // comes back, so does the rest.
        else if (_links.GetValueOrDefault(node)?.Link.IsUp is not true) logs.Forget(tag);
        else if (_unacknowledged.TryAdd(tag, node)) Send(node, tag, new ToNode.Follow(tag, logs.Length(tag)));
    }

    /// <summary>Nodes that are declared as before are left as they are.</summary>
    private async Task OpenAsync(string name, Pool? pool)
    {
        var wanted = pool is null ? [] : pool.NodeNames().ToDictionary(n => $"{name}/{n}", pool.DeclarationOf, StringComparer.Ordinal);
        try
        {
            foreach (var (node, open) in _links.Where(l => l.Value.Pool.Name == name && wanted.GetValueOrDefault(l.Key) != l.Value.Declaration).ToList())
            {
                _links.TryRemove(node, out _);
                await open.CloseAsync();
            }
        }
        finally
        {
            inbox.Tell(new Command.PoolOpened(name));
        }
        if (_lines.TryRemove(name, out var line)) await line.DisposeAsync();
        if (pool is null) return;
        carrier.Sweep(live.View.Live.ContainsKey);
        if (pool.HasLine)
        {
            _lines[name] = new(pool, providers.Of(pool), inbox, clock, text => LogAgent(name, text));
            return;
        }
        await using var provider = providers.Of(pool);
        foreach (var lease in await provider.ObserveAsync(CancellationToken.None))
            foreach (var machine in lease.Nodes)
            {
                var node = $"{name}/{machine.Name}";
                if (_links.TryGetValue(node, out var kept))
                {
                    _links[node] = kept with { Pool = pool };
                    continue;
                }
                var shell = provider.ShellTo(lease, machine);
                var link = new NodeLink(node, shell, Pace.For(pool.TermOrDefault), this, line => LogAgent(node, line));
                _links[node] = new(link, new(shell, Path.Combine(options.Data, "blobs"), clock), pool, wanted[node]);
                link.Start();
            }
    }

    /// <summary>Goes to the machines of a lease, anew where it is in another state now: then the way to them is another.</summary>
    private async Task OpenAsync(Effect.OpenLease e)
    {
        await CloseAsync(e.Pool, e.Lease.Id);
        if (!_lines.TryGetValue(e.Pool, out var line)) return;
        foreach (var machine in e.Lease.Nodes)
        {
            var node = $"{e.Pool}/{machine.Name}.{e.Lease.Id}";
            var shell = line.Provider.ShellTo(e.Lease, machine);
            var link = new NodeLink(node, shell, Pace.For(e.Request.Term), this, text => LogAgent(node, text));
            _links[node] = new(link, new(shell, Path.Combine(options.Data, "blobs"), clock), line.Pool, "", e.Request, machine);
            link.Start();
        }
    }

    private async Task CloseAsync(string pool, LeaseId lease)
    {
        foreach (var (node, open) in _links.Where(l => l.Value.Pool.Name == pool && l.Value.Lease?.Id == lease).ToList())
        {
            _links.TryRemove(node, out _);
            await open.CloseAsync();
        }
    }

    /// <summary>Pools with a line of their own, by name: what they offer, and what is wrong with them.</summary>
    internal IReadOnlyDictionary<string, PoolLine> Lines => _lines;

    public ValueTask HelloAsync(string node, FromNode.Hello hello)
    {
        if (!_links.TryGetValue(node, out var open)) return default;
        var pool = open.Pool;
        // Where a lease has devices and none is found, as on machines for trials, they are as they were offered.
        var gpus = pool.Gpus ?? (open.Lease is { Devices: > 0, Model: { } model } leased && hello.Devices.Count == 0 ? $"{model}:{leased.Devices}" : null);
        var devices = gpus is null ? hello.Devices : VirtualDevices.Of(gpus, pool.Islands);
        var seen = _seen[node] = new(
            node, pool.Name, devices, pool.Cpus is { } cpus ? (int)(cpus * 1000) : hello.MilliCpus,
            pool.Memory ?? new Memory(hello.Memory), pool.IsVirtual, true, clock.GetUtcNow(),
            // A pod is a container of the image that its job asks for.
            Place: pool.Places?.GetValueOrDefault(node[(pool.Name.Length + 1)..]), Address: open.Machine?.Address ?? hello.Address, Engine: pool.Kubernetes is null ? hello.Engine : "pod");
        // Before the engine hears of them: a log that is on its way must not look settled.
        foreach (var rank in hello.Ranks)
            if (!logs.IsComplete(rank.Tag)) Send(node, rank.Tag, new ToNode.Follow(rank.Tag, logs.Length(rank.Tag)));
        // A verdict whose log is on its way comes once more after it: until then, for the engine, the rank runs.
        inbox.Tell(new Command.NodeSeen(seen, [.. hello.Ranks.Select(r => r.Phase < RankPhase.Ended || logs.IsComplete(r.Tag) ? r : r with { Phase = RankPhase.Run, Verdict = null })]));
        return default;
    }

    public ValueTask DownAsync(string node, string why)
    {
        if (_links.TryGetValue(node, out var open))
        {
            open.Delivery.Forget();
            var last = _seen.GetValueOrDefault(node) ?? new(node, open.Pool.Name, [], 0, default, open.Pool.IsVirtual, false, default);
            inbox.Tell(new Command.NodeSeen(last with { IsUp = false, Since = clock.GetUtcNow(), Problem = why }));
        }
        return default;
    }

    public bool Knows(string node) => live.View.Nodes.GetValueOrDefault(node)?.Node is { IsUp: true } known && known.Since == _seen.GetValueOrDefault(node)?.Since;

    public ValueTask ReportAsync(string node, RankReport rank)
    {
        if (RankTag.TryParse(rank.Tag, out var attempt, out var number))
        {
            if (rank.Checkpoint is { } checkpoint) Fetch(node, attempt, number, checkpoint);
            inbox.Tell([.. World.News(rank, attempt, number, node)]);
        }
        return default;
    }

    /// <summary>Brings a checkpoint home from where it would be lost with its node.</summary>
    private void Fetch(string node, Core.Jobs.AttemptId attempt, int rank, string checkpoint)
    {
        if (!_links.TryGetValue(node, out var open) || !Carries(open) || _store is not { } store) return;
        _ = FetchAsync();

        async Task FetchAsync()
        {
            try
            {
                carrier.Fetch(open.Link.Shell, attempt, rank, checkpoint, await Orders.CheckpointPathAsync(store, attempt.Job, _ending.Token), _ending.Token);
            }
            catch (Exception e) when (e is StoreException or OperationCanceledException or ObjectDisposedException)
            {
                // It is said again with the rank's next report.
            }
        }
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
        Send(node, tag, new ToNode.Acknowledge(tag));
        logs.Forget(tag);
    }

    private async Task FollowLaterAsync(string node, string tag, long offset)
    {
        await Task.Delay(TimeSpan.FromSeconds(1), clock);
        Send(node, tag, new ToNode.Follow(tag, offset));
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
