//! Snapshots of the state, so that a start reads the newest records only.

use engine_plan::state::SHAPE;
use rusqlite::OptionalExtension;

use super::{Journal, JournalError, storage};

/// Bytes of records between two snapshots at least; a larger snapshot waits for as many bytes as it has itself, so that
/// snapshots never cost more than the records do.
const SNAPSHOT_AFTER: u64 = 4 * 1024 * 1024;

impl Journal {
    /// The newest snapshot and the number of the last record in it; `None` if there is none that this version can use.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn snapshot(&mut self) -> Result<Option<(i64, Vec<u8>)>, JournalError> {
        let newest: Option<(i64, u32, u32, Vec<u8>)> = self
            .connection
            .prepare_cached(
                "SELECT seq, shape, checksum, body FROM snapshot ORDER BY seq DESC LIMIT 1",
            )
            .and_then(|mut query| {
                let columns = |row: &rusqlite::Row<'_>| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
                };
                query.query_row([], columns).optional()
            })
            .map_err(|e| storage(&self.path, e))?;
        let Some((seq, shape, checksum, body)) = newest else {
            return Ok(None);
        };
        let good = shape == SHAPE && seq <= self.head && crc32fast::hash(&body) == checksum;
        if !good {
            tracing::warn!(seq, shape, "the journal's snapshot cannot be used");
            return Ok(None);
        }
        self.snapshot = body.len() as u64;
        Ok(Some((seq, body)))
    }

    /// Whether so much was written since the last snapshot that another one pays.
    pub fn snapshot_is_due(&self) -> bool {
        !self.distrusted && self.since >= SNAPSHOT_AFTER.max(self.snapshot)
    }

    /// Whether a snapshot would save the next start anything.
    pub fn has_news(&self) -> bool {
        !self.distrusted && self.since > 0
    }

    /// Keeps a snapshot of the state after the newest record, instead of the older ones.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn keep_snapshot(&mut self, body: &[u8]) -> Result<(), JournalError> {
        let seq = self.head;
        let batch = self.batch()?;
        batch.run("DELETE FROM snapshot", [])?;
        batch.run(
            "INSERT INTO snapshot (seq, shape, checksum, body) VALUES (?1, ?2, ?3, ?4)",
            (seq, SHAPE, crc32fast::hash(body), body),
        )?;
        batch.run("DELETE FROM recalled WHERE seq <= ?1", [seq])?;
        batch.commit()?;
        self.since = 0;
        self.snapshot = body.len() as u64;
        Ok(())
    }

    /// Gives the snapshots up: the next start makes the archive anew from the records.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn distrust(&mut self) -> Result<(), JournalError> {
        self.distrusted = true;
        let batch = self.batch()?;
        batch.run("DELETE FROM snapshot", [])?;
        batch.commit()
    }
}
