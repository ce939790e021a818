//! `states.db`: the book, how executions began and ended, their inputs, the tasks that tokens answer.

use std::path::Path;

use engine_states::event::Input;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{
    book::Book,
    record::{Begun, Ended, Listed},
};

const TABLES: &str = "
    PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;
    CREATE TABLE IF NOT EXISTS book (id INTEGER PRIMARY KEY CHECK (id = 1), body TEXT NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS execution (arn TEXT PRIMARY KEY, machine TEXT NOT NULL, status TEXT NOT NULL,
        started INTEGER NOT NULL, begun TEXT NOT NULL, ended TEXT) STRICT;
    CREATE INDEX IF NOT EXISTS execution_machine ON execution (machine, started);
    CREATE INDEX IF NOT EXISTS execution_status ON execution (status);
    CREATE TABLE IF NOT EXISTS input (execution TEXT NOT NULL, seq INTEGER NOT NULL, body TEXT NOT NULL,
        PRIMARY KEY (execution, seq)) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS map_run (arn TEXT PRIMARY KEY, execution TEXT NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS told (execution TEXT PRIMARY KEY, status TEXT NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS token (token TEXT PRIMARY KEY, execution TEXT NOT NULL, task INTEGER NOT NULL)
        STRICT, WITHOUT ROWID;";

/// Why something was not kept or found again.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk or SQLite failed.
    #[error("the file of state machines cannot be read or written")]
    Storage(#[from] rusqlite::Error),
    /// A record cannot be written or read as JSON.
    #[error("a record of a state machine or execution cannot be read or written")]
    Record(#[from] serde_json::Error),
    /// The file cannot be made.
    #[error("the file of state machines cannot be made")]
    File(#[from] std::io::Error),
    /// A definition that was taken once is refused now.
    #[error("the definition of {0} is refused by this version")]
    Definition(String),
}

/// The open file.
pub struct Store {
    pub(super) db: Connection,
}

impl Store {
    pub fn open(file: &Path) -> Result<Self, StoreError> {
        crate::journal::private(file)?;
        let db = Connection::open(file)?;
        db.execute_batch(TABLES)?;
        Ok(Self { db })
    }

    pub fn book(&self) -> Result<Book, StoreError> {
        let body: Option<String> = self
            .db
            .query_row("SELECT body FROM book", [], |r| r.get(0))
            .optional()?;
        Ok(body
            .map(|b| serde_json::from_str(&b))
            .transpose()?
            .unwrap_or_default())
    }

    pub fn put_book(&self, book: &Book) -> Result<(), StoreError> {
        let body = serde_json::to_string(book)?;
        self.db.execute(
            "INSERT OR REPLACE INTO book (id, body) VALUES (1, ?1)",
            [body],
        )?;
        Ok(())
    }

    pub fn begin(&self, begun: &Begun) -> Result<(), StoreError> {
        let statement = "INSERT INTO execution (arn, machine, status, started, begun) VALUES (?1, ?2, 'RUNNING', ?3, ?4)";
        let id = &begun.identity;
        let body = serde_json::to_string(begun)?;
        self.db.execute(
            statement,
            params![id.arn, id.machine_arn, begun.at.as_microsecond(), body],
        )?;
        Ok(())
    }

    pub fn input(&self, arn: &str, seq: i64, input: &Input) -> Result<(), StoreError> {
        let body = serde_json::to_string(input)?;
        let mut statement = self
            .db
            .prepare_cached("INSERT INTO input (execution, seq, body) VALUES (?1, ?2, ?3)")?;
        statement.execute(params![arn, seq, body])?;
        Ok(())
    }

    pub fn inputs(&self, arn: &str) -> Result<Vec<Input>, StoreError> {
        let mut statement = self
            .db
            .prepare_cached("SELECT body FROM input WHERE execution = ?1 ORDER BY seq")?;
        let rows = statement.query_map([arn], |r| r.get::<_, String>(0))?;
        rows.map(|row| Ok(serde_json::from_str(&row?)?)).collect()
    }

    /// How an execution stands: ended, or running again after a redrive.
    pub fn stand(&self, arn: &str, ended: Option<&Ended>) -> Result<(), StoreError> {
        let status = ended.map_or("RUNNING", |e| &e.status);
        let body = ended.map(serde_json::to_string).transpose()?;
        self.db.execute(
            "UPDATE execution SET status = ?2, ended = ?3 WHERE arn = ?1",
            params![arn, status, body],
        )?;
        Ok(())
    }

    pub fn token(&self, token: &str, arn: &str, task: u64) -> Result<(), StoreError> {
        let task = i64::try_from(task).unwrap_or(i64::MAX);
        self.db.execute(
            "INSERT OR REPLACE INTO token (token, execution, task) VALUES (?1, ?2, ?3)",
            params![token, arn, task],
        )?;
        Ok(())
    }

    pub fn task_of(&self, token: &str) -> Result<Option<(String, u64)>, StoreError> {
        let found = self
            .db
            .query_row(
                "SELECT execution, task FROM token WHERE token = ?1",
                [token],
                |r| Ok((r.get::<_, String>(0)?, r.get::<_, i64>(1)?)),
            )
            .optional()?;
        Ok(found.map(|(arn, task)| (arn, u64::try_from(task).unwrap_or_default())))
    }

    pub fn map_run(&self, run: &str, arn: &str) -> Result<(), StoreError> {
        let mut statement = self
            .db
            .prepare_cached("INSERT OR IGNORE INTO map_run (arn, execution) VALUES (?1, ?2)")?;
        statement.execute([run, arn])?;
        Ok(())
    }

    /// A map run and its execution; `run` as SQL's LIKE takes it.
    pub fn execution_of(&self, run: &str) -> Result<Option<(String, String)>, StoreError> {
        Ok(self
            .db
            .query_row(
                "SELECT arn, execution FROM map_run WHERE arn LIKE ?1 ORDER BY arn = ?1 DESC",
                [run],
                |r| Ok((r.get(0)?, r.get(1)?)),
            )
            .optional()?)
    }

    /// Notes that EventBridge was told of this status.
    pub fn told(&self, arn: &str, status: &str) -> Result<(), StoreError> {
        let mut statement = self
            .db
            .prepare_cached("INSERT OR REPLACE INTO told (execution, status) VALUES (?1, ?2)")?;
        statement.execute([arn, status])?;
        Ok(())
    }

    /// Executions whose status EventBridge was not told of.
    pub fn untold(&self) -> Result<Vec<String>, StoreError> {
        let mut statement = self.db.prepare_cached(
            "SELECT arn FROM execution WHERE status IS NOT (SELECT status FROM told WHERE execution = arn) ORDER BY started",
        )?;
        let rows = statement.query_map([], |r| r.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    pub fn execution(&self, arn: &str) -> Result<Option<Listed>, StoreError> {
        let found = self
            .db
            .query_row(
                "SELECT begun, ended FROM execution WHERE arn = ?1",
                [arn],
                both,
            )
            .optional()?;
        found.map(listed).transpose()
    }

    /// Executions of a machine, the newest first.
    pub fn executions(
        &self,
        machine: &str,
        status: Option<&str>,
    ) -> Result<Vec<Listed>, StoreError> {
        let mut statement = self.db.prepare_cached(
            "SELECT begun, ended FROM execution WHERE machine = ?1 AND (?2 IS NULL OR status = ?2) ORDER BY started DESC, rowid DESC",
        )?;
        let rows = statement.query_map(params![machine, status], both)?;
        rows.map(|row| listed(row?)).collect()
    }

    /// ARNs of the executions that have not ended, the oldest first.
    pub fn running(&self) -> Result<Vec<String>, StoreError> {
        let mut statement = self.db.prepare_cached(
            "SELECT arn FROM execution WHERE status = 'RUNNING' ORDER BY started",
        )?;
        let rows = statement.query_map([], |r| r.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

fn both(row: &rusqlite::Row<'_>) -> rusqlite::Result<(String, Option<String>)> {
    Ok((row.get(0)?, row.get(1)?))
}

fn listed((begun, ended): (String, Option<String>)) -> Result<Listed, StoreError> {
    Ok(Listed {
        begun: serde_json::from_str(&begun)?,
        ended: ended.map(|e| serde_json::from_str(&e)).transpose()?,
    })
}
