//! Step Functions: state machines and activities that survive a restart, and executions that go on where they were.
//!
//! `engine-states` decides, this performs. Of an execution only its beginning and its inputs are kept (`states.db`): the
//! machine and its history are made from them anew, after a restart and for whoever asks for the history of an old one.

mod activity;
mod book;
pub mod declared;
mod items;
mod news;
mod perform;
mod record;
mod run;
mod service;
mod store;
mod task;

use std::{
    collections::HashMap,
    fmt,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use engine_events::book::Home;
use engine_states::{
    definition::{Definition, Type, parse},
    diagnostic::{Diagnostic, Refused, Severity},
};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

pub use activity::Handed;
pub use book::{Activity, Alias, Book, Chosen, StateMachine, Version};
pub use record::VERSION as RECORD_VERSION;
pub use record::{Begun, Child, Counts, Ended, Listed, Look, Run};
pub use run::{Told, seed};
pub use service::http::Seen;
pub use store::StoreError;
pub use task::{Failed, try_once};

use crate::{app::App, clock::Clock};

/// Everything of Step Functions in one engine; clones share it.
#[derive(Clone)]
pub struct Workflows {
    inner: Arc<Inner>,
}

struct Inner {
    home: Home,
    clock: Clock,
    kept: Mutex<Kept>,
    jobs: Mutex<HashMap<Job, CancellationToken>>,
    queue: activity::Queue,
    changed: watch::Sender<u64>,
    news: Mutex<news::Channel>,
}

struct Kept {
    store: store::Store,
    book: Book,
    live: HashMap<String, run::Live>,
}

/// What goes on for an execution: a task or a timer of that number.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Job {
    Task(String, u64),
    Timer(String, u64),
}

impl Workflows {
    /// Opens what is kept in `file`.
    ///
    /// # Errors
    /// It is there and cannot be read.
    pub fn open(file: &Path, home: Home, clock: Clock) -> Result<Self, StoreError> {
        let store = store::Store::open(file)?;
        let book = store.book()?;
        let (to, from) = mpsc::unbounded_channel();
        let kept = Kept {
            store,
            book,
            live: HashMap::new(),
        };
        Ok(Self {
            inner: Arc::new(Inner {
                home,
                clock,
                kept: Mutex::new(kept),
                jobs: Mutex::default(),
                queue: activity::Queue::default(),
                changed: watch::Sender::new(0),
                news: Mutex::new((to, Some(from))),
            }),
        })
    }

    /// Account and region of every ARN.
    pub fn home(&self) -> &Home {
        &self.inner.home
    }

    /// `arn:aws:states:REGION:ACCOUNT:KIND:NAME`
    pub fn arn(&self, kind: &str, name: &str) -> String {
        let Home { account, region } = &self.inner.home;
        format!("arn:aws:states:{region}:{account}:{kind}:{name}")
    }

    /// Reads the book of machines and activities.
    pub fn read<R>(&self, look: impl FnOnce(&Book) -> R) -> R {
        look(&self.kept().book)
    }

    /// Changes the book: it is stored before it counts.
    ///
    /// # Errors
    /// The change's own refusal, or the disk's.
    pub fn change<R, E: From<StoreError>>(
        &self,
        change: impl FnOnce(&mut Book) -> Result<R, E>,
    ) -> Result<R, E> {
        let mut kept = self.kept();
        let mut next = kept.book.clone();
        let answer = change(&mut next)?;
        kept.store.put_book(&next)?;
        kept.book = next;
        Ok(answer)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.inner
            .kept
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn jobs(&self) -> MutexGuard<'_, HashMap<Job, CancellationToken>> {
        self.inner
            .jobs
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn news(&self) -> MutexGuard<'_, news::Channel> {
        self.inner
            .news
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers that something goes on; what it gets is cancelled when it no longer counts.
    fn job(&self, job: Job) -> CancellationToken {
        let stop = CancellationToken::new();
        self.jobs().insert(job, stop.clone());
        stop
    }

    fn cancel(&self, job: &Job) {
        if let Some(stop) = self.jobs().remove(job) {
            stop.cancel();
        }
    }
}

impl fmt::Debug for Workflows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workflows").finish_non_exhaustive()
    }
}

/// Reads and checks a definition; what AWS would run and this engine would not is refused by name.
///
/// # Errors
/// Every finding.
pub fn checked(text: &str, kind: Type) -> Result<Definition, Refused> {
    let definition = parse(text, kind)?;
    let missing = definition
        .calls()
        .filter(|(_, resource)| !service::built(resource));
    let calls = missing.map(|(state, resource)| {
        format!(
            "stagewright does not run {}:{}, which the state '{state}' calls",
            resource.type_name(),
            resource.name()
        )
    });
    let parquet = definition
        .reads()
        .filter(|(_, r)| r["InputType"] == "PARQUET");
    let reads = parquet.map(|(state, _)| {
        format!("stagewright does not read PARQUET, which the state '{state}' does")
    });
    let told = calls.chain(reads).map(|message| Diagnostic {
        severity: Severity::Error,
        code: NOT_BUILT,
        message,
        location: None,
    });
    let told: Vec<Diagnostic> = told.collect();
    if told.is_empty() {
        Ok(definition)
    } else {
        Err(Refused(told))
    }
}

/// The code of what this engine refuses and AWS does not.
const NOT_BUILT: &str = "NOT_BUILT";

/// Goes on with the executions of an earlier run. Needs a tokio runtime.
pub fn start(app: &App) {
    if let Some(news) = app.workflows.news().1.take() {
        // Before anything new begins.
        let untold = app.workflows.untold();
        tokio::spawn(news::run(app.clone(), untold, news));
    }
    for arn in app.workflows.running() {
        app.workflows.resume(app, &arn);
    }
}

#[cfg(test)]
mod tests;
