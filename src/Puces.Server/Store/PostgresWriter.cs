using System.Text.Json;
using Npgsql;
using Puces.Core.Engine;
using Puces.Core.Jobs;

namespace Puces.Server.Store;

/// <summary>
/// One commit is one message and one implicit transaction: the fence first, then for each table one statement whose
/// parameters are columns. The statements are few and always the same, so that the driver keeps them prepared.
/// </summary>
internal sealed class PostgresWriter(NpgsqlConnection connection, long epoch)
{
    private const string InsertJobs = """
        INSERT INTO jobs (id, live, state, project, owner, submitted, record)
        SELECT * FROM unnest($1::bigint[], $2::boolean[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::text[])
        """;

    private const string UpsertJobs =
        InsertJobs + " ON CONFLICT (id) DO UPDATE SET live = excluded.live, state = excluded.state, record = excluded.record";

    private readonly Writes _writes = new();

    public async Task CommitAsync(IReadOnlyList<Change> changes, IReadOnlyList<FeedEvent> events, CancellationToken ct)
    {
        _writes.Fill(changes, events);
        await using var batch = new NpgsqlBatch(connection);
        Add(batch, "SELECT fence($1, $2, $3)", One(epoch), One(_writes.LastJob), One(_writes.LastEvent));
        AddJobs(batch, InsertJobs, _writes.NewJobs);
        AddNew(batch, _writes.NewJobs);
        AddJobs(batch, UpsertJobs, _writes.ChangedJobs);
        AddAttempts(batch, _writes.Attempts);
        AddEvents(batch, events);
        AddRest(batch);
        _writes.Clear();
        await batch.ExecuteNonQueryAsync(ct);
    }

    private static void AddJobs(NpgsqlBatch batch, string sql, List<Change.JobSet> sets)
    {
        if (sets.Count == 0) return;
        Add(batch, sql,
            Many(sets, set => set.Job.Id.Value),
            Many(sets, set => Column.IsLive(set.Job)),
            Many(sets, set => set.Job.State.Word),
            Many(sets, set => Column.Of(set.Job.Project)),
            Many(sets, set => Column.Of(set.Job.Owner)),
            Many(sets, set => Column.Of(set.Job.Submitted)),
            Many(sets, set => JsonSerializer.Serialize(set.Job, EngineJson.Stored.Job)));
    }

    private static void AddNew(NpgsqlBatch batch, List<Change.JobSet> sets)
    {
        if (sets.Count == 0) return;
        Add(batch, "INSERT INTO specs (job, spec) SELECT * FROM unnest($1::bigint[], $2::bytea[])",
            Many(sets, set => set.Job.Id.Value), Many(sets, set => Column.Of(set.Spec!.Value)));
        var keyed = sets.FindAll(set => set.Key is not null);
        if (keyed.Count == 0) return;
        Add(batch, "INSERT INTO keys (job, key, body, at) SELECT * FROM unnest($1::bigint[], $2::bytea[], $3::bigint[], $4::bigint[])",
            Many(keyed, set => set.Job.Id.Value),
            Many(keyed, set => Column.Of(set.Key!.Value.Key)),
            Many(keyed, set => set.Key!.Value.Body),
            Many(keyed, set => Column.Of(set.Job.Submitted)));
    }

    private static void AddAttempts(NpgsqlBatch batch, List<AttemptRecord> attempts)
    {
        if (attempts.Count == 0) return;
        Add(batch, """
            INSERT INTO attempts (job, number, record) SELECT * FROM unnest($1::bigint[], $2::integer[], $3::text[])
            ON CONFLICT (job, number) DO UPDATE SET record = excluded.record
            """,
            Many(attempts, attempt => attempt.Id.Job.Value),
            Many(attempts, attempt => attempt.Id.Number),
            Many(attempts, attempt => JsonSerializer.Serialize(attempt, EngineJson.Stored.AttemptRecord)));
    }

    private static void AddEvents(NpgsqlBatch batch, IReadOnlyList<FeedEvent> events)
    {
        if (events.Count == 0) return;
        Add(batch, """
            INSERT INTO events (seq, at, kind, text, job, project)
            SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::bigint[], $6::text[])
            """,
            Many(events, e => e.Seq),
            Many(events, e => Column.Of(e.At)),
            Many(events, e => Column.Of(e.Kind)),
            Many(events, e => Column.Of(e.Text)),
            Many(events, e => e.Job?.Value),
            Many(events, e => e.Project is { } project ? Column.Of(project) : null));
    }

    /// <summary>Pools and secrets change by hand: one at a time is fast enough.</summary>
    private void AddRest(NpgsqlBatch batch)
    {
        foreach (var set in _writes.Pools)
        {
            if (set.IsRemoved)
                Add(batch, "DELETE FROM pools WHERE name = $1", One(Column.Of(set.Pool.Name)));
            else
                Add(batch, "INSERT INTO pools (name, record) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET record = excluded.record",
                    One(Column.Of(set.Pool.Name)), One(JsonSerializer.Serialize(set.Pool, EngineJson.Stored.Pool)));
        }
        foreach (var set in _writes.Notes)
        {
            if (set.Text is { } text)
                Add(batch, "INSERT INTO notes (key, text) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET text = excluded.text", One(Column.Of(set.Key)), One(Column.Of(text)));
            else
                Add(batch, "DELETE FROM notes WHERE key = $1", One(Column.Of(set.Key)));
        }
        foreach (var set in _writes.Secrets)
        {
            if (set.Encrypted is { } data)
                Add(batch, """
                    INSERT INTO secrets (name, data, changed) VALUES ($1, $2, $3)
                    ON CONFLICT (name) DO UPDATE SET data = excluded.data, changed = excluded.changed
                    """,
                    One(Column.Of(set.Name)), One(Column.Of(data)), One(Column.Of(set.At)));
            else
                Add(batch, "DELETE FROM secrets WHERE name = $1", One(Column.Of(set.Name)));
        }
    }

    private static void Add(NpgsqlBatch batch, string sql, params ReadOnlySpan<NpgsqlParameter> parameters)
    {
        var command = new NpgsqlBatchCommand(sql);
        foreach (var parameter in parameters) command.Parameters.Add(parameter);
        batch.BatchCommands.Add(command);
    }

    private static NpgsqlParameter<T> One<T>(T value) => new() { TypedValue = value };

    private static NpgsqlParameter<T[]> Many<TRow, T>(IReadOnlyList<TRow> rows, Func<TRow, T> column)
    {
        var values = new T[rows.Count];
        for (var i = 0; i < values.Length; i++) values[i] = column(rows[i]);
        return new() { TypedValue = values };
    }
}
