using System.Buffers;
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.Data.Sqlite;
using Puces.Core.Engine;

namespace Puces.Server.Store;

/// <summary>The prepared statements of the one connection that writes.</summary>
internal sealed class SqliteWriter : IDisposable
{
    private readonly SqliteConnection _connection;
    private readonly List<SqliteCommand> _commands = [];
    private readonly Writes _writes = new();
    private readonly ArrayBufferWriter<byte> _buffer = new(4096);
    private readonly Utf8JsonWriter _json;
    private readonly SqliteCommand _begin, _commit, _rollback, _newJob, _changedJob, _spec, _key, _attempt, _event, _pool, _noPool, _secret, _noSecret, _note, _noNote, _numbers;

    public SqliteWriter(SqliteConnection connection)
    {
        _connection = connection;
        _json = new(_buffer, new() { Encoder = EngineJson.Encoder, SkipValidation = true });
        _begin = Prepare("BEGIN IMMEDIATE", 0);
        _commit = Prepare("COMMIT", 0);
        _rollback = Prepare("ROLLBACK", 0);
        // The JSON is bound as the bytes that it was written to; the cast makes it text without touching them.
        _newJob = Prepare(
            "INSERT INTO jobs (id, live, state, project, owner, submitted, record) VALUES ($1, $2, $3, $4, $5, $6, CAST($7 AS TEXT))", 7);
        _changedJob = Prepare("""
            INSERT INTO jobs (id, live, state, project, owner, submitted, record) VALUES ($1, $2, $3, $4, $5, $6, CAST($7 AS TEXT))
            ON CONFLICT (id) DO UPDATE SET live = excluded.live, state = excluded.state, record = excluded.record
            """, 7);
        _spec = Prepare("INSERT INTO specs (job, spec) VALUES ($1, $2)", 2);
        _key = Prepare("INSERT INTO keys (job, key, body, at) VALUES ($1, $2, $3, $4)", 4);
        _attempt = Prepare("""
            INSERT INTO attempts (job, number, record) VALUES ($1, $2, CAST($3 AS TEXT))
            ON CONFLICT (job, number) DO UPDATE SET record = excluded.record
            """, 3);
        _event = Prepare("INSERT INTO events (seq, at, kind, text, job, project) VALUES ($1, $2, $3, $4, $5, $6)", 6);
        _pool = Prepare("INSERT INTO pools (name, record) VALUES ($1, CAST($2 AS TEXT)) ON CONFLICT (name) DO UPDATE SET record = excluded.record", 2);
        _noPool = Prepare("DELETE FROM pools WHERE name = $1", 1);
        _secret = Prepare("""
            INSERT INTO secrets (name, data, changed) VALUES ($1, $2, $3)
            ON CONFLICT (name) DO UPDATE SET data = excluded.data, changed = excluded.changed
            """, 3);
        _noSecret = Prepare("DELETE FROM secrets WHERE name = $1", 1);
        _note = Prepare("INSERT INTO notes (key, text) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET text = excluded.text", 2);
        _noNote = Prepare("DELETE FROM notes WHERE key = $1", 1);
        _numbers = Prepare("UPDATE numbers SET last_job = max(last_job, $1), last_event = max(last_event, $2)", 2);
    }

    public void Commit(IReadOnlyList<Change> changes, IReadOnlyList<FeedEvent> events)
    {
        _writes.Fill(changes, events);
        Run(_begin);
        try
        {
            Write(events);
            Run(_commit);
        }
        catch
        {
            TryRollBack();
            throw;
        }
        finally
        {
            _writes.Clear();
        }
    }

    public void Dispose()
    {
        foreach (var command in _commands) command.Dispose();
        _json.Dispose();
    }

    private void Write(IReadOnlyList<FeedEvent> events)
    {
        foreach (var set in _writes.NewJobs)
        {
            Write(_newJob, set);
            Run(_spec, set.Job.Id.Value, Column.Of(set.Spec!.Value));
            if (set.Key is { } key) Run(_key, set.Job.Id.Value, Column.Of(key.Key), key.Body, Column.Of(set.Job.Submitted));
        }
        foreach (var set in _writes.ChangedJobs) Write(_changedJob, set);
        foreach (var attempt in _writes.Attempts)
            Run(_attempt, attempt.Id.Job.Value, (long)attempt.Id.Number, Json(attempt, EngineJson.Stored.AttemptRecord));
        foreach (var e in events)
            Run(_event, e.Seq, Column.Of(e.At), Column.Of(e.Kind), Column.Of(e.Text), e.Job?.Value, e.Project is { } project ? Column.Of(project) : null);
        foreach (var set in _writes.Pools)
        {
            if (set.IsRemoved) Run(_noPool, Column.Of(set.Pool.Name));
            else Run(_pool, Column.Of(set.Pool.Name), Json(set.Pool, EngineJson.Stored.Pool));
        }
        foreach (var set in _writes.Notes)
        {
            if (set.Text is { } text) Run(_note, Column.Of(set.Key), Column.Of(text));
            else Run(_noNote, Column.Of(set.Key));
        }
        foreach (var set in _writes.Secrets)
        {
            if (set.Encrypted is { } data) Run(_secret, Column.Of(set.Name), Column.Of(data), Column.Of(set.At));
            else Run(_noSecret, Column.Of(set.Name));
        }
        if (_writes.LastJob > 0 || _writes.LastEvent > 0) Run(_numbers, _writes.LastJob, _writes.LastEvent);
    }

    private void Write(SqliteCommand command, Change.JobSet set) => Run(
        command, set.Job.Id.Value, Column.IsLive(set.Job), set.Job.State.Word, Column.Of(set.Job.Project), Column.Of(set.Job.Owner),
        Column.Of(set.Job.Submitted), Json(set.Job, EngineJson.Stored.Job));

    /// <summary>Valid until the next call: the statement is run before that.</summary>
    private ReadOnlyMemory<byte> Json<T>(T record, JsonTypeInfo<T> form)
    {
        _buffer.ResetWrittenCount();
        _json.Reset();
        JsonSerializer.Serialize(_json, record, form);
        return _buffer.WrittenMemory;
    }

    private static void Run(SqliteCommand command, params ReadOnlySpan<object?> values)
    {
        for (var i = 0; i < values.Length; i++)
        {
            var parameter = command.Parameters[i];
            if (values[i] is ReadOnlyMemory<byte> json && MemoryMarshal.TryGetArray(json, out var bytes))
            {
                parameter.Value = bytes.Array;
                parameter.Size = bytes.Count;
            }
            else
            {
                parameter.Value = values[i] ?? DBNull.Value;
            }
        }
        command.ExecuteNonQuery();
    }

    private SqliteCommand Prepare(string sql, int parameters)
    {
        var command = _connection.CreateCommand();
        _commands.Add(command);
        command.CommandText = sql;
        for (var i = 1; i <= parameters; i++) command.Parameters.Add(new SqliteParameter($"${i}", null));
        return command;
    }

    private void TryRollBack()
    {
        try
        {
            Run(_rollback);
        }
        catch (SqliteException)
        {
            // Some failures have rolled back already; the first one is what matters.
        }
    }
}
