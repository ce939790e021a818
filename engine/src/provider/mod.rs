//! Who performs an action: one file per provider of CodePipeline's list.

use std::{
    error::Error,
    future::poll_fn,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Poll,
    time::Duration,
};

use engine_plan::{
    effect::ActionTask,
    event::{ExecutionDetails, Outcome},
};
use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;

pub use registry::all;
pub use workshop::clear as clear_scratch;

use crate::{
    app::App,
    clock::{Busy, Clock},
};

pub mod artifact;
mod beanstalk;
#[cfg(test)]
mod bench;
mod bundle;
mod cloudformation;
pub mod codebuild;
pub mod codedeploy;
pub(crate) mod connector;
mod content_type;
mod deployment;
pub(crate) mod ecr;
pub mod ecs;
pub mod git;
pub mod lambda;
mod local;
pub mod manual;
mod nested;
mod process;
mod registry;
mod rule_alarm;
mod rule_window;
pub mod s3_deploy;
pub mod s3_source;
mod step_functions;
#[cfg(test)]
mod timeout_tests;
mod workshop;

/// Performs actions of one type. It may be asked twice for the same action execution (after a crash).
pub trait Provider: Send + Sync {
    /// Runs the action to its end. `None`: somebody else reports (a job worker, a function, a person).
    fn perform(&self, task: ActionTask, context: Context) -> BoxFuture<'static, Option<Outcome>>;
}

/// What a provider may use.
#[derive(Clone)]
pub struct Context {
    /// The engine.
    pub app: App,
    /// Cancelled when the action is stopped, abandoned or timed out.
    pub stop: CancellationToken,
    /// Tells people how far it is (journaled; call it when something changed, not in a tight loop).
    pub progress: Progress,
    /// Keeps a fast clock from jumping while this works.
    pub held: Held,
}

impl Context {
    /// Waits on the engine's clock; whether the action was given up meanwhile.
    pub async fn pause(&self, length: Duration) -> bool {
        let waiting = async {
            tokio::select! {
                () = self.app.clock.sleep(length) => false,
                () = self.stop.cancelled() => true,
            }
        };
        self.held.rest(waiting).await
    }
}

/// The clock's guard of one action that is performed; clones share it.
#[derive(Clone)]
pub struct Held {
    clock: Clock,
    busy: Arc<Mutex<Option<Busy>>>,
}

impl Held {
    /// From the guard that came with the task.
    pub fn new(clock: Clock, busy: Busy) -> Self {
        let busy = Arc::new(Mutex::new(Some(busy)));
        Self { clock, busy }
    }

    /// Gives the guard back for as long as it waits: a fast clock may jump then.
    pub async fn rest<W: Future>(&self, waiting: W) -> W::Output {
        let mut waiting = pin!(waiting);
        // its timer is known to the clock before the guard goes
        let first = poll_fn(|context| Poll::Ready(waiting.as_mut().poll(context))).await;
        if let Poll::Ready(output) = first {
            return output;
        }
        self.release();
        let output = waiting.await;
        *self.lock() = Some(self.clock.busy());
        output
    }

    /// The work is over, or somebody else does it.
    pub fn release(&self) {
        self.lock().take();
    }

    fn lock(&self) -> MutexGuard<'_, Option<Busy>> {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends progress of one action execution.
#[derive(Clone)]
pub struct Progress {
    /// Which action execution.
    pub action_execution: String,
    /// The engine's loop.
    pub desk: crate::desk::Desk,
}

impl Progress {
    /// Stores the details; a report about an ended action is ignored.
    pub async fn tell(&self, details: ExecutionDetails) {
        let event = engine_plan::event::Event::Progress {
            action_execution: self.action_execution.clone(),
            details,
        };
        if let Err(refusal) = self.desk.submit(event).await {
            tracing::debug!(%refusal, "progress was not taken");
        }
    }
}

/// Why an action fails: AWS's `errorDetails.code` and a sentence a person can act on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// `JobFailed`, `ConfigurationError`, …
    pub code: &'static str,
    /// At most a few lines; no secrets.
    pub message: String,
}

impl Trouble {
    /// The work was tried and failed.
    pub fn job(message: impl Into<String>) -> Self {
        Self {
            code: "JobFailed",
            message: message.into(),
        }
    }

    /// The action's configuration, or this engine's, is wrong.
    pub fn configuration(message: impl Into<String>) -> Self {
        Self {
            code: "ConfigurationError",
            message: message.into(),
        }
    }

    /// What the planner is told.
    pub fn outcome(self, details: ExecutionDetails) -> Outcome {
        Outcome::Failed {
            code: self.code.to_owned(),
            message: self.message,
            details,
        }
    }
}

impl From<artifact::ArtifactError> for Trouble {
    fn from(error: artifact::ArtifactError) -> Self {
        Self::job(chain(&error))
    }
}

/// A failed outcome with AWS's `errorDetails.code` and a sentence a person can act on.
pub fn failed(code: &str, message: impl Into<String>) -> Outcome {
    Outcome::Failed {
        code: code.to_owned(),
        message: message.into(),
        details: ExecutionDetails::default(),
    }
}

/// A setting of the action that must be there.
fn required(task: &ActionTask, name: &str) -> Result<String, Trouble> {
    task.configuration
        .get(name)
        .filter(|value| !value.is_empty())
        .cloned()
        .ok_or_else(|| {
            Trouble::configuration(format!(
                "action {}: the setting {name} is missing",
                task.action
            ))
        })
}

/// An error with all its causes, in one line.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text += ": ";
        text += &cause.to_string();
        next = cause.source();
    }
    text
}
