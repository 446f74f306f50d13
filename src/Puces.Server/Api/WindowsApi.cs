using Puces.Core.Contract;
using Puces.Core.Engine;
using Puces.Server.Control;

namespace Puces.Server.Api;

/// <summary>When nodes are closed: maintenance, capacity that begins, capacity that ends. They are listed with the pools.</summary>
internal static class WindowsApi
{
    private const int LongestNote = 200;

    public static void Map(RouteGroupBuilder api)
    {
        api.MapPost("/pools/{name}/windows", SetAsync).Accepts<CloseNodes>("application/json").Produces<WindowView>().Refuses(400, 404, 413, 415, 422, 503).WithName("closeNodes").WithSummary("Close a pool, or a node of it, for a time that is known in advance.");
        api.MapDelete("/windows/{number}", RemoveAsync).Produces(204).Refuses(400, 404, 503).WithName("removeWindow").WithSummary("Remove a window: what it closed is open at once.");
    }

    private static async Task SetAsync(HttpContext context, string name, Live live, Inbox inbox, TimeProvider clock)
    {
        var view = live.View;
        PoolsApi.Require(view, name);
        var body = await Bodies.ReadAsync(context, ContractJson.Default.CloseNodes);
        var errors = new List<FieldError>();
        var node = body.Node is not { } given ? null : given.StartsWith(name + "/", StringComparison.Ordinal) ? given : $"{name}/{given}";
        if (node is not null && !view.Nodes.ContainsKey(node))
            errors.Add(new("node", $"\"{body.Node}\": write one of {string.Join(", ", view.Nodes.Values.Where(n => n.Node.Pool == name).Select(n => n.Node.Id[(name.Length + 1)..]).Take(10))}"));
        if (body is { From: null, To: null }) errors.Add(new("from", "neither from nor to is given: write when it closes, when it opens, or both"));
        if (body.From >= body.To) errors.Add(new("to", $"{body.To:u} is not after from, {body.From:u}: write a later moment"));
        if (body.To <= clock.GetUtcNow()) errors.Add(new("to", $"{body.To:u} is past: write a moment to come"));
        if (body.Note.Length > LongestNote) errors.Add(new("note", $"{body.Note.Length} characters: write at most {LongestNote}"));
        if (errors.Count > 0) throw new RequestException(422, "the window has mistakes", null, errors);
        var answer = await inbox.AskAsync(new Command.SetWindow(new(0, name, body.Note, default, node, body.From?.ToUniversalTime(), body.To?.ToUniversalTime())));
        await Replies.JsonAsync(context, live.View.Show(answer.Window!), ContractJson.Default.WindowView);
    }

    private static async Task<IResult> RemoveAsync(long number, Inbox inbox)
    {
        if ((await inbox.AskAsync(new Command.RemoveWindow((int)Math.Min(number, int.MaxValue)))).Error is { } error) throw new RequestException(404, error, "puces pools, to see what there is");
        return Results.NoContent();
    }
}
