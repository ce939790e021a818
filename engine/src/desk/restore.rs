//! From the journal to the state: the newest snapshot and the records after it, or all records.

use std::collections::VecDeque;

use engine_plan::{effect::Archived, event::Input, state::State, step::step_with};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{OpenError, consequence::Consequences};
use crate::{bus::Bus, journal::Journal};

/// Records read at once; while the archive is made anew, also those of one transaction.
const CHUNK: usize = 1_024;
/// Events that a snapshot keeps for those who look at them after a restart: more than the console shows.
const EVENTS_KEPT: usize = 256;
/// Events of a replay that the bus gets.
const EVENTS_REPLAYED: usize = 4_096;

/// What a replay gives.
#[derive(Debug, Default)]
pub(super) struct Restored {
    pub(super) state: State,
    /// Time of the newest record.
    pub(super) last: Timestamp,
    /// The newest events, with their ids.
    pub(super) events: VecDeque<Value>,
    /// The record whose snapshot it began with.
    pub(super) snapshot: Option<i64>,
}

#[derive(Serialize)]
struct Written<'a> {
    last: Timestamp,
    events: Vec<&'a Value>,
    state: &'a State,
}

#[derive(Deserialize)]
struct Read {
    last: Timestamp,
    events: VecDeque<Value>,
    state: State,
}

/// Where a replay finds what left memory, and what it does with what leaves.
#[derive(Clone, Copy, PartialEq)]
enum Archive {
    /// It holds everything up to the newest record.
    Whole,
    /// It is made anew, record by record.
    Rebuilt,
}

/// The state after the newest record.
pub(super) fn restore(journal: &mut Journal) -> Result<Restored, OpenError> {
    if let Some((seq, body)) = journal.snapshot()? {
        let replayed = parsed(seq, &body).map(|it| follow(journal, it, seq, Archive::Whole));
        match replayed {
            Some(Ok(restored)) => return Ok(restored),
            Some(Err(OpenError::Journal(error))) => return Err(error.into()),
            Some(Err(error)) => {
                let error: &dyn std::error::Error = &error;
                tracing::warn!(error, "the journal's records do not follow its snapshot");
            }
            None => {}
        }
        tracing::warn!("the state is made anew from all records of the journal");
    }
    journal.forget_everything()?;
    follow(journal, Restored::default(), 0, Archive::Rebuilt)
}

/// What a snapshot holds, so that [`restore`] can read it.
pub(super) fn snapshot(
    state: &State,
    last: Timestamp,
    bus: &Bus,
) -> Result<Vec<u8>, serde_json::Error> {
    let events = bus.since(0);
    let skip = events.len().saturating_sub(EVENTS_KEPT);
    serde_json::to_vec(&Written {
        last,
        events: events.iter().skip(skip).map(|it| &*it.item).collect(),
        state,
    })
}

fn parsed(seq: i64, body: &[u8]) -> Option<Restored> {
    match serde_json::from_slice::<Read>(body) {
        Ok(read) => Some(Restored {
            state: read.state,
            last: read.last,
            events: read.events,
            snapshot: Some(seq),
        }),
        Err(error) => {
            tracing::warn!(%error, "the journal's snapshot cannot be read");
            None
        }
    }
}

/// Applies the records after `seq`.
fn follow(
    journal: &mut Journal,
    mut restored: Restored,
    mut seq: i64,
    archive: Archive,
) -> Result<Restored, OpenError> {
    loop {
        let records = journal.records(seq, CHUNK)?;
        let Some((newest, _)) = records.last() else {
            return Ok(restored);
        };
        seq = *newest;
        match archive {
            Archive::Whole => {
                for (seq, input) in records {
                    let past = match restored.state.missing(&input.event) {
                        Some((pipeline, _)) => journal
                            .recalled(seq)?
                            .map(|row| row.decode(pipeline))
                            .transpose()?,
                        None => None,
                    };
                    restored.apply(seq, &input, past)?;
                }
            }
            Archive::Rebuilt => {
                let batch = journal.batch()?;
                for (seq, input) in records {
                    let past = match restored.state.missing(&input.event) {
                        Some((pipeline, id)) => batch
                            .archived(pipeline, id)?
                            .map(|row| row.decode(pipeline))
                            .transpose()?,
                        None => None,
                    };
                    let place = past.as_ref().map(|it| (it.pipeline.clone(), it.number));
                    let follows = restored.apply(seq, &input, past)?;
                    if let Some((pipeline, number)) = place {
                        batch.recall(seq, &pipeline, number)?;
                    }
                    follows.keep(&batch)?;
                }
                batch.commit()?;
            }
        }
    }
}

impl Restored {
    /// One record; what follows from it. Its events are noted here.
    fn apply(
        &mut self,
        seq: i64,
        input: &Input,
        past: Option<Archived>,
    ) -> Result<Consequences, OpenError> {
        self.last = self.last.max(input.at);
        let (_, effects) = step_with(&mut self.state, input, past)
            .map_err(|refusal| OpenError::Replay { seq, refusal })?;
        let mut follows = Consequences::of(input, effects);
        self.events.extend(std::mem::take(&mut follows.events));
        let surplus = self.events.len().saturating_sub(EVENTS_REPLAYED);
        self.events.drain(..surplus);
        Ok(follows)
    }
}

#[cfg(test)]
mod tests;
