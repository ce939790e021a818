//! What somebody knows who only hears the events, and the order in which events may come.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// What an outsider knows of an execution: only its events.
#[derive(Debug, Default)]
pub struct Seen {
    /// The last state.
    pub pipeline: String,
    /// Whether it began in the middle of the pipeline.
    rollback: bool,
    /// A person's retry goes on with the pipeline, an automatic one with the stage only.
    resumed: bool,
    /// (stage, action) -> last state.
    actions: BTreeMap<(String, String), String>,
    stages: BTreeMap<String, String>,
}

/// All that was heard.
#[derive(Debug)]
pub struct Outsider {
    /// By version, from 1.
    pub definitions: Vec<Value>,
    pub seen: BTreeMap<String, Seen>,
    /// Action executions that ended, in order.
    pub ended: Vec<String>,
    once: BTreeSet<String>,
}

impl Outsider {
    pub fn new(definition: Value) -> Self {
        Self {
            definitions: vec![definition],
            seen: BTreeMap::new(),
            ended: Vec::new(),
            once: BTreeSet::new(),
        }
    }

    /// A person retried all actions of a stage.
    pub fn retried_all(&mut self, id: &str, stage: &str) {
        if let Some(seen) = self.seen.get_mut(id) {
            seen.actions.retain(|(of, _), _| of != stage);
        }
    }

    /// Takes note of an event, which must be one that may come now.
    pub fn hear(&mut self, event: &Value) {
        let detail = &event["detail"];
        let text = |key: &str| detail[key].as_str().map(str::to_owned);
        let id = text("execution-id").unwrap();
        let state = text("state").unwrap();
        let version = detail["version"].as_f64().unwrap() as usize;
        let seen = self.seen.entry(id.clone()).or_default();
        if state == "RESUMED" {
            let past = ["STOPPING", "SUCCEEDED", "SUPERSEDED", "CANCELED"];
            assert!(
                !past.contains(&seen.pipeline.as_str()),
                "{event} after {}",
                seen.pipeline
            );
        } else if !seen.pipeline.is_empty() {
            assert!(
                ["STARTED", "RESUMED", "STOPPING"].contains(&seen.pipeline.as_str()),
                "{event} after {}",
                seen.pipeline
            );
        }
        match (text("stage"), text("action")) {
            (Some(stage), Some(action)) if state == "CANCELED" => {
                assert_eq!(text("action-execution-id"), None, "it never ran: {event}");
                let before = seen.actions.insert((stage, action), state.clone());
                let ran = ["STARTED", "SUCCEEDED", "CANCELED"].map(Some);
                assert!(
                    !ran.contains(&before.as_deref()),
                    "{event} after {before:?}"
                );
            }
            (Some(stage), Some(action)) => {
                let run = text("action-execution-id").unwrap();
                if state == "STARTED" {
                    self.may_start(version, &id, &stage, &action);
                    assert!(self.once.insert(run), "started twice: {event}");
                } else {
                    assert!(!self.ended.contains(&run), "ended twice: {event}");
                    self.ended.push(run);
                }
                let seen = self.seen.get_mut(&id).unwrap();
                let before = seen.actions.insert((stage, action), state.clone());
                let open = before.as_deref() == Some("STARTED");
                assert_eq!(open, state != "STARTED", "{event} after {before:?}");
                assert_ne!(before.as_deref(), Some("SUCCEEDED"), "repeated: {event}");
            }
            (Some(stage), None) => {
                if state == "RESUMED" && !std::mem::take(&mut seen.resumed) {
                    let stages = self.definitions[version - 1]["stages"].as_array().unwrap();
                    let declared = stages.iter().find(|it| it["name"] == *stage).unwrap();
                    let retry = &declared["onFailure"]["retryConfiguration"]["retryMode"];
                    if retry == "ALL_ACTIONS" {
                        seen.actions.retain(|(of, _), _| *of != stage);
                    }
                }
                let before = seen.stages.insert(stage, state.clone());
                let fits: &[Option<&str>] = match state.as_str() {
                    "STARTED" => &[None],
                    "RESUMED" => &[
                        Some("STARTED"),
                        Some("RESUMED"),
                        Some("FAILED"),
                        Some("STOPPED"),
                    ],
                    "STOPPED" => &[Some("STOPPING")],
                    _ => &[Some("STARTED"), Some("RESUMED")],
                };
                assert!(
                    fits.contains(&before.as_deref()),
                    "{event} after {before:?}"
                );
                if !["STARTED", "RESUMED", "STOPPING"].contains(&state.as_str()) {
                    self.nothing_runs(&id, event);
                }
            }
            (None, _) => {
                let trigger = detail["execution-trigger"]["trigger-type"].as_str();
                seen.rollback |= trigger.is_some_and(|it| it.ends_with("Rollback"));
                seen.resumed = state == "RESUMED";
                seen.pipeline.clone_from(&state);
                if !["STARTED", "RESUMED", "STOPPING"].contains(&state.as_str()) {
                    self.nothing_runs(&id, event);
                }
            }
        }
    }

    /// An end comes after the ends of all that it holds.
    fn nothing_runs(&self, id: &str, event: &Value) {
        let runs = |state: &String| state == "STARTED";
        assert!(
            !self.seen[id].actions.values().any(runs),
            "{event} although {:?}",
            self.seen[id].actions
        );
    }

    /// Everything of earlier stages and of lower runOrder has succeeded.
    fn may_start(&self, version: usize, id: &str, stage: &str, action: &str) {
        let seen = &self.seen[id];
        let mut order = 0;
        let stages = self.definitions[version - 1]["stages"].as_array().unwrap();
        let of = |value: &Value| value["runOrder"].as_u64().unwrap();
        for declared in stages {
            for other in declared["actions"].as_array().unwrap() {
                if declared["name"] == stage && other["name"] == action {
                    order = of(other);
                }
            }
        }
        for declared in stages {
            let here = declared["name"] == stage;
            for other in declared["actions"].as_array().unwrap() {
                let name = other["name"].as_str().unwrap().to_owned();
                let key = (declared["name"].as_str().unwrap().to_owned(), name);
                let before = !here && !seen.rollback;
                if before || here && of(other) < order {
                    let state = seen.actions.get(&key).map(String::as_str);
                    assert_eq!(state, Some("SUCCEEDED"), "{key:?} before {stage}/{action}");
                }
            }
            if here {
                break;
            }
        }
    }
}
