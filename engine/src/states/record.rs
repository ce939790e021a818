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
    /// Items it does.
    pub items: u64,
    /// When it began.
    pub at: Timestamp,
    /// How it ended, if it did.
    pub ended: Option<Ended>,
}

/// A map run, with what became of its child executions and of their items.
#[derive(Debug, Clone)]
pub struct Run {
    /// As the interpreter tells it.
    pub run: MapRun,
    /// When it began.
    pub at: Timestamp,
    /// When it ended, if it did.
    pub ended: Option<Timestamp>,
    /// Child executions.
    pub executions: Counts,
    /// Items.
    pub items: Counts,
}

/// How many are where.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counts {
    /// Begun and not over.
    pub running: u64,
    /// Over and good.
    pub succeeded: u64,
    /// Over and bad.
    pub failed: u64,
    /// Stopped with the run.
    pub aborted: u64,
}

impl Counts {
    fn over(&mut self, number: u64, outcome: &Outcome) {
        self.running = self.running.saturating_sub(number);
        match outcome {
            Outcome::Succeeded(_) => self.succeeded += number,
            Outcome::Failed(..) => self.failed += number,
            Outcome::TimedOut(..) | Outcome::Aborted(..) => self.aborted += number,
        }
    }
}

impl Run {
    /// One that has just begun.
    pub fn new(run: MapRun, at: Timestamp) -> Self {
        Self {
            run,
            at,
            ended: None,
            executions: Counts::default(),
            items: Counts::default(),
        }
    }

    /// Goes on, or is over; begun again by a redrive, what failed counts as not begun.
    pub fn stands(&mut self, run: &MapRun, at: Timestamp) {
        let runs = run.status == "RUNNING";
        if runs && self.ended.is_some() {
            for counts in [&mut self.executions, &mut self.items] {
                (counts.failed, counts.aborted) = (0, 0);
            }
        }
        self.ended = (!runs).then_some(at);
        self.run = run.clone();
    }

    /// A child execution with so many items began.
    pub fn began(&mut self, items: u64) {
        self.executions.running += 1;
        self.items.running += items;
    }

    /// One ended.
    pub fn over(&mut self, items: u64, outcome: &Outcome) {
        self.executions.over(1, outcome);
        self.items.over(items, outcome);
    }
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
    pub runs: BTreeMap<String, Run>,
    /// How often it was redriven, and when at last.
    pub redriven: (u64, Option<Timestamp>),
}

impl Listed {
    /// `RUNNING`, or how it ended.
    pub fn status(&self) -> &str {
        self.ended.as_ref().map_or("RUNNING", |e| &e.status)
    }
}
