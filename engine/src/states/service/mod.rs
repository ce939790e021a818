//! Service integrations: what this engine has a face for, or an endpoint that has it.

pub mod http;
mod json;
mod s3;
mod sync;

use std::sync::OnceLock;

use engine_states::resource::{Pattern, Resource};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use self::json::refused;
use super::{
    Told,
    record::Listed,
    task::{Errand, Failed},
};
use crate::{
    app::App,
    face::{self, Fault},
    topic::{Message, MessageAttribute},
};

/// Optimized integrations whose service speaks JSON, with the name that their errors begin with.
const OPTIMIZED: [(&str, &str); 5] = [
    ("athena", "Athena"),
    ("codebuild", "CodeBuild"),
    ("ecs", "ECS"),
    ("glue", "Glue"),
    ("sagemaker", "SageMaker"),
];

/// Whether there is anything here that does such a task.
pub fn built(resource: &Resource) -> bool {
    let Resource::Service {
        service,
        action,
        pattern,
    } = resource
    else {
        return true;
    };
    match (service.as_str(), action.as_str()) {
        ("states", "startExecution") => true,
        _ if waits_for_end(*pattern) => sync::Run::of(service, action).is_some(),
        ("lambda" | "http", "invoke") | ("sns", "publish") | ("sqs", "sendMessage") => true,
        ("events", "putEvents") | ("dynamodb", _) => true,
        _ => match service.strip_prefix("aws-sdk:") {
            Some("s3") => s3::ACTIONS.contains(&action.as_str()),
            Some("sns") => action == "publish",
            Some(name) => json::knows(name),
            None => OPTIMIZED.iter().any(|(name, _)| name == service),
        },
    }
}

/// Whether a pattern waits for what was started.
const fn waits_for_end(pattern: Pattern) -> bool {
    matches!(pattern, Pattern::Sync | Pattern::SyncJson)
}

/// Calls a service; its answer as the state gets it.
pub async fn call(
    app: &App,
    service: &str,
    action: &str,
    pattern: Pattern,
    input: &Value,
    errand: &mut Errand,
) -> Result<Value, Failed> {
    let optimized = OPTIMIZED.iter().find(|(name, _)| *name == service);
    match (service, action) {
        ("states", "startExecution") => start_execution(app, pattern, input, errand).await,
        _ if waits_for_end(pattern) => match sync::Run::of(service, action) {
            Some(run) => sync::call(app, run, input, errand).await,
            None => Err(Failed::not_built(service, &format!("{action}.sync"))),
        },
        ("sns", "publish") => publish(app, input),
        ("sqs", "sendMessage") => send_message(app, input).await,
        ("events", "putEvents") => put_events(app, input).await,
        ("http", "invoke") => http::invoke(app, input).await,
        ("dynamodb", "getItem" | "putItem" | "updateItem" | "deleteItem") => {
            json::call(app, "dynamodb", Some("DynamoDB"), action, input).await
        }
        ("ecs", "runTask") if pattern == Pattern::Token => {
            let answer = json::call(app, "ecs", Some("ECS"), action, input).await?;
            sync::ran(answer)
        }
        _ => match (service.strip_prefix("aws-sdk:"), optimized) {
            (Some("s3"), _) => s3::call(app, action, input).await,
            (Some("sns"), _) if action == "publish" => publish(app, input),
            (Some(name), _) => json::call(app, name, None, action, input).await,
            (None, Some((name, shown))) => json::call(app, name, Some(shown), action, input).await,
            (None, None) => Err(Failed::not_built(service, action)),
        },
    }
}

/// The client of HTTP tasks, made when it is first needed.
fn client() -> Result<reqwest::Client, Fault> {
    static CLIENT: OnceLock<reqwest::Client> = OnceLock::new();
    if let Some(client) = CLIENT.get() {
        return Ok(client.clone());
    }
    // Another part of the process may have installed it already: that is as good.
    drop(rustls::crypto::ring::default_provider().install_default());
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(CALL_TIMEOUT)
        .build()
        .map_err(|e| Fault::new(500, "SdkClientException", e.to_string()))?;
    Ok(CLIENT.get_or_init(|| client).clone())
}

/// An HTTP task ends after 60 seconds (Step Functions quota).
const CALL_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(60);

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

async fn start_execution(
    app: &App,
    pattern: Pattern,
    input: &Value,
    errand: &mut Errand,
) -> Result<Value, Failed> {
    let origin = errand.origin.clone();
    let mut body = json!({"stateMachineArn": input["StateMachineArn"]});
    body["input"] = input
        .get("Input")
        .map_or_else(|| "{}".to_owned(), text)
        .into();
    body["name"] = match input.get("Name") {
        Some(name) => name.clone(),
        // The same in every attempt at this task.
        None => hex::encode(&Sha256::digest(&origin)[..16]).into(),
    };
    let answer = face::states::start_by(app, &body, Some(&origin))
        .map_err(|fault| refused("StepFunctions", &fault))?;
    let arn = answer["executionArn"].as_str().unwrap_or_default();
    let started = json!({"ExecutionArn": arn, "StartDate": answer["startDate"]});
    if !waits_for_end(pattern) {
        return Ok(started);
    }
    errand.submitted(app, started);
    let Some(listed) = errand.rest(app, app.workflows.wait(arn)).await else {
        let stop = json!({"executionArn": arn, "cause": "The execution that waits for this one was stopped"});
        // It may have ended by itself.
        face::states::stop_by(app, &stop).ok();
        return Err(Failed::new("States.TaskFailed", "stopped"));
    };
    let listed = listed.map_err(|e: Told| Failed::new("States.TaskFailed", e.to_string()))?;
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
    let known = ["TopicArn", "Message", "Subject", "MessageAttributes"];
    if let Some(other) = input
        .as_object()
        .and_then(|m| m.keys().find(|k| !known.contains(&k.as_str())))
    {
        return Err(Failed::not_built("sns", &format!("publish with {other}")));
    }
    let mut message = Message {
        subject: input.get("Subject").map(text),
        body: input.get("Message").map(text).unwrap_or_default(),
        ..Message::default()
    };
    for (name, attribute) in input["MessageAttributes"].as_object().into_iter().flatten() {
        let attribute = MessageAttribute {
            data_type: attribute["DataType"]
                .as_str()
                .unwrap_or("String")
                .to_owned(),
            value: attribute.get("StringValue").map(text).unwrap_or_default(),
        };
        message.attributes.insert(name.clone(), attribute);
    }
    let topic = input["TopicArn"].as_str().unwrap_or_default();
    match app.topics.publish(topic, message) {
        Ok(id) => Ok(json!({"MessageId": id, "SdkHttpMetadata": {"HttpStatusCode": 200}})),
        Err(error) => Err(refused("SNS", &Fault::new(400, error.code, error.message))),
    }
}

/// There is no queue in the engine: the message goes to the endpoint that has one. A body that is no text is sent as JSON.
async fn send_message(app: &App, input: &Value) -> Result<Value, Failed> {
    let mut body = input.clone();
    if let Some(message) = body.get_mut("MessageBody") {
        *message = text(message).into();
    }
    json::call(app, "sqs", Some("SQS"), "sendMessage", &body).await
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
    let answer = json::call(app, "eventbridge", Some("EventBridge"), "putEvents", &body).await?;
    if answer["FailedEntryCount"].as_u64().unwrap_or_default() > 0 {
        return Err(Failed::new("EventBridge.FailedEntry", answer.to_string()));
    }
    Ok(answer)
}
