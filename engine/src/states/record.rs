//! What is kept of an execution, and what is told of it.

use std::{collections::BTreeMap, sync::Arc};

use engine_states::{
    definition::Type,
    effect::{MapRun, Outcome},
    history::HistoryEvent,
    machine::Identity,
};
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
    /// The execution and task that started it, when another machine did: a task done again after a restart finds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
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

impl Ended {
    /// From how the interpreter says it ended.
    pub fn of(outcome: &Outcome, at: Timestamp) -> Self {
        let (status, output, error, cause) = match outcome {
            Outcome::Succeeded(output) => ("SUCCEEDED", Some(Value::clone(output)), None, None),
            Outcome::Failed(error, cause) => ("FAILED", None, error.clone(), cause.clone()),
            Outcome::TimedOut(error, cause) => ("TIMED_OUT", None, error.clone(), cause.clone()),
            Outcome::Aborted(error, cause) => ("ABORTED", None, error.clone(), cause.clone()),
        };
        Self {
            status: status.to_owned(),
            at,
            output,
            error,
            cause,
        }
    }
}

/// An execution in a list.
#[derive(Debug, Clone)]
pub struct Listed {
    /// How it began.
    pub begun: Begun,
    /// How it ended, if it did.
    pub ended: Option<Ended>,
}

/// A child execution of a distributed Map.
#[derive(Debug, Clone)]
pub struct Child {
    /// The number its history carries.
    pub stream: u32,
    /// Its ARN.
    pub arn: String,
    /// The map run it belongs to.
    pub run: String,
    /// Its input.
    pub input: Arc<Value>,
    /// When it began.
    pub at: Timestamp,
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
    /// The child executions of its distributed Maps, the oldest first.
    pub children: Vec<Child>,
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
