using System.Text.Json;
using Puces.Core.Contract;
using Puces.Core.Engine;
using Puces.Core.Fleet;
using Puces.Core.Jobs;
using Puces.Core.Queues;
using Puces.Core.Scheduling;

namespace Puces.Testing.Simulation;

/// <summary>What always holds; the first word of a failure.</summary>
public enum Invariant
{
    IntentBeforeEffect, OneAttempt, CannotSeeIsNotDead, VerdictKept, GangWhole, NoInversion, FrozenAllocation, WaitExplained, JobKept, FeedWhole, StoreTellsAll, ClosedIsEmpty, LimitKept, QuotaReturned, FaultIsTheNodes,
}

/// <summary>What a world shows of itself.</summary>
/// <param name="Line">Who waits, the first first.</param>
/// <param name="Until">When a job would be done with a node, or could leave it, if it started now.</param>
/// <param name="IsMoving">Devices are kept for somebody until others have left theirs.</param>
public sealed record Living(
    IReadOnlyCollection<Job> Jobs, IReadOnlyDictionary<string, NodeUse> Nodes, DateTimeOffset? NextTick, IReadOnlyList<JobId> Line, bool IsMoving,
    Func<JobId, JobId, bool> Ahead, Func<JobId, DateTimeOffset> Until, Shares Shares)
{
    public static Living Of(World world, DateTimeOffset now) => new(
        world.Jobs, world.Nodes, world.NextTick, world.Line(now),
        world.Jobs.Any(j => j.State is JobState.Stopping { For: not null }), (a, b) => world.GoesBefore(a, b, now), job => now + world.StayOf(job, now), world.Shares);

    /// <summary>A waiting job may not start whatever is free: its project has all that it may, or others own what it would borrow and could not give back.</summary>
    public bool IsHeldBack(JobId id)
    {
        var job = Jobs.First(j => j.Id == id);
        return Shares.OverDevices(Shares.Find(job.Project), job.Owner, job.Request.Gpus is [{ } first, ..] ? (long)first.Milli * job.Request.Nodes : 0) is not null
            || Shares.HasQuotas && !job.CanYield;
    }

    /// <summary>These nodes as a waiting job finds them: what closes too soon for it is closed.</summary>
    public IReadOnlyList<NodeUse> For(Job job, IEnumerable<NodeUse> nodes)
    {
        var until = Until(job.Id);
        return [.. nodes.Select(n => n.Closes?.From < until ? n with { Closed = n.Closed ?? n.Closes } : n)];
    }
}

/// <summary>Everything at one moment: the world, what is stored, and what truly is outside.</summary>
/// <param name="World">Null while no daemon lives.</param>
/// <param name="Ends">How ranks truly ended, by tag.</param>
/// <param name="Kept">Tags of which a node still has something.</param>
/// <param name="Acknowledged">Numbers of jobs that a client was told.</param>
/// <param name="Committed">What was committed just now, if that was this moment.</param>
/// <param name="IsFinal">Everything has come to rest.</param>
public sealed record Scene(
    Living? World, SimulatedStore Store, IReadOnlyList<Process> Processes, Func<string, TrueEnd?> Ends, Func<string, bool> Kept,
    IEnumerable<JobId> Acknowledged, DateTimeOffset Now, Outcome? Committed = null, bool IsFinal = false);

/// <summary>A promise that does not hold.</summary>
public sealed class BrokenException(Invariant invariant, string message) : Exception($"{invariant}: {message}")
{
    public Invariant Invariant => invariant;
}

/// <summary>
/// The invariants of the architecture page, as far as they apply now. They look at both sides, the store and what runs outside, and so
/// stand here and not in the core, which cannot see the outside.
/// </summary>
public static partial class Invariants
{
    /// <summary>Throws <see cref="BrokenException"/> for the first that does not hold.</summary>
    public static void Check(Scene scene)
    {
        CheckProcesses(scene);
        if (scene.Committed is { } outcome)
        {
            foreach (var change in outcome.Changes)
                if (change is Change.AttemptSet { Attempt: { Ended: not null } attempt }) CheckVerdict(scene, attempt);
            CheckFaults(scene, outcome);
            CheckFeed(scene);
            CheckJobs(scene);
            if (scene.World is { } world)
            {
                CheckHeld(world);
                CheckLimits(world, outcome);
                CheckClosed(scene, world, outcome);
                CheckOrder(world, outcome);
                CheckWaits(world);
                CheckStored(scene, world);
            }
        }
        if (scene.IsFinal) CheckRest(scene);
    }

    private static void Require([System.Diagnostics.CodeAnalysis.DoesNotReturnIf(false)] bool holds, Invariant invariant, string message)
    {
        if (!holds) throw new BrokenException(invariant, message);
    }

    private static void CheckProcesses(Scene scene)
    {
        for (var i = 0; i < scene.Processes.Count; i++)
        {
            var process = scene.Processes[i];
            var tag = RankTag.Of(process.Attempt, process.Rank);
            if (!scene.Store.Attempts.TryGetValue(process.Attempt, out var stored))
                throw new BrokenException(Invariant.IntentBeforeEffect, $"{tag} runs on {process.Node}, and no stored row names it");
            Require(stored.Attempt.Nodes[process.Rank] == process.Node, Invariant.IntentBeforeEffect, $"{tag} runs on {process.Node}, and is stored for {stored.Attempt.Nodes[process.Rank]}");
            var settled = scene.Committed?.Changes.Any(c => c is Change.AttemptSet { Attempt: { Ended: not null } a } && a.Id == process.Attempt) ?? false;
            Require(!settled, Invariant.CannotSeeIsNotDead, $"attempt {process.Attempt} was settled ({stored.Attempt.Reason}) while {tag} runs on {process.Node}");
            Require(stored.Attempt.Ended is null, Invariant.OneAttempt, $"{tag} runs on {process.Node}, and the attempt is over");
            var share = scene.Store.Jobs[process.Attempt.Job].Job.State.Held?.Shares[process.Rank];
            Require(share is not null && Same(share, process.Share), Invariant.FrozenAllocation, $"{tag} runs on other devices than those that its attempt holds");
            for (var j = 0; j < i; j++)
            {
                var other = scene.Processes[j];
                Require(other.Attempt.Job != process.Attempt.Job || (other.Attempt == process.Attempt && other.Rank != process.Rank),
                    Invariant.OneAttempt, $"{tag} runs on {process.Node} beside {RankTag.Of(other.Attempt, other.Rank)} on {other.Node}");
                var onDevice = scene.Processes.Where(p => p.Node == process.Node && p.Share.Devices.Intersect(process.Share.Devices).Any());
                Require(other.Node != process.Node || !other.Share.Devices.Intersect(process.Share.Devices).Any() || IsShared(onDevice.Select(p => p.Share)),
                    Invariant.GangWhole, $"{tag} and {RankTag.Of(other.Attempt, other.Rank)} run on the same device of {process.Node}");
            }
        }
    }

    /// <summary>All of them hold parts of one device, and together no more than all of it.</summary>
    private static bool IsShared(IEnumerable<Share> shares) => shares.All(s => s.OfDevice > 0) && shares.Sum(s => s.OfDevice) <= 1000;

    private static bool Same(Share a, Share b) => a.Node == b.Node && a.OfDevice == b.OfDevice && a.MilliCpus == b.MilliCpus && a.Memory == b.Memory && a.Devices.SequenceEqual(b.Devices);

    /// <summary>An attempt is over: with the verdicts that its ranks truly gave, or with evidence that there is none.</summary>
    private static void CheckVerdict(Scene scene, AttemptRecord attempt)
    {
        List<TrueEnd?> ends = [.. attempt.Nodes.Select((_, rank) => scene.Ends(RankTag.Of(attempt.Id, rank)))];
        if (ends.Any(e => e is { IsWiped: true })) return;
        var verdicts = ends.Where(e => e?.Verdict is not null).Select(e => e!.Verdict!).ToList();
        var own = verdicts.Where(v => v is not ({ ExitCode: 0, Cause: ExitCause.Exit } or { Cause: ExitCause.Stopped })).Select(v => v.ExitCode).ToList();
        Require(own.Count == 0 || attempt.ExitCode is not { } told || own.Contains(told), Invariant.VerdictKept, $"attempt {attempt.Id} is stored with the exit code of a rank that was told to stop");
        if (attempt.ExitCode is { } code)
            Require(verdicts.Count == ends.Count && code == 0 ? verdicts.All(v => v.ExitCode == 0) : verdicts.Any(v => v.ExitCode == code),
                Invariant.VerdictKept, $"attempt {attempt.Id} is stored with exit code {code}, and ended with {string.Join(", ", verdicts.Select(v => v.ExitCode))}");
        // Of a node that was not heard of for its term nobody could know the verdict.
        else Require(verdicts.Count < ends.Count || attempt.Reason?.Contains("for its term", StringComparison.Ordinal) == true, Invariant.VerdictKept, $"attempt {attempt.Id} is stored as '{attempt.Reason}', and each of its ranks gave a verdict");
    }

    /// <summary>Devices, CPUs and memory are held once; a gang holds all its nodes, and a waiting job nothing.</summary>
    private static void CheckHeld(Living world)
    {
        foreach (var job in world.Jobs)
        {
            if (job.State.Held is not { } held) continue;
            Require(held.Shares.Count == job.Request.Nodes && held.Shares.Select(s => s.Node).Distinct().Count() == held.Shares.Count,
                Invariant.GangWhole, $"job {job.Id} holds {held}, and asks for {job.Request.Nodes} nodes");
        }
        foreach (var (id, use) in world.Nodes)
        {
            var devices = new HashSet<int>();
            var parts = new SortedDictionary<int, int>();
            long cpus = 0, memory = 0;
            foreach (var share in world.Jobs.SelectMany(j => j.State.Held?.Shares ?? []).Where(s => s.Node == id))
            {
                foreach (var device in share.Devices)
                {
                    var of = parts[device] = parts.GetValueOrDefault(device) + share.OfDevice;
                    Require(devices.Add(device) || share.OfDevice > 0 && of > share.OfDevice && of <= 1000, Invariant.GangWhole, $"device {device} of {id} is held twice");
                }
                (cpus, memory) = (cpus + share.MilliCpus, memory + share.Memory.Bytes);
            }
            var free = use.Node.Devices.Where(d => d.IsHealthy && !devices.Contains(d.Index)).Select(d => d.Index);
            Require(use.Free.SequenceEqual(free), Invariant.GangWhole, $"{id} counts [{string.Join(",", use.Free)}] as free, and [{string.Join(",", free)}] are");
            var left = parts.Where(p => p.Value > 0 && use.Node.Devices.Any(d => d.IsHealthy && d.Index == p.Key)).Select(p => new SharedDevice(p.Key, 1000 - p.Value));
            Require((use.Shared ?? []).SequenceEqual(left), Invariant.GangWhole, $"{id} counts as left [{string.Join(", ", use.Shared ?? [])}], and [{string.Join(", ", left)}] is");
            if (use.Node.MilliCpus == 0) continue; // It has never been reached in this life.
            Require(cpus <= use.Node.MilliCpus && use.FreeMilliCpus == use.Node.MilliCpus - cpus, Invariant.GangWhole, $"{id} has {cpus} of {use.Node.MilliCpus} thousandths of its CPUs held");
            Require(memory <= use.Node.Memory.Bytes && use.FreeMemory.Bytes == use.Node.Memory.Bytes - memory, Invariant.GangWhole, $"{id} has {memory} bytes of its memory held");
        }
    }

    /// <summary>Nothing starts on a closed node, or where its limit reaches into a window; and who can leave does when its node closes.</summary>
    private static void CheckClosed(Scene scene, Living world, Outcome outcome)
    {
        var windows = scene.Store.Notes.Select(n => WindowNotes.Read(n.Key, n.Value)).OfType<Window>().Where(w => w.IsAhead(scene.Now)).ToList();
        if (windows.Count == 0) return;
        var starts = outcome.Effects.OfType<Effect.Start>().Select(s => s.Attempt.Job).ToHashSet();
        foreach (var job in world.Jobs)
        {
            if (job.State is not (JobState.Starting or JobState.Running)) continue;
            foreach (var node in job.State.Held!.Shares.Select(s => s.Node))
                foreach (var window in windows.Where(w => w.Covers(node.Split('/')[0], node)))
                {
                    var isClosed = window.IsAt(scene.Now);
                    Require(!isClosed || !starts.Contains(job.Id), Invariant.ClosedIsEmpty, $"job {job.Id} starts on {node}, which is closed");
                    Require(!isClosed || !job.CanYield, Invariant.ClosedIsEmpty, $"job {job.Id} could leave {node}, which is closed, and was not told to");
                    Require(!starts.Contains(job.Id) || job.CanYield || !(window.From < scene.Now + job.Limit), Invariant.ClosedIsEmpty, $"job {job.Id} starts on {node}, which closes before its limit");
                }
        }
    }

    /// <summary>Nobody took what one who goes before it could have used now, or what is reserved for it.</summary>
    private static void CheckOrder(Living world, Outcome outcome)
    {
        var starts = outcome.Effects.OfType<Effect.Start>().ToDictionary(s => s.Attempt.Job, s => s.Allocation);
        // Whom others leave their devices to was first when they were asked: that may have been long ago.
        if (starts.Count == 0 || world.IsMoving || world.Jobs.Any(j => j.State is JobState.Queued { LeftTo: not null })
            || outcome.Changes.Any(c => c is Change.AttemptSet { Attempt: { Preempted: not null, Ended: not null } })) return;
        var before = world.Nodes.Values.ToDictionary(u => u.Node.Id, u => u, StringComparer.Ordinal);
        foreach (var share in starts.Values.SelectMany(a => a.Shares))
        {
            var use = before[share.Node];
            var shared = (use.Shared ?? []).Select(s => share.Devices.Contains(s.Index) ? s with { Left = s.Left + share.OfDevice } : s).ToList();
            before[share.Node] = use with
            {
                Free = [.. use.Free.Concat(share.OfDevice == 0 ? share.Devices : shared.Where(s => s.Left == 1000).Select(s => s.Index)).Order()],
                Shared = [.. shared.Where(s => s.Left < 1000)],
                FreeMilliCpus = use.FreeMilliCpus + share.MilliCpus,
                FreeMemory = use.FreeMemory + share.Memory,
            };
        }
        foreach (var higher in world.Line)
        {
            var job = world.Jobs.First(j => j.Id == higher);
            foreach (var node in ((JobState.Queued)job.State).Reserved?.Nodes ?? [])
            {
                // What was free there is free still, but for those that can be stopped or are gone by then.
                if (!world.Nodes.TryGetValue(node, out var use) || job.Request.Gpus.Count == 0 || job.Request.Gpus.Any(g => g.Share > 0) || use.Closes?.From < ((JobState.Queued)job.State).Reserved!.At) continue;
                var staying = starts.Where(s => world.Jobs.First(j => j.Id == s.Key) is { CanYield: false, Limit: null } lower && lower.Project == job.Project && !world.Ahead(s.Key, higher))
                    .SelectMany(s => s.Value.Shares).Where(s => s.Node == node).Sum(s => s.Devices.Count);
                Require(staying == 0 || before[node].Free.Count - staying >= Math.Min(job.Request.Gpus.Min(g => g.Count), before[node].Free.Count),
                    Invariant.NoInversion, $"a job starts on {node}, which is reserved for job {higher}");
            }
        }
        if (world.Line is [var first, ..] && !world.IsHeldBack(first))
        {
            var job = world.Jobs.First(j => j.Id == first);
            // A start moves its project back: who started for another may have gone before.
            var lower = starts.Keys.Where(s => !world.Ahead(s, first)).ToList();
            if (starts.Keys.Any(s => world.Jobs.First(j => j.Id == s).Project != job.Project)) return;
            Require(lower.Count == 0 || Placement.Find(job.Request, world.For(job, before.Values)) is null || starts.Keys.Any(s => world.Ahead(s, first)),
                Invariant.NoInversion, $"job {lower.FirstOrDefault()} starts, and job {first}, which goes before it, could have");
        }
    }

    private static void CheckWaits(Living world)
    {
        NodeUse[] nodes = [.. world.Nodes.Values];
        foreach (var job in world.Jobs)
        {
            if (job.State is not JobState.Queued queued) continue;
            Require(Waiting.Reason(job.Request, nodes).Length > 0, Invariant.WaitExplained, $"job {job.Id} waits for no reason");
            if (queued.NotBefore is not null)
                Require(world.NextTick <= queued.NotBefore, Invariant.WaitExplained, $"job {job.Id} is held until {queued.NotBefore}, and nobody wakes it");
        }
        if (world.Line is not [var first, ..] || world.IsMoving || world.IsHeldBack(first)) return;
        var head = world.Jobs.First(j => j.Id == first);
        // It may have come to the front when others started, and find what was kept for who is behind it now.
        if (world.Jobs.Any(j => j.Project != head.Project && j.State is JobState.Queued { Reserved: not null })) return;
        Require(Placement.Find(head.Request, world.For(head, nodes)) is null, Invariant.WaitExplained, $"job {head.Id} is first in line, fits, and waits");
    }

    /// <summary>What lives is what is stored, and a world made from the store decides nothing anew.</summary>
    private static void CheckStored(Scene scene, Living world)
    {
        var live = 0;
        foreach (var job in world.Jobs)
        {
            live++;
            var stored = scene.Store.Jobs.GetValueOrDefault(job.Id);
            if (ReferenceEquals(stored?.Job, job)) continue;
            Require(stored?.Json == JsonSerializer.Serialize(job, EngineJson.Stored.Job), Invariant.StoreTellsAll, $"job {job.Id} is {job.State.Word} here, and stored as {stored?.Json ?? "nothing"}");
        }
        Require(live == scene.Store.Jobs.Values.Count(j => j.Job.State is not JobState.Ended), Invariant.StoreTellsAll, "a stored job has no living one");
        // Now and then, since it is dear; not where a job that failed this very moment may go at once.
        if (!scene.IsFinal && scene.Store.Events.Count % 5 != 0) return;
        if (world.Jobs.Any(j => j.State is JobState.Queued { NotBefore: { } until } && until <= scene.Now)) return;
        var again = scene.Store.Load(scene.Now);
        var held = world.Jobs.Min(j => (j.State as JobState.Queued)?.NotBefore);
        Require(held is null || again.NextTick <= held, Invariant.StoreTellsAll, "a restarted daemon would wake at another time");
        var outcome = again.Apply([.. again.Pools.Select(p => new Command.PoolOpened(p.Name)), .. world.Nodes.Values.Select(u => new Command.NodeSeen(u.Node))], scene.Now);
        // What is reserved may be looked at anew when it should have begun, and who may be stopped when time has passed: both go on all the time.
        var other = outcome.Effects.Where(e => e is Effect.Start or Effect.Stop { Reason: not "stopping" } and not Effect.Stop { Reason: ['i', 't', 's', ..] }).ToList();
        // And for whom others leave is not stored, but asked again.
        var isTimed = world.IsMoving || world.Jobs.Any(j => j.State is JobState.Queued { Reserved: not null });
        Require(other.Count == 0 || isTimed, Invariant.StoreTellsAll, $"a restarted daemon would decide otherwise: {string.Join(", ", other)}");
        if (other.Count > 0) return;
        foreach (var (id, use) in world.Nodes)
            Require(again.Nodes.TryGetValue(id, out var same) && same.Free.SequenceEqual(use.Free) && (same.Shared ?? []).SequenceEqual(use.Shared ?? []) && same.Jobs.SequenceEqual(use.Jobs)
                && same.FreeMilliCpus == use.FreeMilliCpus && same.FreeMemory == use.FreeMemory, Invariant.StoreTellsAll, $"{id} would be used otherwise after a restart");
    }

    private static void CheckFeed(Scene scene)
    {
        for (var i = scene.Store.Events.Count - 1; i >= 0 && i >= scene.Store.Events.Count - scene.Committed!.Events.Count - 1; i--)
            Require(scene.Store.Events[i].Seq == i + 1, Invariant.FeedWhole, $"line {i + 1} of the feed has number {scene.Store.Events[i].Seq}");
    }

    private static void CheckJobs(Scene scene)
    {
        foreach (var id in scene.Acknowledged)
            Require(scene.Store.Jobs.ContainsKey(id), Invariant.JobKept, $"job {id} was acknowledged, and is not stored");
        HashSet<UInt128>? keys = null;
        foreach (var job in scene.Store.Jobs.Values)
            Require(job.Key is not { } key || (keys ??= []).Add(key.Key), Invariant.JobKept, $"job {job.Job.Id} has the key of an earlier one");
    }

    /// <summary>At the end nothing is left outside, and every job has ended, once.</summary>
    private static void CheckRest(Scene scene)
    {
        var said = scene.Store.Events.Where(e => e.Job is not null).ToLookup(e => e.Job!.Value, e => e.Kind);
        foreach (var (id, stored) in scene.Store.Jobs)
        {
            Require(stored.Job.State is JobState.Ended, Invariant.JobKept, $"job {id} is {stored.Job.State.Word} at the end");
            Require(said[id].Count(k => k == "submitted") == 1 && said[id].Count(k => k == "ended") == 1, Invariant.JobKept, $"job {id} has in the feed {string.Join(", ", said[id])}");
            for (var number = 1; number <= stored.Job.Attempts; number++)
                Require(scene.Store.Attempts.TryGetValue(new(id, number), out var attempt) && attempt.Attempt.Ended is not null, Invariant.VerdictKept, $"attempt {id}-{number} has no end");
        }
        foreach (var (id, stored) in scene.Store.Attempts)
            for (var rank = 0; rank < stored.Attempt.Nodes.Count; rank++)
                Require(!scene.Kept(RankTag.Of(id, rank)), Invariant.IntentBeforeEffect, $"{RankTag.Of(id, rank)} is left on {stored.Attempt.Nodes[rank]}");
        Require(scene.Processes.Count == 0, Invariant.IntentBeforeEffect, "a process is left");
    }
}
