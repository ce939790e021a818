//! What an input made somebody want, until it is delivered: written in the input's own transaction.

use rusqlite::{Transaction, params};

use super::{Batch, Journal, JournalError, storage};

/// The table.
pub(super) const TABLE: &str =
    "CREATE TABLE IF NOT EXISTS outbox (number INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT;";

/// What one transaction does to the outbox.
#[derive(Debug, Default)]
pub struct OutboxChange {
    /// New entries: number and text.
    pub added: Vec<(i64, String)>,
    /// Numbers of entries that are delivered or given up.
    pub done: Vec<i64>,
}

impl OutboxChange {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.done.is_empty()
    }

    fn write(&self, transaction: &Transaction<'_>) -> rusqlite::Result<()> {
        if self.is_empty() {
            return Ok(());
        }
        let mut insert =
            transaction.prepare_cached("INSERT INTO outbox (number, body) VALUES (?1, ?2)")?;
        for (number, body) in &self.added {
            insert.execute(params![number, body])?;
        }
        let mut delete = transaction.prepare_cached("DELETE FROM outbox WHERE number = ?1")?;
        for number in &self.done {
            delete.execute([number])?;
        }
        Ok(())
    }
}

impl Batch<'_> {
    /// Changes the outbox.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn outbox(&self, change: &OutboxChange) -> Result<(), JournalError> {
        let written = change.write(&self.transaction);
        written.map_err(|e| storage(self.path, e))
    }
}

impl Journal {
    /// Entries that were not delivered, in order.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn outbox(&self) -> Result<Vec<(i64, String)>, JournalError> {
        let fail = |e| storage(&self.path, e);
        let mut query = self
            .connection
            .prepare("SELECT number, body FROM outbox ORDER BY number")
            .map_err(fail)?;
        let rows = query
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
            .map_err(fail)?;
        rows.collect::<Result<_, _>>().map_err(fail)
    }
}
