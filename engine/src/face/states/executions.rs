//! Executions: started, stopped, redriven, described, listed.

use engine_states::{definition::Type, event::Event, machine::Identity};
use serde_json::{Value, json};

use super::{JsonAnswer, check_name, need, need_arn, no_machine, page::page, refuse, runs, time};
use crate::{
    app::App,
    states::{Begun, Chosen, Ended, Listed, RECORD_VERSION, seed},
};

/// Bytes of an execution's input (API reference).
const INPUT_LIMIT: usize = 262_144;

fn input(body: &Value) -> Result<Value, super::Fault> {
    let text = body["input"].as_str().unwrap_or("{}");
    if text.len() > INPUT_LIMIT {
        return Err(refuse(
            "ValidationException",
            format!(
                "1 validation error detected: Value at 'input' failed to satisfy constraint: Member must have length less than or equal to {INPUT_LIMIT}"
            ),
        ));
    }
    serde_json::from_str(text).map_err(|e| {
        refuse(
            "InvalidExecutionInput",
            format!("Invalid State Machine Execution Input: '{e}'"),
        )
    })
}

fn choose(app: &App, body: &Value) -> Result<Chosen, super::Fault> {
    let arn = need_arn(body, "stateMachineArn", &["stateMachine"])?;
    let weight = u64::try_from(seed() % 100).unwrap_or_default();
    app.workflows
        .read(|book| book.choose(arn, weight))
        .ok_or_else(|| no_machine(arn))
}

fn begun(app: &App, chosen: &Chosen, name: &str, input: Value) -> Begun {
    let arn = match chosen.kind {
        Type::Standard => app
            .workflows
            .arn("execution", &format!("{}:{name}", chosen.name)),
        Type::Express => {
            let unique = uuid::Uuid::new_v4();
            app.workflows
                .arn("express", &format!("{}:{name}:{unique}", chosen.name))
        }
    };
    Begun {
        version: RECORD_VERSION,
        kind: chosen.kind,
        identity: Identity {
            arn,
            name: name.to_owned(),
            machine_arn: chosen.arn.clone(),
            machine_name: chosen.name.clone(),
            role_arn: chosen.role.clone(),
        },
        definition: chosen.definition.clone(),
        input,
        at: app.clock.now(),
        seed: seed(),
        machine_version: chosen.version.clone(),
        machine_alias: chosen.alias.clone(),
        origin: None,
    }
}

fn name(body: &Value) -> Result<String, super::Fault> {
    match body["name"].as_str() {
        Some(name) => {
            check_name(name)?;
            Ok(name.to_owned())
        }
        None => Ok(uuid::Uuid::new_v4().to_string()),
    }
}

/// StartExecution. The same name with the same input gives the running execution again.
///
/// # Errors
/// StartExecution's own refusals.
pub fn start(app: &App, body: &Value) -> JsonAnswer {
    start_by(app, body, None)
}

/// StartExecution by a task of another machine: the same task starts its execution once, however often it is done.
///
/// # Errors
/// StartExecution's own refusals.
pub fn start_by(app: &App, body: &Value, origin: Option<&str>) -> JsonAnswer {
    let chosen = choose(app, body)?;
    let name = name(body)?;
    let input = input(body)?;
    let mut begun = begun(app, &chosen, &name, input);
    begun.origin = origin.map(str::to_owned);
    let arn = begun.identity.arn.clone();
    if let Some(there) = app.workflows.listed(&arn)? {
        let own = origin.is_some() && there.begun.origin == begun.origin;
        if own || (there.ended.is_none() && there.begun.input == begun.input) {
            return Ok(json!({"executionArn": arn, "startDate": time(there.begun.at)}));
        }
        return Err(refuse(
            "ExecutionAlreadyExists",
            format!("Execution Already Exists: '{arn}'"),
        ));
    }
    let at = begun.at;
    app.workflows.begin(app, begun)?;
    Ok(json!({"executionArn": arn, "startDate": time(at)}))
}

/// StartSyncExecution: waits for the end of an express execution.
pub async fn start_sync(app: &App, body: &Value) -> JsonAnswer {
    let chosen = choose(app, body)?;
    if chosen.kind == Type::Standard {
        return Err(refuse(
            "StateMachineTypeNotSupported",
            "This operation is not supported by this type of state machine",
        ));
    }
    let begun = begun(app, &chosen, &name(body)?, input(body)?);
    let arn = begun.identity.arn.clone();
    app.workflows.begin(app, begun)?;
    let listed = app.workflows.wait(&arn).await?;
    let mut answer = shown(&listed);
    answer["billingDetails"] =
        json!({"billedMemoryUsedInMB": 64, "billedDurationInMilliseconds": 100});
    Ok(answer)
}

/// An execution as DescribeExecution gives it.
fn shown(listed: &Listed) -> Value {
    let begun = &listed.begun;
    let mut out = json!({
        "executionArn": begun.identity.arn,
        "stateMachineArn": begun.identity.machine_arn,
        "name": begun.identity.name,
        "status": listed.status(),
        "startDate": time(begun.at),
        "input": begun.input.to_string(),
        "inputDetails": {"included": true},
    });
    for (key, arn) in [
        ("stateMachineVersionArn", &begun.machine_version),
        ("stateMachineAliasArn", &begun.machine_alias),
    ] {
        if let Some(arn) = arn {
            out[key] = arn.as_str().into();
        }
    }
    end(&mut out, listed.ended.as_ref());
    out
}

/// How it ended, if it did.
pub fn end(out: &mut Value, ended: Option<&Ended>) {
    let Some(ended) = ended else { return };
    out["stopDate"] = time(ended.at);
    if let Some(output) = &ended.output {
        out["output"] = output.to_string().into();
        out["outputDetails"] = json!({"included": true});
    }
    for (key, text) in [("error", &ended.error), ("cause", &ended.cause)] {
        if let Some(text) = text {
            out[key] = text.as_str().into();
        }
    }
}

/// What a list leaves out.
pub const DETAILS: [&str; 6] = [
    "input",
    "inputDetails",
    "output",
    "outputDetails",
    "error",
    "cause",
];

pub fn describe(app: &App, body: &Value) -> JsonAnswer {
    let arn = need_arn(body, "executionArn", &["execution"])?;
    if let Some((_, child)) = runs::child(app, arn)? {
        return Ok(runs::shown(&child));
    }
    let look = app.workflows.look(arn)?;
    let (count, at) = look.redriven;
    let redrivable = look.ended.as_ref().is_some_and(|e| e.status != "SUCCEEDED");
    let running = look.ended.is_none();
    let listed = Listed {
        begun: look.begun,
        ended: look.ended,
    };
    let mut out = shown(&listed);
    out["redriveCount"] = count.into();
    out["redriveStatus"] = if redrivable {
        "REDRIVABLE"
    } else {
        "NOT_REDRIVABLE"
    }
    .into();
    if !redrivable {
        let why = if running {
            "Execution is RUNNING and cannot be redriven"
        } else {
            "Execution is SUCCEEDED and cannot be redriven"
        };
        out["redriveStatusReason"] = why.into();
    }
    if let Some(at) = at {
        out["redriveDate"] = time(at);
    }
    Ok(out)
}

pub fn stop(app: &App, body: &Value) -> JsonAnswer {
    let arn = need_arn(body, "executionArn", &["execution", "express"])?;
    let text = |key: &str| body[key].as_str().map(str::to_owned);
    let listed = app.workflows.listed(arn)?.ok_or_else(|| {
        refuse(
            "ExecutionDoesNotExist",
            format!("Execution Does Not Exist: '{arn}'"),
        )
    })?;
    if let Some(ended) = listed.ended {
        return Ok(json!({"stopDate": time(ended.at)}));
    }
    let event = Event::Stop {
        error: text("error"),
        cause: text("cause"),
    };
    app.workflows.tell(app, arn, event)?;
    Ok(json!({"stopDate": time(app.clock.now())}))
}

pub fn redrive(app: &App, body: &Value) -> JsonAnswer {
    let arn = need_arn(body, "executionArn", &["execution"])?;
    app.workflows.tell(app, arn, Event::Redrive)?;
    Ok(json!({"redriveDate": time(app.clock.now())}))
}

pub fn list(app: &App, body: &Value) -> JsonAnswer {
    if body.get("mapRunArn").is_some_and(|v| !v.is_null()) {
        return runs::children(app, body);
    }
    let arn = need(body, "stateMachineArn")?;
    let machine = app.workflows.read(|book| {
        book.find(arn)
            .map(|(_, machine, _)| (machine.arn.clone(), machine.kind))
    });
    let (machine, kind) = machine.ok_or_else(|| no_machine(arn))?;
    if kind == Type::Express {
        return Err(refuse(
            "StateMachineTypeNotSupported",
            "This operation is not supported by this type of state machine",
        ));
    }
    let all = app
        .workflows
        .list(&machine, body["statusFilter"].as_str())?;
    let shown = all
        .iter()
        .map(|listed| {
            let mut out = shown(listed);
            if let Some(fields) = out.as_object_mut() {
                for key in DETAILS {
                    fields.shift_remove(key);
                }
            }
            out
        })
        .collect();
    page(body, "executions", shown)
}
