namespace Puces.Server.Store;

/// <summary>The history of the SQLite schema. A step that has shipped is never edited: the next one is added.</summary>
internal static class SqliteSchema
{
    public static readonly IReadOnlyList<string> Migrations =
    [
        // Specs stand apart: they are written once, and a job's changes must not write them again.
        // A key stands under its job, which appends, and not under itself, which would write a random page for each.
        """
        CREATE TABLE jobs (
            id INTEGER PRIMARY KEY, live INTEGER NOT NULL, state TEXT NOT NULL, project TEXT NOT NULL, owner TEXT NOT NULL,
            submitted INTEGER NOT NULL, record TEXT NOT NULL);
        CREATE INDEX jobs_live ON jobs (live, id);
        CREATE TABLE specs (job INTEGER PRIMARY KEY, spec BLOB NOT NULL);
        CREATE TABLE keys (job INTEGER PRIMARY KEY, key BLOB NOT NULL, body INTEGER NOT NULL, at INTEGER NOT NULL);
        CREATE TABLE attempts (job INTEGER NOT NULL, number INTEGER NOT NULL, record TEXT NOT NULL, PRIMARY KEY (job, number)) WITHOUT ROWID;
        CREATE TABLE events (
            seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, kind TEXT NOT NULL, text TEXT NOT NULL, job INTEGER, project TEXT);
        CREATE TABLE pools (name TEXT PRIMARY KEY, record TEXT NOT NULL) WITHOUT ROWID;
        CREATE TABLE secrets (name TEXT PRIMARY KEY, data BLOB NOT NULL, changed INTEGER NOT NULL) WITHOUT ROWID;
        CREATE TABLE numbers (last_job INTEGER NOT NULL, last_event INTEGER NOT NULL);
        INSERT INTO numbers VALUES (0, 0);
        """,

        // A project's or an owner's history is read without passing over everybody else's.
        """
        CREATE INDEX jobs_ended_project ON jobs (project, id) WHERE live = FALSE;
        CREATE INDEX jobs_ended_owner ON jobs (owner, id) WHERE live = FALSE;
        """,

        // What the engine learned: how long jobs ran, and what projects have used.
        """
        CREATE TABLE notes (key TEXT PRIMARY KEY, text TEXT NOT NULL) WITHOUT ROWID;
        """,
    ];
}
