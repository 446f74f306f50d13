using Puces.Core.Contract;
using Puces.Testing;
using Xunit;

namespace Puces.Tests.Server;

public sealed class IdempotencyTests(SharedDaemon daemon) : IClassFixture<SharedDaemon>
{
    private const string Job = """{"spec": {"name": "keyed", "run": "true"}}""";
    private const string Other = """{"spec": {"name": "keyed", "run": "false"}}""";

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    private Task<Reply> SubmitAsync(string json, string key) => daemon.SendAsync(HttpMethod.Post, "api/v1/jobs", json, Ct, key);

    private Task<Reply> BatchAsync(string key, params string[] jobs) =>
        daemon.SendAsync(HttpMethod.Post, "api/v1/jobs/batch", $$"""{"jobs": [{{string.Join(", ", jobs)}}]}""", Ct, key);

    private async Task<long> NewestAsync() => (await daemon.Process.SubmitAsync("true", Ct)).Id;

    [Fact]
    public async Task The_same_key_and_body_again_give_the_same_job_also_after_it_has_ended()
    {
        var first = await SubmitAsync(Job, "k1");
        var again = await SubmitAsync(Job, "k1");
        Assert.Equal((201, 200), (first.Status, again.Status));
        var id = first.Read(ContractJson.Default.JobView).Id;
        Assert.Equal(id, again.Read(ContractJson.Default.JobView).Id);
        await daemon.Process.EndAsync(id, Ct);
        var later = await SubmitAsync(Job, "k1");
        Assert.Equal((200, id, "succeeded"), (later.Status, later.Read(ContractJson.Default.JobView).Id, later.Read(ContractJson.Default.JobView).State));
        Assert.NotEqual(id, (await SubmitAsync(Job, "k1-other")).Read(ContractJson.Default.JobView).Id);
    }

    [Fact]
    public async Task Many_at_once_with_one_key_are_one_job()
    {
        var replies = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => SubmitAsync(Job, "at once")));
        Assert.Single(replies.Select(r => r.Read(ContractJson.Default.JobView).Id).Distinct());
        Assert.Single(replies, r => r.Status == 201);
    }

    [Fact]
    public async Task A_key_with_another_body_is_refused_and_queues_nothing()
    {
        var id = (await SubmitAsync(Job, "k2")).Read(ContractJson.Default.JobView).Id;
        var refused = await SubmitAsync(Other, "k2");
        Assert.Equal((422, $"this Idempotency-Key was used for another request (job {id}); use a new one"), (refused.Status, refused.Problem.Title));
        Assert.Equal(id + 1, await NewestAsync());
    }

    [Fact]
    public async Task A_batch_again_is_the_same_jobs_and_another_batch_under_its_key_queues_none()
    {
        var first = await BatchAsync("k3", Job, Other);
        var again = await BatchAsync("k3", Job, Other);
        Assert.Equal((201, 200), (first.Status, again.Status));
        var ids = first.Read(ContractJson.Default.SubmittedJobs).Ids;
        Assert.Equal(ids, again.Read(ContractJson.Default.SubmittedJobs).Ids);
        foreach (var other in (string[][])[[Job], [Other, Job], [Job, Other, Job]])
        {
            var refused = await BatchAsync("k3", other);
            Assert.Equal((422, $"this Idempotency-Key was used for another request (job {ids[0]}); use a new one"), (refused.Status, refused.Problem.Title));
        }
        Assert.Equal(422, (await SubmitAsync(Job, "k3")).Status);
        Assert.Equal(ids[^1] + 1, await NewestAsync());
    }

    [Fact]
    public async Task A_key_is_known_after_the_daemon_was_killed()
    {
        await using var own = new DaemonProcess();
        await own.StartAsync(Ct);
        var job = new SubmitJob(new("kept", new("true")));
        var first = await own.SubmitAsync(job, Ct, "kept");
        await own.KillAsync();
        await own.StartAsync(Ct);
        Assert.Equal(first.Id, (await own.SubmitAsync(job, Ct, "kept")).Id);
        Assert.Equal(first.Id + 1, (await own.SubmitAsync(job, Ct, "new")).Id);
    }
}
