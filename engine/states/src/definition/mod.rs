//! The checked definition: what [`crate::step`] runs.

mod branch;
mod check;
mod fields;
mod io;
mod map;
mod read;
mod retry;
mod rules;
mod state;
mod task;

use std::sync::Arc;

use serde_json::Value;

pub use read::{parse, parse_state};

use crate::{
    choice::Rule,
    jsonata::Query,
    path::{JsonPath, ReferencePath},
    resource::Resource,
    template::Template,
};

/// Standard or express.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Type {
    /// Runs up to a year, with history.
    Standard,
    /// Runs up to five minutes.
    Express,
}

/// `QueryLanguage`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    JsonPath,
    Jsonata,
}

/// A checked state machine.
#[derive(Debug)]
pub struct Definition {
    /// The machine itself is flow 0; branches and processors follow.
    pub(crate) flows: Vec<Flow>,
    pub(crate) timeout: Option<u64>,
}

impl Definition {
    /// What its tasks call, each with the state's name.
    pub fn calls(&self) -> impl Iterator<Item = (&str, &Resource)> {
        let states = self.flows.iter().flat_map(|flow| &flow.states);
        states.filter_map(|state| match &state.kind {
            Kind::Task(task) => Some((&*state.name, &task.resource)),
            _ => None,
        })
    }

    /// What its distributed Maps read, each with the state's name: `ReaderConfig`.
    pub fn reads(&self) -> impl Iterator<Item = (&str, &Value)> {
        let states = self.flows.iter().flat_map(|flow| &flow.states);
        states.filter_map(|state| match &state.kind {
            Kind::Map(map) => match &map.items {
                Items::Reader(reader) => Some((&*state.name, &reader.config)),
                _ => None,
            },
            _ => None,
        })
    }
}

/// States that lead to each other: a machine, a branch, an item processor.
#[derive(Debug)]
pub(crate) struct Flow {
    pub start: u32,
    pub states: Vec<State>,
}

/// One state.
#[derive(Debug)]
pub(crate) struct State {
    pub name: Arc<str>,
    pub language: Language,
    pub io: Io,
    pub next: Next,
    pub retry: Vec<Retrier>,
    pub catch: Vec<Catcher>,
    pub kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    To(u32),
    End,
}

/// How data goes in and out.
#[derive(Debug, Default)]
pub(crate) struct Io {
    pub input_path: Select,
    pub output_path: Select,
    /// `Parameters` or `Arguments`
    pub arguments: Option<Template>,
    pub result_selector: Option<Template>,
    pub result_path: ResultPath,
    pub assign: Option<Template>,
    pub output: Option<Template>,
}

#[derive(Debug, Default)]
pub(crate) enum Select {
    #[default]
    Whole,
    Nothing,
    Path(JsonPath),
}

#[derive(Debug, Default)]
pub(crate) enum ResultPath {
    #[default]
    Whole,
    Nothing,
    At(ReferencePath),
}

#[derive(Debug)]
pub(crate) enum Kind {
    Pass {
        result: Option<Value>,
    },
    Task(Box<Task>),
    Choice(Choice),
    Wait(Wait),
    Succeed,
    Fail {
        error: Option<Template>,
        cause: Option<Template>,
    },
    Parallel {
        branches: Vec<u32>,
    },
    Map(Box<Map>),
}

#[derive(Debug)]
pub(crate) struct Task {
    pub resource: Resource,
    pub timeout: Option<Amount>,
    pub heartbeat: Option<Amount>,
    pub credentials: Option<Template>,
}

#[derive(Debug)]
pub(crate) struct Choice {
    pub rules: Vec<Branch>,
    pub default: Option<u32>,
}

/// One entry of `Choices`.
#[derive(Debug)]
pub(crate) struct Branch {
    pub rule: Rule,
    pub next: u32,
    pub assign: Option<Template>,
    pub output: Option<Template>,
}

#[derive(Debug)]
pub(crate) enum Wait {
    Seconds(Amount),
    Until(Text),
}

/// A number: written down, at a path, or computed.
#[derive(Debug)]
pub(crate) enum Amount {
    Fixed(f64),
    Path { path: JsonPath, field: &'static str },
    Query { query: Query, field: &'static str },
}

/// A text: written down, at a path, or computed.
#[derive(Debug)]
pub(crate) enum Text {
    Fixed(String),
    Path { path: JsonPath, field: &'static str },
    Query { query: Query, field: &'static str },
}

#[derive(Debug)]
pub(crate) struct Map {
    pub processor: u32,
    pub distributed: Option<Distributed>,
    pub items: Items,
    pub selector: Option<Template>,
    pub concurrency: Option<Amount>,
    pub label: Option<String>,
}

#[derive(Debug)]
pub(crate) enum Items {
    /// `ItemsPath`, or the whole input.
    Path(Select),
    /// `Items`
    Template(Template),
    /// `ItemReader`
    Reader(Reader),
}

#[derive(Debug)]
pub(crate) struct Reader {
    pub resource: String,
    pub arguments: Option<Template>,
    pub config: Value,
    pub most: Option<Amount>,
}

#[derive(Debug)]
pub(crate) struct Distributed {
    pub tolerated_count: Option<Amount>,
    pub tolerated_percentage: Option<Amount>,
    pub batch: Option<Batch>,
    pub writer: Option<Writer>,
}

#[derive(Debug)]
pub(crate) struct Batch {
    pub items: Option<Amount>,
    pub bytes: Option<Amount>,
    pub input: Option<Template>,
}

#[derive(Debug)]
pub(crate) struct Writer {
    pub resource: Option<String>,
    pub arguments: Option<Template>,
    pub config: Value,
}

#[derive(Debug)]
pub(crate) struct Retrier {
    pub errors: Vec<String>,
    pub interval: f64,
    pub attempts: u64,
    pub backoff: f64,
    pub most: Option<f64>,
    pub jitter: bool,
}

#[derive(Debug)]
pub(crate) struct Catcher {
    pub errors: Vec<String>,
    pub next: u32,
    pub result_path: ResultPath,
    pub assign: Option<Template>,
    pub output: Option<Template>,
}

impl Definition {
    pub(crate) fn state(&self, flow: u32, state: u32) -> &State {
        &self.flows[flow as usize].states[state as usize]
    }

    pub(crate) fn flow(&self, flow: u32) -> &Flow {
        &self.flows[flow as usize]
    }

    /// Names of the machine's own states, in order.
    pub fn state_names(&self) -> impl Iterator<Item = &str> {
        self.flows[0].states.iter().map(|s| &*s.name)
    }

    /// A state by its name, with the flow it is in.
    pub(crate) fn find(&self, name: &str) -> Option<(usize, &State)> {
        self.flows.iter().enumerate().find_map(|(i, flow)| {
            let state = flow.states.iter().find(|s| &*s.name == name)?;
            Some((i, state))
        })
    }

    /// Whether a state of that name runs inside this one.
    pub(crate) fn holds(&self, state: &State, name: &str) -> bool {
        let inner: &[u32] = match &state.kind {
            Kind::Parallel { branches } => branches,
            Kind::Map(map) => std::slice::from_ref(&map.processor),
            _ => &[],
        };
        let mut states = inner.iter().flat_map(|flow| &self.flow(*flow).states);
        states.any(|s| &*s.name == name || self.holds(s, name))
    }

    /// The name of a flow's state.
    pub(crate) fn name(&self, flow: usize, state: u32) -> String {
        self.flows[flow].states[state as usize].name.to_string()
    }
}
