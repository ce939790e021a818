//! The one loop and the one writer: an input is decided, journaled, applied and performed here.
//!
//! A thread of its own takes whatever has arrived, steps the planner, appends the accepted inputs in one transaction
//! and only then lets the answers, the events and the effects go. Readers see no state that is not on disk.

use std::{
    fmt,
    path::Path,
    sync::{Arc, Mutex, PoisonError, RwLock, mpsc},
    thread,
};

use engine_events::route::Delivery;
use engine_plan::{
    effect::{ActionTask, Effect},
    event::{Event, Settings},
    refusal::Refusal,
    state::State,
    step::Answer,
};
use jiff::Timestamp;
use tokio::sync::{mpsc as async_mpsc, oneshot, watch};

use crate::{
    bus::Bus,
    clock::{Busy, Clock},
    journal::{Journal, JournalError},
};

mod consequence;
mod outbox;
mod past;
mod restore;
mod writer;

use outbox::Outbox;
use past::Shelf;
pub use past::{History, Past};
use restore::{Restored, restore};
use serde_json::Value;
use writer::Writer;

/// Carries out what the planner decided. Called in order, from one task; it must not wait.
pub trait Perform: Send + Sync + 'static {
    /// Starts an action at its provider. The guard keeps a fast clock from jumping: hold it while the provider runs.
    fn perform(&self, task: ActionTask, busy: Busy);
    /// Stops it.
    fn cancel(&self, action_execution: &str);
}

/// Where new ids come from.
pub type Seeds = Box<dyn FnMut() -> u128 + Send>;

/// Why the desk cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The planner of this version does not take what an earlier one took.
    #[error(
        "record {seq} of the journal is refused by this version: use the version that wrote it"
    )]
    Replay {
        /// Its number.
        seq: i64,
        /// The planner's words.
        #[source]
        refusal: Refusal,
    },
    /// The settings were refused.
    #[error("the engine's settings were refused")]
    Settings(#[source] Refusal),
    /// No thread for the writer.
    #[error("the writer could not be started")]
    Thread(#[source] std::io::Error),
}

/// Handle of the loop; clones share it.
#[derive(Clone)]
pub struct Desk {
    inner: Arc<Inner>,
}

struct Inner {
    clock: Clock,
    state: Arc<RwLock<State>>,
    /// Empty once the writer has ended.
    journal: Shelf,
    requests: mpsc::Sender<Request>,
    /// Number of applied inputs and the planner's next timer, as of the last batch.
    applied: watch::Receiver<Applied>,
    /// Taken by the first [`Desk::attach`].
    effects: Mutex<Option<async_mpsc::UnboundedReceiver<Queued>>>,
    /// Taken by the first [`Desk::deliveries`].
    deliveries: Mutex<Option<async_mpsc::UnboundedReceiver<Outgoing>>>,
}

/// An event on its way to one target of a rule; it comes again after a restart until [`Desk::delivered`] is told.
#[derive(Debug)]
pub struct Outgoing {
    /// What [`Desk::delivered`] wants.
    pub number: i64,
    /// The event and its target.
    pub delivery: Delivery,
    /// Keeps a fast clock from jumping.
    pub busy: Busy,
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Applied {
    inputs: u64,
    next_due: Option<Timestamp>,
    /// The writer has ended: nothing will change any more.
    ended: bool,
    /// The journal failed: the state may hold what was not written down.
    broken: bool,
}

enum Request {
    Submit {
        event: Box<Event>,
        answer: oneshot::Sender<Result<Answer, Refusal>>,
        busy: Busy,
    },
    /// Events that are no input of the planner: PutEvents, S3, schedules.
    Publish {
        event_bus: String,
        events: Vec<Value>,
        answer: oneshot::Sender<()>,
    },
    /// An entry of the outbox is done.
    Delivered(i64),
    Close,
}

type Queued = (Effect, Busy);

impl Desk {
    /// Opens the journal, restores the state from it, notes the settings if they are new, and starts the writer. What was started and
    /// had not ended is performed again once something is attached.
    ///
    /// # Errors
    /// The journal is in use or broken, or does not fit this version.
    pub fn open(
        journal: &Path,
        clock: Clock,
        bus: Bus,
        settings: Settings,
    ) -> Result<Self, OpenError> {
        Self::open_with(journal, clock, bus, settings, random_seeds())
    }

    /// [`Desk::open`] with chosen seeds.
    ///
    /// # Errors
    /// As [`Desk::open`].
    pub fn open_with(
        journal: &Path,
        clock: Clock,
        bus: Bus,
        settings: Settings,
        seeds: Seeds,
    ) -> Result<Self, OpenError> {
        let mut journal = Journal::open(journal)?;
        let Restored {
            state,
            last,
            events,
            snapshot,
        } = restore(&mut journal)?;
        tracing::debug!(snapshot, "the state is restored");
        for event in events {
            bus.publish(event);
        }
        clock.continue_from(last);

        let (outbox, deliveries) = Outbox::open(&journal, &clock)?;
        let (effects, queue) = async_mpsc::unbounded_channel();
        for effect in state.outstanding() {
            effects.send((effect, clock.busy())).ok();
        }
        let configure =
            (state.settings.as_ref() != Some(&settings)).then_some(Event::Configured { settings });
        // Functions could not report while the engine was down: their silence limits start again.
        let resumed = (!state.running.is_empty()).then_some(Event::Resumed);
        let (requests, inbox) = mpsc::channel();
        let (applied, watch) = watch::channel(Applied::default());
        let state = Arc::new(RwLock::new(state));
        let journal: Shelf = Arc::new(Mutex::new(Some(journal)));
        let mut writer = Writer {
            state: Arc::clone(&state),
            journal: Arc::clone(&journal),
            clock: clock.clone(),
            last,
            seeds,
            bus,
            outbox,
            effects,
            applied,
        };
        for event in configure.into_iter().chain(resumed) {
            writer.configure(event)?;
        }
        writer.announce(0);
        writer.tidy(false)?;
        thread::Builder::new()
            .name("desk".to_owned())
            .spawn(move || writer.run(&inbox))
            .map_err(OpenError::Thread)?;
        Ok(Self {
            inner: Arc::new(Inner {
                clock,
                state,
                journal,
                requests,
                applied: watch,
                effects: Mutex::new(Some(queue)),
                deliveries: Mutex::new(Some(deliveries)),
            }),
        })
    }

    /// Gives the effects to `performer`, first those that waited, and starts the timer. Needs a tokio runtime;
    /// a second call changes nothing.
    pub fn attach(&self, performer: Arc<dyn Perform>) {
        let queue = self
            .inner
            .effects
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some(mut queue) = queue else { return };
        tokio::spawn(async move {
            while let Some((effect, busy)) = queue.recv().await {
                match effect {
                    Effect::Perform(task) => performer.perform(*task, busy),
                    Effect::Cancel { action_execution } => performer.cancel(&action_execution),
                    Effect::Emit(_) | Effect::Archive(_) | Effect::Forget { .. } => {}
                }
            }
        });
        tokio::spawn(self.clone().keep_time());
    }

    /// Decides, journals and applies one event; answers once it is on disk.
    ///
    /// # Errors
    /// The planner's refusal, which changed nothing.
    pub async fn submit(&self, event: Event) -> Result<Answer, Refusal> {
        let (answer, answered) = oneshot::channel();
        let busy = self.inner.clock.busy();
        let request = Request::Submit {
            event: Box::new(event),
            answer,
            busy,
        };
        if self.inner.requests.send(request).is_err() {
            return Err(stopping());
        }
        answered.await.unwrap_or_else(|_| Err(stopping()))
    }

    /// Sends events to an event bus; they are on disk for the targets of its rules when this answers.
    ///
    /// # Errors
    /// The engine is stopping.
    pub async fn publish(&self, event_bus: &str, events: Vec<Value>) -> Result<(), Refusal> {
        let (answer, answered) = oneshot::channel();
        let event_bus = event_bus.to_owned();
        let request = Request::Publish {
            event_bus,
            events,
            answer,
        };
        self.inner.requests.send(request).map_err(|_| stopping())?;
        answered.await.map_err(|_| stopping())
    }

    /// What rules want delivered, first what an earlier run left; a second call gets nothing.
    pub fn deliveries(&self) -> Option<async_mpsc::UnboundedReceiver<Outgoing>> {
        let deliveries = self.inner.deliveries.lock();
        deliveries.unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Says that a delivery is over: it arrived, or was given up.
    pub fn delivered(&self, number: i64) {
        self.inner.requests.send(Request::Delivered(number)).ok();
    }

    /// Reads the state as of the last applied input. Keep it short: the writer waits.
    pub fn read<R>(&self, look: impl FnOnce(&State) -> R) -> R {
        look(
            &self
                .inner
                .state
                .read()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }

    /// Reads the state together with what has left memory: both as of the last applied input. Keep it short, as
    /// [`Desk::read`].
    pub fn read_all<R>(&self, look: impl FnOnce(&State, &Past<'_>) -> R) -> R {
        self.read(|state| look(state, &Past::new(&self.inner.journal)))
    }

    /// Waits until `look` finds something; it is asked now and after every batch of inputs. `None` when the desk
    /// has ended without it, or its journal failed.
    pub async fn wait_until<T>(&self, mut look: impl FnMut(&State) -> Option<T>) -> Option<T> {
        let mut applied = self.inner.applied.clone();
        loop {
            let ended = applied.borrow_and_update().ended;
            let found = self.read(&mut look);
            if self.is_broken() {
                return None;
            }
            if found.is_some() || ended || applied.changed().await.is_err() {
                return found;
            }
        }
    }

    /// Whether the journal failed. What was read before this is asked may then never have been written down, and a start
    /// would not know of it: nobody may be told.
    pub fn is_broken(&self) -> bool {
        self.inner.applied.borrow().broken
    }

    /// How many inputs were applied since it was opened.
    pub fn applied(&self) -> u64 {
        self.inner.applied.borrow().inputs
    }

    /// Ends the writer after what has already arrived, and gives the journal back. Later events are refused.
    pub async fn close(&self) {
        self.inner.requests.send(Request::Close).ok();
        self.ended().await;
    }

    /// Ends when the writer has: after [`Desk::close`], or because the journal could not be written.
    pub async fn ended(&self) {
        let mut applied = self.inner.applied.clone();
        applied.wait_for(|a| a.ended).await.ok();
    }

    async fn keep_time(self) {
        let mut applied = self.inner.applied.clone();
        let mut fired: Option<Applied> = None;
        loop {
            let now = *applied.borrow_and_update();
            if now.ended {
                return;
            }
            // The same timer twice without any other input: the planner was told and did not move. Wait for others.
            let stuck =
                fired.is_some_and(|f| f.next_due == now.next_due && f.inputs + 1 >= now.inputs);
            let due = now.next_due.filter(|_| !stuck);
            tokio::select! {
                changed = applied.changed() => if changed.is_err() { return },
                () = sleep_until(&self.inner.clock, due) => {
                    fired = Some(*applied.borrow());
                    if let Err(refusal) = self.submit(Event::TimePassed).await {
                        tracing::debug!(%refusal, "the timer was not taken");
                    }
                }
            }
        }
    }
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk")
            .field("applied", &self.applied())
            .finish_non_exhaustive()
    }
}

async fn sleep_until(clock: &Clock, due: Option<Timestamp>) {
    match due {
        Some(due) => clock.sleep_until(due).await,
        None => std::future::pending().await,
    }
}

fn random_seeds() -> Seeds {
    Box::new(|| uuid::Uuid::new_v4().as_u128() ^ (uuid::Uuid::new_v4().as_u128() << 64))
}

pub(crate) fn stopping() -> Refusal {
    Refusal::internal("the engine is stopping")
}

#[cfg(test)]
mod kills;
#[cfg(test)]
pub(crate) mod scripted;
#[cfg(test)]
mod tests;
