//! Step Functions over JSON 1.0.

use engine_states::{diagnostic::Refused, step::Refusal};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{Call, Fault, JsonAnswer};
use crate::{
    app::App,
    states::{StoreError, Told},
};

mod activities;
mod aliases;
mod executions;
mod history;
mod machines;
mod page;
mod runs;
mod tags;
mod tasks;
mod trial;

pub use executions::{start, start_by, stop as stop_by};
pub use machines::{create, update};

/// Answers one operation.
///
/// # Errors
/// Step Functions' own refusals, and those of what is not built.
pub async fn call(app: &App, call: &Call) -> JsonAnswer {
    let body: Value = call.json()?;
    let body = &body;
    match call.operation.as_str() {
        "CreateStateMachine" => machines::create(app, body),
        "UpdateStateMachine" => machines::update(app, body),
        "DeleteStateMachine" => machines::delete(app, body),
        "DescribeStateMachine" => machines::describe(app, body),
        "DescribeStateMachineForExecution" => machines::describe_for_execution(app, body),
        "ListStateMachines" => machines::list(app, body),
        "ValidateStateMachineDefinition" => machines::validate(body),
        "PublishStateMachineVersion" => machines::publish(app, body),
        "ListStateMachineVersions" => machines::versions(app, body),
        "DeleteStateMachineVersion" => machines::delete_version(app, body),
        "CreateStateMachineAlias" => aliases::create(app, body),
        "UpdateStateMachineAlias" => aliases::update(app, body),
        "DescribeStateMachineAlias" => aliases::describe(app, body),
        "DeleteStateMachineAlias" => aliases::delete(app, body),
        "ListStateMachineAliases" => aliases::list(app, body),
        "StartExecution" => executions::start(app, body),
        "StartSyncExecution" => executions::start_sync(app, body).await,
        "StopExecution" => executions::stop(app, body),
        "RedriveExecution" => executions::redrive(app, body),
        "DescribeExecution" => executions::describe(app, body),
        "ListExecutions" => executions::list(app, body),
        "GetExecutionHistory" => history::get(app, body),
        "SendTaskSuccess" => tasks::success(app, body),
        "SendTaskFailure" => tasks::failure(app, body),
        "SendTaskHeartbeat" => tasks::heartbeat(app, body),
        "CreateActivity" => activities::create(app, body),
        "DescribeActivity" => activities::describe(app, body),
        "DeleteActivity" => activities::delete(app, body),
        "ListActivities" => activities::list(app, body),
        "GetActivityTask" => activities::task(app, body).await,
        "ListMapRuns" => runs::list(app, body),
        "DescribeMapRun" => runs::describe(app, body),
        "UpdateMapRun" => runs::update(app, body),
        "TestState" => trial::test(app, body).await,
        "TagResource" => tags::add(app, body),
        "UntagResource" => tags::remove(app, body),
        "ListTagsForResource" => tags::list(app, body),
        other => Err(Fault::not_built("states", other)),
    }
}

fn refuse(code: &str, message: impl Into<String>) -> Fault {
    Fault::new(400, code, message)
}

/// A required text member.
fn need<'a>(body: &'a Value, name: &str) -> Result<&'a str, Fault> {
    body[name].as_str().filter(|t| !t.is_empty()).ok_or_else(|| {
        refuse(
            "ValidationException",
            format!(
                "1 validation error detected: Value null at '{name}' failed to satisfy constraint: Member must not be null"
            ),
        )
    })
}

/// A required ARN of this kind (`stateMachine`, `execution`, …).
fn need_arn<'a>(body: &'a Value, name: &str, kinds: &[&str]) -> Result<&'a str, Fault> {
    let arn = need(body, name)?;
    let parts: Vec<&str> = arn.splitn(7, ':').collect();
    let good =
        parts.len() == 7 && parts[0] == "arn" && parts[2] == "states" && kinds.contains(&parts[5]);
    if good {
        Ok(arn)
    } else {
        Err(refuse(
            "InvalidArn",
            format!("Invalid Arn: 'Invalid ARN: {arn}'"),
        ))
    }
}

/// Names of machines, executions, activities: 1 to 80 characters, none of those Step Functions forbids.
fn check_name(name: &str) -> Result<(), Fault> {
    const FORBIDDEN: &str = " <>{}[]?*\"#%\\^|~`$&,;:/";
    let bad = name.is_empty()
        || name.chars().count() > 80
        || name
            .chars()
            .any(|c| FORBIDDEN.contains(c) || c.is_control());
    if bad {
        return Err(refuse("InvalidName", format!("Invalid Name: '{name}'")));
    }
    Ok(())
}

/// Seconds since 1970, as JSON services write times.
#[expect(
    clippy::cast_precision_loss,
    reason = "milliseconds since 1970 fit a double exactly"
)]
fn time(at: Timestamp) -> Value {
    json!(at.as_millisecond() as f64 / 1000.0)
}

fn no_machine(arn: &str) -> Fault {
    refuse(
        "StateMachineDoesNotExist",
        format!("State Machine Does Not Exist: '{arn}'"),
    )
}

fn invalid(refused: &Refused) -> Fault {
    refuse("InvalidDefinition", refused.to_string())
}

/// Tags as a request sends them.
fn read_tags(body: &Value) -> std::collections::BTreeMap<String, String> {
    let pair = |tag: &Value| {
        Some((
            tag["key"].as_str()?.to_owned(),
            tag["value"].as_str().unwrap_or_default().to_owned(),
        ))
    };
    body["tags"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(pair)
        .collect()
}

/// The members of a request that were sent, of these.
fn sent(body: &Value, names: &[&str]) -> Map<String, Value> {
    let member = |name: &&str| {
        Some((
            (*name).to_owned(),
            body.get(*name).filter(|v| !v.is_null())?.clone(),
        ))
    };
    names.iter().filter_map(member).collect()
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::new(500, "InternalFailure", error.to_string())
    }
}

impl From<Told> for Fault {
    fn from(told: Told) -> Self {
        match told {
            Told::Unknown(arn) => refuse(
                "ExecutionDoesNotExist",
                format!("Execution Does Not Exist: '{arn}'"),
            ),
            Told::Refused(Refusal::NotRedrivable(why)) => refuse(
                "ExecutionNotRedrivable",
                format!("Execution is not RedriveExecution eligible: {why}"),
            ),
            Told::Refused(Refusal::NoRun(arn)) => refuse(
                "ValidationException",
                format!("Map Run is not running: '{arn}'"),
            ),
            Told::Refused(refusal) => {
                refuse("TaskTimedOut", format!("Task Timed Out: '{refusal}'"))
            }
            Told::Store(error) => error.into(),
        }
    }
}
