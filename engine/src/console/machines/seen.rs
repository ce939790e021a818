//! What became of each state, from the execution's history. Pure.

use std::collections::{BTreeMap, HashMap};

use engine_states::history::{Details, HistoryEvent};

use super::graph::{Graph, Node};
use crate::console::model::Look;

/// One state so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// How often it was entered.
    pub entered: u64,
    /// How often it was left.
    pub left: u64,
    /// How often it was left by a Catch.
    pub caught: u64,
    /// How often it was ended by an error beside or inside it.
    cut: u64,
    /// Whether its last try failed and nothing followed yet.
    failing: bool,
    /// Whether somebody has to answer it.
    waits: bool,
    /// Error and cause of its last failure.
    pub error: Option<(String, String)>,
}

/// The states around each state: the nearest first.
type Around<'a> = HashMap<&'a str, Vec<&'a Node>>;

/// All states by name; states are named once in a machine, however deep they lie.
pub fn all(graph: &Graph, history: &[HistoryEvent]) -> BTreeMap<String, Seen> {
    let mut around = Around::new();
    enclose(graph, &[], &mut around);
    let nodes = graph.all();
    let kinds: HashMap<&str, &str> = nodes.iter().map(|n| (&*n.name, &*n.kind)).collect();
    let mut states: BTreeMap<String, Seen> = BTreeMap::new();
    // Which state each event is about, by history and number.
    let mut about: HashMap<(u32, u64), &str> = HashMap::new();
    for event in history {
        let before = about.get(&(event.stream, event.previous)).copied();
        let name = match (event.state(), before) {
            (Some(name), _) => name,
            (None, Some(before)) => whose(event.kind, before, (&around, &kinds), &states),
            (None, None) => continue,
        };
        about.insert((event.stream, event.id), name);
        let seen = states.entry(name.to_owned()).or_default();
        match &event.details {
            Details::Entered { .. } => {
                seen.entered += 1;
                seen.failing = false;
                seen.waits = false;
            }
            Details::Exited { .. } => {
                seen.left += 1;
                seen.caught += u64::from(seen.failing);
                seen.failing = false;
                seen.waits = false;
                cut(&mut states, name, &around);
            }
            Details::Failure(_, _, error, cause) => {
                seen.failing = true;
                seen.waits = false;
                let text = |t: &Option<String>| t.clone().unwrap_or_default();
                seen.error = Some((text(error), text(cause)));
            }
            _ if event.kind == "ActivityScheduled" || event.kind == "TaskSubmitted" => {
                seen.waits = true;
                seen.failing = false;
            }
            _ if event.kind.ends_with("Scheduled") => seen.failing = false,
            _ => {}
        }
    }
    states
}

fn enclose<'a>(graph: &'a Graph, outer: &[&'a Node], around: &mut Around<'a>) {
    for node in &graph.nodes {
        around.insert(&node.name, outer.to_vec());
        let mut inner = vec![node];
        inner.extend(outer);
        for graph in &node.inside {
            enclose(graph, &inner, around);
        }
    }
}

/// The state an event without a name is about: that of the event before, or, when a Parallel or a Map tells of its own
/// failure, the one around what failed in it.
fn whose<'a>(
    kind: &str,
    before: &'a str,
    (around, kinds): (&Around<'a>, &HashMap<&str, &str>),
    states: &BTreeMap<String, Seen>,
) -> &'a str {
    let container = match kind {
        "ParallelStateFailed" => "Parallel",
        "MapStateFailed" | "MapRunFailed" | "MapIterationFailed" => "Map",
        _ => return before,
    };
    let outer = around.get(before).map_or(&[][..], Vec::as_slice);
    // The event before is the container's own when its items cannot be read, or too many failed.
    let own = kinds.get(before).is_some_and(|k| *k == container)
        && !states.get(before).is_some_and(|s| s.failing);
    if own {
        return before;
    }
    outer
        .iter()
        .find(|n| n.kind == container)
        .map_or(before, |n| &n.name)
}

/// What is still open inside a state that was left ended with it.
fn cut(states: &mut BTreeMap<String, Seen>, left: &str, around: &Around<'_>) {
    for (name, outer) in around {
        if outer.iter().any(|n| n.name == left)
            && let Some(seen) = states.get_mut(*name)
        {
            seen.cut = seen.entered - seen.left;
        }
    }
}

impl Seen {
    /// How it stands; `over`: how the execution ended.
    pub fn look(&self, kind: &str, over: Option<&str>) -> (Look, &'static str) {
        let open = self.entered > self.left + self.cut;
        let broke = self.failing || kind == "Fail";
        match (open, over) {
            _ if self.entered == 0 => (Look::Idle, "Not entered"),
            (true, None) if kind == "Wait" => (Look::Running, "Waits"),
            (true, None) if self.waits => (Look::Waiting, "Waits for an answer"),
            (true, None) if self.failing => (Look::Waiting, "Tries again"),
            (true, None) => (Look::Running, "In progress"),
            (true, Some("FAILED")) if broke => (Look::Failed, "Failed"),
            (true, Some("TIMED_OUT")) => (Look::Failed, "Timed out"),
            (true, Some("ABORTED")) => (Look::Other("Aborted"), "Aborted"),
            (false, _) if self.cut > 0 && broke => (Look::Failed, "Failed"),
            // It ended because of another one: beside it, or inside it.
            (true, Some(_)) => (Look::Other("Cut off"), "Cut off"),
            (false, _) if self.cut > 0 => (Look::Other("Cut off"), "Cut off"),
            (false, _) if self.caught > 0 => (Look::Waiting, "Caught an error"),
            (false, _) => (Look::Succeeded, "Succeeded"),
        }
    }

    /// How often, where that is more than once.
    pub fn times(&self) -> String {
        match (self.left, self.entered) {
            (_, 0 | 1) => String::new(),
            (left, entered) if left == entered => format!("{entered} times"),
            (left, entered) => format!("{left} of {entered}"),
        }
    }
}
