//! Activities: tasks that workers come for.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use engine_states::{effect::Order, event::Event};
use serde_json::Value;
use tokio::sync::Notify;

use super::{Told, Workflows};
use crate::app::App;

/// How long GetActivityTask waits for a task (API reference).
const POLL: Duration = Duration::from_secs(60);

/// Tasks that wait for a worker, by activity.
#[derive(Default)]
pub struct Queue {
    waiting: Mutex<HashMap<String, VecDeque<Waiting>>>,
    more: Notify,
}

struct Waiting {
    execution: String,
    task: u64,
    token: String,
    input: Arc<Value>,
}

/// A task in a worker's hands.
#[derive(Debug, Clone)]
pub struct Handed {
    /// Answers it.
    pub token: String,
    /// What it is to do.
    pub input: Arc<Value>,
}

impl Queue {
    pub fn put(&self, activity: &str, execution: &str, order: &Order) {
        let waiting = Waiting {
            execution: execution.to_owned(),
            task: order.task,
            token: order.token.clone().unwrap_or_default(),
            input: Arc::clone(&order.input),
        };
        self.with(|all| {
            all.entry(activity.to_owned())
                .or_default()
                .push_back(waiting)
        });
        self.more.notify_waiters();
    }

    /// A task that no longer counts.
    pub fn forget(&self, execution: &str, task: u64) {
        self.with(|all| {
            for queue in all.values_mut() {
                queue.retain(|w| w.execution != execution || w.task != task);
            }
        });
    }

    fn take(&self, activity: &str) -> Option<Waiting> {
        self.with(|all| all.get_mut(activity)?.pop_front())
    }

    fn with<R>(&self, look: impl FnOnce(&mut HashMap<String, VecDeque<Waiting>>) -> R) -> R {
        look(&mut self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Workflows {
    /// The next task of an activity; none when there was none for a minute.
    ///
    /// # Errors
    /// The disk's.
    pub async fn hand_out(&self, app: &App, activity: &str) -> Result<Option<Handed>, Told> {
        let late = tokio::time::sleep(POLL);
        tokio::pin!(late);
        loop {
            let more = self.inner.queue.more.notified();
            tokio::pin!(more);
            more.as_mut().enable();
            while let Some(waiting) = self.inner.queue.take(activity) {
                let started = Event::TaskStarted { task: waiting.task };
                match self.tell(app, &waiting.execution, started) {
                    Ok(()) => {
                        return Ok(Some(Handed {
                            token: waiting.token,
                            input: waiting.input,
                        }));
                    }
                    // It timed out meanwhile.
                    Err(Told::Refused(_)) => {}
                    Err(error) => return Err(error),
                }
            }
            tokio::select! {
                () = &mut more => {}
                () = &mut late => return Ok(None),
            }
        }
    }
}
