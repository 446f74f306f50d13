using System.Diagnostics;
using System.Globalization;
using Npgsql;
using Puces.Core.Engine;
using Puces.Server.Store;
using Puces.Testing;
using Xunit;

[assembly: AssemblyFixture(typeof(PostgresServer))]

namespace Puces.Tests.Store;

public sealed class PostgresStoreTests(PostgresServer server) : StoreSuite
{
    private string _address = "";

    protected override async ValueTask<string> NewLocationAsync() => _address = await server.NewDatabaseAsync(Ct);

    protected override async Task MakeVersion1Async(string location)
    {
        await using var store = new PostgresStore(new(location));
        await store.MigrateAsync(1, Ct);
    }

    protected override async Task ExecuteAsync(string sql) => await ScalarAsync(sql);

    [Fact]
    public async Task One_leads_and_the_other_waits_and_takes_over_when_the_first_ends()
    {
        var (first, _) = await StartAsync();
        var second = await OpenAsync();
        var leading = second.LeadAsync(Ct);
        await first.CommitAsync([Submitted(NewJob(1))], [], Ct);
        Assert.NotNull(await second.JobAsync(new(1), Ct));
        Assert.False(leading.IsCompleted);
        Assert.False(first.Deposed.IsCancellationRequested);
        await first.DisposeAsync();
        await leading.WaitAsync(TimeSpan.FromSeconds(5), Ct);
        Assert.Equal(1, (await second.LoadAsync(Noon, Ct)).LastJob);
        await second.CommitAsync([Submitted(NewJob(2))], [], Ct);
    }

    [Fact]
    public async Task A_leader_that_is_killed_is_followed_within_15_seconds_and_nothing_acknowledged_is_lost()
    {
        var second = await OpenAsync();
        await using var killed = new KilledStores(_address);
        Task? leading = null;
        var since = new Stopwatch();
        await killed.RunAndKillAsync(TimeSpan.FromMilliseconds(150), Ct, whileItLeads: () => leading = second.LeadAsync(Ct), onKill: () =>
        {
            Assert.False(leading!.IsCompleted);
            since.Start();
        });
        await leading!.WaitAsync(TimeSpan.FromSeconds(15), Ct);
        TestContext.Current.TestOutputHelper!.WriteLine($"taken over after {since.ElapsedMilliseconds} ms");
        await killed.AssertWholeAsync(second, Ct);
    }

    [Fact]
    public async Task Who_waits_for_the_lead_can_give_up()
    {
        var (first, _) = await StartAsync();
        var second = await OpenAsync();
        using var patience = new CancellationTokenSource(TimeSpan.FromMilliseconds(200));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => second.LeadAsync(patience.Token));
        await first.CommitAsync([Submitted(NewJob(1))], [], Ct);
        await first.DisposeAsync();
        await second.LeadAsync(Ct);
    }

    [Fact]
    public async Task A_leader_whose_lock_connection_is_gone_learns_it_and_the_other_takes_over()
    {
        var (first, _) = await StartAsync();
        var second = await OpenAsync();
        var leading = second.LeadAsync(Ct);
        var since = Stopwatch.StartNew();
        var deposed = first.Deposed;
        await ScalarAsync($"SELECT pg_terminate_backend({((PostgresStore)first).LockProcess})");
        await leading.WaitAsync(TimeSpan.FromSeconds(15), Ct);
        while (!deposed.IsCancellationRequested && since.Elapsed < TimeSpan.FromSeconds(15)) await Task.Delay(10, Ct);
        Assert.True(deposed.IsCancellationRequested);
        var e = await Assert.ThrowsAsync<StoreException>(() => first.CommitAsync([Submitted(NewJob(1))], [], Ct));
        Assert.Contains("leadership is gone", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_deposed_leader_that_does_not_know_it_can_write_nothing()
    {
        var (first, _) = await StartAsync();
        await first.CommitAsync([Submitted(NewJob(1))], [], Ct);
        // As if another led: its epoch is newer, though this one's connections all stand.
        await ScalarAsync("UPDATE numbers SET epoch = epoch + 1");
        var e = await Assert.ThrowsAsync<StoreException>(() => first.CommitAsync([Submitted(NewJob(2))], [new(1, Noon, "submitted", "")], Ct));
        Assert.True(e.IsFenced, e.Message);
        Assert.Null(await first.JobAsync(new(2), Ct));
        Assert.Empty(await first.EventsAsync(0, 9, Ct));
        Assert.Equal(1L, await ScalarAsync("SELECT last_job FROM numbers"));
    }

    [Fact]
    public async Task Two_daemons_may_make_the_schema_at_once()
    {
        await NewLocationAsync();
        var stores = Enumerable.Range(0, 4).Select(_ => Stores.Open(_address)).ToList();
        await Task.WhenAll(stores.Select(store => store.MigrateAsync(Ct)));
        foreach (var store in stores) await store.DisposeAsync();
    }

    [Fact]
    public async Task The_search_path_names_the_schema_and_two_schemas_share_a_database()
    {
        var (first, _) = await StartAsync();
        await using var second = Stores.Open(_address + ";Search Path=other");
        await second.MigrateAsync(Ct);
        await second.LeadAsync(Ct);
        Assert.Equal(0, (await second.LoadAsync(Noon, Ct)).LastJob);
        await first.CommitAsync([Submitted(NewJob(1))], [], Ct);
        await second.CommitAsync([Submitted(NewJob(1))], [], Ct);
        Assert.Equal(1L, await ScalarAsync("SELECT count(*) FROM other.jobs"));
        Assert.Contains("schema puces", first.Description, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_server_restarted_under_load_loses_nothing_acknowledged_and_leaves_nothing_half()
    {
        await using var own = new PostgresServer();
        var address = await own.NewDatabaseAsync(Ct);
        long acknowledged = 0;
        for (var round = 0; round < 3; round++)
        {
            await using var store = Stores.Open(address);
            await store.MigrateAsync(Ct);
            await store.LeadAsync(Ct);
            var stored = await store.LoadAsync(Noon, Ct);
            Assert.True(stored.LastJob >= acknowledged, $"{acknowledged} were acknowledged, {stored.LastJob} are stored");
            Assert.True(stored.LastJob - acknowledged is 0 or 10, "one commit at most was on its way, and is whole or not there");
            Assert.Equal(stored.LastJob, stored.LiveJobs.Count);
            Assert.Equal(stored.LastJob, stored.LastEvent);
            Assert.Equal(stored.LastJob, (await store.EventsAsync(0, int.MaxValue, Ct)).Count);
            Assert.NotNull(await store.SpecAsync(new(Math.Max(1, stored.LastJob)), Ct) ?? (stored.LastJob == 0 ? Spec : null));
            acknowledged = stored.LastJob;
            var deposed = store.Deposed;
            var load = Assert.ThrowsAsync<StoreException>(async () =>
            {
                while (true)
                {
                    var ids = Enumerable.Range((int)acknowledged + 1, 10).ToList();
                    await store.CommitAsync([.. ids.Select(i => Submitted(NewJob(i)))], [.. ids.Select(i => new FeedEvent(i, Noon, "submitted", "", new(i)))], Ct);
                    acknowledged += 10;
                }
            });
            await Task.Delay(200 + round * 37, Ct);
            await own.CrashAndRestartAsync(Ct);
            Assert.False((await load).IsFenced);
            while (!deposed.IsCancellationRequested) await Task.Delay(10, Ct);
        }
        Assert.True(acknowledged > 0);
    }

    [Fact]
    public async Task What_is_wrong_with_the_place_is_said_with_what_to_do_and_without_the_password()
    {
        await NewLocationAsync();
        var port = new NpgsqlConnectionStringBuilder(_address).Port.ToString(CultureInfo.InvariantCulture);
        foreach (var (address, words) in ((string, string)[])
        [
            ("postgres://ada:hush@127.0.0.1:1/none", "Start it, or correct the address"),
            ($"postgres://postgres:hush@127.0.0.1:{port}/none", "createdb none"),
            ($"postgres://nobody:hush@127.0.0.1:{port}/postgres", "refuses the user"),
        ])
        {
            await using var store = Stores.Open(address);
            var e = await Assert.ThrowsAsync<StoreException>(() => store.MigrateAsync(Ct));
            Assert.Contains(words, e.Message, StringComparison.Ordinal);
            Assert.DoesNotContain("hush", e.Message, StringComparison.Ordinal);
        }
    }

    private async Task<object?> ScalarAsync(string sql)
    {
        await using var connection = new NpgsqlConnection(_address + ";Pooling=false;Search Path=puces");
        await connection.OpenAsync(Ct);
        await using var command = new NpgsqlCommand(sql, connection);
        return await command.ExecuteScalarAsync(Ct);
    }
}
