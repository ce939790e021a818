//! What a distributed Map tells of its child executions: in files, or in the state's output.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::effect::Outcome;

/// A child execution that is over.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Ran {
    /// Its ARN; empty for one that never began.
    pub arn: String,
    pub input: Arc<Value>,
    pub started: Timestamp,
    pub stopped: Timestamp,
    pub output: Option<Arc<Value>>,
    pub error: Option<String>,
    pub cause: Option<String>,
    pub aborted: bool,
}

impl Ran {
    /// How a child execution ended.
    pub fn ended(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Succeeded(output) => self.output = Some(Arc::clone(output)),
            Outcome::Failed(error, cause) => {
                self.error.clone_from(error);
                self.cause.clone_from(cause);
            }
            Outcome::TimedOut(..) | Outcome::Aborted(..) => self.aborted = true,
        }
    }
}

/// `Transformation` of a `WriterConfig`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Whole,
    Outputs,
    Flat,
}

/// Files of results by their status.
#[derive(Debug, Clone, PartialEq)]
pub struct Files {
    /// `JSON` or `JSONL`, the end of their names.
    pub lines: bool,
    /// What succeeded.
    pub succeeded: Vec<Value>,
    /// What did not.
    pub failed: Vec<Value>,
    /// What never began.
    pub pending: Vec<Value>,
}

fn form(config: &Value) -> Form {
    match config["Transformation"].as_str() {
        Some("COMPACT") => Form::Outputs,
        Some("FLATTEN") => Form::Flat,
        _ => Form::Whole,
    }
}

/// One child execution as ResultWriter writes it: DescribeExecution's members, in capitals.
fn whole(ran: &Ran) -> Value {
    let (place, name) = ran.arn.rsplit_once(':').unwrap_or_default();
    let machine = place.replacen(":execution:", ":stateMachine:", 1);
    let status = match (&ran.output, ran.aborted) {
        (Some(_), _) => "SUCCEEDED",
        (None, true) => "ABORTED",
        (None, false) => "FAILED",
    };
    let mut out = json!({
        "ExecutionArn": ran.arn,
        "Input": ran.input.to_string(),
        "InputDetails": {"Included": true},
        "Name": name,
        "RedriveCount": 0,
        "StartDate": format!("{:.3}", ran.started),
        "StateMachineArn": machine,
        "Status": status,
        "StopDate": format!("{:.3}", ran.stopped),
    });
    if let Some(output) = &ran.output {
        out["Output"] = output.to_string().into();
        out["OutputDetails"] = json!({"Included": true});
        out["RedriveStatus"] = "NOT_REDRIVABLE".into();
        out["RedriveStatusReason"] = "Execution is SUCCEEDED and cannot be redriven".into();
    } else {
        out["RedriveStatus"] = "REDRIVABLE_BY_MAP_RUN".into();
        for (key, text) in [("Error", &ran.error), ("Cause", &ran.cause)] {
            if let Some(text) = text {
                out[key] = text.as_str().into();
            }
        }
    }
    out
}

/// What of it the form keeps. A failure is always told whole.
fn kept(ran: &Ran, form: Form) -> Vec<Value> {
    match (&ran.output, form) {
        (None, _) | (_, Form::Whole) => vec![whole(ran)],
        (Some(output), Form::Flat) if output.is_array() => {
            output.as_array().cloned().unwrap_or_default()
        }
        (Some(output), Form::Outputs | Form::Flat) => vec![Value::clone(output)],
    }
}

/// The files, of every item what its child execution gave; none for those that never began.
pub fn files(ends: &[Option<Ran>], items: &[Arc<Value>], config: &Value) -> Files {
    let form = form(config);
    let of = |good: bool| {
        let these = ends.iter().flatten().filter(|r| r.output.is_some() == good);
        these.flat_map(|ran| kept(ran, form)).collect()
    };
    let waiting = ends.iter().zip(items).filter(|(end, _)| end.is_none());
    Files {
        lines: config["OutputType"] == "JSONL",
        succeeded: of(true),
        failed: of(false),
        pending: waiting
            .map(|(_, item)| {
                json!({"Input": item.to_string(), "InputDetails": {"Included": true}, "Status": "PENDING"})
            })
            .collect(),
    }
}

/// The state's output where there is no place to write to.
pub fn shown(ends: &[Option<Ran>], config: &Value) -> Value {
    let form = form(config);
    let all = ends.iter().flatten();
    all.flat_map(|ran| kept(ran, form)).collect()
}
