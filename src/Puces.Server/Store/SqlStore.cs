using System.Data.Common;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Puces.Core.Engine;
using Puces.Core.Jobs;

namespace Puces.Server.Store;

/// <summary>What both engines share: the tables, how they are read, and how the schema moves on.</summary>
internal abstract class SqlStore : IStore
{
    private static readonly EngineJson Json = EngineJson.Stored;

    public abstract string Description { get; }
    public abstract CancellationToken Deposed { get; }
    public abstract Task LeadAsync(CancellationToken ct);
    public abstract Task CommitAsync(IReadOnlyList<Change> changes, IReadOnlyList<FeedEvent> events, CancellationToken ct);
    public abstract ValueTask DisposeAsync();

    /// <summary>The schema's history: the first statement list makes version 1 out of nothing. Never edited, only added to.</summary>
    protected abstract IReadOnlyList<string> Migrations { get; }

    /// <summary>A connection for reading, open.</summary>
    protected abstract ValueTask<DbConnection> RentAsync(CancellationToken ct);
    protected abstract ValueTask ReturnAsync(DbConnection connection);

    /// <summary>The exception in words that say what to do.</summary>
    protected abstract StoreException Failure(Exception cause);

    /// <summary>Begins a transaction that reads everything at one moment.</summary>
    protected abstract string BeginSnapshot { get; }

    /// <summary>Parameters are $1, $2, … in both engines; only SQLite wants them named.</summary>
    protected abstract string ParameterName(int number);

    public abstract Task MigrateAsync(CancellationToken ct);

    /// <summary>Brings the schema to a version, each step in its own transaction. One caller at a time.</summary>
    protected async Task MigrateAsync(DbConnection connection, int version, CancellationToken ct)
    {
        await RunAsync(connection, "CREATE TABLE IF NOT EXISTS schema_version (version int NOT NULL PRIMARY KEY, applied text NOT NULL)", ct);
        var found = await VersionAsync(connection, ct);
        if (found > Migrations.Count)
            throw new StoreException(
                $"{Description} has schema version {found}, made by a newer Puces; this one knows versions up to {Migrations.Count}. Upgrade this pucesd.");
        for (var next = found + 1; next <= version; next++)
        {
            await RunAsync(connection, "BEGIN", ct);
            await RunAsync(connection, Migrations[next - 1], ct);
            await RunAsync(connection, $"INSERT INTO schema_version (version, applied) VALUES ({next}, CURRENT_TIMESTAMP)", ct);
            await RunAsync(connection, "COMMIT", ct);
        }
    }

    /// <summary>Deletes the keys that are forgotten.</summary>
    protected static Task<int> PruneKeysAsync(DbConnection connection, DateTimeOffset before, CancellationToken ct) =>
        RunAsync(connection, $"DELETE FROM keys WHERE at < {Column.Of(before)}", ct);

    public virtual Task<Stored> LoadAsync(DateTimeOffset keysSince, CancellationToken ct) => ReadAsync(async connection =>
    {
        await RunAsync(connection, BeginSnapshot, ct);
        var same = new Shared();
        var jobs = await ListAsync(connection, "SELECT record FROM jobs WHERE live = TRUE ORDER BY id", row => same.Of(JobOf(row)), ct);
        var current = jobs.ToDictionary(job => job.Id, job => job.Attempts);
        var attempts = await ListAsync(
            connection, "SELECT a.record FROM jobs j JOIN attempts a ON a.job = j.id WHERE j.live = TRUE ORDER BY a.job, a.number", AttemptOf, ct);
        attempts.RemoveAll(attempt => current[attempt.Id.Job] != attempt.Id.Number);
        var pools = await ListAsync(
            connection, "SELECT record FROM pools ORDER BY name", row => Read(row, Json.Pool), ct);
        var keys = await ListAsync(
            connection, "SELECT key, body, job FROM keys WHERE at >= $1 ORDER BY job",
            row => (new IdempotencyKey(Column.Key(row.GetFieldValue<byte[]>(0)), row.GetInt64(1)), new JobId(row.GetInt64(2))), ct, Column.Of(keysSince));
        var numbers = await ListAsync(
            connection, "SELECT last_job, last_event FROM numbers", row => (Job: row.GetInt64(0), Event: row.GetInt64(1)), ct);
        await RunAsync(connection, "COMMIT", ct);
        var notes = await ListAsync(connection, "SELECT key, text FROM notes ORDER BY key", row => KeyValuePair.Create(row.GetString(0), row.GetString(1)), ct);
        return new Stored(jobs, attempts, pools, keys, numbers[0].Job, numbers[0].Event, notes);
    }, ct);

    public async Task<Job?> JobAsync(JobId id, CancellationToken ct) =>
        (await QueryAsync("SELECT record FROM jobs WHERE id = $1", JobOf, ct, id.Value)).SingleOrDefault();

    public Task<IReadOnlyList<Job>> EndedAsync(JobId before, int limit, EndedFilter filter, CancellationToken ct)
    {
        List<object> values = [before.Value, (long)limit];
        var where = "";
        if (filter.Project is { } project) And("project", project);
        if (filter.Owner is { } owner) And("owner", owner);
        if (filter.Result is { } result) And("state", Column.Word(result));
        return QueryAsync($"SELECT record FROM jobs WHERE live = FALSE AND id < $1{where} ORDER BY id DESC LIMIT $2", JobOf, ct, [.. values]);

        void And(string column, string value)
        {
            values.Add(Column.Of(value));
            where += $" AND {column} = ${values.Count}";
        }
    }

    public async Task<byte[]?> SpecAsync(JobId id, CancellationToken ct) =>
        (await QueryAsync("SELECT spec FROM specs WHERE job = $1", row => row.GetFieldValue<byte[]>(0), ct, id.Value)).SingleOrDefault();

    public Task<IReadOnlyList<AttemptRecord>> AttemptsAsync(JobId id, CancellationToken ct) =>
        QueryAsync("SELECT record FROM attempts WHERE job = $1 ORDER BY number", AttemptOf, ct, id.Value);

    public Task<IReadOnlyList<Remembered>> HistoryAsync(JobId after, int limit, CancellationToken ct) => ReadAsync<IReadOnlyList<Remembered>>(async connection =>
    {
        await RunAsync(connection, BeginSnapshot, ct);
        var jobs = await ListAsync(
            connection, "SELECT j.record, s.spec FROM jobs j JOIN specs s ON s.job = j.id WHERE j.id > $1 ORDER BY j.id LIMIT $2",
            row => (Job: JobOf(row), Spec: row.GetFieldValue<byte[]>(1)), ct, after.Value, (long)limit);
        var attempts = jobs.Count == 0 ? [] : await ListAsync(
            connection, "SELECT record FROM attempts WHERE job >= $1 AND job <= $2 ORDER BY job, number", AttemptOf, ct, jobs[0].Job.Id.Value, jobs[^1].Job.Id.Value);
        await RunAsync(connection, "COMMIT", ct);
        var ofJob = attempts.ToLookup(attempt => attempt.Id.Job);
        return [.. jobs.Select(j => new Remembered(j.Job, [.. ofJob[j.Job.Id]], j.Spec))];
    }, ct);

    public Task<IReadOnlyList<FeedEvent>> EventsAsync(long after, int limit, CancellationToken ct) => QueryAsync(
        "SELECT seq, at, kind, text, job, project FROM events WHERE seq > $1 ORDER BY seq LIMIT $2",
        row => new FeedEvent(
            row.GetInt64(0), Column.Time(row.GetInt64(1)), row.GetString(2), row.GetString(3),
            row.IsDBNull(4) ? null : new JobId(row.GetInt64(4)), row.IsDBNull(5) ? null : row.GetString(5)),
        ct, after, (long)limit);

    public async Task<byte[]?> SecretAsync(string name, CancellationToken ct) =>
        (await QueryAsync("SELECT data FROM secrets WHERE name = $1", row => row.GetFieldValue<byte[]>(0), ct, Column.Of(name))).SingleOrDefault();

    public Task<IReadOnlyList<(string Name, DateTimeOffset Changed)>> SecretsAsync(CancellationToken ct) =>
        QueryAsync("SELECT name, changed FROM secrets ORDER BY name", row => (row.GetString(0), Column.Time(row.GetInt64(1))), ct);

    private Task<IReadOnlyList<T>> QueryAsync<T>(string sql, Func<DbDataReader, T> read, CancellationToken ct, params object[] values) =>
        ReadAsync<IReadOnlyList<T>>(async connection => await ListAsync(connection, sql, read, ct, values), ct);

    private async Task<T> ReadAsync<T>(Func<DbConnection, Task<T>> read, CancellationToken ct)
    {
        try
        {
            var connection = await RentAsync(ct);
            try
            {
                var answer = await read(connection);
                await ReturnAsync(connection);
                return answer;
            }
            catch
            {
                await connection.DisposeAsync();
                throw;
            }
        }
        catch (Exception e) when (e is DbException or IOException or TimeoutException)
        {
            throw Failure(e);
        }
    }

    private async Task<List<T>> ListAsync<T>(
        DbConnection connection, string sql, Func<DbDataReader, T> read, CancellationToken ct, params object[] values)
    {
        await using var command = connection.CreateCommand();
        command.CommandText = sql;
        for (var i = 0; i < values.Length; i++)
        {
            var parameter = command.CreateParameter();
            parameter.ParameterName = ParameterName(i + 1);
            parameter.Value = values[i];
            command.Parameters.Add(parameter);
        }
        var rows = new List<T>();
        await using var reader = await command.ExecuteReaderAsync(ct);
        while (await reader.ReadAsync(ct)) rows.Add(read(reader));
        return rows;
    }

    protected static async Task<int> RunAsync(DbConnection connection, string sql, CancellationToken ct)
    {
        await using var command = connection.CreateCommand();
        command.CommandText = sql;
        return await command.ExecuteNonQueryAsync(ct);
    }

    private async Task<int> VersionAsync(DbConnection connection, CancellationToken ct) =>
        (await ListAsync(connection, "SELECT coalesce(max(version), 0) FROM schema_version", row => row.GetInt32(0), ct))[0];

    private static Job JobOf(DbDataReader row) => Read(row, Json.Job);
    private static AttemptRecord AttemptOf(DbDataReader row) => Read(row, Json.AttemptRecord);

    /// <summary>From the bytes as the database has them: both engines keep text in UTF-8.</summary>
    private static T Read<T>(DbDataReader row, JsonTypeInfo<T> form) => JsonSerializer.Deserialize(row.GetFieldValue<byte[]>(0), form)!;

    /// <summary>Jobs of one shape share what is equal, so that a long line stays small in memory.</summary>
    private sealed class Shared
    {
        private readonly HashSet<string> _words = [];
        private readonly HashSet<Request> _requests = [];
        private readonly HashSet<Retry> _retries = [];

        public Job Of(Job job) => job with
        {
            Project = Of(_words, job.Project),
            Owner = Of(_words, job.Owner),
            Request = Of(_requests, job.Request),
            Retry = Of(_retries, job.Retry),
        };

        private static T Of<T>(HashSet<T> known, T value)
        {
            if (known.TryGetValue(value, out var first)) return first;
            known.Add(value);
            return value;
        }
    }
}
