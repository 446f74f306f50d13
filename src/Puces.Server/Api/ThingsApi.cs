using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Http.Features;
using Puces.Core.Contract;
using Puces.Core.Engine;
using Puces.Server.Auth;
using Puces.Server.Blobs;
using Puces.Server.Control;

namespace Puces.Server.Api;

/// <summary>Blobs, secrets, and the daemon itself.</summary>
internal static partial class ThingsApi
{
    private const int LongestSecret = 64 * 1024;
    private const long LargestBlob = 2L << 30;

    public static void Map(RouteGroupBuilder api)
    {
        api.MapMethods("/blobs/{sha}", ["HEAD"], (string sha, BlobStore blobs) => blobs.Has(sha) ? Results.Ok() : Results.NotFound()).Produces(200).Refuses(404).WithName("hasBlob").WithSummary("Whether a packed folder is here.");
        api.MapPut("/blobs/{sha}", PutBlobAsync).Produces(201).Produces(200).Refuses(413, 422, 507).WithName("putBlob").WithSummary("Store a packed folder (tar, gzip) under its SHA-256.");
        api.MapGet("/secrets", ListSecretsAsync).Produces<SecretList>().Refuses(503).WithName("listSecrets").WithSummary("Names of secrets; never their values.");
        api.MapPut("/secrets/{name}", SetSecretAsync).Accepts<SetSecret>("application/json").Produces(204).Refuses(400, 413, 415, 422, 503).WithName("setSecret").WithSummary("Set a secret.");
        api.MapDelete("/secrets/{name}", RemoveSecretAsync).Produces(204).Refuses(404, 503).WithName("removeSecret").WithSummary("Remove a secret.");
        api.MapGet("/info", InfoAsync).Produces<ServerInfo>().Refuses().WithName("showServer").WithSummary("The daemon: version, store, checks.");
        api.MapPost("/shutdown", Shutdown).Produces(202).Refuses().WithName("stopServer").WithSummary("Stop the daemon; running jobs go on.");
    }

    private static async Task<IResult> PutBlobAsync(HttpContext context, string sha, BlobStore blobs)
    {
        var limit = context.Features.GetRequiredFeature<IHttpMaxRequestBodySizeFeature>();
        if (!limit.IsReadOnly) limit.MaxRequestBodySize = LargestBlob;
        return await blobs.PutAsync(sha, context.Request.Body, context.RequestAborted) switch
        {
            BlobResult.Stored => Results.StatusCode(201),
            BlobResult.AlreadyThere => Results.Ok(),
            BlobResult.Refused refused => throw new RequestException(422, "the archive is refused", refused.Reason),
            BlobResult.NotStored failed => throw new RequestException(507, "the daemon's disk did not take the archive; make room there, then ask again", failed.Reason),
            _ => throw new InvalidOperationException("a blob is stored, there, refused, or not stored"),
        };
    }

    private static async Task ListSecretsAsync(HttpContext context, Live live)
    {
        var secrets = await live.Store.SecretsAsync(context.RequestAborted);
        await Replies.JsonAsync(context, new SecretList([.. secrets.Select(s => new SecretView(s.Name, s.Changed))]), ContractJson.Default.SecretList);
    }

    private static async Task<IResult> SetSecretAsync(HttpContext context, string name, SecretBox box, Inbox inbox)
    {
        if (!SecretName().IsMatch(name)) throw new RequestException(422, $"\"{name}\" cannot be a secret's name: write capitals, digits and _, such as HF_TOKEN");
        var body = await Bodies.ReadAsync(context, ContractJson.Default.SetSecret);
        if (body.Value.Length is 0 or > LongestSecret) throw new RequestException(422, $"the value of {name} has {body.Value.Length} characters: write 1 to {LongestSecret}");
        if (body.Value.Contains('\0', StringComparison.Ordinal)) throw new RequestException(422, "a secret is given in an environment variable, and cannot hold a NUL");
        await inbox.AskAsync(new Command.SetSecret(name, box.Seal(name, body.Value)));
        return Results.NoContent();
    }

    private static async Task<IResult> RemoveSecretAsync(HttpContext context, string name, Live live, Inbox inbox)
    {
        if (await live.Store.SecretAsync(name, context.RequestAborted) is null) throw new RequestException(404, $"there is no secret {name}", "puces secret ls, to see what there is");
        await inbox.AskAsync(new Command.SetSecret(name, null));
        return Results.NoContent();
    }

    private static async Task InfoAsync(HttpContext context, Live live, Nodes nodes, Inbox inbox, ServerOptions options)
    {
        var view = live.View;
        List<Check> checks =
        [
            new("store", live.IsReady, live.IsReady ? live.Store.Description : inbox.ClosedBecause ?? "not open"),
            new("lead", true, live.Leads ? "this daemon leads" : "stands by: another daemon leads"),
            new("disk", true, Disk(options.Data)),
            new("runner", File.Exists(options.Runner), File.Exists(options.Runner) ? options.Runner : $"{options.Runner} is not there: set PUCES_RUNNER"),
        ];
        checks.AddRange(view.Nodes.Values.Select(n => new Check(
            "node " + n.Node.Id, n.Node.IsUp, n.Node.IsUp ? $"up; agent {nodes.Agents.GetValueOrDefault(n.Node.Id)?.ToString() ?? "elsewhere"}" : n.Node.Problem ?? "cannot be reached")));
        await Replies.JsonAsync(context, InfoOf(live, checks), ContractJson.Default.ServerInfo);
    }

    /// <summary>The daemon as it is now.</summary>
    public static ServerInfo InfoOf(Live live, IReadOnlyList<Check> checks) => new(
        Program.Version, live.IsReady ? live.Store.Description : "not open", live.Leads, live.Started,
        live.View.WaitingCount, live.View.Live.Count - live.View.WaitingCount, checks);

    private static string Disk(string folder)
    {
        try { return $"{new DriveInfo(folder).AvailableFreeSpace / 1_000_000_000.0:0.0} GB free for {folder}"; }
        catch (IOException e) { return e.Message; }
    }

    private static IResult Shutdown(IHostApplicationLifetime lifetime)
    {
        lifetime.StopApplication();
        return Results.Accepted();
    }

    [GeneratedRegex("^[A-Z_][A-Z0-9_]{0,127}$")]
    private static partial Regex SecretName();
}
