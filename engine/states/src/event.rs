//! What a machine can be told.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One input: what happened, when, and a seed that nobody can guess. The engine journals it before it is applied.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Input {
    /// When.
    pub at: Timestamp,
    /// For ids, tokens and jitter.
    pub seed: u128,
    /// What.
    pub event: Event,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// The task was begun.
    TaskStarted {
        /// Which, as the effect said.
        task: u64,
    },
    /// The service took the request; the task goes on (`.sync`, `.waitForTaskToken`).
    TaskSubmitted {
        /// Which.
        task: u64,
        /// What the service answered.
        output: Value,
    },
    /// The task gave a result.
    TaskSucceeded {
        /// Which.
        task: u64,
        /// The result.
        output: Value,
    },
    /// The task failed.
    TaskFailed {
        /// Which.
        task: u64,
        /// The error's name.
        error: Option<String>,
        /// The cause.
        cause: Option<String>,
    },
    /// The worker says it is alive.
    Heartbeat {
        /// Which task.
        task: u64,
    },
    /// A timer ran out.
    Due {
        /// Which, as the effect said.
        timer: u64,
    },
    /// What an `ItemReader` asked for is here.
    ItemsRead {
        /// The reading task.
        task: u64,
        /// What was read.
        content: Content,
    },
    /// StopExecution.
    Stop {
        /// The error given.
        error: Option<String>,
        /// The cause given.
        cause: Option<String>,
    },
    /// RedriveExecution.
    Redrive,
    /// UpdateMapRun.
    UpdateRun(RunUpdate),
    /// Go on after [`crate::effect::Effect::Continue`].
    Continue,
}

/// What UpdateMapRun changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunUpdate {
    /// The map run's ARN.
    pub run: String,
    /// `maxConcurrency`; 0: as many as there may be.
    pub concurrency: Option<u64>,
    /// `toleratedFailureCount`
    pub tolerated_count: Option<u64>,
    /// `toleratedFailurePercentage`
    pub tolerated_percentage: Option<u64>,
}

/// What an `ItemReader` got.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Content {
    /// The text of an object, in the form its `ReaderConfig` says.
    Text(String),
    /// Items as they are, such as the objects of a listing.
    Items(Vec<Value>),
}
