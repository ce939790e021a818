//! What is kept of an execution, and what is told of it.

use std::collections::BTreeMap;

use engine_states::{definition::Type, effect::MapRun, history::HistoryEvent, machine::Identity};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The version of [`Begun`].
pub const VERSION: u32 = 1;

/// How an execution began. With its inputs it gives everything else.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Begun {
    /// [`VERSION`]
    pub version: u32,
    /// Standard or express.
    pub kind: Type,
    /// Who it is.
    pub identity: Identity,
    /// The definition's text at that time.
    pub definition: String,
    /// Its input.
    pub input: Value,
    /// When.
    pub at: Timestamp,
    /// Of its first ids.
    pub seed: u128,
    /// The version's ARN, when it runs one.
    pub machine_version: Option<String>,
    /// The alias's ARN, when it was started by one.
    pub machine_alias: Option<String>,
}

/// How an execution ended.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Ended {
    /// `SUCCEEDED`, `FAILED`, `TIMED_OUT`, `ABORTED`
    pub status: String,
    /// When.
    pub at: Timestamp,
    /// Its output, when it succeeded.
    pub output: Option<Value>,
    /// Its error, when it did not.
    pub error: Option<String>,
    /// The error's cause.
    pub cause: Option<String>,
}

/// An execution in a list.
#[derive(Debug, Clone)]
pub struct Listed {
    /// How it began.
    pub begun: Begun,
    /// How it ended, if it did.
    pub ended: Option<Ended>,
}

/// All there is to see of one execution.
#[derive(Debug, Clone)]
pub struct Look {
    /// How it began.
    pub begun: Begun,
    /// How it ended, if it did.
    pub ended: Option<Ended>,
    /// Its history, and those of its child executions.
    pub history: Vec<HistoryEvent>,
    /// Its map runs.
    pub runs: BTreeMap<String, MapRun>,
    /// How often it was redriven, and when at last.
    pub redriven: (u64, Option<Timestamp>),
}

impl Listed {
    /// `RUNNING`, or how it ended.
    pub fn status(&self) -> &str {
        self.ended.as_ref().map_or("RUNNING", |e| &e.status)
    }
}
