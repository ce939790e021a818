//! Executions through the engine: what a client sees, and the same end after a restart at any input.

use std::{path::Path, time::Duration};

use rusqlite::Connection;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    app::App,
    assemble::{self, Engine, Options},
    config::Config,
    face::{self, Call, Caller, Fault},
};

mod kills;
mod maps;
mod requests;
mod syncs;
mod tasks;
mod tokens;
mod trials;

async fn engine(folder: &Path) -> Engine {
    let mut options = Options::new(Config::default(), folder);
    options.fast_clock = true;
    let (engine, _) = assemble::start(options).await.unwrap();
    engine.perform();
    engine
}

async fn call(app: &App, operation: &str, body: Value) -> Result<Value, Fault> {
    let call = Call {
        service: "states".to_owned(),
        operation: operation.to_owned(),
        caller: Caller {
            access_key: "any".to_owned(),
            arn: "arn:aws:iam::123456789012:user/any".to_owned(),
        },
        method: http::Method::POST,
        uri: http::Uri::from_static("/"),
        headers: http::HeaderMap::new(),
        body: body.to_string().into(),
        request_id: String::new(),
    };
    face::states::call(app, &call).await
}

async fn ok(app: &App, operation: &str, body: Value) -> Value {
    call(app, operation, body)
        .await
        .unwrap_or_else(|fault| panic!("{operation}: {fault:?}"))
}

async fn machine(app: &App, name: &str, definition: &Value) -> String {
    let body = json!({"name": name, "definition": definition.to_string(), "roleArn": "arn:aws:iam::123456789012:role/states"});
    let made = ok(app, "CreateStateMachine", body).await;
    made["stateMachineArn"].as_str().unwrap().to_owned()
}

async fn begin(app: &App, machine: &str, input: Value) -> String {
    let body = json!({"stateMachineArn": machine, "name": "one", "input": input.to_string()});
    ok(app, "StartExecution", body).await["executionArn"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// Waits for the end; what DescribeExecution says then.
async fn end(app: &App, execution: &str) -> Value {
    let waited = tokio::time::timeout(Duration::from_secs(20), app.workflows.wait(execution)).await;
    waited.expect("it ends").unwrap();
    ok(app, "DescribeExecution", json!({"executionArn": execution})).await
}

/// Waits until something is so.
async fn until(what: &str, mut so: impl AsyncFnMut() -> bool) {
    let waited = async {
        while !so().await {
            tokio::task::yield_now().await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(60), waited).await;
    assert!(waited.is_ok(), "waited for {what}");
}

async fn kinds(app: &App, execution: &str) -> Vec<String> {
    let history = ok(
        app,
        "GetExecutionHistory",
        json!({"executionArn": execution, "maxResults": 1000}),
    )
    .await;
    let events = history["events"].as_array().unwrap();
    events
        .iter()
        .map(|e| e["type"].as_str().unwrap().to_owned())
        .collect()
}

fn output(described: &Value) -> Value {
    serde_json::from_str(described["output"].as_str().unwrap_or("null")).unwrap()
}

#[tokio::test]
async fn a_worker_does_an_activity_and_a_token_answers_once() {
    let folder = TempDir::new().unwrap();
    let engine = engine(folder.path()).await;
    let app = &engine.app;
    let activity = ok(app, "CreateActivity", json!({"name": "paint"})).await["activityArn"].clone();
    let definition = json!({"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": activity, "HeartbeatSeconds": 600,
        "TimeoutSeconds": 3600, "End": true}}});
    let machine = machine(app, "painter", &definition).await;
    let execution = begin(app, &machine, json!({"colour": "red"})).await;
    let task = ok(app, "GetActivityTask", json!({"activityArn": activity})).await;
    assert_eq!(task["input"], r#"{"colour":"red"}"#);
    let token = &task["taskToken"];
    ok(app, "SendTaskHeartbeat", json!({"taskToken": token})).await;
    let success = json!({"taskToken": token, "output": "{\"done\":true}"});
    ok(app, "SendTaskSuccess", success.clone()).await;
    let described = end(app, &execution).await;
    assert_eq!(output(&described), json!({"done": true}));
    let late = call(app, "SendTaskSuccess", success).await.unwrap_err();
    assert_eq!(late.code, "TaskTimedOut");
    let unknown = json!({"taskToken": "nobody's", "output": "1"});
    assert_eq!(
        call(app, "SendTaskSuccess", unknown)
            .await
            .unwrap_err()
            .code,
        "InvalidToken"
    );
    let no_json = json!({"taskToken": token, "output": "{"});
    assert_eq!(
        call(app, "SendTaskSuccess", no_json)
            .await
            .unwrap_err()
            .code,
        "InvalidOutput"
    );
    assert_eq!(
        kinds(app, &execution).await,
        [
            "ExecutionStarted",
            "TaskStateEntered",
            "ActivityScheduled",
            "ActivityStarted",
            "ActivitySucceeded",
            "TaskStateExited",
            "ExecutionSucceeded"
        ]
    );
    engine.shut_down().await;
}

#[tokio::test]
async fn a_machine_starts_another_and_waits_for_it() {
    let folder = TempDir::new().unwrap();
    let engine = engine(folder.path()).await;
    let app = &engine.app;
    let inner = json!({"StartAt": "F", "States": {"F": {"Type": "Choice", "Default": "Bad",
        "Choices": [{"Variable": "$.good", "BooleanEquals": true, "Next": "Good"}]},
        "Good": {"Type": "Pass", "Result": {"x": 1}, "End": true}, "Bad": {"Type": "Fail", "Error": "E", "Cause": "C"}}});
    let inner = machine(app, "inner", &inner).await;
    let outer = json!({"StartAt": "S", "States": {"S": {"Type": "Task", "Resource": "arn:aws:states:::states:startExecution.sync:2",
        "Parameters": {"StateMachineArn": inner, "Input.$": "$"}, "OutputPath": "$.Output",
        "Catch": [{"ErrorEquals": ["States.TaskFailed"], "Next": "Caught"}], "End": true},
        "Caught": {"Type": "Pass", "OutputPath": "$.Error", "End": true}}});
    let outer = machine(app, "outer", &outer).await;
    for (name, good, wanted) in [
        ("good", true, json!({"x": 1})),
        ("bad", false, json!("States.TaskFailed")),
    ] {
        let body = json!({"stateMachineArn": outer, "name": name, "input": json!({"good": good}).to_string()});
        let execution = ok(app, "StartExecution", body).await["executionArn"]
            .as_str()
            .unwrap()
            .to_owned();
        assert_eq!(output(&end(app, &execution).await), wanted, "{name}");
    }
    engine.shut_down().await;
}
