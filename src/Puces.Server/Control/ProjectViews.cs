using Puces.Core.Contract;
using Puces.Core.Engine;
using Puces.Core.Jobs;
using Puces.Core.Queues;
using Puces.Core.Units;

namespace Puces.Server.Control;

/// <summary>Projects as people see them, from what is stored of them and the live jobs.</summary>
internal static class ProjectViews
{
    public static bool IsShown(string note) =>
        note.StartsWith(ProjectNotes.Project, StringComparison.Ordinal) || note.StartsWith(ProjectNotes.Usage, StringComparison.Ordinal);

    public static IReadOnlyList<ProjectView> Of(View view, DateTimeOffset now)
    {
        var tree = Tree(view);
        foreach (var (key, text) in view.Projects)
        {
            if (!key.StartsWith(ProjectNotes.Usage, StringComparison.Ordinal)) continue;
            tree.Load(key[ProjectNotes.Usage.Length..], text);
        }
        var used = tree.Accounts.ToDictionary(a => a.Name, a => Used(view, a.Name, now), StringComparer.Ordinal);
        var all = tree.Root.Parts.Keys.Sum(n => used[n]);
        return [.. tree.Accounts.OrderBy(a => a.Name, StringComparer.Ordinal).Select(a => new ProjectView(
            a.Name, a.Project.Weight, a.Project.Quota ?? new Dictionary<string, int>(), a.Milli / 1000.0, a.Waiting,
            Math.Round(used[a.Name] / 1000 / 3600, 2), all > 0 ? Math.Round(used[a.Name] / all, 4) : 0, Math.Round(Entitled(a), 4),
            a.Project.Limits is { } l ? new(l.Devices, l.UserDevices, l.Waiting, l.UserWaiting, l.RunTime is { } t ? Durations.Format(t) : null) : new(),
            view.Projects.ContainsKey(ProjectNotes.Project + a.Name)))];
    }

    /// <summary>Why a job's project holds it back, whatever is free; null where it does not.</summary>
    public static string? HeldBack(View view, Job job)
    {
        if (!view.HasProjects) return null;
        var tree = view.Tree.Value;
        return tree.OverDevices(tree.Find(job.Project), job.Owner, job.Request.MilliGpus);
    }

    /// <summary>The projects with what their live jobs hold and how many wait; only to be read once it is made.</summary>
    public static Shares Tree(View view)
    {
        var tree = new Shares();
        foreach (var (key, text) in view.Projects)
            if (ProjectNotes.Read(key, text) is { } project) tree.Set(project);
        foreach (var job in view.Live.Values)
        {
            var account = tree.Find(job.Project);
            if (job.State is JobState.Queued) Shares.Wait(account, job.Owner, 1);
            else if (job.State.Held is { } held) Shares.Count(account, new([], held.Shares.Sum(s => s.Milli), 0), job.Owner, 1);
        }
        return tree;
    }

    private static double Used(View view, string name, DateTimeOffset now) =>
        view.Projects.TryGetValue(ProjectNotes.Usage + name, out var text) && Account.Read(text) is { } read
            ? Account.UsageAt(read.Usage, read.Pace, now - DateTimeOffset.UnixEpoch - read.At) : 0;

    /// <summary>What its weight gives it, if all want some.</summary>
    private static double Entitled(Account account) => account.Above is not { } above ? 1
        : Entitled(above) * account.Project.Weight / above.Parts.Values.Sum(p => (double)p.Project.Weight);
}
