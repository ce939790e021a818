//! Step Functions: standard and express machines, their executions, and the port over them.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use serde_json::{Value, json};
use shared::{
    port::{Execution, ExecutionStart, PortError, Service, ServiceCall, Services, StateMachines},
    provider::Http,
};

use super::{OverHttp, Refusal, operation, reply, required, seconds, text};
use crate::{Asked, Reply, StandIn};

/// How executions end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// As `SUCCEEDED`.
    pub status: &'static str,
    /// JSON.
    pub output: Option<String>,
    /// Of one that failed.
    pub error: Option<&'static str>,
    /// Of one that failed.
    pub cause: Option<String>,
}

/// The service, with a machine `release` and an express one `quick`.
#[derive(Debug, Clone)]
pub struct Machines {
    /// How executions end.
    pub outcome: Outcome,
    /// How long they take.
    pub lasts: Duration,
    /// For so long an execution that was started is not found.
    pub hidden: Duration,
    /// Starts that are refused because too many run.
    pub full: usize,
    /// Executions by ARN.
    pub executions: BTreeMap<String, Run>,
    /// Tasks that wait, by token.
    pub tasks: BTreeMap<String, Task>,
}

/// A task that waits with a token, until it is told something or times out.
#[derive(Debug, Clone, Default)]
pub struct Task {
    /// Operation and request of its one outcome.
    pub told: Option<(String, Value)>,
    /// It timed out, or its execution was stopped.
    pub closed: bool,
    /// Heartbeats.
    pub beats: usize,
}

/// An execution.
#[derive(Debug, Clone)]
pub struct Run {
    /// Its input.
    pub input: String,
    /// When it was stopped, and with which error and cause.
    pub stopped: Option<(Timestamp, String, String)>,
    name: String,
    machine: String,
    started: Timestamp,
}

const MACHINES: &str = "arn:aws:states:eu-west-1:123456789012:stateMachine:";

impl Default for Machines {
    fn default() -> Self {
        Self {
            outcome: Outcome {
                status: "SUCCEEDED",
                output: Some(r#"{"version":"1.4","rows":42,"list":[1]}"#.to_owned()),
                error: None,
                cause: None,
            },
            lasts: Duration::from_secs(70),
            hidden: Duration::ZERO,
            full: 0,
            executions: BTreeMap::new(),
            tasks: BTreeMap::new(),
        }
    }
}

impl StandIn for Machines {
    fn handle(&mut self, asked: &Asked, now: Timestamp) -> Reply {
        reply(operation(asked).and_then(|(service, operation, body)| {
            match (service.as_str(), operation.as_str()) {
                ("AWSStepFunctions", "DescribeStateMachine") => machine(&body, now),
                ("AWSStepFunctions", "StartExecution") => self.start(&body, now),
                ("AWSStepFunctions", "DescribeExecution") => self.describe(&body, now),
                ("AWSStepFunctions", "StopExecution") => self.stop(&body, now),
                (
                    "AWSStepFunctions",
                    "SendTaskSuccess" | "SendTaskFailure" | "SendTaskHeartbeat",
                ) => self.task(&operation, body),
                _ => Err(Refusal::new("UnknownOperationException", operation)),
            }
        }))
    }
}

/// The machine's name; `Err` when there is none.
fn known(arn: &str) -> Result<&str, Refusal> {
    let name = arn.strip_prefix(MACHINES);
    let name = name.ok_or_else(|| Refusal::new("InvalidArn", format!("Invalid Arn: '{arn}'")))?;
    // A version or alias comes after the name.
    let name = name.split(':').next().unwrap_or_default();
    match ["release", "quick"].contains(&name) {
        true => Ok(name),
        false => {
            let message = format!("State Machine Does Not Exist: '{arn}'");
            Err(Refusal::new("StateMachineDoesNotExist", message))
        }
    }
}

fn machine(body: &Value, now: Timestamp) -> Result<Value, Refusal> {
    let arn = required(body, "stateMachineArn")?;
    let name = known(arn)?;
    let kind = if name == "quick" {
        "EXPRESS"
    } else {
        "STANDARD"
    };
    Ok(json!({
        "stateMachineArn": arn, "name": name, "status": "ACTIVE", "type": kind, "definition": "{}",
        "roleArn": "arn:aws:iam::123456789012:role/r", "creationDate": seconds(now), "label": "planted-unknown"
    }))
}

impl Machines {
    fn start(&mut self, body: &Value, now: Timestamp) -> Result<Value, Refusal> {
        let machine = required(body, "stateMachineArn")?;
        let (of, name) = (known(machine)?, required(body, "name")?);
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if name.len() > 80 || !name.chars().all(plain) {
            return Err(Refusal::new(
                "InvalidName",
                format!("Invalid Name: '{name}'"),
            ));
        }
        let input = text(body, "input");
        if serde_json::from_str::<Value>(input).is_err() {
            return Err(Refusal::new(
                "InvalidExecutionInput",
                "Invalid State Machine Execution Input",
            ));
        }
        if self.full > 0 {
            self.full -= 1;
            return Err(Refusal::new("ExecutionLimitExceeded", "too many"));
        }
        let arn = machine.replace(":stateMachine:", ":execution:");
        let arn = arn.split_at(arn.find(of).unwrap_or(0) + of.len()).0;
        let arn = format!("{arn}:{name}");
        if let Some(run) = self.executions.get(&arn) {
            if self.status(run, now) != "RUNNING" || run.input != input {
                let message = format!("Execution Already Exists: '{arn}'");
                return Err(Refusal::new("ExecutionAlreadyExists", message));
            }
            return Ok(json!({"executionArn": arn, "startDate": seconds(run.started)}));
        }
        let run = Run {
            input: input.to_owned(),
            stopped: None,
            name: name.to_owned(),
            machine: machine.to_owned(),
            started: now,
        };
        self.executions.insert(arn.clone(), run);
        Ok(json!({"executionArn": arn, "startDate": seconds(now)}))
    }

    fn describe(&self, body: &Value, now: Timestamp) -> Result<Value, Refusal> {
        let arn = required(body, "executionArn")?;
        let run = self.executions.get(arn);
        let run = run.filter(|run| run.started + self.hidden <= now);
        let run = run.ok_or_else(|| {
            Refusal::new(
                "ExecutionDoesNotExist",
                format!("Execution Does Not Exist: '{arn}'"),
            )
        })?;
        let status = self.status(run, now);
        let mut shown = json!({
            "executionArn": arn, "stateMachineArn": run.machine, "name": run.name, "status": status,
            "startDate": seconds(run.started), "input": run.input, "inputDetails": {"included": true},
            "redriveCount": 0, "redriveStatus": "NOT_REDRIVABLE"
        });
        let mut put = |name: &str, value: Option<&str>| {
            if let Some(value) = value {
                shown[name] = value.into();
            }
        };
        match (status, &run.stopped) {
            ("RUNNING", _) => {}
            (_, Some((_, error, cause))) => {
                put("error", Some(error));
                put("cause", Some(cause));
            }
            (_, None) => {
                put("output", self.outcome.output.as_deref());
                put("error", self.outcome.error);
                put("cause", self.outcome.cause.as_deref());
            }
        }
        Ok(shown)
    }

    fn task(&mut self, operation: &str, body: Value) -> Result<Value, Refusal> {
        let token = required(&body, "taskToken")?;
        let task = self.tasks.get_mut(token);
        let task =
            task.ok_or_else(|| Refusal::new("InvalidToken", "Invalid Token: 'Invalid token'"))?;
        if task.closed || task.told.is_some() {
            let message = "Task Timed Out: 'Provided task does not exist anymore'";
            return Err(Refusal::new("TaskTimedOut", message));
        }
        match operation {
            "SendTaskHeartbeat" => task.beats += 1,
            _ => task.told = Some((operation.to_owned(), body)),
        }
        Ok(json!({}))
    }

    fn stop(&mut self, body: &Value, now: Timestamp) -> Result<Value, Refusal> {
        let arn = required(body, "executionArn")?;
        let running = self
            .executions
            .get(arn)
            .map(|run| self.status(run, now) == "RUNNING");
        let run = self.executions.get_mut(arn).ok_or_else(|| {
            Refusal::new(
                "ExecutionDoesNotExist",
                format!("Execution Does Not Exist: '{arn}'"),
            )
        })?;
        if running == Some(true) {
            let words = (text(body, "error"), text(body, "cause"));
            run.stopped = Some((now, words.0.to_owned(), words.1.to_owned()));
        }
        Ok(json!({"stopDate": seconds(now)}))
    }

    fn status(&self, run: &Run, now: Timestamp) -> &'static str {
        match &run.stopped {
            Some(_) => "ABORTED",
            None if run.started + self.lasts <= now => self.outcome.status,
            None => "RUNNING",
        }
    }
}

const STATES: Service = Service {
    version: "1.0",
    ..Service::json11("SFN", "states", "AWSStepFunctions")
};

impl<H: Http> OverHttp<H> {
    async fn states(&self, operation: &'static str, body: Value) -> Result<Value, PortError> {
        let what = format!("{operation} of {}", body[0].as_str().unwrap_or_default());
        self.call(&ServiceCall::new(STATES, operation, &what, body))
            .await
    }
}

/// An answer of another shape is what the SDK cannot read.
fn read(answer: &Value, name: &str) -> Result<String, PortError> {
    let value = answer[name].as_str().map(str::to_owned);
    value.ok_or_else(|| PortError::Unavailable {
        what: name.to_owned(),
        source: None,
    })
}

impl<H: Http> StateMachines for OverHttp<H> {
    async fn kind(&self, machine: &str) -> Result<String, PortError> {
        let body = json!({"stateMachineArn": machine, "includedData": "METADATA_ONLY"});
        read(&self.states("DescribeStateMachine", body).await?, "type")
    }

    async fn start(&self, start: ExecutionStart<'_>) -> Result<String, PortError> {
        let body =
            json!({"stateMachineArn": start.machine, "name": start.name, "input": start.input});
        read(&self.states("StartExecution", body).await?, "executionArn")
    }

    async fn execution(&self, arn: &str) -> Result<Execution, PortError> {
        let answer = self
            .states("DescribeExecution", json!({ "executionArn": arn }))
            .await?;
        let text = |name: &str| answer[name].as_str().map(str::to_owned);
        Ok(Execution {
            status: read(&answer, "status")?,
            input: text("input"),
            output: text("output"),
            error: text("error"),
            cause: text("cause"),
        })
    }

    async fn stop(&self, arn: &str, error: &str, cause: &str) -> Result<(), PortError> {
        let body = json!({"executionArn": arn, "error": error, "cause": cause});
        self.states("StopExecution", body).await.map(drop)
    }
}
