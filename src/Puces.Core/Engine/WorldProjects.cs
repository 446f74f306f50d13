using System.Text.Json;
using Puces.Core.Queues;

namespace Puces.Core.Engine;

// Projects: as they were set, and what jobs may be submitted to them.
public sealed partial class World
{
    private readonly SortedDictionary<string, Project> _projects = new(StringComparer.Ordinal);

    /// <summary>Projects with what they hold and have used.</summary>
    public Shares Shares => _scheduler.Shares;

    private Answer SetProject(Project project, Batch batch)
    {
        _projects[project.Name] = project;
        _scheduler.Set(project);
        _asksAll = true;
        batch.Add(new Change.NoteSet(ProjectNotes.Project + project.Name, ProjectNotes.Write(project)));
        batch.Say("project", $"project {project.Name} has {project}");
        return Answer.Taken;
    }

    private Answer RemoveProject(string name, Batch batch)
    {
        if (!_projects.Remove(name)) return new(Error: $"there is no project {name}");
        _scheduler.Set(new(name));
        _asksAll = true;
        batch.Add(new Change.NoteSet(ProjectNotes.Project + name, null));
        batch.Say("project", $"project {name} is removed: it has weight 1, owns nothing and has no limits");
        return Answer.Taken;
    }

    private void RecallProjects(IEnumerable<KeyValuePair<string, string>> notes)
    {
        foreach (var (key, text) in notes)
        {
            if (ProjectNotes.Read(key, text) is { } project) _scheduler.Set(_projects[project.Name] = project);
            else if (key.StartsWith(ProjectNotes.Usage, StringComparison.Ordinal)) Shares.Load(key[ProjectNotes.Usage.Length..], text);
        }
    }

    private TimeSpan? LongestRun(string project) => Shares.HasLimits ? Shares.LongestRun(Shares.Find(project))?.Longest : null;

    /// <summary>Why the limits of its project do not allow a job, or one of those that it comes with; null where they do.</summary>
    private string? Refusal(Command.Submit c, Batch batch)
    {
        if (!Shares.HasLimits) return null;
        if (c.Together is null) return Refusal([c.Job]);
        if (!ReferenceEquals(batch.Checked.Jobs, c.Together)) batch.Checked = (c.Together, Refusal(c.Together));
        return batch.Checked.Error;
    }

    private string? Refusal(IReadOnlyList<NewJob> jobs)
    {
        var shares = Shares;
        foreach (var (project, limit) in jobs.Where(j => j.Limit is not null).Select(j => (j.Project, j.Limit!.Value)).Distinct())
            if (Shares.OverRunTime(shares.Find(project), limit) is { } tooLong) return tooLong;
        foreach (var (project, owner) in jobs.Select(j => (j.Project, j.Owner)).Distinct())
        {
            // For each project above this one all jobs of the request below it count.
            for (var at = shares.Find(project); at.Above is not null; at = at.Above)
            {
                var below = jobs.Where(j => ProjectName.IsIn(j.Project, at.Name)).ToList();
                if (at.OverWaiting(owner, below.Count, below.Count(j => j.Owner == owner)) is { } full) return full;
            }
        }
        return null;
    }
}

/// <summary>How projects and what they have used are kept among the notes.</summary>
public static class ProjectNotes
{
    public const string Project = "project/";
    public const string Usage = "usage/";

    public static string Write(Project project) => JsonSerializer.Serialize(project, EngineJson.Stored.Project);

    /// <summary>The project that a note is of; null where it is about something else.</summary>
    public static Project? Read(string key, string text) =>
        key.StartsWith(Project, StringComparison.Ordinal) ? JsonSerializer.Deserialize(text, EngineJson.Stored.Project) : null;
}
