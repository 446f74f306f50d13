using Puces.Core.Contract;
using Puces.Core.Engine;
using Puces.Core.Jobs;

namespace Puces.Testing.Simulation;

// What always holds of nodes that fail their jobs.
public static partial class Invariants
{
    /// <summary>No retry is charged for a node's fault, but of a job that many nodes have failed; and a node that is certainly broken is drained at once.</summary>
    private static void CheckFaults(Scene scene, Outcome outcome)
    {
        foreach (var change in outcome.Changes)
        {
            if (change is not Change.AttemptSet { Attempt: { Ended: not null } over }) continue;
            var job = scene.Store.Jobs[over.Id.Job].Job;
            if (over.Nodes.Any(n => KindOn(scene, over, n) is not null)) CheckFree(scene, job);
            foreach (var node in over.Nodes)
            {
                if (KindOn(scene, over, node) is not FaultKind.DeviceLost || !outcome.Events.Any(e => e.Kind == "fault" && e.Text.StartsWith($"{node} has failed job {job.Id} ", StringComparison.Ordinal))) continue;
                // In the same batch it may have been reopened, or have left.
                if (outcome.Events.Any(e => e.Kind == "window") || scene.World?.Nodes.ContainsKey(node) != true) continue;
                var windows = scene.Store.Notes.Select(n => WindowNotes.Read(n.Key, n.Value)).OfType<Core.Fleet.Window>();
                Require(windows.Any(w => w.Node == node && w.To is null && w.IsAt(scene.Now)), Invariant.FaultIsTheNodes, $"{node} has lost a device, and is not drained");
            }
        }
    }

    private static void CheckFree(Scene scene, Job job)
    {
        var (faulty, mayCost) = (new HashSet<string>(), 0);
        for (var number = 1; number <= job.Attempts; number++)
        {
            if (!scene.Store.Attempts.TryGetValue(new(job.Id, number), out var stored) || stored.Attempt is not { Ended: not null } attempt) continue;
            var nodes = attempt.Nodes.Where(n => KindOn(scene, attempt, n) is not null).ToList();
            faulty.UnionWith(nodes);
            // Where a rank's end was never heard of, nor was its fault.
            var isHeard = attempt.Nodes.Select((_, rank) => scene.Ends(RankTag.Of(attempt.Id, rank))).All(e => e is { IsWiped: false, Verdict: not null });
            if (nodes.Count == 0 || faulty.Count >= World.SuspectLimit || !isHeard || attempt.Reason?.Contains("failed it", StringComparison.Ordinal) != true) mayCost++;
        }
        Require(job.Failures <= mayCost, Invariant.FaultIsTheNodes, $"job {job.Id} has {job.Failures} failures, and at most {mayCost} of its attempts failed by its own fault");
    }

    private static FaultKind? KindOn(Scene scene, AttemptRecord attempt, string node) =>
        attempt.Nodes.Select((n, rank) => n == node ? scene.Ends(RankTag.Of(attempt.Id, rank))?.Verdict?.Fault?.Kind : null).FirstOrDefault(k => k is not null);
}
