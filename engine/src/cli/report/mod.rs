//! What `run` prints: for people at a terminal, for people reading a log, or as JSON lines.

mod json;
mod live;
mod paint;
mod plain;

use std::io::IsTerminal;

use engine_plan::state::ExecutionStatus;
use jiff::Timestamp;

pub use json::JsonReport;
pub use live::LiveReport;
pub use paint::Paint;
pub use plain::PlainReport;

use super::{args::Output, view::Change};

/// What is known before the execution starts.
#[derive(Debug, Clone)]
pub struct Opening {
    /// Pipeline name.
    pub pipeline: String,
    /// Execution id.
    pub execution: String,
    /// The engine's address.
    pub base_url: String,
    /// How many actions the definition has.
    pub actions: usize,
    /// Width of the widest stage and action name.
    pub widths: (usize, usize),
    /// When it started, by the engine's clock.
    pub started: Timestamp,
    /// What was wired or continued: one sentence each.
    pub notes: Vec<String>,
}

/// What is known at the end.
#[derive(Debug, Clone)]
pub struct Closing {
    /// How it ended.
    pub status: ExecutionStatus,
    /// When.
    pub ended: Timestamp,
    /// Name and place of what can be looked at: site, logs, console.
    pub places: Vec<(String, String)>,
}

/// Prints one execution.
pub trait Report: Send {
    /// Once, at the beginning.
    fn open(&mut self, opening: &Opening);
    /// An action changed.
    fn change(&mut self, change: &Change, now: Timestamp);
    /// A line of output of a build or function.
    fn output(&mut self, action_execution: &str, line: &str);
    /// A sentence for the person: where to approve, who plays the approver.
    fn note(&mut self, text: &str);
    /// An EventBridge event went out.
    fn event(&mut self, event: &serde_json::Value);
    /// Once, at the end.
    fn close(&mut self, closing: &Closing);
}

/// The report that fits the options and the terminal.
pub fn choose(output: Output) -> Box<dyn Report> {
    match output {
        Output::Json => Box::new(JsonReport::new(std::io::stdout())),
        Output::Human if std::io::stdout().is_terminal() => {
            Box::new(LiveReport::new(Paint::for_terminal()))
        }
        Output::Human => Box::new(PlainReport::new(std::io::stdout(), Paint::none())),
    }
}

/// AWS's word for a status.
pub const fn word(status: ExecutionStatus) -> &'static str {
    match status {
        ExecutionStatus::InProgress => "InProgress",
        ExecutionStatus::Stopping => "Stopping",
        ExecutionStatus::Stopped => "Stopped",
        ExecutionStatus::Succeeded => "Succeeded",
        ExecutionStatus::Superseded => "Superseded",
        ExecutionStatus::Failed => "Failed",
        ExecutionStatus::Cancelled => "Cancelled",
    }
}
