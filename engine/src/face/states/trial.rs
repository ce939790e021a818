//! TestState: one state tried alone, its task done or mocked.

use std::time::Duration;

use engine_states::{
    definition::{Type, parse, parse_state},
    effect::Order,
    resource::{Pattern, Resource},
    trial::{Begun, Given, Mode, Reply, Trial, Tried},
};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{Fault, JsonAnswer, invalid, need, refuse};
use crate::{
    app::App,
    states::{Seen, seed, try_once},
};

/// The longest trial (API reference, TestState).
const LONGEST: Duration = Duration::from_mins(5);
/// Bytes of `input`, `variables`, `context`, a mocked result and what a reader reads (API reference).
const TEXT_LIMIT: usize = 262_144;
/// What a state under test is called when its definition is all there is (as AWS's context objects show it).
const UNNAMED: &str = "StateName";

/// How much is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Info,
    Debug,
    Trace,
}

pub async fn test(app: &App, body: &Value) -> JsonAnswer {
    let text = need(body, "definition")?;
    let level = level(body)?;
    let mock = mock(body)?;
    let reveal = body["revealSecrets"] == true;
    if reveal && mock.is_some() {
        let why = "TestState does not support RevealSecrets when a mock is specified.";
        return Err(wrong(why));
    }
    let name = body["stateName"].as_str();
    let definition = match name {
        Some(_) => parse(text, Type::Standard),
        None => parse_state(text, UNNAMED),
    };
    let definition = definition.map_err(|refused| invalid(&refused))?;
    let given = given(app, body, mock.is_some())?;
    let name = name.unwrap_or(UNNAMED);
    let mut trial = Trial::new(&definition, name, given).ok_or_else(|| {
        wrong(format!(
            "State '{name}' is not in the definition; stateName names one of its states"
        ))
    })?;
    check(&trial, body, mock.as_ref())?;
    let mut seen = Seen::default();
    let tried = match (trial.begin(), mock) {
        (Begun::Over(tried), _) => tried,
        (Begun::Task(_) | Begun::Inside, Some((reply, _))) => trial.answered(reply),
        (Begun::Task(order), None) => {
            let reply = perform(app, order, reveal, &mut seen).await;
            trial.answered(reply)
        }
        (Begun::Wait(until), _) => {
            if wait(app, until).await {
                trial.waited()
            } else {
                trial.answered(timed_out())
            }
        }
        (Begun::Inside, None) => return Err(needs_mock()),
    };
    Ok(shown(tried, level, seen))
}

fn wrong(why: impl Into<String>) -> Fault {
    refuse("ValidationException", why)
}

fn needs_mock() -> Fault {
    refuse(
        "InvalidDefinition",
        "TestState API does not support Map or Parallel states. Supported state types include: [Task, Wait, Pass, Succeed, Fail, Choice]",
    )
}

fn timed_out() -> Reply {
    Reply::Failure(Some("States.Timeout".to_owned()), None)
}

/// One of an enumeration's values.
fn one_of(value: &Value, at: &str, of: &[&str]) -> Result<Option<usize>, Fault> {
    let Some(text) = value.as_str() else {
        return Ok(None);
    };
    of.iter().position(|v| *v == text).map(Some).ok_or_else(|| {
        wrong(format!(
            "1 validation error detected: Value '{text}' at '{at}' failed to satisfy constraint: Member must satisfy enum value set: [{}]",
            of.join(", ")
        ))
    })
}

fn level(body: &Value) -> Result<Level, Fault> {
    let at = one_of(
        &body["inspectionLevel"],
        "inspectionLevel",
        &["INFO", "DEBUG", "TRACE"],
    )?;
    Ok([Level::Info, Level::Debug, Level::Trace][at.unwrap_or(0)])
}

/// A member that is JSON text.
fn json_text(body: &Value, name: &str) -> Result<Option<Value>, Fault> {
    let Some(text) = body[name].as_str() else {
        return Ok(None);
    };
    if text.len() > TEXT_LIMIT {
        return Err(wrong(format!(
            "1 validation error detected: Value at '{name}' failed to satisfy constraint: Member must have length less than or equal to {TEXT_LIMIT}"
        )));
    }
    let read = serde_json::from_str(text);
    read.map(Some).map_err(|e| match name {
        "input" => refuse(
            "InvalidExecutionInput",
            format!("Invalid State Machine Execution Input: '{e}'"),
        ),
        _ => wrong(format!("'{name}' must be JSON: {e}")),
    })
}

fn object(body: &Value, name: &str) -> Result<Option<Map<String, Value>>, Fault> {
    match json_text(body, name)? {
        None => Ok(None),
        Some(Value::Object(fields)) => Ok(Some(fields)),
        Some(_) => Err(wrong(format!("'{name}' must be a JSON object"))),
    }
}

/// The mocked answer, and how strictly a result is looked at.
fn mock(body: &Value) -> Result<Option<(Reply, Mode)>, Fault> {
    let Some(mock) = body.get("mock").filter(|m| !m.is_null()) else {
        return Ok(None);
    };
    let modes = ["STRICT", "PRESENT", "NONE"];
    let at = one_of(
        &mock["fieldValidationMode"],
        "mock.fieldValidationMode",
        &modes,
    )?;
    let mode = [Mode::Strict, Mode::Present, Mode::None][at.unwrap_or(0)];
    let reply = match (json_text(mock, "result")?, &mock["errorOutput"]) {
        (Some(result), Value::Null) => Reply::Success(result),
        (None, Value::Object(error)) => {
            let text = |key: &str| error.get(key).and_then(Value::as_str).map(str::to_owned);
            Reply::Failure(text("error"), text("cause"))
        }
        _ => {
            let why =
                "A test mock should have only one of the following fields: [result, errorOutput].";
            return Err(wrong(why));
        }
    };
    Ok(Some((reply, mode)))
}

fn given(app: &App, body: &Value, mocked: bool) -> Result<Given, Fault> {
    let context = object(body, "context")?;
    if context.is_some() && !mocked {
        return Err(wrong("'context' may only be given together with a mock"));
    }
    let configured = &body["stateConfiguration"];
    let count = |name: &str| {
        match &configured[name] {
        Value::Null => Ok(0),
        value => value.as_u64().ok_or_else(|| {
            wrong(format!(
                "1 validation error detected: Value '{value}' at 'stateConfiguration.{name}' failed to satisfy constraint: Member must have value greater than or equal to 0"
            ))
        }),
    }
    };
    let home = app.workflows.home();
    Ok(Given {
        input: json_text(body, "input")?.unwrap_or_else(|| json!({})),
        variables: object(body, "variables")?.unwrap_or_default(),
        context: context.map(Value::Object),
        home: (home.region.clone(), home.account.clone()),
        role: body["roleArn"].as_str().map(str::to_owned),
        retries: count("retrierRetryCount")?,
        failures: count("mapIterationFailureCount")?,
        items: configured["mapItemReaderData"].as_str().map(str::to_owned),
        at: app.clock.now(),
        seed: seed(),
    })
}

/// Whether this state can be tried this way.
fn check(trial: &Trial<'_>, body: &Value, mock: Option<&(Reply, Mode)>) -> Result<(), Fault> {
    let kind = trial.type_name();
    let Some((reply, mode)) = mock else {
        return match trial.resource() {
            Some(resource) if waits(resource) => Err(refuse(
                "InvalidDefinition",
                "TestState API supports activities and the .sync and .waitForTaskToken patterns only when a mock is specified",
            )),
            None if ["Map", "Parallel"].contains(&kind) => Err(needs_mock()),
            _ => Ok(()),
        };
    };
    if !["Task", "Map", "Parallel"].contains(&kind) {
        return Err(wrong(format!(
            "State type '{kind}' is not supported when a mock is specified"
        )));
    }
    if let Reply::Success(result) = reply
        && let Some(fault) = trial.mock_fault(result, *mode)
    {
        return Err(wrong(fault));
    }
    match body["stateConfiguration"]["errorCausedByState"].as_str() {
        Some(name) if !trial.holds(name) => Err(wrong(format!(
            "errorCausedByState '{name}' names no state inside the state under test"
        ))),
        _ => Ok(()),
    }
}

const fn waits(resource: &Resource) -> bool {
    match resource {
        Resource::Activity(_) => true,
        Resource::Lambda(_) => false,
        Resource::Service { pattern, .. } => !matches!(pattern, Pattern::Response),
    }
}

/// Does the task, for as long as it and a trial may take.
async fn perform(app: &App, order: Order, reveal: bool, seen: &mut Seen) -> Reply {
    let longest = order
        .timeout
        .map_or(LONGEST, |s| LONGEST.min(Duration::from_secs(s)));
    let _busy = app.clock.busy();
    tokio::select! {
        done = try_once(app, order, reveal, seen) => match done {
            Ok(result) => Reply::Success(result),
            Err(failed) => Reply::Failure(Some(failed.error), Some(failed.cause)),
        },
        () = app.clock.sleep(longest) => timed_out(),
    }
}

/// Waits; false when that would take longer than a trial may.
async fn wait(app: &App, until: Timestamp) -> bool {
    let longest = app.clock.now() + LONGEST;
    app.clock.sleep_until(until.min(longest)).await;
    until <= longest
}

fn shown(tried: Tried, level: Level, seen: Seen) -> Value {
    let mut out = json!({"status": tried.status});
    let texts = [
        ("output", tried.output.map(|output| output.to_string())),
        ("nextState", tried.next),
        ("error", tried.error),
        ("cause", tried.cause),
    ];
    for (name, text) in texts {
        if let Some(text) = text {
            out[name] = text.into();
        }
    }
    if level != Level::Info {
        out["inspectionData"] = Value::Object(tried.seen);
    }
    if level == Level::Trace {
        for (name, value) in [("request", seen.request), ("response", seen.response)] {
            if let Some(value) = value {
                out["inspectionData"][name] = value;
            }
        }
    }
    out
}
