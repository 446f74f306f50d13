using System.Globalization;
using Puces.Core.Jobs;
using Puces.Core.Units;

namespace Puces.Core.Queues;

/// <summary>Who shares: a team, or with <c>/</c> in its name a part of one. One that was never set has weight 1, owns nothing and has no limits.</summary>
/// <param name="Name">Such as <c>vision</c> or <c>lab/vision</c>.</param>
/// <param name="Weight">Its share is to its sisters' as its weight is to theirs.</param>
/// <param name="Quota">Model → devices of it that are the project's own, its parts' included.</param>
/// <param name="Limits">What it may not exceed, its parts included.</param>
public sealed record Project(string Name, int Weight = 1, IReadOnlyDictionary<string, int>? Quota = null, Limits? Limits = null)
{
    public const int MostWeight = 1_000_000;

    /// <summary>Devices of a model that it owns.</summary>
    public int Owns(string model) => Quota?.GetValueOrDefault(model) ?? 0;

    /// <summary>For people, such as <c>weight 2, owns H100:8, at most 16 devices at once</c>.</summary>
    public override string ToString()
    {
        var parts = new List<string> { string.Create(CultureInfo.InvariantCulture, $"weight {Weight}") };
        if (Quota is { Count: > 0 }) parts.Add("owns " + Owned(Quota));
        if (Limits is { } limits) parts.AddRange(limits.Words());
        return string.Join(", ", parts);
    }

    /// <summary>Such as <c>A100:4 H100:8</c>.</summary>
    public static string Owned(IReadOnlyDictionary<string, int> quota) =>
        string.Join(' ', quota.OrderBy(q => q.Key, StringComparer.Ordinal).Select(q => string.Create(CultureInfo.InvariantCulture, $"{q.Key}:{q.Value}")));
}

/// <summary>What a project, or one user in it, may not exceed; null for no limit.</summary>
/// <param name="Devices">Held at once by the project.</param>
/// <param name="UserDevices">Held at once by one user in it.</param>
/// <param name="Waiting">Jobs that wait.</param>
/// <param name="UserWaiting">Jobs of one user that wait.</param>
/// <param name="RunTime">The longest that one attempt may run.</param>
public sealed record Limits(int? Devices = null, int? UserDevices = null, int? Waiting = null, int? UserWaiting = null, TimeSpan? RunTime = null)
{
    public static readonly Limits None = new();

    /// <summary>Each limit that is set, in words.</summary>
    public IEnumerable<string> Words()
    {
        if (Devices is { } devices) yield return string.Create(CultureInfo.InvariantCulture, $"at most {devices} devices at once");
        if (UserDevices is { } own) yield return string.Create(CultureInfo.InvariantCulture, $"at most {own} for one user");
        if (Waiting is { } waiting) yield return string.Create(CultureInfo.InvariantCulture, $"at most {waiting} waiting jobs");
        if (UserWaiting is { } mine) yield return string.Create(CultureInfo.InvariantCulture, $"at most {mine} of one user");
        if (RunTime is { } longest) yield return $"at most {Durations.Format(longest)} a run";
    }
}

/// <summary>Names of projects: one or more names with <c>/</c> between, the widest first.</summary>
public static class ProjectName
{
    public static bool Fits(string text) => text.Length <= JobFields.LongestName && text.Split('/').All(JobName.Fits);

    /// <summary>The nearest name to any text; empty where nothing of it can stay.</summary>
    public static string FittingTo(string text) => string.Join('/', text.Split('/').Select(JobName.FittingTo).Where(p => p.Length > 0));

    /// <summary>What a project is a part of; null at the top.</summary>
    public static string? Above(string name) => name.LastIndexOf('/') is > 0 and var cut ? name[..cut] : null;

    /// <summary>Whether a project is another, or a part of it.</summary>
    public static bool IsIn(string name, string above) =>
        name.StartsWith(above, StringComparison.Ordinal) && (name.Length == above.Length || name[above.Length] == '/');
}
