using Puces.Core.Contract;
using Puces.Core.Engine;
using Puces.Core.Jobs;

namespace Puces.Testing.Simulation;

/// <summary>
/// A daemon, its store, its nodes and its clients in one thread, with an adversary between them that is made of a seed. It loses whole
/// connections with what is under way, delays and repeats messages, changes the order of those about different ranks, turns machines
/// off, wipes disks, and kills the daemon between any two steps. Within one connection two messages about one rank keep their order, and
/// a hello comes first: the streams to a node give that much. Then all goes well, and everything must come to rest.
/// </summary>
public sealed class Simulation
{
    private const int PatienceRounds = 2000;
    // Longer than any window: who may be stopped is looked at again for ever.
    private const int PatienceTicks = 30;

    private readonly ulong _seed;
    private readonly Fault _fault;
    private readonly Action<string>? _say;
    private readonly Luck _luck;
    private readonly Scenario _scenario;
    private readonly SimulatedStore _store = new();
    private readonly List<SimulatedNode> _nodes = [];
    private readonly Dictionary<string, List<Effect>> _under = new(StringComparer.Ordinal);
    private readonly Dictionary<string, long> _hellos = new(StringComparer.Ordinal);
    private readonly SortedSet<string> _missed = new(StringComparer.Ordinal);
    private readonly List<Process> _processes = [];
    private SimulatedDaemon? _daemon;
    private int _ticks;
    private DateTimeOffset _now = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);

    private Simulation(ulong seed, Fault fault, Action<string>? say)
    {
        (_seed, _fault, _say, _luck) = (seed, fault, say, new(seed));
        _scenario = new(_luck, _now, hasWindows: seed % 3 == 0, isJoined: seed % 5 == 0, hasProjects: seed % 4 == 1);
        foreach (var machine in _scenario.Machines) _nodes.Add(new(machine, seed) { Term = _scenario.Pools.First(p => p.Name == machine.Pool).Term });
        foreach (var node in _nodes) _under[node.Id] = [];
    }

    /// <summary>Lives through one seed; throws <see cref="BrokenException"/> at the first promise that is broken.</summary>
    /// <param name="say">Is told what happens, step by step.</param>
    public static SimulatedStore Run(ulong seed, Fault fault = Fault.None, Action<string>? say = null)
    {
        var simulation = new Simulation(seed, fault, say);
        for (var step = 0; step < simulation._scenario.Steps; step++)
        {
            if (simulation._luck.Chance(simulation._scenario.Weather)) simulation.Mishap();
            else simulation.Go();
            simulation.Look();
        }
        simulation.ComeToRest();
        return simulation._store;
    }

    /// <summary>One ordinary step of somebody.</summary>
    private void Go()
    {
        if (_daemon is null && _luck.Chance(20)) Begin();
        if (_scenario.HasWindows && _luck.Chance(4)) Announce();
        if (_scenario.HasProjects && _luck.Chance(4)) _daemon?.Tell(Scenario.Arrange(_luck));
        var node = _nodes[_luck.Below(_nodes.Count)];
        switch (_luck.Below(12))
        {
            case 0 or 1: Apply(_luck.Chance(70) ? int.MaxValue : _luck.Between(1, 3), Death.None); break;
            case 2 or 3: if (_daemon is { Work: > 0 } busy) for (var i = _luck.Between(1, 4); i > 0 && busy.Work > 0; i--) busy.Do(Send); break;
            case 4: Connect(node); break;
            case 5: Deliver(node, _luck.Between(1, 3)); break;
            case 6: Report(node, _luck.Between(1, 3)); break;
            case 7 or 8: Pass(TimeSpan.FromSeconds(_luck.Of(0, 1, 1, 5, 30, 300))); break;
            case 9 or 10: Submit(); break;
            default: if (_luck.Chance(20)) Cancel(); break;
        }
    }

    /// <summary>A machine, or a whole pool, is closed for a time, for good, or not any more.</summary>
    private void Announce()
    {
        var node = _nodes[_luck.Below(_nodes.Count)];
        var from = _now + TimeSpan.FromSeconds(_luck.Of(-10, 0, 60, 900));
        DateTimeOffset? to = _luck.Chance(90) ? from + TimeSpan.FromSeconds(_luck.Of(30, 300, 3600)) : null;
        Command command = _luck.Chance(25) ? new Command.RemoveWindow(_luck.Between(1, 3))
            : new Command.SetWindow(new(0, node.Hardware.Pool, "", default, _luck.Chance(20) ? null : node.Id, _luck.Chance(90) ? from : null, to));
        _daemon?.Tell(command);
    }

    private void Mishap()
    {
        var node = _nodes[_luck.Below(_nodes.Count)];
        switch (_luck.Below(12))
        {
            case 0 or 1 or 2:
                Break(node);
                if (_luck.Chance(50)) Connect(node);
                if (_luck.Chance(50)) Report(node, 1);
                break;
            case 3: if (node.IsOn) { Break(node); node.TurnOff(isWiped: _luck.Chance(25)); } break;
            case 4: if (!node.IsOn && !node.HasLeft) node.TurnOn(_now); break;
            case 5: node.KillOne(_luck); break;
            case 6: Kill(); if (_luck.Chance(50)) Begin(); break;
            case 7: Apply(int.MaxValue, _luck.Of(Death.BeforeCommit, Death.AfterCommit)); break;
            case 8: if (node.Line is { Count: > 1 } said && said[^1] is FromNode.Report or FromNode.Gone) said.Add(said[_luck.Between(1, said.Count - 1)]); break;
            case 9: if (_under[node.Id] is { Count: > 0 } sent) sent.Insert(_luck.Below(sent.Count), sent[0]); break;
            case 10: if (_luck.Chance(15)) Leave(node); break;
            default: if (_luck.Chance(30)) _daemon?.Tell(new Command.SetPool(_scenario.Pools[0] with { Cpus = _luck.Chance(50) ? 8 : null })); break;
        }
    }

    private void Begin()
    {
        _daemon = new(_store, _scenario.Pools, _seed, _fault, _now);
        // A provider says of each of its leases what became of it, again in each life.
        foreach (var node in _nodes.Where(n => n.HasLeft)) _daemon.Tell(new Command.NodeGone(node.Id));
    }

    private void Kill()
    {
        if (_daemon is not null) _say?.Invoke($"{_now:HH:mm:ss} the daemon is gone");
        _daemon = null;
        foreach (var node in _nodes) HangUp(node);
        _missed.Clear();
    }

    private void Apply(int letters, Death death)
    {
        if (_daemon is not { } daemon) return;
        if (letters == int.MaxValue && daemon.Mail == 0 && !(daemon.World.NextTick <= _now)) return;
        var outcome = daemon.Apply(letters, death, _now, Send);
        if (_say is not null)
        {
            foreach (var e in outcome?.Events ?? []) _say($"{_now:HH:mm:ss} {e.Text}");
            if (outcome is null) _say($"{_now:HH:mm:ss} the daemon is killed {death}");
        }
        if (outcome is null) Kill();
        else Look(outcome);
    }

    private void Send(Effect message)
    {
        if (message is Effect.OpenPool open)
        {
            foreach (var let in _nodes.Where(n => n.Hardware.Pool == open.Pool.Name))
            {
                HangUp(let);
                _missed.Remove(let.Id);
            }
            return;
        }
        var node = message switch
        {
            Effect.StartRank order => order.Allocation.Shares[order.Rank].Node,
            Effect.Stop stop => stop.Node,
            Effect.Acknowledge done => done.Node,
            _ => throw new InvalidOperationException($"{message} is not for a node"),
        };
        // Into a connection that has ended unnoticed, it is lost.
        if (_nodes.Exists(n => n.Id == node && n.Line is not null) && _daemon!.IsConnected(node)) _under[node].Add(message);
    }

    private void Connect(SimulatedNode node)
    {
        if (_daemon is null || !node.IsOn || node.Line is not null || !_daemon.IsOpen(node.Hardware.Pool)) return;
        if (_missed.Remove(node.Id)) _daemon.Miss(node, _now);
        _hellos[node.Id] = _hellos.GetValueOrDefault(node.Id) + 1;
        node.Connect();
    }

    /// <summary>Messages to the node arrive. Those about different ranks may change places.</summary>
    private void Deliver(SimulatedNode node, int count)
    {
        var sent = _under[node.Id];
        for (; count > 0 && sent.Count > 0; count--)
        {
            var at = _luck.Chance(_scenario.Weather) ? _luck.Below(sent.Count) : 0;
            var message = sent[at];
            if (sent.FindIndex(other => Tag(other) == Tag(message)) < at) continue;
            sent.RemoveAt(at);
            _say?.Invoke($"{_now:HH:mm:ss} {node.Id} hears {message}");
            if (IsHeard(node)) node.Heard = _now;
            node.Hear(message, _now);
        }
    }

    private static string Tag(Effect message) => message switch
    {
        Effect.StartRank order => RankTag.Of(order.Attempt, order.Rank),
        Effect.Stop stop => RankTag.Of(stop.Attempt, stop.Rank),
        Effect.Acknowledge done => RankTag.Of(done.Attempt, done.Rank),
        _ => "",
    };

    /// <summary>Messages of the node arrive. The hello comes first; reports about different ranks may change places.</summary>
    private void Report(SimulatedNode node, int count)
    {
        for (; count > 0 && _daemon is not null && node.Line is { Count: > 0 } said; count--)
        {
            var at = _luck.Chance(_scenario.Weather) && said[0] is not FromNode.Hello ? _luck.Below(said.Count) : 0;
            if (said.FindIndex(other => Tag(other) == Tag(said[at])) < at) continue;
            var message = said[at];
            said.RemoveAt(at);
            _say?.Invoke($"{_now:HH:mm:ss} {node.Id} says {message}");
            _daemon.Hear(node, message, _hellos[node.Id], _now);
        }
    }

    private static string Tag(FromNode message) => message switch
    {
        FromNode.Report report => report.Rank.Tag,
        FromNode.Gone gone => gone.Tag,
        _ => "",
    };

    /// <summary>The connection ends. Of what is under way to the node a part may still arrive; what the node says is lost.</summary>
    private void Break(SimulatedNode node)
    {
        if (node.Line is null) return;
        HangUp(node);
        if (_daemon?.IsConnected(node.Id) != true) return;
        if (_luck.Chance(50)) _missed.Add(node.Id);
        else _daemon.Miss(node, _now);
    }

    private void HangUp(SimulatedNode node)
    {
        if (_luck.Chance(50)) Deliver(node, _luck.Below(_under[node.Id].Count + 1));
        _under[node.Id].Clear();
        node.Disconnect();
    }

    private void Leave(SimulatedNode node)
    {
        if (node.HasLeft || _nodes.Count(n => !n.HasLeft) == 1) return;
        Break(node);
        node.Leave();
        _missed.Remove(node.Id);
        _daemon?.Tell(new Command.NodeGone(node.Id));
    }

    private void Pass(TimeSpan time)
    {
        _now += time;
        foreach (var node in _nodes)
        {
            if (IsHeard(node)) node.Heard = _now;
            node.Pass(_now);
            if (_fault == Fault.VerdictsAreForgotten) node.ForgetEnded();
        }
        foreach (var id in _missed.Where(_ => _luck.Chance(50)).ToList())
        {
            _missed.Remove(id);
            _daemon?.Miss(_nodes.Find(n => n.Id == id)!, _now);
        }
    }

    /// <summary>Terms are renewed only over a connection of which the engine knows.</summary>
    private bool IsHeard(SimulatedNode node) =>
        node.Line is not null && _daemon?.Knows(node.Id, _hellos.GetValueOrDefault(node.Id)) == true || _fault == Fault.TermsNeverEnd;

    private void Submit()
    {
        if (_daemon is null) return;
        var submission = _scenario.Requests[_luck.Below(_scenario.Requests.Count)];
        if (submission.MaySend) submission.Send(_daemon);
        else submission.SendOther(_daemon);
    }

    private void Cancel()
    {
        if (_daemon is not null && _store.Jobs.Count > 0) _daemon.Tell(new Command.Cancel(new(_luck.Between(1, _store.Jobs.Count)), "ada"));
    }

    private void Look(Outcome? committed = null, bool isFinal = false)
    {
        _processes.Clear();
        foreach (var node in _nodes) node.AddProcesses(_processes);
        if (_processes.Count == 0 && committed is null) return;
        Invariants.Check(new(
            _daemon is null ? null : Living.Of(_daemon.World, _now), _store, _processes, EndOf, tag => _nodes.Exists(n => n.Keeps(tag)),
            _scenario.Requests.Where(r => r.Acknowledged is not null).Select(r => r.Acknowledged!.Value), _now, committed, isFinal));
    }

    private TrueEnd? EndOf(string tag)
    {
        foreach (var node in _nodes)
            if (node.Ends.TryGetValue(tag, out var end)) return end;
        return null;
    }

    /// <summary>From now on nothing fails: machines are on, connections hold, every client hears its answer.</summary>
    private void ComeToRest()
    {
        if (_daemon is null) Begin();
        foreach (var node in _nodes)
            if (!node.IsOn && !node.HasLeft) node.TurnOn(_now);
        foreach (var submission in _scenario.Requests)
            if (submission.MaySend && submission.Acknowledged is null) submission.Send(_daemon!);
        for (var round = 0; round < PatienceRounds; round++)
        {
            if (!Round()) continue;
            _ticks = 0;
            // What still waits, waits for what is not there; what runs, runs until it is stopped.
            if (_daemon!.World.Jobs.Count == 0)
            {
                Look(_daemon.Apply(0, Death.None, _now, Send), isFinal: true);
                return;
            }
            Invariants.CheckOwed(Living.Of(_daemon.World, _now));
            foreach (var job in _daemon.World.Jobs.ToList())
            {
                if (job.State is not (JobState.Queued or JobState.Running)) throw new BrokenException(Invariant.JobKept, $"job {job.Id} is {job.State.Word} for ever");
                _daemon.Tell(new Command.Cancel(job.Id, "ada"));
            }
        }
        throw new BrokenException(Invariant.JobKept, "it does not come to rest");
    }

    /// <summary>Everything that can happen now happens, then the time of the next thing comes. True where there is none.</summary>
    private bool Round()
    {
        var daemon = _daemon!;
        var isQuiet = true;
        foreach (var node in _nodes)
        {
            if (_missed.Remove(node.Id)) daemon.Miss(node, _now);
            Connect(node);
            isQuiet &= node.Line is not { Count: > 0 } && _under[node.Id].Count == 0;
            Deliver(node, 100);
            Report(node, 100);
        }
        isQuiet &= daemon.Mail == 0 && daemon.Work == 0 && !(daemon.World.NextTick <= _now);
        Apply(int.MaxValue, Death.None);
        while (daemon.Work > 0) daemon.Do(Send);
        Look();
        if (!isQuiet) return false;
        var next = daemon.World.NextTick;
        foreach (var node in _nodes)
            if (node.Next is { } at && (next is null || at < next)) next = at;
        if (next is null || _nodes.TrueForAll(n => n.Next is null) && ++_ticks > PatienceTicks) return true;
        Pass(next > _now ? next.Value - _now : TimeSpan.FromSeconds(1));
        return false;
    }
}
