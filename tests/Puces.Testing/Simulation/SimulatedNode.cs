using Puces.Core.Contract;
using Puces.Core.Engine;
using Puces.Core.Fleet;
using Puces.Core.Jobs;

namespace Puces.Testing.Simulation;

/// <summary>
/// A machine with its agent, as <c>puces-runner</c> behaves: what became of a rank stays until it is acknowledged, an order is taken once,
/// and a newer attempt of a job waits until no older one is alive. Its disk outlives the machine's end, unless it is wiped.
/// </summary>
public sealed class SimulatedNode(Node hardware, ulong seed)
{
    private readonly SortedDictionary<string, Rank> _ranks = new(StringComparer.Ordinal);
    private readonly Dictionary<JobId, int> _fences = [];
    private readonly Dictionary<string, TrueEnd> _ends = [];

    private sealed class Rank(Effect.StartRank order, string tag, Behaviour behaviour, DateTimeOffset received)
    {
        public AttemptId Attempt => order.Attempt;
        public int Number => order.Rank;
        public string Tag => tag;
        public Behaviour Behaviour => behaviour;
        public DateTimeOffset Received { get; set; } = received;
        public Share Share => order.Allocation.Shares[order.Rank];
        public RankReport Report { get; set; } = new(tag, RankPhase.Starting, 0);
        public DateTimeOffset? StopBy { get; set; }
        public bool IsFinal => Report.Phase is RankPhase.Ended or RankPhase.Vanished or RankPhase.Refused;
        public bool Runs => Report.Phase is RankPhase.Run;
    }

    public Node Hardware => hardware;
    public string Id => hardware.Id;
    public bool IsOn { get; private set; } = true;

    /// <summary>How long its ranks go on unheard; null for ever.</summary>
    public TimeSpan? Term { get; init; }

    /// <summary>When a daemon that knows of its connection was last there.</summary>
    public DateTimeOffset Heard { get; set; }
    public bool HasLeft { get; private set; }

    /// <summary>What it says to the daemon, while there is a connection.</summary>
    public List<FromNode>? Line { get; private set; }

    /// <summary>How each rank that is over truly ended, kept or not: for the invariants, which nobody may lie to.</summary>
    public IReadOnlyDictionary<string, TrueEnd> Ends => _ends;

    public bool Keeps(string tag) => _ranks.ContainsKey(tag);
    public int Kept => _ranks.Count;

    /// <summary>Processes that run the user's code.</summary>
    public void AddProcesses(List<Process> processes)
    {
        foreach (var rank in _ranks.Values)
            if (rank.Runs) processes.Add(new(Id, rank.Attempt, rank.Number, rank.Share));
    }

    /// <summary>When something will happen here by itself.</summary>
    public DateTimeOffset? Next
    {
        get
        {
            DateTimeOffset? next = null;
            foreach (var rank in _ranks.Values)
            {
                if (!IsOn || rank.IsFinal) continue;
                var at = rank.Runs ? rank.Report.Started + rank.Behaviour.Duration : rank.Received + rank.Behaviour.Delay;
                if (rank.StopBy is { } stop && !(at < stop)) at = stop;
                if (at is not null && !(next < at)) next = at;
            }
            return next;
        }
    }

    /// <summary>A new agent answers: it says hello, with every rank that it finds.</summary>
    public void Connect()
    {
        Line = [];
        Line.Add(new FromNode.Hello("1", hardware.Devices, hardware.MilliCpus, hardware.Memory.Bytes, "none", [.. _ranks.Values.Select(r => r.Report)]));
    }

    public void Disconnect() => Line = null;

    /// <summary>The machine ends, and all processes on it.</summary>
    public void TurnOff(bool isWiped)
    {
        (IsOn, Line) = (false, null);
        foreach (var rank in _ranks.Values.ToList())
        {
            if (isWiped) _ends[rank.Tag] = TrueEnd.Wiped;
            else if (rank.Runs) Vanish(rank);
        }
        if (!isWiped) return;
        _ranks.Clear();
        _fences.Clear();
    }

    public void TurnOn(DateTimeOffset now)
    {
        IsOn = true;
        foreach (var rank in _ranks.Values) rank.Received = now;
    }

    public void Leave()
    {
        TurnOff(isWiped: true);
        HasLeft = true;
    }

    /// <summary>A rank's watcher is killed; its agent ends what is left of it and says so.</summary>
    public void KillOne(Luck luck)
    {
        var running = _ranks.Values.Where(r => r.Runs).ToList();
        if (running.Count > 0) Vanish(running[luck.Below(running.Count)]);
    }

    private void Vanish(Rank rank)
    {
        _ends[rank.Tag] = TrueEnd.Vanished;
        Tell(rank, rank.Report with { Phase = RankPhase.Vanished, Detail = "its watcher is gone" });
    }

    /// <summary>Something from the daemon arrives.</summary>
    public void Hear(Effect message, DateTimeOffset now)
    {
        if (!IsOn) return;
        switch (message)
        {
            case Effect.StartRank order: Start(order, now); break;
            case Effect.Stop stop when Find(stop.Attempt, stop.Rank) is { } rank: rank.StopBy ??= now + rank.Behaviour.Grace; break;
            case Effect.Acknowledge done when Find(done.Attempt, done.Rank) is { IsFinal: true } rank: _ranks.Remove(rank.Tag); break;
        }
    }

    private Rank? Find(AttemptId attempt, int number)
    {
        if (_ranks.TryGetValue(RankTag.Of(attempt, number), out var rank)) return rank;
        Line?.Add(new FromNode.Gone(RankTag.Of(attempt, number)));
        return null;
    }

    private void Start(Effect.StartRank order, DateTimeOffset now)
    {
        var tag = RankTag.Of(order.Attempt, order.Rank);
        if (_ranks.TryGetValue(tag, out var known))
        {
            Line?.Add(new FromNode.Report(known.Report));
            return;
        }
        var behaviour = Behaviour.Of(seed, order.Attempt, order.Rank);
        if (behaviour is { IsRefused: true, IsRefusalKept: false })
        {
            Line?.Add(new FromNode.Report(new(tag, RankPhase.Refused, 0, Detail: "the disk is full")));
            return;
        }
        _ranks[tag] = new(order, tag, behaviour, now);
    }

    /// <summary>Time has passed on the node.</summary>
    public void Pass(DateTimeOffset now)
    {
        if (!IsOn) return;
        foreach (var rank in _ranks.Values)
        {
            if (!rank.IsFinal && Heard + Term is { } ends && now >= ends)
            {
                // By then it was over, if it was to end before.
                if (rank.Runs && rank.Report.Started + rank.Behaviour.Duration <= ends) GoOn(rank, ends);
                else End(rank, new(143, ExitCause.Term, rank.Runs ? "run" : "setup", rank.Report.Started ?? now, now, default, 0));
                continue;
            }
            if (rank.Report.Phase == RankPhase.Starting && (now >= rank.Received + rank.Behaviour.Delay || now >= rank.StopBy)) Begin(rank, now);
            if (rank.Runs) GoOn(rank, now);
        }
    }

    private void Begin(Rank rank, DateTimeOffset now)
    {
        if (rank.Behaviour.IsRefused)
        {
            Tell(rank, rank.Report with { Phase = RankPhase.Refused, Detail = "its archive cannot be unpacked" });
            return;
        }
        var newest = _fences.GetValueOrDefault(rank.Attempt.Job);
        if (newest > rank.Attempt.Number)
        {
            End(rank, new(143, ExitCause.Fenced, "setup", now, now, default, 0));
            return;
        }
        _fences[rank.Attempt.Job] = rank.Attempt.Number;
        foreach (var older in _ranks.Values)
        {
            if (older.Attempt.Job != rank.Attempt.Job || older.Attempt.Number >= rank.Attempt.Number || older.IsFinal) continue;
            older.StopBy ??= now + older.Behaviour.Grace;
            return;
        }
        if (rank.StopBy is not null) End(rank, new(143, ExitCause.Stopped, "setup", now, now, default, 0));
        else Tell(rank, rank.Report with { Phase = RankPhase.Run, Started = now });
    }

    private void GoOn(Rank rank, DateTimeOffset now)
    {
        var (began, how) = (rank.Report.Started!.Value, rank.Behaviour);
        if (how.Saves && rank.Report.Checkpoint is null && now - began > how.Duration / 2) Tell(rank, rank.Report with { Checkpoint = $"step-{rank.Attempt.Number}" });
        var cpu = now - began;
        if (now >= began + how.Duration) End(rank, new(how.ExitCode, how.Cause, "run", began, now, cpu, 1 << 20, Fault: how.Fault));
        else if (_fences.GetValueOrDefault(rank.Attempt.Job) > rank.Attempt.Number)
            End(rank, new(143, ExitCause.Fenced, "run", began, now, cpu, 1 << 20));
        else if (now >= rank.StopBy) End(rank, new(143, ExitCause.Stopped, "run", began, now, cpu, 1 << 20));
    }

    private void End(Rank rank, Verdict verdict)
    {
        _ends[rank.Tag] = new(verdict);
        Tell(rank, rank.Report with { Phase = RankPhase.Ended, Verdict = verdict });
    }

    private void Tell(Rank rank, RankReport report)
    {
        rank.Report = report;
        Line?.Add(new FromNode.Report(report));
    }

    /// <summary>Mutation: what has ended is forgotten before anybody has stored it.</summary>
    public void ForgetEnded()
    {
        foreach (var rank in _ranks.Values.Where(r => r.IsFinal).ToList()) _ranks.Remove(rank.Tag);
    }
}

/// <summary>How a rank truly ended: with a verdict, or without one because its process or the whole disk went.</summary>
public sealed record TrueEnd(Verdict? Verdict, bool IsWiped = false)
{
    public static readonly TrueEnd Vanished = new(Verdict: null), Wiped = new(null, true);
}

/// <summary>A process that runs a rank's user code at this moment.</summary>
public sealed record Process(string Node, AttemptId Attempt, int Rank, Share Share);
