//! The file itself: who may read it, one engine at a time, the tables and their version.

use std::path::Path;

use super::{Journal, JournalError, storage};

/// Version of the tables.
const SCHEMA_VERSION: i64 = 2;
/// `PRAGMA application_id`: "SWJL".
const APPLICATION_ID: i64 = 0x5357_4a4c;

/// The records.
const INPUTS: &str = "CREATE TABLE input (seq INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT;";

/// What follows from the records: archived executions with what lists ask for, in which stages they succeeded; those
/// that record `seq` brought back to memory; the newest snapshot. Bodies stand last, so that a scan does not read them.
const DERIVED: &str = "
    CREATE TABLE execution (pipeline TEXT NOT NULL, number INTEGER NOT NULL, id TEXT NOT NULL,
        updated INTEGER NOT NULL, succeeded TEXT NOT NULL, body BLOB NOT NULL) STRICT;
    CREATE UNIQUE INDEX execution_number ON execution (pipeline, number);
    CREATE UNIQUE INDEX execution_id ON execution (pipeline, id);
    CREATE INDEX execution_updated ON execution (updated);
    CREATE TABLE success (pipeline TEXT NOT NULL, stage TEXT NOT NULL, number INTEGER NOT NULL,
        PRIMARY KEY (pipeline, stage, number)) STRICT, WITHOUT ROWID;
    CREATE TABLE recalled (seq INTEGER PRIMARY KEY, number INTEGER NOT NULL, body BLOB NOT NULL) STRICT;
    CREATE TABLE snapshot (seq INTEGER PRIMARY KEY, shape INTEGER NOT NULL, checksum INTEGER NOT NULL,
        body BLOB NOT NULL) STRICT;";

impl Journal {
    /// Locks the file and makes its tables.
    pub(super) fn prepare(&self) -> Result<(), JournalError> {
        let fail = |e| storage(&self.path, e);
        let db = &self.connection;
        // EXCLUSIVE: one engine per state folder, told at once; SQLite then also needs no shared-memory file.
        // NORMAL: in WAL mode a killed process loses nothing, because committed pages are with the kernel; only a
        // power cut may lose the newest commits, and never breaks the file. FULL would cost one fsync per batch.
        db.execute_batch(
            "PRAGMA busy_timeout = 0; PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL;
             PRAGMA synchronous = NORMAL; BEGIN EXCLUSIVE; COMMIT;",
        )
        .map_err(fail)?;
        let pragma = |name| {
            db.pragma_query_value(None, name, |row| row.get::<_, i64>(0))
                .map_err(fail)
        };
        let make = |tables: String| {
            db.execute_batch(&format!(
                "BEGIN; {tables} PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
            ))
            .map_err(fail)
        };
        let outcome = match (pragma("application_id")?, pragma("user_version")?) {
            (0, 0) => make(format!("{INPUTS}{DERIVED}")),
            // version 1 had the records only
            (APPLICATION_ID, 1) => make(DERIVED.to_owned()),
            (APPLICATION_ID, SCHEMA_VERSION) => Ok(()),
            (APPLICATION_ID, other) => Err(self.foreign(format!("format {other}"))),
            _ => Err(self.foreign("another program's database".to_owned())),
        };
        // Journals of the first version lack it.
        outcome.and_then(|()| db.execute_batch(super::outbox::TABLE).map_err(fail))
    }
}

/// Makes the file readable by its owner only: it holds approval tokens. SQLite gives its other files the same mode.
pub(crate) fn private(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = std::fs::OpenOptions::new();
    // Only a new file: opening and closing one that is in use would drop this process's locks on it.
    match options.write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        other => other.map(drop),
    }
}
