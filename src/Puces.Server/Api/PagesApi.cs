using Puces.Core.Contract;
using Puces.Server.Control;
using Puces.Server.Dashboard;

namespace Puces.Server.Api;

/// <summary>The pages for browsers.</summary>
internal static class PagesApi
{
    private const int Shown = 200;

    public static void Map(WebApplication app)
    {
        app.MapGet("/", (Live live, HttpContext context) => MainAsync(live, Pages.Overview, context.RequestAborted)).ExcludeFromDescription();
        app.MapGet("/fragments/main", (Live live, HttpContext context) => MainAsync(live, Pages.OverviewFragment, context.RequestAborted)).ExcludeFromDescription();
        app.MapGet("/jobs/{id:long}", (long id, Live live, HttpContext context) => JobAsync(id, live, Pages.Job, context.RequestAborted)).ExcludeFromDescription();
        app.MapGet("/fragments/jobs/{id:long}", (long id, Live live, HttpContext context) => JobAsync(id, live, Pages.JobFragment, context.RequestAborted)).ExcludeFromDescription();
        app.MapGet("/assets/{name}", (string name) => Pages.Asset(name) is { } asset ? Results.Bytes(asset.Body, asset.Type) : Results.NotFound()).ExcludeFromDescription();
    }

    private static async Task<IResult> MainAsync(
        Live live, Func<PoolList, IReadOnlyList<JobView>, IReadOnlyList<JobView>, IReadOnlyList<JobView>, ServerInfo, string> page, CancellationToken ct)
    {
        var running = await Listing.PageAsync(live, Listing.Filter.Of("running", null, null, null), Shown, null, ct);
        var waiting = await Listing.PageAsync(live, Listing.Filter.Of("waiting", null, null, null), Shown, null, ct);
        var ended = await Listing.PageAsync(live, Listing.Filter.Of("ended", null, null, null), 20, null, ct);
        var view = live.View;
        var info = ThingsApi.InfoOf(live, []);
        return Results.Content(page(view.ShowPools(), waiting.Jobs, running.Jobs, ended.Jobs, info), "text/html; charset=utf-8");
    }

    private static async Task<IResult> JobAsync(long id, Live live, Func<JobDetail, WhyView?, string> page, CancellationToken ct)
    {
        var job = await JobsApi.FindAsync(live, id, ct);
        return Results.Content(page(await JobsApi.DetailAsync(live, job, ct), live.View.Why(job)), "text/html; charset=utf-8");
    }
}
