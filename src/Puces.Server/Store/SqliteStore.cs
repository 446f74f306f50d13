using System.Collections.Concurrent;
using System.Data.Common;
using System.Globalization;
using Microsoft.Data.Sqlite;
using Puces.Core.Engine;

namespace Puces.Server.Store;

/// <summary>
/// One file beside the daemon: the embedded default. Committed means synced. The daemon that holds the lock on
/// <c>FILE.lock</c> is the only one at work on the file; <c>FILE.pid</c> says which that is.
/// </summary>
internal sealed class SqliteStore(string file) : SqlStore
{
    private const int IdleReaders = 4;
    private readonly string _path = Resolve(file);
    private readonly ConcurrentBag<SqliteConnection> _readers = [];
    private FileStream? _lock;
    private SqliteConnection? _connection;
    private SqliteWriter? _writer;
    private bool _isLoaded;

    public override string Description => $"SQLite {Version()} in {_path}";

    /// <summary>Never: the lock is held until the process or the store ends.</summary>
    public override CancellationToken Deposed => CancellationToken.None;

    protected override IReadOnlyList<string> Migrations => SqliteSchema.Migrations;

    public override Task MigrateAsync(CancellationToken ct) => MigrateAsync(Migrations.Count, ct);

    /// <summary>The lock is taken first: a schema does not change under a daemon at work.</summary>
    internal async Task MigrateAsync(int version, CancellationToken ct)
    {
        try
        {
            await MigrateAsync(Write(), version, ct);
        }
        catch (Exception e)
        {
            await CloseWriterAsync();
            if (e is SqliteException or IOException or UnauthorizedAccessException) throw Failure(e);
            throw;
        }
    }

    public override Task LeadAsync(CancellationToken ct)
    {
        ct.ThrowIfCancellationRequested();
        try
        {
            TakeLock();
            return Task.CompletedTask;
        }
        catch (Exception e) when (e is IOException or StoreException or UnauthorizedAccessException)
        {
            return Task.FromException(e is StoreException ? e : Failure(e));
        }
    }

    public override async Task<Stored> LoadAsync(DateTimeOffset keysSince, CancellationToken ct)
    {
        if (_lock is null) return await base.LoadAsync(keysSince, ct);
        try
        {
            await PruneKeysAsync(Write(), keysSince, ct);
        }
        catch (Exception e) when (e is SqliteException or IOException or UnauthorizedAccessException)
        {
            throw Failure(e);
        }
        var stored = await base.LoadAsync(keysSince, ct);
        _isLoaded = true;
        return stored;
    }

    /// <summary>Writes and syncs on the caller's thread: there is nothing else for the one writer to do meanwhile.</summary>
    public override Task CommitAsync(IReadOnlyList<Change> changes, IReadOnlyList<FeedEvent> events, CancellationToken ct)
    {
        if (_lock is null) throw new InvalidOperationException("only a leader commits: call LeadAsync first");
        if (!_isLoaded) throw new InvalidOperationException("what is stored is unknown: call LoadAsync first");
        if (ct.IsCancellationRequested) return Task.FromCanceled(ct);
        try
        {
            (_writer ??= new(Write())).Commit(changes, events);
            return Task.CompletedTask;
        }
        catch (Exception e)
        {
            _isLoaded = false;
            return Task.FromException(e is SqliteException or IOException or UnauthorizedAccessException ? Failure(e) : e);
        }
    }

    /// <summary>A whole and compact copy of the file as it is at this moment, while the daemon works on.</summary>
    /// <param name="path">A file that does not exist yet.</param>
    public async Task BackupAsync(string path, CancellationToken ct)
    {
        if (File.Exists(path)) throw new StoreException($"{path} is there already. Name a new file for the backup.");
        var part = path + ".part";
        try
        {
            File.Delete(part);
            Create(part);
            await using var connection = await OpenAsync(SqliteOpenMode.ReadOnly, ct);
            await using var command = connection.CreateCommand();
            command.CommandText = "VACUUM INTO $1";
            command.CommandTimeout = 0;
            command.Parameters.AddWithValue("$1", part);
            await command.ExecuteNonQueryAsync(ct);
            await using (var written = new FileStream(part, FileMode.Open, FileAccess.ReadWrite)) written.Flush(flushToDisk: true);
            File.Move(part, path, overwrite: false);
        }
        catch (Exception e) when (e is SqliteException or IOException or UnauthorizedAccessException or UnauthorizedAccessException)
        {
            File.Delete(part);
            throw new StoreException($"The backup to {path} failed: {e.Message}", e);
        }
    }

    /// <summary>A setting of the connection that writes.</summary>
    internal string Pragma(string name)
    {
        using var command = Write().CreateCommand();
        command.CommandText = $"PRAGMA {name}";
        return Convert.ToString(command.ExecuteScalar(), CultureInfo.InvariantCulture)!;
    }

    public override async ValueTask DisposeAsync()
    {
        while (_readers.TryTake(out var reader)) await reader.DisposeAsync();
        await CloseWriterAsync();
        _lock?.Dispose();
        _lock = null;
    }

    protected override string BeginSnapshot => "BEGIN";

    protected override string ParameterName(int number) => "$" + number.ToString(CultureInfo.InvariantCulture);

    protected override async ValueTask<DbConnection> RentAsync(CancellationToken ct) =>
        _readers.TryTake(out var reader) ? reader : await OpenAsync(SqliteOpenMode.ReadOnly, ct);

    protected override async ValueTask ReturnAsync(DbConnection connection)
    {
        if (_readers.Count < IdleReaders) _readers.Add((SqliteConnection)connection);
        else await connection.DisposeAsync();
    }

    protected override StoreException Failure(Exception cause) => new(cause is SqliteException e
        ? e.SqliteErrorCode switch
        {
            5 or 6 => $"{_path} is locked by another program. Close what has it open (a sqlite3 shell, a backup) and start again.",
            8 => $"{_path} cannot be written: it, its folder or its file system is read-only. Make it writable for this user.",
            10 => $"Reading or writing {_path} failed ({e.Message}). Look at the disk and the system's log before starting again.",
            11 or 26 => $"{_path} is damaged or no SQLite file. Move it away and put the last backup in its place.",
            13 => $"The disk of {_path} is full. Make room and start again: nothing that was acknowledged is lost.",
            14 => $"{_path} cannot be opened. Check that its folder exists and that this user may write there.",
            _ => $"{_path}: {e.Message}",
        }
        : $"{_path}: {cause.Message}", cause);

    private SqliteConnection Write()
    {
        TakeLock();
        if (_connection is not null) return _connection;
        Create(_path);
        var connection = Open(SqliteOpenMode.ReadWrite);
        try
        {
            // A larger log between checkpoints: a checkpoint costs two syncs and scattered writes.
            Run(connection, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4000");
            Run(connection, "PRAGMA journal_size_limit = 67108864; PRAGMA cache_size = -16384; PRAGMA temp_store = MEMORY");
        }
        catch
        {
            connection.Dispose();
            throw;
        }
        return _connection = connection;
    }

    private SqliteConnection Open(SqliteOpenMode mode)
    {
        var connection = new SqliteConnection(new SqliteConnectionStringBuilder
        {
            DataSource = _path,
            Mode = mode,
            Pooling = false,
            DefaultTimeout = 10,
        }.ToString());
        try
        {
            connection.Open();
            Run(connection, "PRAGMA busy_timeout = 10000; PRAGMA foreign_keys = OFF");
            return connection;
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    private ValueTask<SqliteConnection> OpenAsync(SqliteOpenMode mode, CancellationToken ct)
    {
        ct.ThrowIfCancellationRequested();
        return ValueTask.FromResult(Open(mode));
    }

    private void TakeLock()
    {
        if (_lock is not null) return;
        var pid = _path + ".pid";
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(_path)!);
            // Not to share means flock(LOCK_EX) here; the kernel gives it back when the process is gone, however it went.
            _lock = new FileStream(_path + ".lock", FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            File.WriteAllText(pid, string.Create(CultureInfo.InvariantCulture, $"{Environment.ProcessId}\n"));
        }
        catch (IOException e) when (_lock is null && File.Exists(_path + ".lock"))
        {
            var holder = File.Exists(pid) ? "process " + File.ReadAllText(pid).Trim() : "another process";
            throw new StoreException($"{_path} is in use by {holder}. Stop that pucesd first, or give this one another file.", e, isFenced: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            _lock?.Dispose();
            _lock = null;
            throw new StoreException($"{_path} cannot be locked: {e.Message} Its folder must be writable for this user and have room.", e);
        }
    }

    private async ValueTask CloseWriterAsync()
    {
        _writer?.Dispose();
        _writer = null;
        if (_connection is not null) await _connection.DisposeAsync();
        _connection = null;
        _isLoaded = false;
    }

    /// <summary>Readable by its owner only; SQLite gives the files beside it the same mode.</summary>
    private static void Create(string path)
    {
        if (File.Exists(path)) return;
        var options = new FileStreamOptions { Mode = FileMode.OpenOrCreate, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows()) options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        using var _ = new FileStream(path, options);
    }

    /// <summary>One file has one lock, whatever link it is reached through.</summary>
    private static string Resolve(string file)
    {
        var path = Path.GetFullPath(file);
        return File.Exists(path) ? File.ResolveLinkTarget(path, returnFinalTarget: true)?.FullName ?? path : path;
    }

    private static string Version()
    {
        using var connection = new SqliteConnection();
        return connection.ServerVersion;
    }

    private static void Run(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }
}
