using System.Data.Common;
using System.Net.Sockets;
using Npgsql;
using Puces.Core.Engine;

namespace Puces.Server.Store;

/// <summary>
/// A PostgreSQL database that several daemons share: one leads, under an advisory lock that the server takes back when
/// the daemon's connection is gone; the others read, and wait for it. Each leader has an epoch, and each commit checks it.
/// </summary>
internal sealed class PostgresStore : SqlStore
{
    public const string DefaultSchema = "puces";

    private readonly NpgsqlConnectionStringBuilder _settings;
    private readonly string _schema;
    private readonly NpgsqlDataSource _source;
    private CancellationTokenSource _deposed = new();
    private NpgsqlConnection? _lock;
    private Task _watch = Task.CompletedTask;
    private NpgsqlConnection? _connection;
    private PostgresWriter? _writer;
    private string _version = "";
    private long _epoch;
    private bool _isLoaded;

    public PostgresStore(NpgsqlConnectionStringBuilder settings)
    {
        _settings = new(settings.ConnectionString) { ApplicationName = settings.ApplicationName ?? "pucesd", IncludeErrorDetail = false };
        if (string.IsNullOrWhiteSpace(_settings.SearchPath)) _settings.SearchPath = DefaultSchema;
        _schema = _settings.SearchPath.Split(',')[0].Trim().Trim('"');
        // A peer that vanished without a word is noticed by both sides in about ten seconds.
        _settings.TcpKeepAlive = true;
        _settings.TcpKeepAliveTime = 5;
        _settings.TcpKeepAliveInterval = 2;
        _settings.MaxAutoPrepare = Math.Max(_settings.MaxAutoPrepare, 32);
        _settings.AutoPrepareMinUsages = 2;
        _source = NpgsqlDataSource.Create(_settings);
    }

    public override string Description =>
        $"PostgreSQL{_version} at {_settings.Host}{(_settings.Host?.StartsWith('/') == true ? "" : $":{_settings.Port}")}/{_settings.Database}, schema {_schema}";

    public override CancellationToken Deposed => _deposed.Token;

    /// <summary>The server process that holds the lock for this daemon; zero if none does.</summary>
    internal int LockProcess => _lock?.ProcessID ?? 0;

    protected override IReadOnlyList<string> Migrations => PostgresSchema.Migrations;

    protected override string BeginSnapshot => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

    public override Task MigrateAsync(CancellationToken ct) => MigrateAsync(Migrations.Count, ct);

    internal async Task MigrateAsync(int version, CancellationToken ct)
    {
        try
        {
            await using var connection = await ConnectAsync(ct);
            _version = " " + connection.PostgreSqlVersion.ToString(2);
            await RunAsync(connection, "SET client_min_messages = warning", ct);
            await RunAsync(connection, $"SELECT pg_advisory_lock({Key("migrate")})", ct);
            if (await ScalarAsync(connection, "SELECT current_schema()", ct) is not string)
                await RunAsync(connection, $"CREATE SCHEMA \"{_schema.Replace("\"", "\"\"", StringComparison.Ordinal)}\"", ct);
            await MigrateAsync(connection, version, ct);
        }
        catch (Exception e) when (IsOutside(e))
        {
            throw Failure(e);
        }
    }

    public override async Task LeadAsync(CancellationToken ct)
    {
        if (_lock is not null && !Deposed.IsCancellationRequested && _isLoaded) return;
        await ResignAsync();
        try
        {
            _lock = await ConnectAsync(ct);
            await using (var wait = new NpgsqlCommand($"SELECT pg_advisory_lock({Key("lead")})", _lock) { CommandTimeout = 0 })
                await wait.ExecuteNonQueryAsync(ct);
            _connection = await ConnectAsync(ct);
            _epoch = (long)(await ScalarAsync(_connection, "UPDATE numbers SET epoch = epoch + 1 RETURNING epoch", ct))!;
            _writer = new(_connection, _epoch);
            _deposed = new();
            _watch = WatchAsync(_lock, _deposed);
        }
        catch (Exception e)
        {
            await ResignAsync();
            if (IsOutside(e)) throw Failure(e);
            throw;
        }
    }

    public override async Task<Stored> LoadAsync(DateTimeOffset keysSince, CancellationToken ct)
    {
        if (_writer is null) return await base.LoadAsync(keysSince, ct);
        try
        {
            await PruneKeysAsync(_connection!, keysSince, ct);
        }
        catch (Exception e) when (IsOutside(e))
        {
            throw Failure(e);
        }
        var stored = await base.LoadAsync(keysSince, ct);
        _isLoaded = true;
        return stored;
    }

    public override async Task CommitAsync(IReadOnlyList<Change> changes, IReadOnlyList<FeedEvent> events, CancellationToken ct)
    {
        if (_writer is null) throw new InvalidOperationException("only a leader commits: call LeadAsync first");
        if (!_isLoaded) throw new InvalidOperationException("what is stored is unknown: call LoadAsync first");
        if (Deposed.IsCancellationRequested)
            throw new StoreException($"{Description}: the connection that holds the leadership is gone. Lead and load again.");
        try
        {
            await _writer.CommitAsync(changes, events, ct);
        }
        catch (Exception e)
        {
            _isLoaded = false;
            if (IsOutside(e)) throw Failure(e);
            throw;
        }
    }

    public override async ValueTask DisposeAsync()
    {
        await ResignAsync();
        await _source.DisposeAsync();
    }

    protected override string ParameterName(int number) => "";

    protected override async ValueTask<DbConnection> RentAsync(CancellationToken ct) => await _source.OpenConnectionAsync(ct);

    protected override ValueTask ReturnAsync(DbConnection connection) => connection.DisposeAsync();

    protected override StoreException Failure(Exception cause)
    {
        var message = cause switch
        {
            PostgresException { SqlState: PostgresSchema.Fenced } => "another pucesd has taken the lead; this one's change was refused.",
            PostgresException { SqlState: "28P01" or "28000" } e => $"the server refuses the user or the password ({e.MessageText}).",
            PostgresException { SqlState: "3D000" } => $"there is no such database. Create it: createdb {_settings.Database}",
            PostgresException { SqlState: "42501" } e => $"the user lacks a right ({e.MessageText}). GRANT CREATE ON DATABASE, or make the schema for it.",
            PostgresException { SqlState: "42P01" or "3F000" } e => $"the tables are not there ({e.MessageText}). Migrate first.",
            PostgresException { SqlState: "25006" } => "the server is read-only, a standby perhaps. Name the primary.",
            PostgresException { SqlState: "53100" } => "the server's disk is full. Make room: nothing that was acknowledged is lost.",
            PostgresException { SqlState: "53300" } => "the server has no connection left. Raise max_connections or close others.",
            PostgresException { SqlState: "57P01" or "57P02" or "57P03" } e => $"the server stops or starts ({e.MessageText}). Try again.",
            PostgresException e => $"{e.MessageText} ({e.SqlState})",
            { InnerException: TimeoutException } or TimeoutException => "the server does not answer. Look at its load and its locks.",
            { InnerException: SocketException e } => $"the server cannot be reached ({e.Message}). Start it, or correct the address.",
            _ => $"the connection failed ({cause.Message}).",
        };
        return new($"{Description}: {message}", cause, isFenced: cause is PostgresException { SqlState: PostgresSchema.Fenced });
    }

    private static bool IsOutside(Exception e) => e is NpgsqlException or IOException or TimeoutException or SocketException;

    /// <summary>A connection of its own, outside the pool, on which the server too looks whether we are still there.</summary>
    private async Task<NpgsqlConnection> ConnectAsync(CancellationToken ct)
    {
        var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(_settings.ConnectionString) { Pooling = false, KeepAlive = 5 }.ToString());
        try
        {
            await connection.OpenAsync(ct);
            await RunAsync(connection, """
                SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 3;
                SET idle_in_transaction_session_timeout = '10s'; SET statement_timeout = 0; SET lock_timeout = 0;
                SELECT set_config('tcp_user_timeout', '10000', false) WHERE current_setting('server_version_num')::int >= 120000;
                SELECT set_config('client_connection_check_interval', '5000', false) WHERE current_setting('server_version_num')::int >= 140000;
                SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'
                """, ct);
            return connection;
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    /// <summary>Waits on the connection that holds the lock; it ends only when that connection does.</summary>
    private static async Task WatchAsync(NpgsqlConnection connection, CancellationTokenSource deposed)
    {
        try
        {
            while (true) await connection.WaitAsync(deposed.Token);
        }
        catch (Exception e) when (IsOutside(e) || e is OperationCanceledException or ObjectDisposedException or InvalidOperationException)
        {
            await deposed.CancelAsync();
        }
    }

    private async Task ResignAsync()
    {
        await _deposed.CancelAsync();
        await _watch;
        if (_connection is not null) await _connection.DisposeAsync();
        if (_lock is not null) await _lock.DisposeAsync();
        _connection = _lock = null;
        _writer = null;
        _isLoaded = false;
    }

    /// <summary>Advisory locks are per database: the schema makes them ours.</summary>
    private string Key(string purpose) => $"hashtextextended('puces {purpose} {_schema.Replace("'", "''", StringComparison.Ordinal)}', 0)";

    private static async Task<object?> ScalarAsync(NpgsqlConnection connection, string sql, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        return await command.ExecuteScalarAsync(ct);
    }
}
