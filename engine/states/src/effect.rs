//! What the engine is to do.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use crate::{history::HistoryEvent, resource::Resource, results::Files};

/// One effect; their order is the order in which they came about.
#[derive(Debug, Clone)]
pub enum Effect {
    /// Keep this event of the history.
    Record(HistoryEvent),
    /// Do this, and answer with [`crate::event::Event::TaskSucceeded`] or [`crate::event::Event::TaskFailed`].
    Schedule(Order),
    /// The answer to this task no longer counts.
    Cancel {
        /// Which task.
        task: u64,
    },
    /// Answer with [`crate::event::Event::Due`] at this time.
    SetTimer {
        /// Which timer.
        timer: u64,
        /// When it is due.
        at: Timestamp,
    },
    /// The timer no longer counts.
    ClearTimer {
        /// Which timer.
        timer: u64,
    },
    /// Read items, and answer with [`crate::event::Event::ItemsRead`].
    ReadItems {
        /// The reading task.
        task: u64,
        /// `arn:aws:states:::s3:getObject`, …
        resource: String,
        /// What to read.
        arguments: Value,
        /// `ReaderConfig`
        config: Value,
    },
    /// Write the results of a distributed Map, and answer with [`crate::event::Event::TaskSucceeded`].
    WriteResults {
        /// The writing task; nobody waits for that of a run that failed.
        task: u64,
        /// The map run's ARN.
        run: String,
        /// `arn:aws:states:::s3:putObject`
        resource: String,
        /// Where to.
        arguments: Value,
        /// What the child executions gave.
        files: Files,
    },
    /// A distributed Map goes on or is over.
    MapRun(MapRun),
    /// A child execution of a distributed Map began.
    ChildStarted {
        /// The number its history carries.
        stream: u32,
        /// Its ARN.
        arn: String,
        /// The map run it belongs to.
        map_run: String,
        /// Its input.
        input: Arc<Value>,
        /// Items it does.
        items: u64,
    },
    /// A child execution is over.
    ChildFinished {
        /// The number its history carries.
        stream: u32,
        /// How.
        outcome: Outcome,
    },
    /// More can be done at once: answer with [`crate::event::Event::Continue`].
    Continue,
    /// The execution is over.
    Finished(Outcome),
}

/// A task to do.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    /// The task's number, for answers.
    pub task: u64,
    /// What to call.
    pub resource: Resource,
    /// The state's name.
    pub state: String,
    /// Its input: `Parameters` or `Arguments`.
    pub input: Arc<Value>,
    /// For an activity and `.waitForTaskToken`: the token that answers it.
    pub token: Option<String>,
    /// Seconds until the task times out.
    pub timeout: Option<u64>,
    /// Seconds between heartbeats.
    pub heartbeat: Option<u64>,
    /// `Credentials`
    pub credentials: Option<Value>,
}

/// How an execution ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// With this output.
    Succeeded(Arc<Value>),
    /// With this error and cause.
    Failed(Option<String>, Option<String>),
    /// Its time was over.
    TimedOut(Option<String>, Option<String>),
    /// Stopped, with error and cause given.
    Aborted(Option<String>, Option<String>),
}

/// A distributed Map, as DescribeMapRun shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MapRun {
    /// Its ARN.
    pub arn: String,
    /// `RUNNING`, `SUCCEEDED`, `FAILED`, `ABORTED`
    pub status: &'static str,
    /// `MaxConcurrency`
    pub concurrency: u64,
    /// `ToleratedFailureCount`, items.
    pub tolerated_count: u64,
    /// `ToleratedFailurePercentage`, of the items.
    pub tolerated_percentage: u64,
    /// Child executions in all.
    pub total: u64,
    /// Items in all.
    pub items: u64,
    /// Whether results are written.
    pub writes: bool,
}
