using System.Globalization;
using System.Text;
using Puces.Core.Engine;
using Puces.Core.Fleet;
using Puces.Core.Jobs;
using Puces.Core.Units;
using Puces.Server.Store;
using Xunit;

namespace Puces.Testing;

/// <summary>What makes a store one. Every engine passes all of it.</summary>
public abstract class StoreSuite : IAsyncDisposable
{
    protected static readonly DateTimeOffset Noon = new DateTimeOffset(2026, 3, 1, 12, 0, 0, TimeSpan.Zero).AddTicks(1234567);
    private readonly List<IStore> _open = [];
    private string? _location;

    protected static CancellationToken Ct => TestContext.Current.CancellationToken;

    /// <summary>Where a new, empty store may be made.</summary>
    protected abstract ValueTask<string> NewLocationAsync();

    /// <summary>One more store on the test's one place.</summary>
    protected async Task<IStore> OpenAsync()
    {
        _location ??= await NewLocationAsync();
        var store = Stores.Open(_location);
        _open.Add(store);
        await store.MigrateAsync(Ct);
        return store;
    }

    /// <summary>A store that leads and is loaded.</summary>
    protected async Task<(IStore Store, Stored Stored)> StartAsync()
    {
        var store = await OpenAsync();
        await store.LeadAsync(Ct);
        return (store, await store.LoadAsync(Noon, Ct));
    }

    /// <summary>What another daemon finds after this one has ended.</summary>
    protected async Task<(IStore Store, Stored Stored)> RestartAsync(IStore store)
    {
        await store.DisposeAsync();
        return await StartAsync();
    }

    public virtual async ValueTask DisposeAsync()
    {
        foreach (var store in _open) await store.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    [Fact]
    public async Task A_new_store_is_empty_and_counts_from_nothing()
    {
        var (store, stored) = await StartAsync();
        Assert.Empty(stored.LiveJobs);
        Assert.Empty(stored.LiveAttempts);
        Assert.Empty(stored.Pools);
        Assert.Empty(stored.Keys);
        Assert.Equal((0, 0), (stored.LastJob, stored.LastEvent));
        Assert.Null(await store.JobAsync(new(1), Ct));
        Assert.Null(await store.SpecAsync(new(1), Ct));
        Assert.Empty(await store.AttemptsAsync(new(1), Ct));
        Assert.Empty(await store.EventsAsync(0, 10, Ct));
        Assert.Null(await store.SecretAsync("none", Ct));
    }

    [Fact]
    public async Task A_job_of_every_state_comes_back_as_it_was_stored()
    {
        var held = new Allocation([new("local/a", [0, 3], 4000, new(1L << 34)), new("local/b", [], 0, default)]);
        JobState[] states =
        [
            new JobState.Queued(Noon), new JobState.Queued(Noon, Noon.AddSeconds(10)), new JobState.Starting(held, Noon),
            new JobState.Running(held, Noon), new JobState.Stopping(held, Noon, null, StopReason.RankLost),
            new JobState.Stopping(held, Noon, Noon, StopReason.Cancelled), new JobState.Ended(JobResult.Failed, 137, Noon, Noon, "killed: \"σ\" <9>"),
            new JobState.Ended(JobResult.Cancelled, 0, Noon), new JobState.Ended(JobResult.Succeeded, 0, Noon, Noon),
        ];
        var (store, _) = await StartAsync();
        var jobs = states.Select((state, i) => NewJob(i + 1) with { State = state, Attempts = i, Failures = 1, Expected = TimeSpan.FromMinutes(90.5) }).ToList();
        await store.CommitAsync([.. jobs.Select(job => Submitted(job))], [], Ct);
        (store, var stored) = await RestartAsync(store);
        foreach (var job in jobs) AssertSame(job, await store.JobAsync(job.Id, Ct));
        Assert.Equal([1, 2, 3, 4, 5, 6], stored.LiveJobs.Select(job => job.Id.Value));
        for (var i = 0; i < stored.LiveJobs.Count; i++) AssertSame(jobs[i], stored.LiveJobs[i]);
    }

    [Fact]
    public async Task A_request_of_every_kind_comes_back_as_it_was_stored()
    {
        var request = new Request(
            [new(8, "H100"), new(2, null, new(new Memory(80_000_000_000), null), new(null, 990.5), ["nvidia", "amd"])], 4, 1500, new(64L << 30), ["eu", "office"]);
        var job = NewJob(1) with { Request = request, Retry = new(3, TimeSpan.FromSeconds(0.25), [75, 3]), Priority = -100 };
        var (store, _) = await StartAsync();
        await store.CommitAsync([Submitted(job)], [], Ct);
        AssertSame(job, await store.JobAsync(new(1), Ct));
    }

    [Fact]
    public async Task Specs_and_keys_come_with_the_first_change_and_stay_through_the_others()
    {
        var (store, _) = await StartAsync();
        var key = new IdempotencyKey(UInt128.MaxValue - 5, -7);
        var spec = Encoding.UTF8.GetBytes("""  {"name": "é", "run": "sleep 1"}""");
        await store.CommitAsync([new Change.JobSet(NewJob(1), spec.AsMemory(2), key)], [], Ct);
        await store.CommitAsync([new Change.JobSet(Ended(NewJob(1)))], [], Ct);
        (store, var stored) = await RestartAsync(store);
        Assert.Equal(spec[2..], await store.SpecAsync(new(1), Ct));
        Assert.Equal([(key, new JobId(1))], stored.Keys);
    }

    [Fact]
    public async Task Old_keys_are_forgotten()
    {
        var (store, _) = await StartAsync();
        await store.CommitAsync(
            [.. Enumerable.Range(1, 4).Select(i => (Change)new Change.JobSet(NewJob(i) with { Submitted = Noon.AddHours(i) }, Spec, new(new(0, (ulong)i), i)))], [], Ct);
        Assert.Equal([3, 4], (await store.LoadAsync(Noon.AddHours(3), Ct)).Keys.Select(key => key.Job.Value));
        Assert.Equal([3, 4], (await store.LoadAsync(Noon, Ct)).Keys.Select(key => key.Job.Value));
    }

    [Fact]
    public async Task Of_several_changes_to_one_record_in_a_commit_the_last_is_kept()
    {
        var (store, _) = await StartAsync();
        var job = NewJob(1);
        var attempt = new AttemptRecord(new(job.Id, 1), ["local/a"], Noon);
        await store.CommitAsync(
            [
                Submitted(job), new Change.AttemptSet(attempt), new Change.JobSet(job with { Attempts = 1, State = new JobState.Queued(Noon.AddSeconds(1)) }),
                new Change.AttemptSet(attempt with { ExitCode = 3 }), new Change.JobSet(job = Ended(job)),
                new Change.PoolSet(new("local")), new Change.PoolSet(new("local", Nodes: 2)),
                new Change.SecretSet("a", Spec, Noon), new Change.SecretSet("a", null, Noon),
            ], [], Ct);
        (store, var stored) = await RestartAsync(store);
        AssertSame(job, await store.JobAsync(job.Id, Ct));
        Assert.Equal(Spec, await store.SpecAsync(job.Id, Ct));
        Assert.Equal(3, (await store.AttemptsAsync(job.Id, Ct)).Single().ExitCode);
        Assert.Equal([new Pool("local", Nodes: 2)], stored.Pools);
        Assert.Null(await store.SecretAsync("a", Ct));
    }

    [Fact]
    public async Task Attempts_are_kept_in_order_and_the_current_ones_of_live_jobs_are_loaded()
    {
        var (store, _) = await StartAsync();
        var first = new AttemptRecord(new(new(1), 1), ["local/a", "local/b"], Noon, Noon, Noon, 75, "asked for a restart", TimeSpan.FromSeconds(3.5), 1L << 33, "step-10");
        var second = new AttemptRecord(new(new(1), 2), ["local/c"], Noon.AddMinutes(1));
        var other = new AttemptRecord(new(new(2), 1), ["local/a"], Noon);
        await store.CommitAsync(
            [
                Submitted(NewJob(1) with { Attempts = 2 }), Submitted(Ended(NewJob(2)) with { Attempts = 1 }), Submitted(NewJob(3)),
                new Change.AttemptSet(second), new Change.AttemptSet(first), new Change.AttemptSet(other),
            ], [], Ct);
        (store, var stored) = await RestartAsync(store);
        Assert.Equal([second.Id], stored.LiveAttempts.Select(attempt => attempt.Id));
        Assert.Equivalent(new[] { first, second }, await store.AttemptsAsync(new(1), Ct), strict: true);
    }

    [Fact]
    public async Task Ended_jobs_are_listed_newest_first_in_pages_and_by_filter()
    {
        var (store, _) = await StartAsync();
        await store.CommitAsync([.. Enumerable.Range(1, 60).Select(i => Submitted(i % 5 == 0
            ? NewJob(i)
            : Ended(NewJob(i), i % 2 == 0 ? JobResult.Failed : JobResult.Succeeded) with { Project = i % 3 == 0 ? "vision" : "text", Owner = i > 30 ? "eve" : "bob" }))], [], Ct);
        Assert.Equal([59, 58, 57, 56, 54], await EndedAsync(long.MaxValue, EndedFilter.All));
        Assert.Equal([53, 52, 51, 49, 48], await EndedAsync(54, EndedFilter.All));
        Assert.Equal([3, 2, 1], await EndedAsync(4, EndedFilter.All));
        Assert.Equal([57, 54, 51, 48, 42], await EndedAsync(long.MaxValue, new(Project: "vision")));
        Assert.Equal([29, 28, 27, 26, 24], await EndedAsync(long.MaxValue, new(Owner: "bob")));
        Assert.Equal([58, 56, 54, 52, 48], await EndedAsync(long.MaxValue, new(Result: JobResult.Failed)));
        Assert.Equal([24, 18, 12, 6], await EndedAsync(long.MaxValue, new("vision", "bob", JobResult.Failed)));
        Assert.Empty(await EndedAsync(long.MaxValue, new(Project: "none")));

        async Task<List<long>> EndedAsync(long before, EndedFilter filter) =>
            [.. (await store.EndedAsync(new(before), 5, filter, Ct)).Select(job => job.Id.Value)];
    }

    [Fact]
    public async Task The_history_has_jobs_of_every_state_by_number_with_their_attempts_and_specs()
    {
        var (store, _) = await StartAsync();
        var told = new AttemptRecord(new(new(2), 1), ["local/a"], Noon, Noon, Noon.AddMinutes(2), Preempted: Noon.AddMinutes(1));
        var again = new AttemptRecord(new(new(2), 2), ["local/b"], Noon.AddMinutes(3));
        await store.CommitAsync(
            [
                Submitted(NewJob(1)), Submitted(NewJob(2) with { Attempts = 2 }), Submitted(Ended(NewJob(3)) with { Attempts = 1 }), Submitted(NewJob(4)),
                new Change.AttemptSet(again), new Change.AttemptSet(told), new Change.AttemptSet(new(new(new(3), 1), ["local/a"], Noon)),
            ], [], Ct);
        var page = await store.HistoryAsync(new(1), 2, Ct);
        Assert.Equal([2, 3], page.Select(j => j.Job.Id.Value));
        Assert.Equivalent(new[] { told, again }, page[0].Attempts, strict: true);
        Assert.Equal([1], page[1].Attempts.Select(a => a.Id.Number));
        Assert.All(page, j => Assert.Equal(Spec, j.Spec));
        Assert.Equal([4], (await store.HistoryAsync(new(3), 2, Ct)).Select(j => j.Job.Id.Value));
        Assert.Empty(await store.HistoryAsync(new(4), 2, Ct));
    }

    [Fact]
    public async Task The_feed_is_read_from_any_number_in_order()
    {
        var (store, _) = await StartAsync();
        var events = Enumerable.Range(1, 10).Select(i => i % 2 == 0
            ? new FeedEvent(i, Noon.AddTicks(i), "started", $"job {i} starts on 2×8 H100", new(i), "text")
            : new FeedEvent(i, Noon.AddTicks(i), "node-up", "local/a is up")).ToList();
        await store.CommitAsync([], events[..4], Ct);
        await store.CommitAsync([], events[4..], Ct);
        (store, var stored) = await RestartAsync(store);
        Assert.Equal(events, await store.EventsAsync(0, 100, Ct));
        Assert.Equal(events[3..6], await store.EventsAsync(3, 3, Ct));
        Assert.Empty(await store.EventsAsync(10, 100, Ct));
        Assert.Equal(10, stored.LastEvent);
    }

    [Fact]
    public async Task Secrets_are_kept_as_bytes_changed_and_removed()
    {
        var (store, _) = await StartAsync();
        byte[] secret = [0, 255, 1, 2];
        await store.CommitAsync([new Change.SecretSet("b", secret, Noon), new Change.SecretSet("a", secret, Noon)], [], Ct);
        await store.CommitAsync([new Change.SecretSet("b", new byte[] { 9 }, Noon.AddDays(1)), new Change.SecretSet("none", null, Noon)], [], Ct);
        Assert.Equal(secret, await store.SecretAsync("a", Ct));
        Assert.Equal([9], await store.SecretAsync("b", Ct));
        Assert.Equal([("a", Noon), ("b", Noon.AddDays(1))], await store.SecretsAsync(Ct));
        await store.CommitAsync([new Change.SecretSet("a", null, Noon)], [], Ct);
        Assert.Equal(["b"], (await store.SecretsAsync(Ct)).Select(s => s.Name));
    }

    [Fact]
    public async Task Pools_come_back_by_name()
    {
        var (store, _) = await StartAsync();
        Pool[] pools = [new("trial", "local", 4, "H100:8", 96, new(1L << 40)), new("local")];
        await store.CommitAsync([.. pools.Select(pool => new Change.PoolSet(pool))], [], Ct);
        (_, var stored) = await RestartAsync(store);
        Assert.Equal(pools.Reverse(), stored.Pools);
    }

    [Fact]
    public async Task Text_that_databases_do_not_like_harms_nothing()
    {
        const string Odd = "a\0b\uD800c \U0001F600 ' \" \\ \u0001 $1 {}";
        var (store, _) = await StartAsync();
        var job = NewJob(1) with { Name = Odd, Project = Odd, Owner = Odd, State = new JobState.Ended(JobResult.Failed, 1, Noon, null, Odd) };
        await store.CommitAsync([Submitted(job), new Change.SecretSet(Odd, Spec, Noon)], [new(1, Noon, "ended", Odd, job.Id, Odd)], Ct);
        Assert.Equal("a\0b\uFFFDc \U0001F600 ' \" \\ \u0001 $1 {}", (await store.JobAsync(job.Id, Ct))!.Name);
        Assert.Equal("a\uFFFDb\uFFFDc \U0001F600 ' \" \\ \u0001 $1 {}", (await store.EventsAsync(0, 1, Ct)).Single().Text);
        Assert.Single(await store.EndedAsync(new(9), 9, new(Odd, Odd), Ct));
        Assert.Equal(Spec, await store.SecretAsync(Odd, Ct));
    }

    [Fact]
    public async Task A_number_once_given_is_remembered_whatever_is_left_of_its_job()
    {
        var (store, _) = await StartAsync();
        await store.CommitAsync([Submitted(NewJob(7))], [new(3, Noon, "submitted", "")], Ct);
        await store.CommitAsync([Submitted(NewJob(5))], [], Ct);
        await ExecuteAsync("DELETE FROM jobs");
        await ExecuteAsync("DELETE FROM events");
        (_, var stored) = await RestartAsync(store);
        Assert.Equal((7, 3), (stored.LastJob, stored.LastEvent));
    }

    [Fact]
    public async Task A_commit_that_fails_leaves_nothing_and_the_store_goes_on_after_loading()
    {
        var (store, _) = await StartAsync();
        await store.CommitAsync([Submitted(NewJob(1))], [new(1, Noon, "submitted", "")], Ct);
        // Event 1 again: the whole commit is refused.
        await Assert.ThrowsAsync<StoreException>(() => store.CommitAsync([Submitted(NewJob(2)), new Change.PoolSet(new("new"))], [new(1, Noon, "submitted", "")], Ct));
        await Assert.ThrowsAsync<InvalidOperationException>(() => store.CommitAsync([Submitted(NewJob(2))], [], Ct));
        var stored = await store.LoadAsync(Noon, Ct);
        Assert.Equal([1], stored.LiveJobs.Select(job => job.Id.Value));
        Assert.Empty(stored.Pools);
        Assert.Equal((1, 1), (stored.LastJob, stored.LastEvent));
        await store.CommitAsync([Submitted(NewJob(2))], [new(2, Noon, "submitted", "")], Ct);
        Assert.NotNull(await store.JobAsync(new(2), Ct));
    }

    [Fact]
    public async Task A_job_number_is_not_taken_twice()
    {
        var (store, _) = await StartAsync();
        await store.CommitAsync([Submitted(NewJob(1))], [], Ct);
        await Assert.ThrowsAsync<StoreException>(() => store.CommitAsync([new Change.JobSet(NewJob(1), "{}"u8.ToArray())], [], Ct));
        Assert.Equal(Spec, await store.SpecAsync(new(1), Ct));
    }

    [Fact]
    public async Task Readers_see_whole_commits_while_the_writer_works()
    {
        var (store, _) = await StartAsync();
        using var done = CancellationTokenSource.CreateLinkedTokenSource(Ct);
        var readers = Enumerable.Range(0, 3).Select(_ => Task.Run(async () =>
        {
            while (!done.IsCancellationRequested)
            {
                var events = await store.EventsAsync(0, 1000, Ct);
                Assert.True(events.Count % 5 == 0, $"{events.Count} events are no whole number of commits");
                if (events.Count > 0) Assert.NotNull(await store.JobAsync(new(events.Count / 5), Ct));
            }
        }, Ct)).ToList();
        for (var i = 1; i <= 40; i++)
            await store.CommitAsync([Submitted(NewJob(i))], [.. Enumerable.Range(i * 5 - 4, 5).Select(seq => new FeedEvent(seq, Noon, "submitted", ""))], Ct);
        await done.CancelAsync();
        await Task.WhenAll(readers);
    }

    [Fact]
    public async Task A_large_commit_is_stored_whole()
    {
        var (store, _) = await StartAsync();
        await store.CommitAsync(
            [.. Enumerable.Range(1, 5000).Select(i => Submitted(NewJob(i)))],
            [.. Enumerable.Range(1, 5000).Select(i => new FeedEvent(i, Noon, "submitted", $"job {i}", new(i), "text"))], Ct);
        (_, var stored) = await RestartAsync(store);
        Assert.Equal(Enumerable.Range(1, 5000).Select(i => (long)i), stored.LiveJobs.Select(job => job.Id.Value));
        Assert.Equal(5000, stored.LastEvent);
        Assert.Same(stored.LiveJobs[0].Request, stored.LiveJobs[^1].Request);
    }

    [Fact]
    public async Task A_schema_of_a_newer_version_is_refused()
    {
        await (await OpenAsync()).DisposeAsync();
        await ExecuteAsync("INSERT INTO schema_version VALUES (999, 'later')");
        var e = await Assert.ThrowsAsync<StoreException>(OpenAsync);
        Assert.Contains("schema version 999", e.Message, StringComparison.Ordinal);
        Assert.Contains("Upgrade this pucesd", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_store_of_version_1_is_brought_up_to_date_with_what_it_holds()
    {
        _location ??= await NewLocationAsync();
        await MakeVersion1Async(_location);
        // Written as version 1 wrote it, with a member that it did not know.
        await ExecuteAsync("""
            INSERT INTO jobs VALUES (1, TRUE, 'running', 'text', 'ada', 17723664001234567, '{"id":1,"name":"train","project":"text","owner":"ada","priority":0,"request":{"gpus":[{"count":8,"name":"H100"}],"nodes":1,"milliCpus":0,"memory":0,"where":[]},"retry":{"count":0,"backoff":"00:00:10","restartCodes":[75]},"submitted":"2026-03-01T12:00:00+00:00","state":{"$type":"running","allocation":{"shares":[{"node":"local/a","devices":[0,1],"milliCpus":2000,"memory":1024}]},"since":"2026-03-01T12:00:00+00:00"},"attempts":1,"failures":0,"later":{"x":[1]}}');
            INSERT INTO jobs VALUES (2, FALSE, 'failed', 'text', 'ada', 17723664001234567, '{"id":2,"name":"eval","project":"text","owner":"ada","priority":0,"request":{"gpus":[],"nodes":1,"milliCpus":500,"memory":0,"where":[]},"retry":{"count":0,"backoff":"00:00:10","restartCodes":[75]},"submitted":"2026-03-01T12:00:00+00:00","state":{"$type":"ended","result":"Failed","exitCode":3,"at":"2026-03-01T12:00:00+00:00"},"attempts":0,"failures":1}');
            INSERT INTO attempts VALUES (1, 1, '{"id":"1-1","nodes":["local/a"],"decided":"2026-03-01T12:00:00+00:00"}');
            INSERT INTO pools VALUES ('local', '{"name":"local","provider":"local","nodes":1}');
            """);
        await ExecuteAsync("UPDATE numbers SET last_job = 2");
        var (store, stored) = await StartAsync();
        var job = Assert.Single(stored.LiveJobs);
        Assert.Equal("local/a [0,1]", job.State.Held!.ToString());
        Assert.Equal(new(new(1), 1), Assert.Single(stored.LiveAttempts).Id);
        Assert.Equal([new Pool("local")], stored.Pools);
        Assert.Equal(new JobState.Ended(JobResult.Failed, 3, Noon.AddTicks(-1234567)), Assert.Single(await store.EndedAsync(new(9), 9, new(Owner: "ada"), Ct)).State);
        await store.CommitAsync([new Change.JobSet(Ended(job)), Submitted(NewJob(stored.LastJob + 1))], [], Ct);
        Assert.Equal(2, (await store.EndedAsync(new(9), 9, new(Project: "text"), Ct)).Count);
    }

    /// <summary>Makes an empty store as the first version did.</summary>
    protected abstract Task MakeVersion1Async(string location);

    /// <summary>Runs SQL beside the store, as an operator might.</summary>
    protected abstract Task ExecuteAsync(string sql);

    protected static readonly byte[] Spec = """{"name":"train","run":{"script":"python train.py"}}"""u8.ToArray();

    protected static Change Submitted(Job job) => new Change.JobSet(job, Spec);

    protected static Job NewJob(long id) => new(
        new(id), "train-" + id.ToString(CultureInfo.InvariantCulture), "text", "ada", 0, new([new(8, "H100")], 1, 0, default, []), Retry.None, Noon, new JobState.Queued(Noon));

    protected static Job Ended(Job job, JobResult result = JobResult.Succeeded) =>
        job with { State = new JobState.Ended(result, result == JobResult.Succeeded ? 0 : 1, Noon, Noon) };

    /// <summary>Lists in records are compared by what is in them.</summary>
    protected static void AssertSame(Job expected, Job? actual)
    {
        Assert.NotNull(actual);
        Assert.Equivalent(expected, actual, strict: true);
        Assert.Equal(expected.State.GetType(), actual.State.GetType());
        Assert.Equal(expected.Request, actual.Request);
        Assert.Equal(expected.State.Held?.ToString(), actual.State.Held?.ToString());
    }
}
