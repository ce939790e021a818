//! EventBridge: buses, rules and targets that survive a restart, and the tasks that deliver and keep schedules.

mod deliver;
mod pipeline;
mod schedule;

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use engine_events::book::{Book, Denied, Home};
use jiff::Timestamp;
use tokio::sync::watch;

use crate::{app::App, bus::Bus, clock::Clock, vault::write_private};

/// The rules of one engine; clones share them.
#[derive(Clone)]
pub struct EventRules {
    inner: Arc<Inner>,
}

struct Inner {
    file: PathBuf,
    home: Home,
    bus: Bus,
    clock: Clock,
    kept: Mutex<Book>,
    changed: watch::Sender<()>,
}

impl EventRules {
    /// Opens the rules kept in `folder`; from then on events of `bus` go by them.
    ///
    /// # Errors
    /// When the file of rules cannot be read.
    pub fn open(folder: &Path, home: Home, bus: Bus, clock: Clock) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let file = folder.join("rules.json");
        let mut book: Book = match fs::read(&file) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| {
                let text = format!("{} is not a file of rules: {error}", file.display());
                io::Error::new(io::ErrorKind::InvalidData, text)
            })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Book::default(),
            Err(error) => return Err(error),
        };
        book.complete();
        bus.route(book.routes(&home));
        Ok(Self {
            inner: Arc::new(Inner {
                file,
                home,
                bus,
                clock,
                kept: Mutex::new(book),
                changed: watch::Sender::new(()),
            }),
        })
    }

    /// Account and region of every ARN.
    pub fn home(&self) -> &Home {
        &self.inner.home
    }

    /// Reads the book. Keep it short: events wait.
    pub fn read<R>(&self, look: impl FnOnce(&Book) -> R) -> R {
        look(&self.lock())
    }

    /// Changes the book: it is stored before it counts, and then events go by it.
    ///
    /// # Errors
    /// The book's refusal, or `InternalException` when it cannot be written; nothing has changed then.
    pub fn change<R>(
        &self,
        change: impl FnOnce(&mut Book, Timestamp) -> Result<R, Denied>,
    ) -> Result<R, Denied> {
        let mut kept = self.lock();
        let mut next = kept.clone();
        let answer = change(&mut next, self.inner.clock.now())?;
        let stored = serde_json::to_vec(&next)
            .map_err(io::Error::from)
            .and_then(|bytes| write_private(&self.inner.file, &bytes));
        stored.map_err(|error| Denied {
            code: "InternalException",
            message: error.to_string(),
        })?;
        self.inner.bus.route(next.routes(&self.inner.home));
        *kept = next;
        self.inner.changed.send_replace(());
        Ok(answer)
    }

    fn lock(&self) -> MutexGuard<'_, Book> {
        let kept = &self.inner.kept;
        kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for EventRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventRules").finish_non_exhaustive()
    }
}

/// Begins to deliver, first what an earlier run left, and to keep schedules. Needs a tokio runtime; a second call
/// changes nothing.
pub fn start(app: &App) {
    if let Some(queue) = app.desk.deliveries() {
        tokio::spawn(deliver::run(app.clone(), queue));
        tokio::spawn(schedule::run(app.clone()));
    }
}

#[cfg(test)]
mod tests;
