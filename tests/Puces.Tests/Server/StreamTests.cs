using System.Text.Json;
using Puces.Core.Contract;
using Puces.Tests.Cli;
using Xunit;

namespace Puces.Tests.Server;

public sealed class StreamTests(SharedDaemon daemon) : IClassFixture<SharedDaemon>
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    private async Task<List<LogLine>> LinesAsync(string path, string? lastId = null)
    {
        var lines = new List<LogLine>();
        await foreach (var item in daemon.EventsAsync(path, ContractJson.Default.LogLine, Ct, lastId))
        {
            Assert.Equal(item.EventId, item.Data.Cursor);
            lines.Add(item.Data);
        }
        return lines;
    }

    private async Task<long> EndedAsync(string script)
    {
        var job = await daemon.Process.SubmitAsync(script, Ct);
        await daemon.Process.LogAsync(job.Id, Ct);
        return (await daemon.Process.EndAsync(job.Id, Ct)).Job.Id;
    }

    [Fact]
    public async Task A_log_goes_on_after_the_line_that_a_client_saw_last()
    {
        var job = await EndedAsync("for i in 1 2 3 4 5 6 7 8; do echo line $i; done");
        var all = (await LinesAsync($"api/v1/jobs/{job}/logs")).Where(l => l.Stream == "out").ToList();
        Assert.Equal(Enumerable.Range(1, 8).Select(i => $"line {i}"), all.Select(l => l.Text));
        foreach (var seen in all)
        {
            var rest = all.SkipWhile(l => l.Cursor != seen.Cursor).Skip(1).Select(l => l.Text);
            Assert.Equal(rest, (await LinesAsync($"api/v1/jobs/{job}/logs", seen.Cursor)).Where(l => l.Stream == "out").Select(l => l.Text));
            Assert.Equal(rest, (await LinesAsync($"api/v1/jobs/{job}/logs?after={Uri.EscapeDataString(seen.Cursor)}")).Where(l => l.Stream == "out").Select(l => l.Text));
        }
    }

    [Fact]
    public async Task A_log_is_plain_text_for_those_who_do_not_ask_for_events()
    {
        var job = await EndedAsync("echo out; echo err >&2; printf 'no end'");
        var reply = await daemon.GetAsync($"api/v1/jobs/{job}/logs", Ct);
        Assert.Equal((200, "text/plain"), (reply.Status, reply.Type));
        Assert.Equal(["err", "no end", "out"], reply.Text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task A_followed_log_comes_while_the_job_runs_and_ends_with_it()
    {
        var job = await daemon.Process.SubmitAsync("echo ready; until [ -e go ]; do sleep 0.05; done; echo gone", Ct);
        var texts = new List<string>();
        await foreach (var item in daemon.EventsAsync($"api/v1/jobs/{job.Id}/logs?follow=true", ContractJson.Default.LogLine, Ct))
        {
            if (item.Data.Stream != "out") continue;
            texts.Add(item.Data.Text);
            // Nothing but the stream can have said it: the job waits for us.
            if (item.Data.Text == "ready") await File.WriteAllTextAsync(Path.Combine(WorkOf(job.Id), "go"), "", Ct);
        }
        Assert.Equal(["ready", "gone"], texts);
        Assert.True((await daemon.Process.EndAsync(job.Id, Ct)).Job.IsOver);
    }

    [Fact]
    public async Task One_attempts_log_is_had_alone()
    {
        var job = await EndedAsync("echo attempt $PUCES_ATTEMPT; exit $(( PUCES_ATTEMPT == 1 ? 75 : 0 ))");
        Assert.Equal("attempt 1\n", (await daemon.GetAsync($"api/v1/jobs/{job}/logs?attempt=1", Ct)).Text);
        Assert.Equal("attempt 2\n", (await daemon.GetAsync($"api/v1/jobs/{job}/logs?attempt=2", Ct)).Text);
        Assert.Equal("attempt 1\nattempt 2\n", (await daemon.GetAsync($"api/v1/jobs/{job}/logs", Ct)).Text);
        Assert.Equal((404, $"job {job} has no attempt 3; its last is 2"), (await daemon.GetAsync($"api/v1/jobs/{job}/logs?attempt=3", Ct) is var none ? (none.Status, none.Problem.Title) : default));
    }

    [Fact]
    public async Task The_feed_is_read_in_pages_without_gaps()
    {
        for (var i = 0; i < 3; i++) await EndedAsync("true");
        var all = await daemon.GetAsync("api/v1/feed", ContractJson.Default.FeedPage, Ct);
        var (read, after) = (new List<FeedLine>(), 0L);
        for (FeedPage page; (page = await daemon.GetAsync($"api/v1/feed?after={after}&limit=4", ContractJson.Default.FeedPage, Ct)).Lines.Count > 0; after = page.Next) read.AddRange(page.Lines);
        Assert.Equal(Enumerable.Range(1, read.Count).Select(i => (long)i), read.Select(l => l.Seq));
        Assert.Equal(all.Lines, read.Take(all.Lines.Count));
        Assert.Equal(after, (await daemon.GetAsync($"api/v1/feed?after={after}", ContractJson.Default.FeedPage, Ct)).Next);
        Assert.Equal(read.TakeLast(5), (await daemon.GetAsync("api/v1/feed?last=5", ContractJson.Default.FeedPage, Ct)).Lines);
        Assert.Empty((await daemon.GetAsync("api/v1/feed?after=last", ContractJson.Default.FeedPage, Ct)).Lines);
    }

    [Fact]
    public async Task The_feed_as_a_stream_begins_where_it_is_asked_to_and_goes_on_as_it_happens()
    {
        await EndedAsync("true");
        var before = await daemon.GetAsync("api/v1/feed", ContractJson.Default.FeedPage, Ct);
        var lines = new List<FeedLine>();
        long? job = null;
        await foreach (var item in daemon.EventsAsync("api/v1/feed?last=2", ContractJson.Default.FeedLine, Ct))
        {
            Assert.Equal(item.EventId, item.Data.Seq.ToString(System.Globalization.CultureInfo.InvariantCulture));
            lines.Add(item.Data);
            if (lines.Count == 2) job = (await daemon.Process.SubmitAsync("true", Ct)).Id;
            if (item.Data.Kind == "ended" && item.Data.Job == job) break;
        }
        Assert.Equal(before.Lines.TakeLast(2), lines.Take(2));
        Assert.Equal(["submitted", "started"], lines.Where(l => l.Job == job).Take(2).Select(l => l.Kind));
        // A browser that comes back names what it saw, and that wins over where the address begins.
        await foreach (var item in daemon.EventsAsync("api/v1/feed?after=last", ContractJson.Default.FeedLine, Ct, "1"))
        {
            Assert.Equal(2, item.Data.Seq);
            break;
        }
    }

    [Fact]
    public async Task The_command_shows_the_last_lines_of_the_feed_the_oldest_first()
    {
        var jobs = new SubmitJobs([.. Enumerable.Range(0, 60).Select(i => new SubmitJob(new($"f{i}", new("true"))))]);
        var reply = await daemon.SendAsync(HttpMethod.Post, "api/v1/jobs/batch", JsonSerializer.Serialize(jobs, ContractJson.Default.SubmitJobs), Ct);
        foreach (var id in reply.Read(ContractJson.Default.SubmittedJobs).Ids) await daemon.Process.EndAsync(id, Ct);
        var all = (await daemon.GetAsync("api/v1/feed?limit=10000", ContractJson.Default.FeedPage, Ct)).Lines.Select(l => l.Seq).ToList();
        using var desk = new Desk();
        desk.Variables["PUCES_URL"] = daemon.Process.Url;
        desk.Variables["PUCES_TOKEN"] = daemon.Process.Token;
        Assert.Equal(all.TakeLast(100), Numbers((await desk.RunAsync("feed", "--json")).Out));
        Assert.Equal(all.TakeLast(7), Numbers((await desk.RunAsync("feed", "--json", "--limit", "7")).Out));
        Assert.Equal(all.Take(5), Numbers((await desk.RunAsync("feed", "--json", "--after", "0", "--limit", "5")).Out));
        using var follow = desk.Start("feed", "-f", "--json");
        for (var i = 10; i > 0; i--) Assert.Equal(all[^i], Numbers((await follow.StandardOutput.ReadLineAsync(Ct))!)[0]);
        follow.Kill();
        await follow.WaitForExitAsync(Ct);
    }

    private static List<long> Numbers(string lines) =>
        [.. lines.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => JsonSerializer.Deserialize(l, ContractJson.Default.FeedLine)!.Seq)];

    private string WorkOf(long job)
    {
        var found = Directory.EnumerateDirectories(Path.Combine(daemon.Process.Data, "runner")).Select(node => Path.Combine(node, "jobs", $"{job}", "work")).Where(Directory.Exists);
        return Assert.Single(found);
    }
}
