//! Carries out effects: starts and cancels providers.

use std::{
    collections::HashMap,
    panic::AssertUnwindSafe,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use engine_plan::{
    definition::ActionTypeId,
    effect::ActionTask,
    event::{Event, Outcome},
};
use futures_util::FutureExt;
use tokio_util::sync::CancellationToken;

use crate::{
    app::App,
    clock::Busy,
    desk::{Desk, Perform},
    provider::{Context, Progress, Provider, failed},
};

/// Tokens of actions that somebody else reports on are looked through when there are more than this.
const HANDED_OVER: usize = 1_024;

/// Starts providers and tells the desk how they ended.
pub struct Performer {
    providers: Providers,
    app: App,
    running: Arc<Running>,
}

/// Who performs which action type.
#[derive(Clone, Default)]
pub struct Providers {
    by_type: HashMap<(String, String, String), Arc<dyn Provider>>,
}

impl Providers {
    /// Names the provider of one action type, as `("Build", "AWS", "CodeBuild")`.
    #[must_use]
    pub fn with(
        mut self,
        category: &str,
        owner: &str,
        provider: &str,
        performs: Arc<dyn Provider>,
    ) -> Self {
        let key = (category.to_owned(), owner.to_owned(), provider.to_owned());
        self.by_type.insert(key, performs);
        self
    }

    fn find(&self, id: &ActionTypeId) -> Option<Arc<dyn Provider>> {
        let key = (id.category.clone(), id.owner.clone(), id.provider.clone());
        self.by_type.get(&key).cloned()
    }
}

/// Stop signals of what was started, by action execution.
#[derive(Default)]
struct Running {
    tokens: Mutex<HashMap<String, Vec<(u64, CancellationToken)>>>,
    next: AtomicU64,
}

impl Running {
    fn start(&self, action_execution: &str) -> (u64, CancellationToken) {
        let entry = (
            self.next.fetch_add(1, Ordering::Relaxed),
            CancellationToken::new(),
        );
        self.with(|tokens| {
            tokens
                .entry(action_execution.to_owned())
                .or_default()
                .push(entry.clone())
        });
        entry
    }

    fn end(&self, action_execution: &str, number: u64) {
        self.with(|tokens| {
            if let Some(list) = tokens.get_mut(action_execution) {
                list.retain(|(n, _)| *n != number);
                if list.is_empty() {
                    tokens.remove(action_execution);
                }
            }
        });
    }

    fn cancel(&self, action_execution: &str) {
        for (_, token) in self
            .with(|tokens| tokens.remove(action_execution))
            .unwrap_or_default()
        {
            token.cancel();
        }
    }

    /// Forgets the tokens of actions that ended elsewhere.
    fn prune(&self, desk: &Desk) {
        self.with(|tokens| {
            if tokens.len() > HANDED_OVER {
                desk.read(|state| tokens.retain(|id, _| state.task(id).is_some()));
            }
        });
    }

    fn with<R>(
        &self,
        change: impl FnOnce(&mut HashMap<String, Vec<(u64, CancellationToken)>>) -> R,
    ) -> R {
        change(&mut self.tokens.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Performer {
    /// With these providers; give it to [`Desk::attach`].
    pub fn new(app: App, providers: Providers) -> Arc<Self> {
        Arc::new(Self {
            providers,
            app,
            running: Arc::default(),
        })
    }
}

impl Perform for Performer {
    fn perform(&self, task: ActionTask, busy: Busy) {
        let (number, stop) = self.running.start(&task.action_execution);
        let running = Arc::clone(&self.running);
        let provider = self.providers.find(&task.action_type);
        let app = self.app.clone();
        tokio::spawn(async move {
            let desk = app.desk.clone();
            let context = Context {
                progress: Progress {
                    action_execution: task.action_execution.clone(),
                    desk: desk.clone(),
                },
                app,
                stop,
            };
            let action_execution = task.action_execution.clone();
            let outcome = run(provider, task, context).await;
            let Some(outcome) = outcome else {
                running.prune(&desk);
                return;
            };
            running.end(&action_execution, number);
            let event = Event::Finished {
                action_execution,
                outcome,
            };
            if let Err(refusal) = desk.submit(event).await {
                tracing::warn!(%refusal, "the end of an action was not taken");
            }
            drop(busy);
        });
    }

    fn cancel(&self, action_execution: &str) {
        self.running.cancel(action_execution);
    }
}

/// One provider to its end, whatever happens in it.
async fn run(
    provider: Option<Arc<dyn Provider>>,
    task: ActionTask,
    context: Context,
) -> Option<Outcome> {
    let id = task.action_type.clone();
    let ActionTypeId {
        category,
        owner,
        provider: name,
        version,
    } = &id;
    let Some(provider) = provider else {
        if owner == "Custom" {
            // A job worker takes it with PollForJobs.
            return None;
        }
        return Some(failed(
            "ConfigurationError",
            format!(
                "action {}: this engine has no provider for category {category}, owner {owner}, provider {name}, version {version}",
                task.action
            ),
        ));
    };
    let action_execution = task.action_execution.clone();
    let performing =
        AssertUnwindSafe(async move { provider.perform(task, context).await }).catch_unwind();
    match performing.await {
        Ok(outcome) => outcome,
        Err(panic) => {
            let text = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied())
                .unwrap_or("no text");
            tracing::error!(provider = %name, %action_execution, panic = text, "a provider panicked");
            Some(failed(
                "JobFailed",
                format!(
                    "the provider {name} panicked: this is a fault of the engine, its log says more"
                ),
            ))
        }
    }
}
