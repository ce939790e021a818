//! Service integrations: what this engine has a face for.

use axum::response::Response;
use bytes::Bytes;
use engine_states::resource::Pattern;
use http_body_util::BodyExt as _;
use serde_json::{Map, Value, json};

use super::{
    Told,
    record::Listed,
    task::{Failed, waits_for_end},
};
use crate::{
    app::App,
    face::{self, Call, Caller, Fault},
    topic::Message,
};

/// Calls a service; its answer as the state gets it.
pub async fn call(
    app: &App,
    service: &str,
    action: &str,
    pattern: Pattern,
    input: &Value,
) -> Result<Value, Failed> {
    match (service, action) {
        ("states", "startExecution") => start_execution(app, pattern, input).await,
        _ if waits_for_end(pattern) => Err(Failed::not_built(service, &format!("{action}.sync"))),
        ("sns", "publish") => publish(app, input),
        ("events", "putEvents") => put_events(app, input).await,
        ("dynamodb", "getItem" | "putItem" | "updateItem" | "deleteItem") => {
            json_service(app, "dynamodb", "DynamoDB", action, input, Names::Same).await
        }
        _ => match service.strip_prefix("aws-sdk:") {
            Some("codepipeline") => {
                json_service(
                    app,
                    "codepipeline",
                    "CodePipeline",
                    action,
                    input,
                    Names::Lower,
                )
                .await
            }
            Some("sfn") => json_service(app, "states", "Sfn", action, input, Names::Lower).await,
            Some("dynamodb") => {
                json_service(app, "dynamodb", "DynamoDb", action, input, Names::Same).await
            }
            Some("eventbridge") => {
                json_service(app, "events", "EventBridge", action, input, Names::Same).await
            }
            Some("kms") => json_service(app, "kms", "Kms", action, input, Names::Same).await,
            _ => Err(Failed::not_built(service, action)),
        },
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

async fn start_execution(app: &App, pattern: Pattern, input: &Value) -> Result<Value, Failed> {
    let mut body = json!({"stateMachineArn": input["StateMachineArn"]});
    body["input"] = input
        .get("Input")
        .map_or_else(|| "{}".to_owned(), text)
        .into();
    if let Some(name) = input.get("Name") {
        body["name"] = name.clone();
    }
    let answer =
        face::states::start(app, &body).map_err(|fault| refused("StepFunctions", &fault))?;
    let arn = answer["executionArn"].as_str().unwrap_or_default();
    if !waits_for_end(pattern) {
        return Ok(json!({"ExecutionArn": arn, "StartDate": answer["startDate"]}));
    }
    let listed = app
        .workflows
        .wait(arn)
        .await
        .map_err(|e: Told| Failed::new("States.TaskFailed", e.to_string()))?;
    let described = described(&listed, pattern);
    if listed.status() == "SUCCEEDED" {
        Ok(described)
    } else {
        Err(Failed::new("States.TaskFailed", described.to_string()))
    }
}

/// What `.sync` gives: input and output as texts; `.sync:2` gives them as JSON.
fn described(listed: &Listed, pattern: Pattern) -> Value {
    let shown = |value: &Value| match pattern {
        Pattern::SyncJson => value.clone(),
        _ => value.to_string().into(),
    };
    let begun = &listed.begun;
    let mut out = json!({
        "ExecutionArn": begun.identity.arn,
        "StateMachineArn": begun.identity.machine_arn,
        "Name": begun.identity.name,
        "StartDate": begun.at.as_millisecond(),
        "Status": listed.status(),
        "Input": shown(&begun.input),
        "InputDetails": {"Included": true},
    });
    if let Some(ended) = &listed.ended {
        out["StopDate"] = ended.at.as_millisecond().into();
        if let Some(output) = &ended.output {
            out["Output"] = shown(output);
            out["OutputDetails"] = json!({"Included": true});
        }
        for (key, value) in [("Error", &ended.error), ("Cause", &ended.cause)] {
            if let Some(value) = value {
                out[key] = value.as_str().into();
            }
        }
    }
    out
}

fn publish(app: &App, input: &Value) -> Result<Value, Failed> {
    let known = ["TopicArn", "Message", "Subject"];
    if let Some(other) = input
        .as_object()
        .and_then(|m| m.keys().find(|k| !known.contains(&k.as_str())))
    {
        return Err(Failed::not_built("sns", &format!("publish with {other}")));
    }
    let message = Message {
        subject: input.get("Subject").map(text),
        body: input.get("Message").map(text).unwrap_or_default(),
        ..Message::default()
    };
    let topic = input["TopicArn"].as_str().unwrap_or_default();
    match app.topics.publish(topic, message) {
        Ok(id) => Ok(json!({"MessageId": id, "SdkHttpMetadata": {"HttpStatusCode": 200}})),
        Err(error) => Err(Failed::new(
            "SNS.InvalidParameterException",
            error.to_string(),
        )),
    }
}

async fn put_events(app: &App, input: &Value) -> Result<Value, Failed> {
    let mut body = input.clone();
    for entry in body
        .get_mut("Entries")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        if let Some(detail) = entry.get_mut("Detail") {
            *detail = text(detail).into();
        }
    }
    let answer = json_service(
        app,
        "events",
        "EventBridge",
        "putEvents",
        &body,
        Names::Same,
    )
    .await?;
    if answer["FailedEntryCount"].as_u64().unwrap_or_default() > 0 {
        return Err(Failed::new("EventBridge.FailedEntry", answer.to_string()));
    }
    Ok(answer)
}

/// How a service writes its members; state machines always begin them with capitals.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Names {
    Same,
    Lower,
}

async fn json_service(
    app: &App,
    service: &str,
    shown: &str,
    action: &str,
    input: &Value,
    names: Names,
) -> Result<Value, Failed> {
    let mut letters = action.chars();
    let first = letters.next().map(|c| c.to_ascii_uppercase());
    let operation: String = first.into_iter().chain(letters).collect();
    let body = match names {
        Names::Same => input.clone(),
        Names::Lower => renamed(input, |c| c.to_ascii_lowercase()),
    };
    let call = Call {
        service: service.to_owned(),
        operation,
        caller: Caller {
            access_key: "states".to_owned(),
            arn: format!(
                "arn:aws:sts::{}:assumed-role/states/execution",
                app.config.engine.account
            ),
        },
        method: http::Method::POST,
        uri: http::Uri::from_static("/"),
        headers: http::HeaderMap::new(),
        body: Bytes::from(body.to_string()),
        request_id: uuid::Uuid::new_v4().to_string(),
    };
    // Boxed: a state machine may start another one.
    let answer: Result<Value, Fault> = match service {
        "codepipeline" => face::codepipeline::call(app, &call).await,
        "events" => face::events::call(app, &call).await,
        "kms" => face::kms::call(app, &call).await,
        "states" => Box::pin(face::states::call(app, &call)).await,
        _ => match face::dynamodb::call(app, &call.operation, &call.body).await {
            Ok(response) => read(response).await,
            Err(fault) => Err(fault),
        },
    };
    let answer = answer.map_err(|fault| refused(shown, &fault))?;
    Ok(match names {
        Names::Same => answer,
        Names::Lower => renamed(&answer, |c| c.to_ascii_uppercase()),
    })
}

/// A JSON service's response, or its refusal.
async fn read(response: Response) -> Result<Value, Fault> {
    let status = response.status().as_u16();
    let bytes = response
        .into_body()
        .collect()
        .await
        .map_err(|e| Fault::new(500, "InternalFailure", e.to_string()))?
        .to_bytes();
    let value: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    if status < 300 {
        return Ok(value);
    }
    let code = value["__type"].as_str().unwrap_or("Unknown");
    let code = code.rsplit('#').next().unwrap_or(code);
    let message = value["message"]
        .as_str()
        .or(value["Message"].as_str())
        .unwrap_or_default();
    Err(Fault::new(status, code, message))
}

fn refused(service: &str, fault: &Fault) -> Failed {
    Failed::new(
        format!("{service}.{}", fault.code),
        format!(
            "{} (Service: {service}, Status Code: {})",
            fault.message, fault.status
        ),
    )
}

/// The same with other first letters of all members.
fn renamed(value: &Value, letter: fn(char) -> char) -> Value {
    match value {
        Value::Object(fields) => {
            let fields: Map<String, Value> = fields
                .iter()
                .map(|(key, value)| {
                    let mut letters = key.chars();
                    let first = letters.next().map(letter);
                    (
                        first.into_iter().chain(letters).collect(),
                        renamed(value, letter),
                    )
                })
                .collect();
            Value::Object(fields)
        }
        Value::Array(items) => items.iter().map(|v| renamed(v, letter)).collect(),
        other => other.clone(),
    }
}
