namespace Puces.Server.Store;

/// <summary>The history of the PostgreSQL schema. A step that has shipped is never edited: the next one is added.</summary>
internal static class PostgresSchema
{
    /// <summary>The error that <c>fence</c> raises.</summary>
    public const string Fenced = "PF001";

    public static readonly IReadOnlyList<string> Migrations =
    [
        // Records are text and not jsonb: they come back as they were written, and nothing is parsed on the way.
        // Specs stand apart: they are written once, and a job's changes must not copy them to a new row version.
        // Every commit begins with fence(): it locks the one row of numbers, and fails for all but the newest leader.
        $"""
        CREATE TABLE jobs (
            id bigint PRIMARY KEY, live boolean NOT NULL, state text NOT NULL, project text NOT NULL, owner text NOT NULL,
            submitted bigint NOT NULL, record text NOT NULL) WITH (fillfactor = 70);
        CREATE INDEX jobs_live ON jobs (id) WHERE live;
        CREATE INDEX jobs_ended ON jobs (id) WHERE NOT live;
        CREATE TABLE specs (job bigint PRIMARY KEY, spec bytea NOT NULL);
        CREATE TABLE keys (job bigint PRIMARY KEY, key bytea NOT NULL, body bigint NOT NULL, at bigint NOT NULL);
        CREATE TABLE attempts (job bigint NOT NULL, number integer NOT NULL, record text NOT NULL, PRIMARY KEY (job, number)) WITH (fillfactor = 70);
        CREATE TABLE events (seq bigint PRIMARY KEY, at bigint NOT NULL, kind text NOT NULL, text text NOT NULL, job bigint, project text);
        CREATE TABLE pools (name text PRIMARY KEY, record text NOT NULL);
        CREATE TABLE secrets (name text PRIMARY KEY, data bytea NOT NULL, changed bigint NOT NULL);
        CREATE TABLE numbers (epoch bigint NOT NULL, last_job bigint NOT NULL, last_event bigint NOT NULL) WITH (fillfactor = 10);
        INSERT INTO numbers VALUES (0, 0, 0);
        CREATE FUNCTION fence(mine bigint, job bigint, event bigint) RETURNS void LANGUAGE plpgsql AS $$
        BEGIN
            UPDATE numbers SET last_job = greatest(last_job, job), last_event = greatest(last_event, event) WHERE epoch = mine;
            IF NOT FOUND THEN RAISE EXCEPTION 'another pucesd leads' USING ERRCODE = '{Fenced}'; END IF;
        END $$;
        """,

        // A project's or an owner's history is read without passing over everybody else's.
        """
        CREATE INDEX jobs_ended_project ON jobs (project, id) WHERE NOT live;
        CREATE INDEX jobs_ended_owner ON jobs (owner, id) WHERE NOT live;
        """,

        // What the engine learned: how long jobs ran, and what projects have used.
        """
        CREATE TABLE notes (key text PRIMARY KEY, text text NOT NULL) WITH (fillfactor = 70);
        """,
    ];
}
