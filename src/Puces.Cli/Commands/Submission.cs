using System.Globalization;
using System.Net.Http.Json;
using Puces.Cli.Packing;
using Puces.Cli.Remote;
using Puces.Core.Contract;

namespace Puces.Cli.Commands;

/// <summary>Sends a job: its folders first, then the job itself, once.</summary>
internal sealed class Submission(Session session, PucesServer server)
{
    public async Task<JobView> SendAsync(LoadedJob job, CancellationToken ct)
    {
        var uploader = new Uploader(session, server);
        string? workdir = null;
        if (job.Spec.Workdir is { } folder) workdir = await uploader.SendAsync("work directory", NotHome(Path.GetFullPath(folder, job.Folder)), "", ct);
        var mounts = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var (path, source) in job.Spec.Mounts ?? new Dictionary<string, string>())
            mounts[path] = await uploader.SendAsync($"mount {path}", Path.GetFullPath(source, job.Folder), LastOf(path), ct);
        var request = new SubmitJob(job.Spec, session.User, workdir, mounts.Count > 0 ? mounts : null);
        // The same key with each repetition: a reply that was lost on the way must not become a second job.
        var key = Guid.NewGuid().ToString("n", CultureInfo.InvariantCulture);
        return await server.AskAsync(Message, PucesServer.Json.JobView, StartDaemon.IfNeeded, ct);

        HttpRequestMessage Message()
        {
            var message = new HttpRequestMessage(HttpMethod.Post, "api/v1/jobs") { Content = JsonContent.Create(request, ContractJson.Default.SubmitJob) };
            message.Headers.Add("Idempotency-Key", key);
            return message;
        }
    }

    // A command typed in the home folder means the command, and not everything that its user has.
    private string NotHome(string folder)
    {
        var path = Path.TrimEndingDirectorySeparator(folder);
        if (path != Path.GetPathRoot(path) && path != session.Variable("HOME")?.TrimEnd('/')) return path;
        throw CommandException.Usage($"the work directory would be all of {path}", "--workdir none to send nothing, or --workdir FOLDER");
    }

    private static string LastOf(string path) => path.TrimEnd('/') is var trimmed ? trimmed[(trimmed.LastIndexOf('/') + 1)..] : path;
}
