//! Executions recorded from AWS, when `STAGEWRIGHT_ASL_CASES` names a folder with them; skipped with a notice otherwise.
//!
//! They are other people's data and not in this repository. The score by category is printed, and every miss.

use std::{collections::BTreeMap, fs, path::PathBuf};

use engine_states::{
    definition::{Type, parse},
    effect::{Order, Outcome},
    event::Content,
    resource::Resource,
};
use serde_json::{Value, json};

use crate::drive::{Drive, Reply, Run, identity, run};

/// The share of recorded executions that must end as recorded.
const AIM: f64 = 0.97;

fn folder() -> Option<PathBuf> {
    let found = std::env::var_os("STAGEWRIGHT_ASL_CASES").map(PathBuf::from);
    if found.is_none() {
        eprintln!("skipped: STAGEWRIGHT_ASL_CASES names no folder with recorded cases");
    }
    found
}

pub fn rows(file: &str) -> Option<Vec<Value>> {
    let path = folder()?.join(file);
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    Some(
        text.lines()
            .map(|line| serde_json::from_str(line).expect("a row is JSON"))
            .collect(),
    )
}

/// Equal, numbers nearly, objects in any order, texts with wildcards.
pub fn same(found: &Value, wanted: &Value, wild: &[String]) -> bool {
    match (found, wanted) {
        (Value::Number(a), Value::Number(b)) => {
            (a.as_f64().unwrap_or_default() - b.as_f64().unwrap_or_default()).abs() < 1e-9
        }
        // A cause is often JSON text, written with or without blanks.
        (Value::String(a), Value::String(b)) => match (object(a), object(b)) {
            (Some(a), Some(b)) => same(&a, &b, wild),
            _ => alike(a, b, wild),
        },
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b, wild))
        }
        (Value::Object(a), Value::Object(b)) => {
            // What HTTP said is the caller's business, not the interpreter's.
            let told = |key: &&String| !key.starts_with("Sdk");
            a.keys().filter(told).count() == b.keys().filter(told).count()
                && b.iter()
                    .filter(|(key, _)| told(key))
                    .all(|(key, b)| a.get(key).is_some_and(|a| same(a, b, wild)))
        }
        _ => found == wanted,
    }
}

fn object(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok().filter(Value::is_object)
}

fn alike(found: &str, wanted: &str, wild: &[String]) -> bool {
    let mut parts = vec![wanted.to_owned()];
    for word in wild {
        parts = parts
            .iter()
            .flat_map(|p| p.split(word.as_str()))
            .map(str::to_owned)
            .collect();
    }
    if parts.len() == 1 {
        return found == wanted;
    }
    let mut rest = found;
    for (i, part) in parts.iter().enumerate() {
        match rest.find(part.as_str()) {
            Some(0) => rest = &rest[part.len()..],
            Some(at) if i > 0 => rest = &rest[at + part.len()..],
            _ => return false,
        }
    }
    rest.is_empty() || parts.last().is_some_and(String::is_empty)
}

/// The function a task calls, and what it gets.
fn function(order: &Order) -> Option<(String, Value, bool)> {
    let short = |name: &str| {
        name.split(":function:")
            .last()
            .unwrap_or(name)
            .split(':')
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    match &order.resource {
        Resource::Lambda(arn) => Some((short(arn), Value::clone(&order.input), false)),
        Resource::Service { service, .. } if service == "lambda" => {
            let name = order.input.get("FunctionName")?.as_str()?;
            let payload = order
                .input
                .get("Payload")
                .filter(|p| !p.is_null())
                .cloned()
                .unwrap_or(json!({}));
            // A text is sent as it is: what the function reads is the JSON in it.
            let payload = match payload.as_str().map(serde_json::from_str) {
                Some(Ok(inner)) => inner,
                _ => payload,
            };
            Some((short(name), payload, true))
        }
        _ => None,
    }
}

/// What lambda:invoke answers around a function's result.
fn invoked(payload: Value) -> Value {
    let length = payload.to_string().len().to_string();
    json!({
        "ExecutedVersion": "$LATEST",
        "Payload": payload,
        "SdkHttpMetadata": {
            "AllHttpHeaders": {
                "X-Amz-Executed-Version": ["$LATEST"], "x-amzn-Remapped-Content-Length": ["0"],
                "Connection": ["keep-alive"], "x-amzn-RequestId": "x-amzn-RequestId", "Content-Length": [length],
                "Date": "<date>", "X-Amzn-Trace-Id": "X-Amzn-Trace-Id", "Content-Type": ["application/json"],
            },
            "HttpHeaders": {
                "Connection": "keep-alive", "Content-Length": length, "Content-Type": "application/json",
                "Date": "<date>", "X-Amz-Executed-Version": "$LATEST", "x-amzn-Remapped-Content-Length": "0",
                "x-amzn-RequestId": "x-amzn-RequestId", "X-Amzn-Trace-Id": "X-Amzn-Trace-Id",
            },
            "HttpStatusCode": 200,
        },
        "SdkResponseMetadata": {"RequestId": "RequestId"},
        "StatusCode": 200,
    })
}

fn raised(kind: &str, line: &str, message: &str) -> Reply {
    let raise = if message.is_empty() {
        format!("{kind}()")
    } else {
        format!("{kind}(\"{message}\")")
    };
    let cause = json!({
        "errorMessage": message, "errorType": kind, "requestId": "00000000-0000-4000-8000-000000000000",
        "stackTrace": [format!("  File \"/var/task/handler.py\", line {line}, in handler\n    raise {raise}\n")],
    });
    Reply::Failure(Some(kind.to_owned()), Some(cause.to_string()))
}

pub fn behave(order: &Order, lambdas: &Value) -> Reply {
    let Some((name, payload, wrapped)) = function(order) else {
        return Reply::Failure(Some("Unknown".to_owned()), None);
    };
    let result = match lambdas.get(&name).and_then(Value::as_str) {
        Some("identity") => payload,
        Some("raise-Exception") => return raised("Exception", "2", "Some exception was raised."),
        Some("raise-CustomException") => return raised("CustomException", "9", ""),
        Some("large-output") => Value::String("a".repeat(257 * 1024)),
        Some("return-bytes-str") => json!("HelloWorld!"),
        Some("sleep-60") => return Reply::Never,
        _ => {
            let cause = format!(
                "Function not found: arn:aws:lambda:us-east-1:111111111111:function:{name}:$LATEST (Service: AWSLambda; \
                 Status Code: 404; Error Code: ResourceNotFoundException; Request ID: <request_id>; Proxy: null)"
            );
            return Reply::Failure(
                Some("Lambda.ResourceNotFoundException".to_owned()),
                Some(cause),
            );
        }
    };
    Reply::Success(if wrapped { invoked(result) } else { result })
}

/// A mock's answer to the n-th call from a state.
fn mocked(config: &Value, order: &Order, calls: &mut BTreeMap<String, u64>) -> Option<Reply> {
    let cases = config
        .get("StateMachines")?
        .as_object()?
        .values()
        .next()?
        .get("TestCases")?
        .as_object()?;
    let name = cases.values().next()?.get(&order.state)?.as_str()?;
    let call = calls.entry(name.to_owned()).or_default();
    let responses = config.get("MockedResponses")?.get(name)?.as_object()?;
    let found = responses.iter().find(|(range, _)| {
        let mut ends = range.split('-').filter_map(|n| n.parse::<u64>().ok());
        let first = ends.next().unwrap_or_default();
        (first..=ends.next().unwrap_or(first)).contains(call)
    });
    *call += 1;
    let answer = found?.1;
    if let Some(result) = answer.get("Return") {
        let payload = matches!(order.resource, Resource::Lambda(_))
            .then(|| result.get("Payload"))
            .flatten();
        let mut result = payload.unwrap_or(result).clone();
        if matches!(&order.resource, Resource::Service { service, .. } if service == "lambda") {
            result["ExecutedVersion"] = "$LATEST".into();
        }
        return Some(Reply::Success(result));
    }
    let text = |key: &str| answer["Throw"][key].as_str().map(str::to_owned);
    Some(Reply::Failure(text("Error"), text("Cause")))
}

fn end(outcome: &Outcome) -> (&'static str, Value) {
    let error = |error: &Option<String>, cause: &Option<String>| {
        let mut out = json!({});
        for (key, text) in [("error", error), ("cause", cause)] {
            if let Some(text) = text {
                out[key] = text.as_str().into();
            }
        }
        out
    };
    match outcome {
        Outcome::Succeeded(output) => ("SUCCEEDED", json!({"output": &**output})),
        Outcome::Failed(e, c) => ("FAILED", error(e, c)),
        Outcome::TimedOut(e, c) => ("TIMED_OUT", error(e, c)),
        Outcome::Aborted(e, c) => ("ABORTED", error(e, c)),
    }
}

fn execute(row: &Value) -> Result<Run, String> {
    let kind = if row["type"] == "EXPRESS" {
        Type::Express
    } else {
        Type::Standard
    };
    let definition = parse(&row["definition"].to_string(), kind).map_err(|e| e.to_string())?;
    let name = |key: &str, other: &str| row[key].as_str().unwrap_or(other).to_owned();
    let mut calls = BTreeMap::new();
    let drive = Drive {
        definition: &definition,
        kind,
        identity: identity(
            &name("state_machine_name", "machine"),
            &name("execution_name", "exec-1"),
            kind,
        ),
        seed: 7,
        store: false,
        task: &mut |order| match row.get("mock_config") {
            Some(config) => {
                mocked(config, order, &mut calls).unwrap_or_else(|| behave(order, &row["lambdas"]))
            }
            None => behave(order, &row["lambdas"]),
        },
        read: &mut |_| Content::Items(Vec::new()),
    };
    Ok(run(drive, row["input"].clone()))
}

#[derive(Default)]
struct Score {
    all: u32,
    ended: u32,
    causes: (u32, u32),
    events: (u32, u32),
}

#[test]
fn recorded_executions_end_as_recorded() {
    let Some(rows) = rows("asl-cases.jsonl") else {
        return;
    };
    let mut scores: BTreeMap<String, Score> = BTreeMap::new();
    for row in rows.iter().filter(|r| r.get("skip").is_none()) {
        let name = row["name"].as_str().unwrap_or_default();
        let score = scores
            .entry(row["category"].as_str().unwrap_or_default().to_owned())
            .or_default();
        score.all += 1;
        let mut wild: Vec<String> = row["wildcards"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|w| w.as_str().map(str::to_owned))
            .collect();
        wild.extend(["start-time", "entered-time", ":id-2"].map(str::to_owned));
        let run = match execute(row) {
            Ok(run) => run,
            Err(e) => {
                eprintln!("refused  {name}: {e}");
                continue;
            }
        };
        let (status, found) = end(&run.outcome);
        let wanted = &row["expected"];
        let key = |key: &str| match (found.get(key), wanted.get(key)) {
            (None, None) => true,
            (Some(a), Some(b)) => same(a, b, &wild),
            _ => false,
        };
        if row["status"] == status && key("output") && key("error") {
            score.ended += 1;
        } else {
            eprintln!(
                "ended    {name}\n    wanted {} {wanted}\n    found  {status} {found}",
                row["status"]
            );
        }
        if let Some(cause) = wanted.get("cause") {
            score.causes.0 += 1;
            let own = found
                .get("cause")
                .and_then(Value::as_str)
                .unwrap_or_default();
            let good = match cause {
                Value::String(text) => alike(own, text, &wild),
                object => {
                    serde_json::from_str::<Value>(own).is_ok_and(|own| same(&own, object, &wild))
                }
            };
            if good {
                score.causes.1 += 1;
            } else {
                eprintln!("cause    {name}\n    wanted {cause}\n    found  {own}");
            }
        }
        if let Some(wanted) = row["events"].as_array() {
            score.events.0 += 1;
            let mut wanted: Vec<&str> = wanted.iter().filter_map(Value::as_str).collect();
            let own = |e: &engine_states::history::HistoryEvent| match e.state() {
                Some(state) => format!("{}:{state}", e.kind),
                None => e.kind.to_owned(),
            };
            let mut found: Vec<String> = run
                .history
                .iter()
                .filter(|e| e.stream == 0)
                .map(own)
                .collect();
            if wanted
                .iter()
                .any(|e| e.starts_with("Parallel") || e.starts_with("Map"))
            {
                wanted.sort_unstable();
                found.sort();
            }
            if wanted == found {
                score.events.1 += 1;
            } else {
                eprintln!(
                    "events   {name}\n    wanted {}\n    found  {}",
                    wanted.join(" "),
                    found.join(" ")
                );
            }
        }
    }
    let mut total = (0, 0);
    for (category, score) in &scores {
        eprintln!(
            "{category}: {} of {} ended as recorded; causes {} of {}; histories {} of {}",
            score.ended, score.all, score.causes.1, score.causes.0, score.events.1, score.events.0
        );
        total = (total.0 + score.ended, total.1 + score.all);
    }
    let share = f64::from(total.0) / f64::from(total.1);
    assert!(share >= AIM, "{} of {} ended as recorded", total.0, total.1);
}

#[test]
fn recorded_definitions_are_refused_as_recorded() {
    let Some(rows) = rows("asl-definition-cases.jsonl") else {
        return;
    };
    let (mut all, mut good) = (0, 0);
    for row in &rows {
        let name = row["name"].as_str().unwrap_or_default();
        all += 1;
        let express = name.contains("express");
        let kind = if express {
            Type::Express
        } else {
            Type::Standard
        };
        let text = row["args"]["definition"]
            .as_str()
            .map_or_else(|| row["definition"].to_string(), str::to_owned);
        let refused = parse(&text, kind).err();
        let (found, wanted) = match row["expected"].get("diagnostics") {
            Some(wanted) => (json!(refused.map(|r| r.0)), wanted.clone()),
            None => {
                let wanted = row["expected"]["message"].as_str().unwrap_or_default();
                let wanted = wanted.split("operation: ").last().unwrap_or_default();
                (json!(refused.map(|r| r.to_string())), json!(wanted))
            }
        };
        if same(&found, &wanted, &[]) {
            good += 1;
        } else {
            eprintln!("{name}\n    wanted {wanted}\n    found  {found}");
        }
    }
    eprintln!("definitions: {good} of {all}");
}
