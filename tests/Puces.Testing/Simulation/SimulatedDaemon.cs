using Puces.Core.Contract;
using Puces.Core.Engine;
using Puces.Core.Fleet;

namespace Puces.Testing.Simulation;

/// <summary>
/// One life of the daemon, as <c>Puces.Server</c> lives it: what arrives waits in an inbox, is applied, committed, and only then answered
/// and carried out, effect by effect. With the life all of this is gone.
/// </summary>
public sealed class SimulatedDaemon
{
    private readonly SimulatedStore _store;
    private readonly Fault _fault;
    private readonly ulong _seed;
    private readonly List<Letter> _inbox = [];
    private readonly Queue<(Effect Effect, long Hello)> _effects = [];
    private readonly Dictionary<string, Pool> _open = new(StringComparer.Ordinal);
    private readonly HashSet<string> _refused = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Node> _seen = new(StringComparer.Ordinal);
    private readonly Dictionary<string, long> _connected = new(StringComparer.Ordinal);
    private readonly Dictionary<string, long> _known = new(StringComparer.Ordinal);

    private sealed record Letter(Command Command, Action<Answer>? Reply = null, string? Node = null, long Hello = 0);

    public SimulatedDaemon(SimulatedStore store, IEnumerable<Pool> pools, ulong seed, Fault fault, DateTimeOffset now)
    {
        (_store, _seed, _fault) = (store, seed, fault);
        World = store.Load(now);
        Post(World.Resume());
        if (store.HasPools) return;
        foreach (var pool in pools) Tell(new Command.SetPool(pool));
    }

    public World World { get; }
    public int Mail => _inbox.Count;
    public int Work => _effects.Count;

    /// <summary>Whether it wants to be connected with the pool's nodes.</summary>
    public bool IsOpen(string pool) => _open.ContainsKey(pool);

    public bool IsConnected(string node) => _connected.ContainsKey(node);

    /// <summary>The world has heard the hello of that number, and of no end since.</summary>
    public bool Knows(string node, long hello) =>
        _connected.GetValueOrDefault(node) == hello && _known.GetValueOrDefault(node) == hello && World.Nodes.GetValueOrDefault(node)?.Node.IsUp == true;

    public void Tell(Command command, Action<Answer>? reply = null) => _inbox.Add(new(command, reply));

    /// <summary>A message of a node arrives. The hello's number says which connection it is of.</summary>
    public void Hear(SimulatedNode node, FromNode message, long hello, DateTimeOffset now)
    {
        switch (message)
        {
            case FromNode.Hello greeting:
                _connected[node.Id] = hello;
                _seen[node.Id] = node.Hardware with { Since = now };
                _inbox.Add(new(new Command.NodeSeen(_seen[node.Id], greeting.Ranks), null, node.Id, hello));
                break;
            case FromNode.Report { Rank: var report } when RankTag.TryParse(report.Tag, out var attempt, out var rank):
                foreach (var news in World.News(report, attempt, rank, node.Id)) Tell(news);
                break;
            case FromNode.Gone gone when RankTag.TryParse(gone.Tag, out var attempt, out var rank):
                Tell(new Command.Lost(attempt, rank, node.Id, "the node has nothing of it"));
                break;
        }
    }

    /// <summary>It finds a connection ended.</summary>
    public void Miss(SimulatedNode node, DateTimeOffset now)
    {
        _connected.Remove(node.Id);
        var last = _seen.GetValueOrDefault(node.Id) ?? node.Hardware with { Devices = [], MilliCpus = 0, Memory = default };
        Tell(new Command.NodeSeen(last with { IsUp = false, Since = now, Problem = "no route" }));
        if (_fault != Fault.DownIsDead) return;
        foreach (var job in World.Jobs)
            for (var rank = 0; job.State.Held is { } held && rank < held.Shares.Count; rank++)
                if (held.Shares[rank].Node == node.Id) Tell(new Command.Vanished(job.Attempt, rank, node.Id, "the connection is lost"));
    }

    /// <summary>Applies the first letters, and commits. Null where it died before the end; what was committed stays so.</summary>
    public Outcome? Apply(int letters, Death death, DateTimeOffset now, Action<Effect> send)
    {
        var taken = _inbox.GetRange(0, Math.Min(letters, _inbox.Count));
        _inbox.RemoveRange(0, taken.Count);
        var outcome = World.Apply([.. taken.Select(l => l.Command)], now);
        foreach (var letter in taken)
            if (letter.Node is { } node) _known[node] = letter.Hello;
        if (_fault == Fault.AnswersBeforeCommit) Reply(taken, outcome);
        if (_fault == Fault.EffectsBeforeCommit)
        {
            Post(outcome.Effects);
            while (Work > 0) Do(send);
        }
        if (death == Death.BeforeCommit) return null;
        _store.Commit(outcome.Changes, outcome.Events);
        if (death == Death.AfterCommit) return null;
        if (_fault != Fault.AnswersBeforeCommit) Reply(taken, outcome);
        if (_fault != Fault.EffectsBeforeCommit) Post(outcome.Effects);
        return outcome;
    }

    private static void Reply(List<Letter> letters, Outcome outcome)
    {
        for (var i = 0; i < letters.Count; i++) letters[i].Reply?.Invoke(outcome.Answers[i]);
    }

    private void Post(IReadOnlyList<Effect> effects)
    {
        foreach (var effect in effects)
        {
            if (effect is Effect.Start start)
                for (var rank = 0; rank < start.Allocation.Shares.Count; rank++) PostOrder(new(start.Attempt, rank, start.Allocation));
            else if (effect is Effect.StartRank order) PostOrder(order);
            else if (effect is not Effect.Acknowledge || _fault != Fault.NothingIsAcknowledged) _effects.Enqueue((effect, 0));
        }
    }

    /// <summary>An order is for the connection of which the world knew when it decided: after the next hello it asks again itself.</summary>
    private void PostOrder(Effect.StartRank order) => _effects.Enqueue((order, _known.GetValueOrDefault(NodeOf(order))));

    private static string NodeOf(Effect.StartRank order) => order.Allocation.Shares[order.Rank].Node;

    /// <summary>Carries the next effect out. What is for a node that is not connected is dropped; a pool is let go of before it is opened.</summary>
    public void Do(Action<Effect> send)
    {
        var (effect, hello) = _effects.Dequeue();
        switch (effect)
        {
            case Effect.OpenPool open:
                // Nodes that are declared as before are left as they are; here that is all of them, or none.
                if (_open.TryGetValue(open.Pool.Name, out var was) && was == open.Pool)
                {
                    Tell(new Command.PoolOpened(open.Pool.Name));
                    break;
                }
                _open[open.Pool.Name] = open.Pool;
                foreach (var node in _connected.Keys.Where(n => n.StartsWith(open.Pool.Name + "/", StringComparison.Ordinal)).ToList()) _connected.Remove(node);
                send(open);
                Tell(new Command.PoolOpened(open.Pool.Name));
                break;
            case Effect.Stop stop when IsConnected(stop.Node): send(stop); break;
            case Effect.Acknowledge done when IsConnected(done.Node): send(done); break;
            case Effect.StartRank order when _connected.TryGetValue(NodeOf(order), out var now) && (now == hello || _fault == Fault.OrdersOutliveHellos):
                var tag = RankTag.Of(order.Attempt, order.Rank);
                if (_refused.Contains(tag)) break;
                if (!Behaviour.Of(_seed, order.Attempt, order.Rank).IsOrderRefused) send(order);
                // Once told, it stays: the world may have settled the attempt by now.
                else if (_refused.Add(tag)) Tell(new Command.Refused(order.Attempt, order.Rank, NodeOf(order), "a secret is not set"));
                break;
        }
    }
}

/// <summary>Where in a call the daemon is killed.</summary>
public enum Death { None, BeforeCommit, AfterCommit }
