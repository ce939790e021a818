//! Executions that have left memory: found by id and in order, in milliseconds however many there are.

use std::io::{self, Read, Write};

use engine_plan::{
    effect::Archived,
    state::{Execution, StageStatus},
};
use flate2::{Compression, read::ZlibDecoder, write::ZlibEncoder};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension};

use super::{Batch, Journal, JournalError, storage};

/// One archived execution as it is stored.
#[derive(Debug, PartialEq)]
pub struct Row {
    /// Its number in the pipeline.
    pub number: usize,
    body: Vec<u8>,
}

impl Row {
    /// The execution.
    ///
    /// # Errors
    /// It was written by a version that knew other members.
    pub fn decode(self, pipeline: &str) -> Result<Archived, JournalError> {
        let fail = |source| JournalError::Archived {
            pipeline: pipeline.to_owned(),
            number: self.number,
            source,
        };
        let mut text = Vec::with_capacity(8 * self.body.len());
        ZlibDecoder::new(self.body.as_slice())
            .read_to_end(&mut text)
            .map_err(|e| fail(serde_json::Error::io(e)))?;
        Ok(Archived {
            pipeline: pipeline.to_owned(),
            number: self.number,
            execution: serde_json::from_slice(&text).map_err(fail)?,
        })
    }
}

impl Journal {
    /// The archived execution of that id.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn archived(&self, pipeline: &str, id: &str) -> Result<Option<Row>, JournalError> {
        find(&self.connection, pipeline, id).map_err(|e| storage(&self.path, e))
    }

    /// The archived execution of that number.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn archived_number(
        &self,
        pipeline: &str,
        number: usize,
    ) -> Result<Option<Row>, JournalError> {
        let newest = self.older(pipeline, number.saturating_add(1), None, 1)?;
        Ok(newest.into_iter().find(|row| row.number == number))
    }

    /// At most so many archived executions with smaller numbers, newest first; if a stage is given, of those that
    /// succeeded there.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn older(
        &self,
        pipeline: &str,
        before: usize,
        stage: Option<&str>,
        most: usize,
    ) -> Result<Vec<Row>, JournalError> {
        let before = i64::try_from(before).unwrap_or(i64::MAX);
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let read = || -> rusqlite::Result<Vec<Row>> {
            let sql = match stage {
                None => {
                    "SELECT number, body FROM execution WHERE pipeline = ?1 AND number < ?2
                     ORDER BY number DESC LIMIT ?3"
                }
                Some(_) => {
                    "SELECT number, body FROM success CROSS JOIN execution USING (pipeline, number)
                     WHERE pipeline = ?1 AND stage = ?4 AND number < ?2 ORDER BY number DESC LIMIT ?3"
                }
            };
            let mut query = self.connection.prepare_cached(sql)?;
            match stage {
                None => query.query_map((pipeline, before, most), row)?.collect(),
                Some(stage) => query
                    .query_map((pipeline, before, most, stage), row)?
                    .collect(),
            }
        };
        read().map_err(|e| storage(&self.path, e))
    }

    /// The execution that record `seq` brought back, as it was then.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn recalled(&self, seq: i64) -> Result<Option<Row>, JournalError> {
        self.connection
            .prepare_cached("SELECT number, body FROM recalled WHERE seq = ?1")
            .and_then(|mut query| query.query_row([seq], row).optional())
            .map_err(|e| storage(&self.path, e))
    }

    /// Whether any record since the snapshot brought something back.
    #[cfg(test)]
    pub fn recalled_any(&self) -> bool {
        let sql = "SELECT EXISTS (SELECT 1 FROM recalled)";
        self.connection
            .query_row(sql, [], |row| row.get(0))
            .unwrap()
    }

    /// Empties the archive, to make it anew.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn forget_everything(&mut self) -> Result<(), JournalError> {
        self.since = 0;
        self.connection
            .execute_batch(
                "BEGIN; DELETE FROM execution; DELETE FROM success; DELETE FROM recalled; DELETE FROM snapshot; COMMIT;",
            )
            .map_err(|e| storage(&self.path, e))
    }

    /// Drops archived executions that changed last before this time; how many.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn expire(&mut self, before: Timestamp) -> Result<usize, JournalError> {
        let batch = self.batch()?;
        let expired: Vec<(String, i64)> = {
            let find = || -> rusqlite::Result<Vec<_>> {
                let sql = "SELECT pipeline, number FROM execution WHERE updated < ?1";
                let mut query = batch.transaction.prepare_cached(sql)?;
                let rows = query.query_map([before.as_millisecond()], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })?;
                rows.collect()
            };
            find().map_err(|e| storage(batch.path, e))?
        };
        for (pipeline, number) in &expired {
            batch.drop_archived(pipeline, *number)?;
        }
        if !expired.is_empty() {
            batch.commit()?;
        }
        Ok(expired.len())
    }
}

impl Batch<'_> {
    /// The archived execution of that id.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn archived(&self, pipeline: &str, id: &str) -> Result<Option<Row>, JournalError> {
        find(&self.transaction, pipeline, id).map_err(|e| storage(self.path, e))
    }

    /// Keeps an execution that left memory.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn archive(&self, it: &Archived) -> Result<(), JournalError> {
        let run = &it.execution;
        let number = signed(it.number);
        let mut stages: Vec<&str> = run
            .stages
            .iter()
            .filter(|stage| stage.status == StageStatus::Succeeded)
            .map(|stage| stage.name.as_str())
            .collect();
        stages.sort_unstable();
        stages.dedup();
        let succeeded = serde_json::to_string(&stages).map_err(JournalError::Encode)?;
        self.run(
            "INSERT OR REPLACE INTO execution (pipeline, number, id, updated, succeeded, body)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            (
                &it.pipeline,
                number,
                &run.id,
                run.updated.as_millisecond(),
                &succeeded,
                packed(run)?,
            ),
        )?;
        for stage in stages {
            self.run(
                "INSERT OR IGNORE INTO success (pipeline, stage, number) VALUES (?1, ?2, ?3)",
                (&it.pipeline, stage, number),
            )?;
        }
        Ok(())
    }

    /// Record `seq` took an execution back to memory: it leaves the archive, and is kept as it was for a replay.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn recall(&self, seq: i64, pipeline: &str, number: usize) -> Result<(), JournalError> {
        let number = signed(number);
        self.run(
            "INSERT OR REPLACE INTO recalled (seq, number, body)
             SELECT ?1, number, body FROM execution WHERE pipeline = ?2 AND number = ?3",
            (seq, pipeline, number),
        )?;
        self.drop_archived(pipeline, number)
    }

    /// Drops everything archived of a deleted pipeline.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn forget(&self, pipeline: &str) -> Result<(), JournalError> {
        self.run("DELETE FROM execution WHERE pipeline = ?1", [pipeline])?;
        self.run("DELETE FROM success WHERE pipeline = ?1", [pipeline])?;
        Ok(())
    }

    fn drop_archived(&self, pipeline: &str, number: i64) -> Result<(), JournalError> {
        self.run(
            "DELETE FROM success WHERE pipeline = ?1 AND number = ?2 AND stage IN
             (SELECT value FROM execution, json_each(succeeded) WHERE pipeline = ?1 AND number = ?2)",
            (pipeline, number),
        )?;
        self.run(
            "DELETE FROM execution WHERE pipeline = ?1 AND number = ?2",
            (pipeline, number),
        )?;
        Ok(())
    }
}

fn find(db: &Connection, pipeline: &str, id: &str) -> rusqlite::Result<Option<Row>> {
    db.prepare_cached("SELECT number, body FROM execution WHERE pipeline = ?1 AND id = ?2")?
        .query_row((pipeline, id), row)
        .optional()
}

fn row(row: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
    Ok(Row {
        number: row.get(0)?,
        body: row.get(1)?,
    })
}

fn signed(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn packed(run: &Execution) -> Result<Vec<u8>, JournalError> {
    let pack = || -> io::Result<Vec<u8>> {
        let mut writer = ZlibEncoder::new(Vec::with_capacity(2048), Compression::fast());
        writer.write_all(&serde_json::to_vec(run)?)?;
        writer.finish()
    };
    pack().map_err(|e| JournalError::Encode(serde_json::Error::io(e)))
}
