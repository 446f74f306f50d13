using System.Diagnostics;
using Microsoft.Data.Sqlite;
using Puces.Core.Engine;
using Puces.Server.Store;
using Puces.Testing;
using Xunit;

namespace Puces.Tests.Store;

public sealed class SqliteStoreTests : StoreSuite
{
    private readonly string _folder = Directory.CreateTempSubdirectory("puces-store-").FullName;

    private string File => Path.Combine(_folder, "puces.db");

    protected override ValueTask<string> NewLocationAsync() => new("sqlite:" + File);

    protected override async Task MakeVersion1Async(string location)
    {
        await using var store = new SqliteStore(File);
        await store.MigrateAsync(1, Ct);
    }

    protected override async Task ExecuteAsync(string sql)
    {
        await using var connection = new SqliteConnection($"Data Source={File};Pooling=false");
        await connection.OpenAsync(Ct);
        await using var command = connection.CreateCommand();
        command.CommandText = sql;
        await command.ExecuteNonQueryAsync(Ct);
    }

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task Every_commit_is_synced()
    {
        var (store, _) = await StartAsync();
        Assert.Equal(("wal", "2"), (((SqliteStore)store).Pragma("journal_mode"), ((SqliteStore)store).Pragma("synchronous")));
    }

    [Fact]
    public async Task A_second_daemon_on_the_file_is_refused_and_told_which_process_has_it()
    {
        await StartAsync();
        var e = await Assert.ThrowsAsync<StoreException>(OpenAsync);
        Assert.Contains($"in use by process {Environment.ProcessId}", e.Message, StringComparison.Ordinal);
        await using var second = Stores.Open(File);
        await Assert.ThrowsAsync<StoreException>(() => second.LeadAsync(Ct));
    }

    [Fact]
    public async Task A_link_to_the_file_leads_to_the_same_lock()
    {
        await StartAsync();
        var link = Path.Combine(_folder, "link.db");
        System.IO.File.CreateSymbolicLink(link, File);
        await using var second = Stores.Open(link);
        await Assert.ThrowsAsync<StoreException>(() => second.LeadAsync(Ct));
    }

    [Fact]
    public async Task What_was_acknowledged_is_on_disk_whatever_moment_the_process_dies_at()
    {
        var (store, _) = await StartAsync();
        for (var i = 1; i <= 20; i++)
        {
            await store.CommitAsync([Submitted(NewJob(i))], [new(i, Noon, "submitted", "", new(i))], Ct);
            var stored = await LoadCopyAsync($"copy{i}", long.MaxValue);
            Assert.Equal((i, i, i), (stored.LiveJobs.Count, stored.LastJob, stored.LastEvent));
        }
    }

    [Fact]
    public async Task A_daemon_killed_at_any_moment_loses_nothing_acknowledged_and_gives_no_number_again()
    {
        await (await OpenAsync()).DisposeAsync();
        await using var killed = new KilledStores(File);
        for (var round = 0; round < 5; round++)
        {
            await killed.RunAndKillAsync(TimeSpan.FromMilliseconds(50 + 41 * round), Ct);
            await using var store = Stores.Open(File);
            await store.MigrateAsync(Ct);
            await store.LeadAsync(Ct);
            await killed.AssertWholeAsync(store, Ct);
        }
    }

    [Fact]
    public async Task A_commit_cut_off_in_the_middle_of_its_write_is_there_whole_or_not_at_all()
    {
        var (store, _) = await StartAsync();
        await store.CommitAsync([.. Enumerable.Range(1, 50).Select(i => Submitted(NewJob(i)))], [new(1, Noon, "submitted", "")], Ct);
        var before = new FileInfo(File + "-wal").Length;
        await store.CommitAsync([.. Enumerable.Range(51, 50).Select(i => Submitted(NewJob(i)))], [new(2, Noon, "submitted", "")], Ct);
        var after = new FileInfo(File + "-wal").Length;
        Assert.True(after > before);
        var luck = new Random(7);
        for (var i = 0; i < 60; i++)
        {
            var cut = i == 0 ? after : luck.NextInt64(before, after);
            var stored = await LoadCopyAsync($"cut{i}", cut);
            Assert.Equal(cut == after ? (100, 100, 2) : (50, 50, 1), (stored.LiveJobs.Count, stored.LastJob, stored.LastEvent));
        }
    }

    [Fact]
    public async Task A_backup_taken_at_work_opens_as_a_store_of_its_own()
    {
        var (store, _) = await StartAsync();
        await store.CommitAsync([Submitted(NewJob(1)), new Change.PoolSet(new("local"))], [], Ct);
        var backup = Path.Combine(_folder, "backup.db");
        await ((SqliteStore)store).BackupAsync(backup, Ct);
        await store.CommitAsync([Submitted(NewJob(2))], [], Ct);
        await using var copy = Stores.Open(backup);
        await copy.MigrateAsync(Ct);
        await copy.LeadAsync(Ct);
        var stored = await copy.LoadAsync(Noon, Ct);
        AssertSame(NewJob(1), Assert.Single(stored.LiveJobs));
        await copy.CommitAsync([Submitted(NewJob(2))], [], Ct);
        var e = await Assert.ThrowsAsync<StoreException>(() => ((SqliteStore)store).BackupAsync(File, Ct));
        Assert.Contains("there already", e.Message, StringComparison.Ordinal);
        if (!OperatingSystem.IsWindows()) Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, System.IO.File.GetUnixFileMode(backup));
    }

    [Fact]
    public async Task A_file_that_is_no_database_is_refused_with_what_to_do()
    {
        await System.IO.File.WriteAllTextAsync(File, new string('x', 8192), Ct);
        var e = await Assert.ThrowsAsync<StoreException>(OpenAsync);
        Assert.Contains("put the last backup in its place", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_place_that_cannot_be_written_is_refused_with_what_to_do()
    {
        await using var store = Stores.Open("/proc/none/puces.db");
        var e = await Assert.ThrowsAsync<StoreException>(() => store.MigrateAsync(Ct));
        Assert.Contains("must be writable", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_full_disk_refuses_the_commit_keeps_what_was_acknowledged_and_goes_on_when_there_is_room()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "only root may mount a small file system");
        var mount = Directory.CreateDirectory(Path.Combine(_folder, "small")).FullName;
        using (var process = Process.Start("mount", ["-t", "tmpfs", "-o", "size=2m", "tmpfs", mount]))
        {
            await process.WaitForExitAsync(Ct);
            Assert.SkipUnless(process.ExitCode == 0, "this machine does not let its root mount a file system");
        }
        try
        {
            await using (var store = Stores.Open(Path.Combine(mount, "puces.db")))
            {
                await store.MigrateAsync(Ct);
                await store.LeadAsync(Ct);
                await store.LoadAsync(Noon, Ct);
                var ballast = Path.Combine(mount, "ballast");
                await System.IO.File.WriteAllBytesAsync(ballast, new byte[1 << 20], Ct);
                var acknowledged = 0;
                var e = await Assert.ThrowsAsync<StoreException>(async () =>
                {
                    for (; ; acknowledged++) await store.CommitAsync([Submitted(NewJob(acknowledged + 1))], [new(acknowledged + 1, Noon, "submitted", "")], Ct);
                });
                Assert.Contains("disk", e.Message, StringComparison.Ordinal);
                Assert.True(acknowledged > 0);
                System.IO.File.Delete(ballast);
                var stored = await store.LoadAsync(Noon, Ct);
                Assert.Equal(acknowledged, stored.LiveJobs.Count);
                Assert.Equal((acknowledged, acknowledged), (stored.LastJob, stored.LastEvent));
                await store.CommitAsync([Submitted(NewJob(acknowledged + 1))], [new(acknowledged + 1, Noon, "submitted", "")], Ct);
            }
        }
        finally
        {
            using var process = Process.Start("umount", [mount]);
            await process.WaitForExitAsync(Ct);
        }
    }

    [Fact]
    public async Task History_is_listed_by_index_and_never_by_passing_over_live_jobs()
    {
        await StartAsync();
        await using var connection = new SqliteConnection($"Data Source={File};Pooling=false");
        await connection.OpenAsync(Ct);
        foreach (var filter in (string[])["", " AND project = 'a'", " AND owner = 'a'", " AND state = 'failed'"])
        {
            await using var command = connection.CreateCommand();
            command.CommandText = $"EXPLAIN QUERY PLAN SELECT record FROM jobs WHERE live = FALSE AND id < 9{filter} ORDER BY id DESC LIMIT 5";
            await using var reader = await command.ExecuteReaderAsync(Ct);
            Assert.True(await reader.ReadAsync(Ct));
            Assert.Contains(" INDEX jobs_", reader.GetString(3), StringComparison.Ordinal);
            Assert.False(await reader.ReadAsync(Ct), "no sorting");
        }
    }

    /// <summary>What a new daemon finds in the files as they are on the disk now, the log cut at some length.</summary>
    private async Task<Stored> LoadCopyAsync(string name, long cut)
    {
        var copy = Path.Combine(_folder, name + ".db");
        System.IO.File.Copy(File, copy);
        var log = await ReadAsync(File + "-wal");
        await System.IO.File.WriteAllBytesAsync(copy + "-wal", log[..(int)Math.Min(cut, log.Length)], Ct);
        await using var store = Stores.Open(copy);
        await store.MigrateAsync(Ct);
        await store.LeadAsync(Ct);
        return await store.LoadAsync(Noon, Ct);

        static async Task<byte[]> ReadAsync(string file)
        {
            await using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
            var bytes = new byte[stream.Length];
            await stream.ReadExactlyAsync(bytes, Ct);
            return bytes;
        }
    }
}
