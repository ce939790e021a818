//! The append-only record (SQLite, WAL): every accepted input, in order, as versioned JSON.

use std::path::{Path, PathBuf};

use engine_plan::event::Input;
use rusqlite::{Connection, ErrorCode};
use serde::{Deserialize, Serialize};

mod outbox;
mod schema;

pub use outbox::OutboxChange;

/// Version of one record; a change of its shape raises it and keeps reading the older ones.
pub const RECORD_VERSION: u32 = 1;
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
        schema::private(path).map_err(|source| JournalError::File {
            path: path.to_owned(),
            source,
        })?;
        let connection = Connection::open(path).map_err(fail)?;
        let journal = Self {
            path: path.to_owned(),
            connection,
        };
        journal.prepare()?;
        Ok(journal)
    }

    /// Reads every record in order.
    ///
    /// # Errors
    /// The first record that cannot be read, or the first error of `each`.
    pub fn replay<E: From<JournalError>>(
        &self,
        mut each: impl FnMut(i64, Input) -> Result<(), E>,
    ) -> Result<(), E> {
        let fail = |e| storage(&self.path, e);
        let mut query = self
            .connection
            .prepare("SELECT seq, body FROM input ORDER BY seq")
            .map_err(fail)?;
        let mut rows = query.query([]).map_err(fail)?;
        while let Some(row) = rows.next().map_err(fail)? {
            let seq = row.get(0).map_err(fail)?;
            let body = row.get_ref(1).and_then(|v| Ok(v.as_str()?)).map_err(fail)?;
            each(seq, self.decode(seq, body)?)?;
        }
        Ok(())
    }

    /// Adds records in one transaction: all of them are on disk afterwards, or none.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn append(&mut self, inputs: &[Input]) -> Result<(), JournalError> {
        self.commit(inputs, &OutboxChange::default())
    }

    /// [`Journal::append`] together with a change of the outbox.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn commit(&mut self, inputs: &[Input], outbox: &OutboxChange) -> Result<(), JournalError> {
        let Self { path, connection } = self;
        let fail = |e| storage(path, e);
        let transaction = connection.transaction().map_err(fail)?;
        {
            let mut insert = transaction
                .prepare_cached("INSERT INTO input (body) VALUES (?1)")
                .map_err(fail)?;
            for input in inputs {
                insert.execute([encode(input)?]).map_err(fail)?;
            }
        }
        outbox.write(&transaction).map_err(fail)?;
        transaction.commit().map_err(fail)
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
