using System.Net.Http.Json;
using System.Text.Json;
using Puces.Core.Contract;
using Xunit;

namespace Puces.Tests.Server;

public sealed class JobsApiTests(SharedDaemon daemon) : IClassFixture<SharedDaemon>, IAsyncLifetime
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public ValueTask InitializeAsync() => default;

    public async ValueTask DisposeAsync() => await daemon.ClearAsync(CancellationToken.None);

    private Task<JobPage> ListAsync(string query) => daemon.GetAsync($"api/v1/jobs?{query}", ContractJson.Default.JobPage, Ct);

    [Fact]
    public async Task A_submitted_job_is_created_and_its_address_shows_it()
    {
        await daemon.HoldAllAsync(Ct);
        var reply = await daemon.SendAsync(HttpMethod.Post, "api/v1/jobs", """{"spec": {"name": "a", "run": "true", "gpus": "H100:8", "nodes": 2}, "owner": "ann"}""", Ct);
        Assert.Equal(201, reply.Status);
        var job = reply.Read(ContractJson.Default.JobView);
        Assert.Equal($"/api/v1/jobs/{job.Id}", reply.Headers.Location?.ToString());
        var detail = await daemon.GetAsync(reply.Headers.Location!.ToString(), ContractJson.Default.JobDetail, Ct);
        Assert.Equal(("a", "ann", "queued", "2 × H100:8", (int?)1), (detail.Job.Name, detail.Job.Owner, detail.Job.State, detail.Job.Request, detail.Job.Position));
        Assert.Equal(("true", 2), (detail.Spec.Run.Script, detail.Spec.Nodes));
        Assert.Empty(detail.Attempts);
    }

    [Fact]
    public async Task The_list_is_filtered_by_state_project_owner_and_name()
    {
        var held = await daemon.HoldAllAsync(Ct);
        var mine = await daemon.Process.SubmitAsync(new SubmitJob(new("one", new("true"), Project: "speech", Nodes: 2, Gpus: [new(8, "H100")]), "filter-ann"), Ct);
        var other = await daemon.Process.SubmitAsync(new SubmitJob(new("two", new("true"), Project: "vision", Nodes: 2, Gpus: [new(8, "H100")]), "filter-bob"), Ct);
        await daemon.CancelAsync(other.Id, Ct);
        Assert.Equal([held.Id, mine.Id], (await ListAsync("")).Jobs.Select(j => j.Id));
        Assert.Equal([held.Id], (await ListAsync("state=running")).Jobs.Select(j => j.Id));
        Assert.Equal([mine.Id], (await ListAsync("state=waiting")).Jobs.Select(j => j.Id));
        Assert.Equal(other.Id, (await ListAsync("state=ended")).Jobs[0].Id);
        Assert.Equal([other.Id], (await ListAsync("state=cancelled&owner=filter-bob")).Jobs.Select(j => j.Id));
        Assert.Equal([mine.Id], (await ListAsync("state=all&project=speech")).Jobs.Select(j => j.Id));
        Assert.Equal([mine.Id], (await ListAsync("state=all&owner=filter-ann")).Jobs.Select(j => j.Id));
        Assert.Equal([other.Id], (await ListAsync("state=all&name=two")).Jobs.Select(j => j.Id));
        Assert.Empty((await ListAsync("state=failed&project=speech")).Jobs);
        Assert.Empty((await ListAsync("state=all&name=one&owner=filter-bob")).Jobs);
    }

    [Fact]
    public async Task Pages_show_every_job_that_stays_once_and_in_order_while_others_come_and_go()
    {
        var held = await daemon.HoldAllAsync(Ct);
        var ended = new List<long>();
        for (var i = 0; i < 12; i++) ended.Add((await daemon.WaitingAsync(Ct, s => s with { Project = "paged" })).Id);
        foreach (var id in ended) await daemon.CancelAsync(id, Ct);
        var line = new List<long>();
        for (var i = 0; i < 24; i++) line.Add((await daemon.WaitingAsync(Ct, s => s with { Project = "paged", Priority = i % 3 })).Id);
        List<long> expected = [.. line.Select((id, i) => (id, i)).OrderByDescending(j => j.i % 3).ThenBy(j => j.id).Select(j => j.id)];
        var seen = new List<long>();
        var gone = new HashSet<long>();
        var added = new HashSet<long>();
        string? cursor = null;
        do
        {
            var page = await ListAsync($"state=all&project=paged&limit=5{(cursor is null ? "" : $"&cursor={Uri.EscapeDataString(cursor)}")}");
            Assert.InRange(page.Jobs.Count, 0, 5);
            seen.AddRange(page.Jobs.Select(j => j.Id));
            cursor = page.Next;
            // The last of the page goes, so does one that is to come, and new ones join at both ends of the line.
            foreach (var id in (long[])[seen.LastOrDefault(line.Contains), expected.LastOrDefault(id => !seen.Contains(id) && !gone.Contains(id))])
                if (id > 0 && gone.Add(id)) await daemon.CancelAsync(id, Ct);
            added.Add((await daemon.WaitingAsync(Ct, s => s with { Project = "paged", Priority = added.Count % 2 == 0 ? 999 : -999 })).Id);
        }
        while (cursor is not null);
        Assert.DoesNotContain(held.Id, seen);
        Assert.Equal(expected.Where(id => !gone.Contains(id)), seen.Where(id => expected.Contains(id) && !gone.Contains(id)));
        Assert.Equal(ended.AsEnumerable().Reverse(), seen.Where(ended.Contains));
        // One that was seen in line and then ended is seen among the ended too; nothing else comes twice.
        Assert.All(seen.GroupBy(id => id).Where(g => g.Count() > 1), g => Assert.Contains(g.Key, gone));
    }

    [Fact]
    public async Task Why_says_the_place_the_need_and_who_is_before()
    {
        var held = await daemon.HoldAllAsync(Ct);
        var first = await daemon.WaitingAsync(Ct);
        var second = await daemon.WaitingAsync(Ct);
        var why = await daemon.GetAsync($"api/v1/jobs/{second.Id}/why", ContractJson.Default.WhyView, Ct);
        Assert.StartsWith("2nd of 2 in line; ", why.Text, StringComparison.Ordinal);
        Assert.Equal(1, why.Ahead);
        Assert.Contains(why.Needs, n => n.Contains($"job {first.Id} is first in line", StringComparison.Ordinal));
        Assert.Contains("H100", why.Needs[0], StringComparison.Ordinal);
        Assert.Equal($"job {held.Id} is running", (await daemon.GetAsync($"api/v1/jobs/{held.Id}/why", ContractJson.Default.WhyView, Ct)).Text);
    }

    [Fact]
    public async Task A_job_that_is_held_back_before_it_is_tried_again_says_so()
    {
        var job = await daemon.Process.SubmitAsync("exit 3", Ct, s => s with { Retries = new(2, TimeSpan.FromHours(1)) });
        await daemon.Process.UntilAsync(job.Id, j => j is { State: "queued", Attempt: 1 }, Ct);
        var why = await daemon.GetAsync($"api/v1/jobs/{job.Id}/why", ContractJson.Default.WhyView, Ct);
        Assert.Matches(@"^tried again at \d\d:\d\d:\d\d UTC, after attempt 1 failed", why.Job.Reason!);
        Assert.Contains("tried again at", why.Text, StringComparison.Ordinal);
        Assert.Matches(@"^is held back until \d\d:\d\d:\d\d UTC after attempt 1$", Assert.Single(why.Needs));
        // It stands in nobody's way: one that comes later and fits starts at once.
        var other = await daemon.Process.SubmitAsync("true", Ct);
        Assert.Equal("succeeded", (await daemon.Process.EndAsync(other.Id, Ct)).Job.State);
        Assert.Equal(3, Assert.Single((await daemon.Process.ShowAsync(job.Id, Ct)).Attempts).ExitCode);
        Assert.Equal("cancelled", (await daemon.CancelAsync(job.Id, Ct)).State);
    }

    [Fact]
    public async Task A_job_that_was_held_back_waits_as_all_others_do_once_that_is_over()
    {
        var job = await daemon.Process.SubmitAsync("exit 3", Ct, s => s with { Retries = new(1, TimeSpan.FromSeconds(1)), Nodes = 2, Gpus = [new(8, "H100")] });
        await daemon.Process.UntilAsync(job.Id, j => j is { State: "queued", Attempt: 1 }, Ct);
        await daemon.HoldAllAsync(Ct);
        var waiting = await daemon.Process.UntilAsync(job.Id, j => !j.Reason!.Contains("tried again", StringComparison.Ordinal), Ct);
        Assert.Contains("H100", waiting.Job.Reason!, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_waiting_job_is_cancelled_at_once_a_running_one_when_it_is_gone_and_an_ended_one_stays_as_it_is()
    {
        var held = await daemon.HoldAllAsync(Ct);
        var waiting = await daemon.WaitingAsync(Ct);
        var request = new HttpRequestMessage(HttpMethod.Post, $"api/v1/jobs/{waiting.Id}/cancel");
        request.Headers.Add("X-Puces-User", "ann");
        var cancelled = (await daemon.SendAsync(request, Ct)).Read(ContractJson.Default.JobView);
        Assert.Equal(("cancelled", "cancelled by ann before it started"), (cancelled.State, cancelled.Reason));
        Assert.Contains((await daemon.CancelAsync(held.Id, Ct)).State, (string[])["stopping", "cancelled"]);
        Assert.Equal("cancelled", (await daemon.Process.EndAsync(held.Id, Ct)).Job.State);
        var done = await daemon.Process.SubmitAsync("exit 5", Ct);
        await daemon.Process.EndAsync(done.Id, Ct);
        Assert.Equal(("failed", (int?)5), (await daemon.CancelAsync(done.Id, Ct) is var end ? (end.State, end.ExitCode) : default));
        Assert.Equal(404, (await daemon.SendAsync(HttpMethod.Post, "api/v1/jobs/999999/cancel", null, Ct)).Status);
    }

    [Fact]
    public async Task Watching_a_job_shows_each_change_and_ends_with_it()
    {
        var held = await daemon.HoldAllAsync(Ct);
        var job = await daemon.WaitingAsync(Ct);
        var states = new List<string>();
        await foreach (var item in daemon.EventsAsync($"api/v1/jobs/{job.Id}/watch", ContractJson.Default.JobView, Ct))
        {
            if (states.Count == 0) await daemon.CancelAsync(held.Id, Ct);
            states.Add(item.Data.State);
        }
        Assert.Equal("queued", states[0]);
        Assert.Equal("succeeded", states[^1]);
        Assert.Equal(1, states.Count(s => s == "succeeded"));
        // One that is over is shown once.
        var after = new List<JobView>();
        await foreach (var item in daemon.EventsAsync($"api/v1/jobs/{job.Id}/watch", ContractJson.Default.JobView, Ct)) after.Add(item.Data);
        Assert.Equal(0, Assert.Single(after).ExitCode);
    }

    [Fact]
    public async Task A_batch_is_taken_whole_with_ids_in_its_order()
    {
        await daemon.HoldAllAsync(Ct);
        var jobs = new SubmitJobs([.. Enumerable.Range(0, 100).Select(i => new SubmitJob(new($"b{i}", new("true"), Nodes: 2, Gpus: [new(8, "H100")])))]);
        using var reply = await daemon.Process.Http.PostAsJsonAsync("api/v1/jobs/batch", jobs, ContractJson.Default.SubmitJobs, Ct);
        Assert.Equal(201, (int)reply.StatusCode);
        var ids = (await reply.Content.ReadFromJsonAsync(ContractJson.Default.SubmittedJobs, Ct))!.Ids;
        Assert.Equal(ids.Order(), ids);
        Assert.Equal(Enumerable.Range(0, 100).Select(i => $"b{i}"), (await ListAsync("state=waiting&limit=1000")).Jobs.Where(j => ids.Contains(j.Id)).Select(j => j.Name));
    }

    [Theory]
    [InlineData("""{"spec": {"name": "x", "run": "true", "nodes": 0}}""", "jobs[1].spec.nodes")]
    [InlineData("""{"spec": {"name": "x", "run": "true", "secrets": ["NOT_SET"]}}""", "jobs[1].spec.secrets")]
    [InlineData("""{"spec": {"name": "x", "run": "true"}, "workdir": "0000000000000000000000000000000000000000000000000000000000000000"}""", "jobs[1].workdir")]
    public async Task A_batch_with_one_mistake_is_refused_whole_and_the_mistake_is_named(string wrong, string path)
    {
        var before = await daemon.GetAsync("api/v1/feed?last=1", Ct);
        var reply = await daemon.SendAsync(HttpMethod.Post, "api/v1/jobs/batch", $$$"""{"jobs": [{"spec": {"name": "right", "run": "true"}}, {{{wrong}}}]}""", Ct);
        Assert.Equal(422, reply.Status);
        Assert.Equal(path, Assert.Single(reply.Problem.Errors!).Path);
        Assert.Equal(before.Text, (await daemon.GetAsync("api/v1/feed?last=1", Ct)).Text);
        Assert.Empty((await ListAsync("state=all&name=right")).Jobs);
    }

    [Fact]
    public async Task What_is_shown_names_every_attempt_its_nodes_and_its_end()
    {
        var job = await daemon.Process.SubmitAsync("echo out; exit $(( PUCES_ATTEMPT == 1 ? 75 : 0 ))", Ct, s => s with { Gpus = [new(2, "H100")] });
        var end = await daemon.Process.EndAsync(job.Id, Ct);
        Assert.Equal("succeeded", end.Job.State);
        Assert.Equal([1, 2], end.Attempts.Select(a => a.Number));
        Assert.Equal([75, 0], end.Attempts.Select(a => a.ExitCode!.Value));
        Assert.All(end.Attempts, a => Assert.StartsWith("local/", Assert.Single(a.Nodes), StringComparison.Ordinal));
        Assert.All(end.Attempts, a => Assert.True(a.Decided <= a.Started && a.Started <= a.Ended, JsonSerializer.Serialize(a, ContractJson.Default.AttemptView)));
    }
}
