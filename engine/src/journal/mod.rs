//! The append-only record (SQLite, WAL): every accepted input, in order, as versioned JSON.
//!
//! The inputs are the truth and are never deleted. What follows from them is kept beside them, in the transaction of the
//! input it follows: the archive of ended executions, and snapshots of the state. Both can be made anew.

use std::path::{Path, PathBuf};

use engine_plan::event::Input;
use rusqlite::{Connection, ErrorCode, Params, Transaction};
use serde::{Deserialize, Serialize};

mod archive;
mod outbox;
mod schema;
mod snapshot;

pub use archive::Row;
pub use outbox::OutboxChange;
pub(crate) use schema::private;

/// Version of one record; a change of its shape raises it and keeps reading the older ones.
pub const RECORD_VERSION: u32 = 1;
/// Prepared statements kept: all there are.
const STATEMENTS: usize = 32;

/// Why the journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Another engine runs on the same state folder.
    #[error(
        "{path} is in use by another stagewright: stop that one, or choose another folder with --state"
    )]
    InUse {
        /// The journal.
        path: PathBuf,
    },
    /// Not ours, or of a newer version.
    #[error(
        "{path} is not a journal this version can read ({found}): use the version that wrote it, or another folder with --state"
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What was found instead.
        found: String,
    },
    /// A record cannot be read back.
    #[error("record {seq} of {path} cannot be read")]
    Record {
        /// The journal.
        path: PathBuf,
        /// Its number, from 1.
        seq: i64,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// An archived execution cannot be read back.
    #[error("execution {number} of pipeline {pipeline} cannot be read from the archive")]
    Archived {
        /// Its pipeline.
        pipeline: String,
        /// Its number.
        number: usize,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// A record cannot be written as JSON.
    #[error("an input cannot be written down")]
    Encode(#[source] serde_json::Error),
    /// The file cannot be made.
    #[error("{path} cannot be made")]
    File {
        /// The journal.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: std::io::Error,
    },
    /// The disk or SQLite failed.
    #[error("{path} cannot be read or written")]
    Storage {
        /// The journal.
        path: PathBuf,
        /// SQLite's error.
        #[source]
        source: rusqlite::Error,
    },
}

/// The open journal; it is locked against other processes as long as it lives.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    connection: Connection,
    /// Number of the newest record.
    head: i64,
    /// Bytes of the records that are newer than the newest snapshot.
    since: u64,
    /// Size of the newest snapshot.
    snapshot: u64,
    /// An archived execution could not be read: no more snapshots, so that the next start makes all of it anew.
    distrusted: bool,
}

/// Records and what follows from them, in one transaction: all of it is on disk after [`Batch::commit`], or nothing.
#[derive(Debug)]
pub struct Batch<'a> {
    path: &'a Path,
    transaction: Transaction<'a>,
    head: &'a mut i64,
    since: &'a mut u64,
    added: (i64, u64),
}

/// One line of the journal. The field names are the format: see the golden file in the tests.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Record<I> {
    v: u32,
    input: I,
}

impl Journal {
    /// Opens or creates it.
    ///
    /// # Errors
    /// It is in use, not ours, or the disk refuses.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        let fail = |e| storage(path, e);
        private(path).map_err(|source| JournalError::File {
            path: path.to_owned(),
            source,
        })?;
        let connection = Connection::open(path).map_err(fail)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        let mut journal = Self {
            path: path.to_owned(),
            connection,
            head: 0,
            since: 0,
            snapshot: 0,
            distrusted: false,
        };
        journal.prepare()?;
        journal.head = journal
            .connection
            .query_row("SELECT coalesce(max(seq), 0) FROM input", [], |row| {
                row.get(0)
            })
            .map_err(fail)?;
        Ok(journal)
    }

    /// At most so many records after `seq`, in order, with their numbers. They count towards the next snapshot.
    ///
    /// # Errors
    /// The first record that cannot be read.
    pub fn records(&mut self, seq: i64, most: usize) -> Result<Vec<(i64, Input)>, JournalError> {
        let fail = |e| storage(&self.path, e);
        let mut query = self
            .connection
            .prepare_cached("SELECT seq, body FROM input WHERE seq > ?1 ORDER BY seq LIMIT ?2")
            .map_err(fail)?;
        let mut rows = query.query((seq, most)).map_err(fail)?;
        let mut records = Vec::with_capacity(most);
        let mut bytes = 0;
        while let Some(row) = rows.next().map_err(fail)? {
            let seq = row.get(0).map_err(fail)?;
            let body = row.get_ref(1).and_then(|v| Ok(v.as_str()?)).map_err(fail)?;
            bytes += body.len() as u64;
            records.push((seq, self.decode(seq, body)?));
        }
        self.since += bytes;
        Ok(records)
    }

    /// Begins a transaction.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn batch(&mut self) -> Result<Batch<'_>, JournalError> {
        let transaction = self.connection.transaction();
        Ok(Batch {
            path: &self.path,
            transaction: transaction.map_err(|e| storage(&self.path, e))?,
            added: (self.head, 0),
            head: &mut self.head,
            since: &mut self.since,
        })
    }

    fn decode(&self, seq: i64, body: &str) -> Result<Input, JournalError> {
        #[derive(Deserialize)]
        struct Version {
            v: u32,
        }
        let fail = |source| JournalError::Record {
            path: self.path.clone(),
            seq,
            source,
        };
        match serde_json::from_str::<Record<Input>>(body) {
            Ok(Record {
                v: RECORD_VERSION,
                input,
            }) => Ok(input),
            Ok(Record { v, .. }) => Err(self.foreign(format!("record {seq} has version {v}"))),
            Err(error) => match serde_json::from_str::<Version>(body) {
                Ok(Version { v }) if v != RECORD_VERSION => {
                    Err(self.foreign(format!("record {seq} has version {v}")))
                }
                _ => Err(fail(error)),
            },
        }
    }

    fn foreign(&self, found: String) -> JournalError {
        JournalError::Foreign {
            path: self.path.clone(),
            found,
        }
    }
}

impl Batch<'_> {
    /// Adds a record; its number.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn append(&mut self, input: &Input) -> Result<i64, JournalError> {
        let body = encode(input)?;
        self.run("INSERT INTO input (body) VALUES (?1)", [&body])?;
        self.added = (
            self.transaction.last_insert_rowid(),
            self.added.1 + body.len() as u64,
        );
        Ok(self.added.0)
    }

    /// Writes all of it.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn commit(self) -> Result<(), JournalError> {
        let path = self.path;
        self.transaction.commit().map_err(|e| storage(path, e))?;
        *self.head = self.added.0;
        *self.since += self.added.1;
        Ok(())
    }

    fn run(&self, sql: &str, with: impl Params) -> Result<usize, JournalError> {
        self.transaction
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute(with))
            .map_err(|e| storage(self.path, e))
    }
}

fn encode(input: &Input) -> Result<String, JournalError> {
    serde_json::to_string(&Record {
        v: RECORD_VERSION,
        input,
    })
    .map_err(JournalError::Encode)
}

fn storage(path: &Path, source: rusqlite::Error) -> JournalError {
    let path = path.to_owned();
    match source.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => JournalError::InUse { path },
        Some(ErrorCode::NotADatabase) => JournalError::Foreign {
            path,
            found: "not a database".to_owned(),
        },
        _ => JournalError::Storage { path, source },
    }
}

#[cfg(test)]
mod tests;
