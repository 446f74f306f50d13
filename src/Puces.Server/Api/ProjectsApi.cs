using Puces.Core.Contract;
using Puces.Core.Engine;
using Puces.Core.Queues;
using Puces.Core.Units;
using Puces.Server.Control;

namespace Puces.Server.Api;

/// <summary>Projects: list, show, set, remove.</summary>
internal static class ProjectsApi
{
    private const int MostDevices = 1_000_000;

    public static void Map(RouteGroupBuilder api)
    {
        api.MapGet("/projects", ListAsync).Produces<ProjectList>().Refuses(503).WithName("listProjects").WithSummary("Projects: weight, quota, limits, what they hold and have used.");
        api.MapGet("/projects/{**name}", ShowAsync).Produces<ProjectView>().Refuses(404, 503).WithName("showProject").WithSummary("One project.");
        api.MapPut("/projects/{**name}", SetAsync).Accepts<SetProject>("application/json").Produces<ProjectView>().Refuses(400, 413, 415, 422, 503).WithName("setProject").WithSummary("Set a project; what is left out is as if it had never been set.");
        api.MapDelete("/projects/{**name}", RemoveAsync).Produces(204).Refuses(404, 503).WithName("removeProject").WithSummary("Forget a project's weight, quota and limits; its jobs and what it has used stay.");
    }

    private static Task ListAsync(HttpContext context, Live live, TimeProvider clock) =>
        Replies.JsonAsync(context, new ProjectList(ProjectViews.Of(live.View, clock.GetUtcNow())), ContractJson.Default.ProjectList);

    private static async Task ShowAsync(HttpContext context, string name, Live live, TimeProvider clock) =>
        await Replies.JsonAsync(context, Find(live, Plain(name), clock), ContractJson.Default.ProjectView);

    private static async Task SetAsync(HttpContext context, string name, Live live, Inbox inbox, TimeProvider clock)
    {
        name = Plain(name);
        var body = await Bodies.ReadAsync(context, ContractJson.Default.SetProject);
        var errors = new List<FieldError>();
        if (!ProjectName.Fits(name)) errors.Add(new("name", $"\"{name}\": write letters, digits, '.', '_' and '-', with '/' between a project and its part; at most 64 in all"));
        if (body.Weight is < 1 or > Project.MostWeight) errors.Add(new("weight", $"{body.Weight}: write 1 to {Project.MostWeight}"));
        foreach (var (model, count) in body.Quota ?? new Dictionary<string, int>())
            if (model.Length == 0 || count is < 0 or > MostDevices) errors.Add(new("quota", $"{model}:{count}: write a model and how many of it are the project's own, such as H100:8"));
        var (limits, asked) = (Limits.None, body.Limits ?? new());
        Check("limits.devices", asked.Devices);
        Check("limits.userDevices", asked.UserDevices);
        Check("limits.waiting", asked.Waiting);
        Check("limits.userWaiting", asked.UserWaiting);
        TimeSpan? longest = null;
        if (asked.RunTime is { } text)
        {
            if (Durations.TryParse(text, out var time) && time > TimeSpan.Zero) longest = time;
            else errors.Add(new("limits.runTime", $"\"{text}\": write a duration, such as 2d or 12h"));
        }
        if (errors.Count > 0) throw new RequestException(422, "the project has mistakes", null, errors);
        limits = new(asked.Devices, asked.UserDevices, asked.Waiting, asked.UserWaiting, longest);
        var quota = body.Quota?.Where(q => q.Value > 0).OrderBy(q => q.Key, StringComparer.Ordinal).ToDictionary(q => q.Key, q => q.Value, StringComparer.Ordinal);
        await inbox.AskAsync(new Command.SetProject(new(name, body.Weight, quota is { Count: > 0 } ? quota : null, limits == Limits.None ? null : limits)));
        await Replies.JsonAsync(context, Find(live, name, clock), ContractJson.Default.ProjectView);

        void Check(string field, int? value)
        {
            if (value is < 0) errors.Add(new(field, $"{value}: write 0 or more, or leave it out for no limit"));
        }
    }

    private static async Task<IResult> RemoveAsync(string name, Inbox inbox)
    {
        if ((await inbox.AskAsync(new Command.RemoveProject(Plain(name)))).Error is { } error) throw new RequestException(404, error, "puces projects, to see what there is");
        return Results.NoContent();
    }

    // A slash that came as %2F is left so by the framework.
    private static string Plain(string name) => name.Replace("%2F", "/", StringComparison.OrdinalIgnoreCase);

    private static ProjectView Find(Live live, string name, TimeProvider clock) =>
        ProjectViews.Of(live.View, clock.GetUtcNow()).FirstOrDefault(p => p.Name == name)
        ?? throw new RequestException(404, $"there is no project {name}", "puces projects, to see what there is");
}
