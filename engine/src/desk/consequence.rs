//! What follows from an accepted input, by whom it concerns: the archive, the event bus, the providers.

use engine_plan::{
    effect::{Archived, Effect},
    event::Input,
};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::journal::{Batch, JournalError};

/// The effects of one input.
#[derive(Debug, Default)]
pub(super) struct Consequences {
    /// EventBridge events with their ids.
    pub(super) events: Vec<Value>,
    /// What providers are told.
    pub(super) tasks: Vec<Effect>,
    archive: Vec<Change>,
}

/// A change of the archive.
#[derive(Debug)]
enum Change {
    Keep(Box<Archived>),
    Forget(String),
}

impl Consequences {
    /// Sorts the effects of an input. An event's id comes from its input: it is the same after every replay, so that a
    /// follower can tell repeats.
    pub(super) fn of(input: &Input, effects: Vec<Effect>) -> Self {
        let mut all = Self::default();
        for (index, effect) in effects.into_iter().enumerate() {
            match effect {
                Effect::Emit(mut event) => {
                    if let Some(fields) = event.as_object_mut() {
                        let id = event_id(input.seed, index as u64);
                        fields.insert("id".to_owned(), Value::from(id));
                    }
                    all.events.push(*event);
                }
                Effect::Archive(it) => all.archive.push(Change::Keep(it)),
                Effect::Forget { pipeline } => all.archive.push(Change::Forget(pipeline)),
                task @ (Effect::Perform(_) | Effect::Cancel { .. }) => all.tasks.push(task),
            }
        }
        all
    }

    /// Writes what the archive must know, with the input.
    pub(super) fn keep(&self, batch: &Batch<'_>) -> Result<(), JournalError> {
        for change in &self.archive {
            match change {
                Change::Keep(it) => batch.archive(it)?,
                Change::Forget(pipeline) => batch.forget(pipeline)?,
            }
        }
        Ok(())
    }
}

fn event_id(seed: u128, index: u64) -> String {
    let mut hash = Sha256::new_with_prefix(b"event");
    hash.update(seed.to_be_bytes());
    hash.update(index.to_be_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.finalize()[..16]);
    uuid::Builder::from_random_bytes(bytes)
        .into_uuid()
        .to_string()
}
