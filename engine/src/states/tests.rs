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

mod requests;

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

/// Waits, runs side by side, maps, writes to DynamoDB and reads it again, and tells a topic.
fn tour(topic: &str) -> Value {
    json!({"StartAt": "W", "States": {
        "W": {"Type": "Wait", "Seconds": 3600, "Next": "P"},
        "P": {"Type": "Parallel", "ResultPath": "$.both", "Next": "Put", "Branches": [
            {"StartAt": "M", "States": {"M": {"Type": "Map", "ItemsPath": "$.items", "End": true, "ItemProcessor": {
                "StartAt": "I", "States": {"I": {"Type": "Pass", "Parameters": {"v.$": "$"}, "End": true}}}}}},
            {"StartAt": "W2", "States": {"W2": {"Type": "Wait", "Seconds": 60, "Next": "T"},
                "T": {"Type": "Task", "Resource": "arn:aws:states:::sns:publish", "End": true, "ResultSelector": {"told": true},
                    "Parameters": {"TopicArn": topic, "Message.$": "$"}}}},
        ]},
        "Put": {"Type": "Task", "Resource": "arn:aws:states:::dynamodb:putItem", "ResultPath": null, "Next": "Get",
            "Parameters": {"TableName": "kept", "Item": {"id": {"S": "a"}, "n": {"N.$": "States.Format('{}', $.n)"}}}},
        "Get": {"Type": "Task", "Resource": "arn:aws:states:::dynamodb:getItem", "ResultPath": "$.kept", "End": true,
            "ResultSelector": {"n.$": "$.Item.n.N"},
            "Parameters": {"TableName": "kept", "Key": {"id": {"S": "a"}}}},
    }})
}

async fn prepare(app: &App) -> String {
    let table = json!({"TableName": "kept", "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}]});
    app.tables
        .call("CreateTable", &table.to_string())
        .await
        .unwrap()
        .unwrap();
    app.topics
        .create("news", std::collections::BTreeMap::new())
        .unwrap()
}

const END: &str =
    r#"{"both":[[{"v":1},{"v":2}],{"told":true}],"items":[1,2],"kept":{"n":"7"},"n":7}"#;

fn output(described: &Value) -> Value {
    serde_json::from_str(described["output"].as_str().unwrap_or("null")).unwrap()
}

#[tokio::test]
async fn a_restart_after_any_input_gives_the_same_end() {
    let folder = TempDir::new().unwrap();
    let first = engine(folder.path()).await;
    let topic = prepare(&first.app).await;
    let machine = machine(&first.app, "tour", &tour(&topic)).await;
    let execution = begin(&first.app, &machine, json!({"items": [1, 2], "n": 7})).await;
    let described = end(&first.app, &execution).await;
    assert_eq!(described["status"], "SUCCEEDED", "{described}");
    assert_eq!(
        output(&described),
        serde_json::from_str::<Value>(END).unwrap()
    );
    let history = kinds(&first.app, &execution).await;
    first.shut_down().await;

    let file = folder.path().join("states.db");
    let whole = TempDir::new().unwrap();
    let copy = whole.path().join("states.db");
    Connection::open(&file)
        .unwrap()
        .execute("VACUUM INTO ?1", [copy.display().to_string()])
        .unwrap();
    let inputs: i64 = Connection::open(&copy)
        .unwrap()
        .query_row("SELECT count(*) FROM input", [], |r| r.get(0))
        .unwrap();
    assert!(inputs >= 5, "{inputs} inputs");
    for kept in 0..inputs {
        // As if the engine had been killed right after this record.
        let db = Connection::open(&file).unwrap();
        db.execute_batch(&format!(
            "ATTACH '{}' AS whole; DELETE FROM input; INSERT INTO input SELECT * FROM whole.input WHERE seq < {kept};
             UPDATE execution SET status = 'RUNNING', ended = NULL;",
            copy.display()
        ))
        .unwrap();
        drop(db);
        let again = engine(folder.path()).await;
        let described = end(&again.app, &execution).await;
        assert_eq!(
            described["status"], "SUCCEEDED",
            "after {kept}: {described}"
        );
        assert_eq!(
            output(&described),
            serde_json::from_str::<Value>(END).unwrap(),
            "after {kept}"
        );
        let mut found = kinds(&again.app, &execution).await;
        let mut wanted = history.clone();
        found.sort();
        wanted.sort();
        assert_eq!(found, wanted, "after {kept}");
        again.shut_down().await;
    }
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
