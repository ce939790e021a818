//! The one writer: steps the planner, journals what it accepted, then lets answers, events and effects go.

use std::sync::{Arc, PoisonError, RwLock, mpsc};

use engine_events::route::DEFAULT_BUS;
use engine_plan::{
    effect::Effect,
    event::{Event, Input},
    refusal::Refusal,
    state::State,
    step::{Answer, step},
};
use jiff::Timestamp;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::sync::{mpsc as async_mpsc, oneshot, watch};

use super::{Applied, OpenError, Outbox, Queued, Request, Seeds};
use crate::{
    bus::Bus,
    clock::{Busy, Clock},
    journal::{Journal, JournalError},
};

/// Inputs that share one transaction at most: bounds the time a reader waits.
const BATCH: usize = 256;

/// What the writer's thread owns.
pub(super) struct Writer {
    pub(super) state: Arc<RwLock<State>>,
    pub(super) journal: Journal,
    pub(super) clock: Clock,
    /// Time of the newest input: inputs never go back in time.
    pub(super) last: Timestamp,
    pub(super) seeds: Seeds,
    pub(super) bus: Bus,
    pub(super) outbox: Outbox,
    pub(super) effects: async_mpsc::UnboundedSender<Queued>,
    pub(super) applied: watch::Sender<Applied>,
}

type Released = (
    oneshot::Sender<Result<Answer, Refusal>>,
    Result<Answer, Refusal>,
    Busy,
);

impl Writer {
    /// Takes batches until it is told to close or the journal fails.
    pub(super) fn run(mut self, inbox: &mpsc::Receiver<Request>) {
        while let Ok(first) = inbox.recv() {
            let mut batch = vec![first];
            while batch.len() < BATCH
                && let Ok(more) = inbox.try_recv()
            {
                batch.push(more);
            }
            let close = batch.iter().any(|r| matches!(r, Request::Close));
            if let Err(error) = self.take(batch) {
                let error: &dyn std::error::Error = &error;
                tracing::error!(error, "the journal cannot be written: the engine stops");
                break;
            }
            if close {
                break;
            }
        }
        let Self {
            journal, applied, ..
        } = self;
        drop(journal);
        applied.send_modify(|a| a.ended = true);
    }

    /// Notes the settings of this run of the engine.
    pub(super) fn configure(&mut self, event: Event) -> Result<(), OpenError> {
        let (answer, mut answered) = oneshot::channel();
        let busy = self.clock.busy();
        self.take(vec![Request::Submit {
            event: Box::new(event),
            answer,
            busy,
        }])?;
        match answered.try_recv() {
            Ok(Err(refusal)) => Err(OpenError::Settings(refusal)),
            _ => Ok(()),
        }
    }

    fn take(&mut self, batch: Vec<Request>) -> Result<(), JournalError> {
        let mut inputs = Vec::with_capacity(batch.len());
        let mut released: Vec<Released> = Vec::with_capacity(batch.len());
        let mut decided = Vec::new();
        let mut published = Vec::new();
        let state = Arc::clone(&self.state);
        {
            // Held until the commit, so that nobody reads what a crash could take back.
            let mut state = state.write().unwrap_or_else(PoisonError::into_inner);
            for request in batch {
                let (event, answer, busy) = match request {
                    Request::Submit {
                        event,
                        answer,
                        busy,
                    } => (event, answer, busy),
                    Request::Publish {
                        event_bus,
                        events,
                        answer,
                    } => {
                        for event in &events {
                            self.outbox.add(&self.bus, &event_bus, event);
                        }
                        published.push((events, answer));
                        continue;
                    }
                    Request::Delivered(number) => {
                        self.outbox.done(number);
                        continue;
                    }
                    Request::Close => continue,
                };
                self.last = self.last.max(self.clock.now());
                let input = Input {
                    at: self.last,
                    seed: (self.seeds)(),
                    event: *event,
                };
                let result = step(&mut state, &input).map(|(answer, mut effects)| {
                    number(input.seed, &mut effects);
                    for effect in &effects {
                        if let Effect::Emit(event) = effect {
                            self.outbox.add(&self.bus, DEFAULT_BUS, event);
                        }
                    }
                    decided.push(effects);
                    inputs.push(input);
                    answer
                });
                released.push((answer, result, busy));
            }
            let outbox = self.outbox.take();
            if !inputs.is_empty() || !outbox.is_empty() {
                self.journal.commit(&inputs, &outbox)?;
            }
        }
        if !inputs.is_empty() {
            self.announce(inputs.len() as u64);
        }
        for effects in decided {
            for effect in publish(&self.bus, effects) {
                self.effects.send((effect, self.clock.busy())).ok();
            }
        }
        for (events, answer) in published {
            events.into_iter().for_each(|event| self.bus.publish(event));
            answer.send(()).ok();
        }
        self.outbox.let_go(&self.clock);
        for (answer, result, _busy) in released {
            answer.send(result).ok();
        }
        Ok(())
    }

    /// Tells those who wait that inputs were applied.
    pub(super) fn announce(&self, inputs: u64) {
        let next_due = self
            .state
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .next_due();
        self.applied.send_modify(|a| {
            a.inputs += inputs;
            a.next_due = next_due;
        });
    }
}

/// Gives the events among the effects their ids. They come from the input: an event's id is the same after every
/// replay, so that a follower can tell repeats.
pub(super) fn number(seed: u128, effects: &mut [Effect]) {
    for (index, effect) in effects.iter_mut().enumerate() {
        if let Effect::Emit(event) = effect
            && let Some(fields) = event.as_object_mut()
        {
            let id = event_id(seed, index as u64);
            fields.insert("id".to_owned(), Value::from(id));
        }
    }
}

/// Sends the events among the effects and answers the rest.
pub(super) fn publish(bus: &Bus, effects: Vec<Effect>) -> Vec<Effect> {
    let mut rest = Vec::new();
    for effect in effects {
        match effect {
            Effect::Emit(event) => bus.publish(*event),
            other => rest.push(other),
        }
    }
    rest
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
