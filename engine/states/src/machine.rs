//! One execution's state: everything the machine knows between two inputs. Serialisable, with a version.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{definition::Type, env::Variables, results::Ran};

/// The version of the serialised form.
pub const VERSION: u32 = 1;

/// Who an execution is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The execution's ARN.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// The state machine's ARN.
    pub machine_arn: String,
    /// Its name.
    pub machine_name: String,
    /// The role it runs with.
    pub role_arn: String,
}

/// Where an execution stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    /// Something is still to happen.
    Running,
    /// It gave its output.
    Succeeded,
    /// It failed; a standard one can be redriven.
    Failed,
    /// Its time was over; a standard one can be redriven.
    TimedOut,
    /// It was stopped; a standard one can be redriven.
    Aborted,
}

/// An execution.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Machine {
    pub(crate) version: u32,
    pub(crate) kind: Type,
    pub(crate) identity: Identity,
    pub(crate) status: Status,
    pub(crate) redrives: u64,
    pub(crate) redriven_at: Option<Timestamp>,
    pub(crate) frames: BTreeMap<u32, Frame>,
    pub(crate) streams: BTreeMap<u32, Stream>,
    pub(crate) tasks: BTreeMap<u64, u32>,
    pub(crate) timers: BTreeMap<u64, (u32, Timer)>,
    pub(crate) ready: VecDeque<u32>,
    pub(crate) next_frame: u32,
    pub(crate) next_stream: u32,
    pub(crate) next_task: u64,
    pub(crate) next_timer: u64,
}

/// The frame that stands for the execution itself in [`Machine::timers`].
pub(crate) const EXECUTION: u32 = u32::MAX;
/// The history of the execution itself.
pub(crate) const ROOT: u32 = 0;

/// A history: the execution's own, or a child execution's.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Stream {
    pub arn: String,
    pub name: String,
    pub input: Arc<Value>,
    pub started: Timestamp,
    pub last: u64,
}

/// One path of control: the execution's own, a branch's, an iteration's.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Frame {
    /// The frame this one runs for, and its place there.
    pub parent: Option<(u32, u32)>,
    pub stream: u32,
    pub flow: u32,
    pub state: u32,
    pub input: Arc<Value>,
    pub variables: Arc<Variables>,
    pub item: Option<Arc<Item>>,
    pub entered_at: Timestamp,
    pub entered: u64,
    pub last: u64,
    pub retries: Vec<u64>,
    pub retry_count: u64,
    pub token: Option<String>,
    pub phase: Phase,
}

/// `$$.Map.Item`
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Item {
    pub index: usize,
    pub value: Arc<Value>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Phase {
    /// To be entered; `again` after a retry or a redrive.
    Enter {
        again: bool,
    },
    Task(Running),
    Waiting {
        timer: u64,
    },
    Backoff {
        timer: u64,
    },
    Parallel(Parallel),
    Reading {
        task: u64,
    },
    Map(Box<Mapping>),
    Writing {
        task: u64,
        arn: String,
    },
    /// What failed, or was cut off, when the execution ended.
    Stopped,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Running {
    pub task: u64,
    pub timeout: Option<u64>,
    pub heartbeat: Option<u64>,
    pub every: Option<u64>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Parallel {
    pub children: BTreeSet<u32>,
    pub outputs: Vec<Option<Arc<Value>>>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Mapping {
    /// What `$` is in the ItemSelector.
    pub input: Arc<Value>,
    pub items: Vec<Arc<Value>>,
    /// Whether the items are what the iterations get; else the ItemSelector makes it.
    pub selected: bool,
    /// Places of the items to begin with next.
    pub waiting: VecDeque<u32>,
    pub results: Vec<Option<Arc<Value>>>,
    pub running: BTreeSet<u32>,
    pub most: usize,
    /// Items that failed.
    pub failed: u64,
    /// Items that may fail: a count, a share in percent.
    pub tolerated: (Option<u64>, Option<u64>),
    /// Whether an item of this Map is a group of its items.
    pub batched: bool,
    pub run: Option<String>,
    /// How the child executions ended, where that is told.
    pub ends: Option<Vec<Option<Ran>>>,
}

impl Mapping {
    /// Items of one iteration.
    pub fn size(&self, slot: u32) -> u64 {
        let item = &self.items[slot as usize];
        match item["Items"].as_array() {
            Some(items) if self.batched => items.len() as u64,
            _ => 1,
        }
    }

    /// Items of all iterations.
    pub fn total(&self) -> u64 {
        if self.batched {
            (0..).take(self.items.len()).map(|s| self.size(s)).sum()
        } else {
            self.items.len() as u64
        }
    }

    /// Whether more items failed than may.
    pub fn fails(&self) -> bool {
        let (count, share) = self.tolerated;
        let total = self.total();
        match (count, share) {
            (None, None) => self.failed > 0,
            (count, share) => {
                count.is_some_and(|most| self.failed > most)
                    || share.is_some_and(|share| self.failed * 100 > total * share.min(100))
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Timer {
    Wait,
    Retry,
    Timeout,
    Heartbeat,
    Execution,
}

impl Machine {
    /// Where it stands.
    #[must_use]
    pub const fn status(&self) -> Status {
        self.status
    }

    /// Standard or express.
    #[must_use]
    pub const fn kind(&self) -> Type {
        self.kind
    }

    /// Who it is.
    #[must_use]
    pub const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// How often it was redriven.
    #[must_use]
    pub const fn redrives(&self) -> u64 {
        self.redrives
    }

    /// The number of the last event of its history.
    #[must_use]
    pub fn last_event(&self) -> u64 {
        self.streams.get(&ROOT).map_or(0, |s| s.last)
    }

    /// The version of its serialised form; another one than [`VERSION`] is not to be read.
    #[must_use]
    pub const fn version(&self) -> u32 {
        self.version
    }

    /// The task that a token answers.
    #[must_use]
    pub fn task_of(&self, token: &str) -> Option<u64> {
        self.frames.values().find_map(|frame| match &frame.phase {
            Phase::Task(running) if frame.token.as_deref() == Some(token) => Some(running.task),
            _ => None,
        })
    }
}
