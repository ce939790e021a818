//! The definitions of generated histories, for the model and for the planner.

use serde_json::{Value, json};

use super::world::{Action, Again, Kind, Mode, OnFailure, Plan, Stage};
use crate::harness::pipeline;

/// Choices that make a definition.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    pub mode: Mode,
    /// Seven actions at once instead of four in three groups.
    pub wide: bool,
    /// A stage with an approval in the middle.
    pub gate: bool,
    /// What follows failures: 0 nothing, 1 and 2 retries and rollbacks.
    pub temper: u8,
}

/// The source whose variable `b2` needs.
const NEEDS: &str = "x#{sV.k}";

pub fn plan(shape: Shape) -> Plan {
    let build: &[&'static str] = if shape.wide {
        &["b", "b3", "b4", "b5", "b6", "l", "w"]
    } else {
        &["b", "l", "w@2", "b2@3"]
    };
    let rollback = match shape.mode {
        Mode::Parallel => OnFailure::Nothing,
        Mode::Superseded | Mode::Queued => OnFailure::Rollback,
    };
    let tempers = match shape.temper {
        0 => [OnFailure::Nothing; 3],
        1 => [
            OnFailure::Retry(Again::All),
            OnFailure::Retry(Again::Failed),
            rollback,
        ],
        _ => [OnFailure::Nothing, rollback, OnFailure::Retry(Again::All)],
    };
    let mut stages = vec![
        stage("Source", &["s", "s2"], tempers[0]),
        stage("Build", build, tempers[1]),
    ];
    if shape.gate {
        stages.push(stage("Gate", &["a2"], OnFailure::Nothing));
    }
    stages.push(stage("Deploy", &["a@2", "l2@2", "b7"], tempers[2]));
    Plan {
        mode: shape.mode,
        stages,
    }
}

fn stage(name: &'static str, actions: &[&'static str], on_failure: OnFailure) -> Stage {
    Stage {
        name,
        actions: actions.iter().map(|text| action(text)).collect(),
        on_failure,
    }
}

fn action(text: &'static str) -> Action {
    let (name, order) = text.split_once('@').unwrap_or((text, "1"));
    Action {
        name,
        order: order.parse().unwrap(),
        kind: match &name[..1] {
            "s" => Kind::Source,
            "b" => Kind::Build,
            "l" => Kind::Lambda,
            "w" => Kind::Worker,
            _ => Kind::Approval,
        },
        needs: name == "b2",
    }
}

/// The plan as a definition.
pub fn definition(plan: &Plan) -> Value {
    let texts: Vec<(&str, Vec<String>)> = plan
        .stages
        .iter()
        .map(|stage| {
            let text = |it: &Action| format!("{}@{}", it.name, it.order);
            (stage.name, stage.actions.iter().map(text).collect())
        })
        .collect();
    let borrowed: Vec<(&str, Vec<&str>)> = texts
        .iter()
        .map(|(name, actions)| (*name, actions.iter().map(String::as_str).collect()))
        .collect();
    let slices: Vec<(&str, &[&str])> = borrowed
        .iter()
        .map(|(name, it)| (*name, it.as_slice()))
        .collect();
    let mut value = pipeline(&slices);
    value["executionMode"] = json!(match plan.mode {
        Mode::Superseded => "SUPERSEDED",
        Mode::Queued => "QUEUED",
        Mode::Parallel => "PARALLEL",
    });
    for (at, stage) in plan.stages.iter().enumerate() {
        let mode = |again| match again {
            Again::Failed => "FAILED_ACTIONS",
            Again::All => "ALL_ACTIONS",
        };
        let gate = match stage.on_failure {
            OnFailure::Nothing => continue,
            OnFailure::Rollback => json!({"result": "ROLLBACK"}),
            OnFailure::Retry(again) => {
                json!({"result": "RETRY", "retryConfiguration": {"retryMode": mode(again)}})
            }
        };
        value["stages"][at]["onFailure"] = gate;
    }
    for stage in value["stages"].as_array_mut().unwrap() {
        for action in stage["actions"].as_array_mut().unwrap() {
            if action["name"] == "b2" {
                action["configuration"]["ProjectName"] = json!(NEEDS);
            }
        }
    }
    value
}
