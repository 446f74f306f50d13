using Puces.Core.Engine;
using Puces.Core.Jobs;
using Puces.Core.Queues;

namespace Puces.Testing.Simulation;

// What always holds between projects.
public static partial class Invariants
{
    /// <summary>Nobody starts beyond the limit of a project or of a user in it.</summary>
    private static void CheckLimits(Living world, Outcome outcome)
    {
        if (!world.Shares.HasLimits) return;
        foreach (var start in outcome.Effects.OfType<Effect.Start>())
        {
            var job = world.Jobs.First(j => j.Id == start.Attempt.Job);
            for (var at = world.Shares.Find(job.Project); at.Above is not null; at = at.Above)
            {
                var held = world.Jobs.Where(j => j.State is JobState.Starting or JobState.Running && IsIn(j.Project, at)).ToList();
                if (at.Project.Limits?.Devices is { } most)
                    Require(held.Sum(MilliOf) <= 1000L * most, Invariant.LimitKept, $"job {job.Id} starts, and project {at.Name} holds {held.Sum(MilliOf)} thousandths of {most} devices");
                if (at.Project.Limits?.UserDevices is { } own && held.Where(j => j.Owner == job.Owner).Sum(MilliOf) is var his)
                    Require(his <= 1000L * own, Invariant.LimitKept, $"job {job.Id} starts, and {job.Owner} holds {his} thousandths of {own} devices in project {at.Name}");
            }
        }
    }

    /// <summary>
    /// Everything is at rest: nobody waits for what its project owns while another project, which owns nothing of that model, has borrowed it and
    /// could give it back.
    /// </summary>
    public static void CheckOwed(Living world)
    {
        if (!world.Shares.HasQuotas || world.IsMoving) return;
        foreach (var waiting in world.Jobs)
        {
            if (waiting.State is not JobState.Queued { NotBefore: null } || world.IsHeldBack(waiting.Id)) continue;
            if (waiting.Request is not { Nodes: 1, MilliCpus: > 0 and <= 1000, Gpus: [{ Share: 0, Name: { } model } gpu] } request || request.Memory.Bytes > 0) continue;
            var account = world.Shares.Find(waiting.Project);
            if (account.Held(model) + 1000 * gpu.Count > 1000L * account.Project.Owns(model)) continue;
            foreach (var use in world.For(waiting, world.Nodes.Values).Where(n => n.IsOpen && n.Node.Devices.Any(d => d.Model == model) && (request.Where.Count == 0 || request.Where.Contains(n.Node.Pool))))
            {
                var lent = world.Jobs.Where(j => j is { State: JobState.Running, CanYield: true } && IsBorrower(world.Shares.Find(j.Project), account, model)).ToList();
                var back = lent.SelectMany(j => j.State.Held!.Shares).Where(s => s.Node == use.Node.Id && s.OfDevice == 0).ToList();
                Require(back.Count == 0 || use.FreeMilliCpus < request.MilliCpus || use.Free.Count + back.Sum(s => s.Devices.Count) < gpu.Count,
                    Invariant.QuotaReturned, $"job {waiting.Id} waits for {gpu.Count} × {model}, which its project {waiting.Project} owns, while {use.Node.Id} is lent to job {lent.FirstOrDefault()?.Id}");
            }
        }
    }

    private static bool IsBorrower(Account from, Account owner, string model)
    {
        for (var at = from; at.Above is not null; at = at.Above)
            if (at == owner || at.Project.Owns(model) > 0) return false;
        return true;
    }

    private static bool IsIn(string project, Account account) => project == account.Name || project.StartsWith(account.Name + "/", StringComparison.Ordinal);

    private static long MilliOf(Job job) => job.State.Held!.Shares.Sum(s => s.OfDevice > 0 ? s.OfDevice : 1000L * s.Devices.Count);
}
