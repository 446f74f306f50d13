using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Puces.Core.Contract;
using Puces.Core.Engine;
using Puces.Core.Jobs;
using Puces.Server.Blobs;
using Puces.Server.Control;
using Puces.Server.Store;

namespace Puces.Server.Api;

/// <summary>Jobs: submit, list, show, why, cancel, watch.</summary>
internal static class JobsApi
{
    private const int MostInBatch = 50_000;

    public static void Map(RouteGroupBuilder api)
    {
        api.MapPost("/jobs", SubmitAsync).Accepts<SubmitJob>("application/json").Produces<JobView>(201).Produces<JobView>().Refuses(400, 413, 415, 422, 503).WithName("submitJob").WithSummary("Queue a job; answered when it is stored. 200: the key was sent before, with the same body.");
        api.MapPost("/jobs/batch", SubmitManyAsync).Accepts<SubmitJobs>("application/json").Produces<SubmittedJobs>(201).Produces<SubmittedJobs>().Refuses(400, 413, 415, 422, 503).WithName("submitJobs").WithSummary("Queue many jobs, all or none. 200: the key was sent before, with the same body.");
        api.MapGet("/jobs", ListAsync).Produces<JobPage>().Refuses(400, 503).WithName("listJobs").WithSummary("List jobs, a page at a time: those that run, the line, and then those that have ended, the newest first.");
        api.MapGet("/jobs/{id}", ShowAsync).Produces<JobDetail>().Refuses(400, 404, 410, 503).WithName("showJob").WithSummary("Everything about one job.");
        api.MapGet("/history", HistoryAsync).Produces<HistoryPage>().Refuses(400, 503).WithName("readHistory").WithSummary("All jobs by their numbers, a page at a time, and the nodes that they ran on: what a replay needs.");
        api.MapGet("/jobs/{id}/why", WhyAsync).Produces<WhyView>().Refuses(400, 404, 503).WithName("whyJob").WithSummary("Why a job waits, and what would let it start.");
        api.MapPost("/jobs/{id}/cancel", CancelAsync).Produces<JobView>().Refuses(400, 404, 503).WithName("cancelJob").WithSummary("End a job, through its checkpoint if it runs.");
        api.MapGet("/jobs/{id}/watch", WatchAsync).Produces<JobView>(200, "text/event-stream").Refuses(400, 404, 503).WithName("watchJob").WithSummary("The job at each change, until it is over.");
    }

    private static async Task SubmitAsync(HttpContext context, Inbox inbox, Live live, Orders orders, BlobStore blobs, TimeProvider clock)
    {
        var body = await Bodies.WholeAsync(context);
        var submitted = Bodies.Read(body.Span, ContractJson.Default.SubmitJob);
        await CheckAsync([submitted], live, blobs, clock.GetUtcNow(), context.RequestAborted);
        var key = KeyOf(context, body.Span);
        var answer = await inbox.AskAsync(Command(submitted, key));
        if (answer.Error is { } error) throw new RequestException(422, error);
        var job = answer.Job ?? await live.Store.JobAsync(answer.Id!.Value, context.RequestAborted) ?? throw new RequestException(410, "the job of this key is no longer kept");
        if (!answer.IsRepeat) orders.Remember(job.Id, submitted);
        context.Response.Headers.Location = $"/api/v1/jobs/{job.Id}";
        // It may have been started in the same instant.
        await Replies.JsonAsync(context, live.View.Show(live.View.Live.GetValueOrDefault(job.Id) ?? job), ContractJson.Default.JobView, answer.IsRepeat ? 200 : 201);
    }

    private static async Task SubmitManyAsync(HttpContext context, Inbox inbox, Live live, BlobStore blobs, TimeProvider clock)
    {
        var body = await Bodies.WholeAsync(context);
        var many = Bodies.Read(body.Span, ContractJson.Default.SubmitJobs).Jobs;
        if (many.Contains(null!)) throw new RequestException(400, $"jobs[{many.ToList().IndexOf(null!)}] is null; send a SubmitJob there");
        if (many.Count is 0 or > MostInBatch) throw new RequestException(422, $"a batch holds 1 to {MostInBatch} jobs; this one holds {many.Count}");
        await CheckAsync(many, live, blobs, clock.GetUtcNow(), context.RequestAborted);
        var key = KeyOf(context, body.Span);
        IReadOnlyList<NewJob> together = [.. many.Select(NewJob)];
        var commands = new Command[many.Count];
        for (var i = 0; i < many.Count; i++)
            commands[i] = Command(many[i], key is { } k ? k with { Key = k.Key ^ (UInt128)(uint)i << 64 } : null) with { Batch = key?.Key, Together = together };
        var answers = await inbox.AskAsync(commands);
        if (answers.FirstOrDefault(a => a.Error is not null)?.Error is { } error) throw new RequestException(422, error);
        var status = answers.All(a => a.IsRepeat) ? 200 : 201;
        await Replies.JsonAsync(context, new SubmittedJobs([.. answers.Select(a => a.Id!.Value.Value)]), ContractJson.Default.SubmittedJobs, status);
    }

    private static Command.Submit Command(SubmitJob submitted, IdempotencyKey? key)
    {
        return new(NewJob(submitted), JsonSerializer.SerializeToUtf8Bytes(submitted, ContractJson.Default.SubmitJob), key);
    }

    private static NewJob NewJob(SubmitJob submitted)
    {
        var spec = submitted.Spec;
        return new(
            spec.Name, spec.Project, submitted.Owner, spec.Priority, Request.Of(spec), Retry.Of(spec.Retries), spec.Expected, spec.Limit,
            spec.Checkpoint is not null, spec.Prefer);
    }

    /// <summary>What only the server can know to be wrong.</summary>
    private static async Task CheckAsync(IReadOnlyList<SubmitJob> many, Live live, BlobStore blobs, DateTimeOffset now, CancellationToken ct)
    {
        var errors = new List<FieldError>();
        HashSet<string>? secrets = null;
        for (var i = 0; i < many.Count && errors.Count < 100; i++)
        {
            var (spec, at) = (many[i].Spec, many.Count == 1 ? "" : $"jobs[{i}].");
            if (many[i].Owner.Length > 128) errors.Add(new(at + "owner", $"has {many[i].Owner.Length} characters; write at most 128"));
            if (many[i].Owner.Any(char.IsControl)) errors.Add(new(at + "owner", "has a control character in it; write a name"));
            if (spec.Deadline < now) errors.Add(new(at + "spec.deadline", $"{spec.Deadline:u} is in the past"));
            CheckFiles(many[i], at, blobs, errors);
            foreach (var name in spec.Secrets ?? [])
            {
                secrets ??= [.. (await live.Store.SecretsAsync(ct)).Select(s => s.Name)];
                if (!secrets.Contains(name)) errors.Add(new(at + "spec.secrets", $"secret {name} is not set; set it with: puces secret set {name}"));
            }
        }
        if (errors.Count > 0) throw new RequestException(422, "the job has mistakes", null, errors);
    }

    private static void CheckFiles(SubmitJob submitted, string at, BlobStore blobs, List<FieldError> errors)
    {
        if (submitted.Workdir is { } workdir) CheckBlob(workdir, "workdir");
        foreach (var (path, blob) in submitted.Mounts ?? new Dictionary<string, string>())
        {
            try
            {
                if (PackedArchive.Parts(path, path).Length == 0) errors.Add(new(at + "mounts", "a mount has an empty path; write where it goes in the work directory"));
                else CheckBlob(blob, $"mounts.{path}");
            }
            catch (ArchiveException e)
            {
                errors.Add(new(at + "mounts", e.Message));
            }
        }

        void CheckBlob(string? blob, string field)
        {
            if (blob is null || !blobs.Has(blob)) errors.Add(new(at + field, $"blob {blob ?? "null"} is not here; PUT it to /api/v1/blobs/{{sha256}} first"));
        }
    }

    private static IdempotencyKey? KeyOf(HttpContext context, ReadOnlySpan<byte> body)
    {
        if (context.Request.Headers["Idempotency-Key"] is not [{ Length: > 0 } key]) return null;
        if (key.Length > 255) throw new RequestException(400, $"Idempotency-Key has {key.Length} characters: write at most 255, such as a UUID");
        Span<byte> hash = stackalloc byte[32];
        SHA256.HashData(Encoding.UTF8.GetBytes(key), hash);
        var id = BinaryPrimitives.ReadUInt128BigEndian(hash);
        SHA256.HashData(body, hash);
        return new(id, BinaryPrimitives.ReadInt64BigEndian(hash));
    }

    private static async Task ListAsync(
        HttpContext context, Live live, string? state = null, string? project = null, string? owner = null, string? name = null, int limit = 100, string? cursor = null)
    {
        if (limit is < 1 or > 10_000) throw new RequestException(400, $"limit={limit}: write 1 to 10000");
        var page = await Listing.PageAsync(live, Listing.Filter.Of(state, project, owner, name), limit, cursor, context.RequestAborted);
        await Replies.JsonAsync(context, page, ContractJson.Default.JobPage);
    }

    private static async Task ShowAsync(HttpContext context, long id, Live live)
    {
        var job = await FindAsync(live, id, context.RequestAborted);
        await Replies.JsonAsync(context, await DetailAsync(live, job, context.RequestAborted), ContractJson.Default.JobDetail);
    }

    internal static async Task<JobDetail> DetailAsync(Live live, Job job, CancellationToken ct)
    {
        var spec = await live.Store.SpecAsync(job.Id, ct) ?? throw new RequestException(410, $"the spec of job {job.Id} is no longer kept");
        return Detail(live.View, new(job, await live.Store.AttemptsAsync(job.Id, ct), spec));
    }

    private static JobDetail Detail(View view, Remembered kept)
    {
        var submitted = Orders.Read(kept.Spec);
        return new(
            view.Show(kept.Job), submitted.Spec,
            [.. kept.Attempts.Select(a => new AttemptView(
                a.Id.Number, a.Nodes, a.Decided, a.Started, a.Ended, a.ExitCode, a.Reason, a.Cpu?.TotalSeconds, a.PeakMemory, a.Checkpoint, a.Preempted, a.Saved, a.Saves > 0 ? a.Saves : null))],
            submitted.Workdir);
    }

    private static async Task HistoryAsync(HttpContext context, Live live, TimeProvider clock, long after = 0, int limit = 1000)
    {
        if (after < 0) throw new RequestException(400, $"after={after}: give back the \"next\" of the page before, or leave it out for the first page");
        if (limit is < 1 or > 10_000) throw new RequestException(400, $"limit={limit}: write 1 to 10000");
        var view = live.View;
        var jobs = await live.Store.HistoryAsync(new(after), limit, context.RequestAborted);
        IReadOnlyList<HistoryNode> nodes = after > 0 ? [] : [.. view.Nodes.Values.Select(n => new HistoryNode(
            n.Node.Id, n.Node.Pool, [.. n.Node.Devices.Where(d => d.IsHealthy).Select(d => new HistoryDevice(d.Index, d.Model, d.Vendor, d.Memory.Bytes, d.Island))],
            n.Node.MilliCpus / 1000.0, n.Node.Memory.Bytes, n.Node.Place))];
        var page = new HistoryPage([.. jobs.Select(j => Detail(view, j))], nodes, clock.GetUtcNow(), jobs.Count == limit ? jobs[^1].Job.Id.Value : null,
            after > 0 || view.Windows.Count == 0 ? null : [.. view.Windows.Values]);
        await Replies.JsonAsync(context, page, ContractJson.Default.HistoryPage);
    }

    private static async Task WhyAsync(HttpContext context, long id, Live live) =>
        await Replies.JsonAsync(context, live.View.Why(await FindAsync(live, id, context.RequestAborted)), ContractJson.Default.WhyView);

    private static async Task CancelAsync(HttpContext context, long id, Live live, Inbox inbox)
    {
        var job = await FindAsync(live, id, context.RequestAborted);
        if (job.State is not JobState.Ended)
        {
            var by = context.Request.Headers["X-Puces-User"] is [{ Length: > 0 and <= 128 } user] ? user : "a user";
            job = (await inbox.AskAsync(new Command.Cancel(job.Id, by))).Job ?? await FindAsync(live, id, context.RequestAborted);
        }
        await Replies.JsonAsync(context, live.View.Show(job), ContractJson.Default.JobView);
    }

    private static async Task WatchAsync(HttpContext context, long id, Live live)
    {
        await FindAsync(live, id, context.RequestAborted);
        Replies.BeginEvents(context);
        JobView? last = null;
        while (true)
        {
            var changed = live.Changed;
            var now = live.View.Show(await FindAsync(live, id, context.RequestAborted));
            if (last is null || IsNews(last, now)) await Replies.EventAsync(context, last = now, ContractJson.Default.JobView);
            if (now.IsOver) return;
            await Replies.WaitAsync(context, changed);
        }
    }

    /// <summary>An estimate moves a little all the time: that alone is none, before it has moved by a tenth of the way.</summary>
    private static bool IsNews(JobView last, JobView now)
    {
        if (now with { Estimate = null } != last with { Estimate = null } || now.Estimate is null != last.Estimate is null) return true;
        if ((now.Estimate?.Expected ?? now.Estimate?.From) is not { } at || (last.Estimate?.Expected ?? last.Estimate?.From) is not { } was) return false;
        return (at - was).Duration() > TimeSpan.FromMinutes(1) && (at - was).Duration() > (was - now.Submitted).Duration() / 10;
    }

    internal static async Task<Job> FindAsync(Live live, long id, CancellationToken ct) =>
        live.View.Live.GetValueOrDefault(new(id)) ?? await live.Store.JobAsync(new(id), ct) ?? throw new RequestException(404, $"there is no job {id}", "puces ps -a, to see what there is");
}
