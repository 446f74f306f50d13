using System.Globalization;
using Puces.Core.Contract;

namespace Puces.Cli.Remote;

/// <summary>What commands ask about jobs.</summary>
internal static class Jobs
{
    private const int LongestPage = 10_000;

    public static string Path(long id, string rest = "") => string.Create(CultureInfo.InvariantCulture, $"api/v1/jobs/{id}{rest}");

    /// <summary>The job's number: as given, or of the newest job of that name.</summary>
    public static async Task<long> FindAsync(this PucesServer server, string idOrName, CancellationToken ct)
    {
        if (long.TryParse(idOrName, NumberStyles.None, CultureInfo.InvariantCulture, out var id)) return id;
        var name = Uri.EscapeDataString(idOrName);
        var page = await server.GetAsync($"api/v1/jobs?state=all&limit={LongestPage}&name={name}", PucesServer.Json.JobPage, ct);
        return page.Jobs.Count > 0
            ? page.Jobs.Max(j => j.Id)
            : throw new CommandException($"there is no job named '{idOrName}'", "puces ps -a, to see what there is");
    }

    public static Task<JobDetail> DetailAsync(this PucesServer server, long id, CancellationToken ct) =>
        server.GetAsync(Path(id), PucesServer.Json.JobDetail, ct);

    /// <summary>The job now, and again at each change until it is over.</summary>
    public static async IAsyncEnumerable<JobView> WatchAsync(
        this PucesServer server, long id, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken ct)
    {
        var last = (await server.DetailAsync(id, ct)).Job;
        yield return last;
        if (last.IsOver) yield break;
        await foreach (var change in server.EventsAsync(_ => Path(id, "/watch"), null, PucesServer.Json.JobView, async _ => (last = await OfAsync()).IsOver, ct))
        {
            yield return last = change.Data;
            if (last.IsOver) yield break;
        }
        yield return last;

        async Task<JobView> OfAsync() => (await server.GetAsync(Path(id), PucesServer.Json.JobDetail, StartDaemon.AfterCrash, ct)).Job;
    }

    /// <summary>The exit code that <c>run</c> and <c>wait</c> end with.</summary>
    public static int ExitCodeOf(JobView job) => job switch
    {
        { State: "succeeded" } => ExitCodes.Ok,
        { ExitCode: > 0 and var code } => code,
        _ => ExitCodes.Failure,
    };
}
