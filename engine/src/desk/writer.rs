//! The one writer: steps the planner, journals what it accepted, then lets answers, events and effects go.

use std::sync::{Arc, PoisonError, RwLock, mpsc};

use engine_events::route::DEFAULT_BUS;
use engine_plan::{
    event::{Event, Input},
    limit::HISTORY_DAYS,
    refusal::Refusal,
    state::State,
    step::{Answer, step_with},
};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{mpsc as async_mpsc, oneshot, watch};

use super::{
    Applied, OpenError, Outbox, Queued, Request, Seeds,
    consequence::Consequences,
    past::{Shelf, locked, unreadable},
    restore::snapshot,
};
use crate::{
    bus::Bus,
    clock::{Busy, Clock},
    journal::{Batch, JournalError},
};

/// Inputs that share one transaction at most: bounds the time a reader waits.
const BATCH: usize = 256;

/// What the writer's thread owns.
pub(super) struct Writer {
    pub(super) state: Arc<RwLock<State>>,
    pub(super) journal: Shelf,
    pub(super) clock: Clock,
    /// Time of the newest input: inputs never go back in time.
    pub(super) last: Timestamp,
    pub(super) seeds: Seeds,
    pub(super) bus: Bus,
    pub(super) outbox: Outbox,
    pub(super) effects: async_mpsc::UnboundedSender<Queued>,
    pub(super) applied: watch::Sender<Applied>,
}

/// Dropped before the state is let go when a batch was not written: whoever reads the state then, is told.
struct Unkept<'a> {
    applied: &'a watch::Sender<Applied>,
    kept: bool,
}

impl Drop for Unkept<'_> {
    fn drop(&mut self) {
        if !self.kept {
            self.applied.send_modify(|applied| applied.broken = true);
        }
    }
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
            if let Err(error) = self.take(batch).and_then(|()| self.tidy(close)) {
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
        drop(locked(&journal).take());
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

    fn take(&mut self, requests: Vec<Request>) -> Result<(), JournalError> {
        let mut released: Vec<Released> = Vec::with_capacity(requests.len());
        let mut decided = Vec::with_capacity(requests.len());
        let mut published = Vec::new();
        let state = Arc::clone(&self.state);
        let shelf = Arc::clone(&self.journal);
        {
            // Both are held until the commit, so that nobody reads what a crash could take back.
            let mut state = state.write().unwrap_or_else(PoisonError::into_inner);
            let mut shelf = locked(&shelf);
            let Some(journal) = shelf.as_mut() else {
                return Ok(());
            };
            let mut unkept = Unkept {
                applied: &self.applied,
                kept: false,
            };
            let mut batch = journal.batch()?;
            for request in requests {
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
                let result = decide(&mut state, &mut batch, &input)?.map(|(answer, follows)| {
                    for event in &follows.events {
                        self.outbox.add(&self.bus, DEFAULT_BUS, event);
                    }
                    decided.push(follows);
                    answer
                });
                released.push((answer, result, busy));
            }
            let outbox = self.outbox.take();
            if !decided.is_empty() || !outbox.is_empty() {
                batch.outbox(&outbox)?;
                batch.commit()?;
            }
            unkept.kept = true;
        }
        if !decided.is_empty() {
            self.announce(decided.len() as u64);
        }
        for follows in decided {
            for event in follows.events {
                self.bus.publish(event);
            }
            for effect in follows.tasks {
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

    /// Writes a snapshot when it pays, or at the end, and drops history that is too old. Only this thread changes the
    /// state, so it is still what the newest record left; readers go on while it is written down.
    pub(super) fn tidy(&self, closing: bool) -> Result<(), JournalError> {
        let pays = locked(&self.journal)
            .as_ref()
            .is_some_and(|it| it.snapshot_is_due() || closing && it.has_news());
        if !pays {
            return Ok(());
        }
        let body = {
            let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
            snapshot(&state, self.last, &self.bus).map_err(JournalError::Encode)?
        };
        if let Some(journal) = locked(&self.journal).as_mut() {
            journal.keep_snapshot(&body)?;
            let year = SignedDuration::from_hours(24 * HISTORY_DAYS);
            if let Ok(oldest) = self.clock.now().checked_sub(year) {
                journal.expire(oldest)?;
            }
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

/// Decides one input and writes it down with what follows; a refused one leaves no trace.
pub(super) fn decide(
    state: &mut State,
    batch: &mut Batch<'_>,
    input: &Input,
) -> Result<Result<(Answer, Consequences), Refusal>, JournalError> {
    let row = match state.missing(&input.event) {
        Some((pipeline, id)) => batch
            .archived(pipeline, id)?
            .map(|row| row.decode(pipeline)),
        None => None,
    };
    let past = match row.transpose() {
        Ok(past) => past,
        Err(error) => return Ok(Err(unreadable(&error))),
    };
    let place = past.as_ref().map(|it| (it.pipeline.clone(), it.number));
    let (answer, effects) = match step_with(state, input, past) {
        Ok(decided) => decided,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let seq = batch.append(input)?;
    if let Some((pipeline, number)) = place {
        batch.recall(seq, &pipeline, number)?;
    }
    let follows = Consequences::of(input, effects);
    follows.keep(batch)?;
    Ok(Ok((answer, follows)))
}
