//! The engine killed after every record of an execution: the same end, and a history that begins as the records say.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use engine_states::event::{Event, Input};

use super::*;
use crate::{
    states::run::Live,
    store::objects::{Body, BucketSettings, PutOptions},
};

/// What the machines of these tests use.
async fn prepare(app: &App) {
    let table = json!({"TableName": "kept", "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}]});
    app.tables
        .call("CreateTable", &table.to_string())
        .await
        .unwrap()
        .unwrap();
    app.topics.create("news", BTreeMap::new()).unwrap();
    app.objects
        .create_bucket("data", BucketSettings::default())
        .await
        .unwrap();
    let body = Body::Bytes("[1,2,3]".into());
    app.objects
        .put("data", "list.json", PutOptions::default(), body)
        .await
        .unwrap();
    ok(app, "CreateActivity", json!({"name": "work"})).await;
    let inner = json!({"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 9, "Next": "C"},
        "C": {"Type": "Choice", "Default": "Bad", "Choices": [{"Variable": "$.good", "IsPresent": true, "Next": "Good"}]},
        "Good": {"Type": "Succeed"}, "Bad": {"Type": "Fail", "Error": "E", "Cause": "C"}}});
    machine(app, "inner", &inner).await;
}

/// What a worker was given: input by token. Workers outlive the engine.
type Hands = Arc<Mutex<BTreeMap<String, String>>>;

async fn answer(app: &App, token: &str, input: &str) {
    let (operation, body) = if input.contains("fail") {
        (
            "SendTaskFailure",
            json!({"taskToken": token, "error": "Bad", "cause": input}),
        )
    } else {
        (
            "SendTaskSuccess",
            json!({"taskToken": token, "output": input}),
        )
    };
    // It may have been answered before the kill.
    drop(call(app, operation, body).await);
}

/// Does the tasks of the activity: what has `fail` fails.
fn work(app: &App, hands: &Hands) -> tokio::task::JoinHandle<()> {
    let (app, hands) = (app.clone(), Arc::clone(hands));
    tokio::spawn(async move {
        loop {
            let activity = json!({"activityArn": app.workflows.arn("activity", "work")});
            let Ok(task) = call(&app, "GetActivityTask", activity).await else {
                return;
            };
            let text = |key: &str| task[key].as_str().unwrap_or_default().to_owned();
            let (token, input) = (text("taskToken"), text("input"));
            hands.lock().unwrap().insert(token.clone(), input.clone());
            answer(&app, &token, &input).await;
        }
    })
}

/// The tokens of tasks that a worker has and has not answered, as these records say.
fn held(db: &Connection, execution: &str, inputs: &[Input]) -> Vec<String> {
    let mut open = std::collections::BTreeSet::new();
    for input in inputs {
        match &input.event {
            Event::TaskStarted { task } => {
                open.insert(*task);
            }
            Event::TaskSucceeded { task, .. } | Event::TaskFailed { task, .. } => {
                open.remove(task);
            }
            _ => {}
        }
    }
    let mut read = db
        .prepare("SELECT token FROM first WHERE execution = ?1 AND task = ?2")
        .unwrap();
    let token = |task: &u64| {
        let task = i64::try_from(*task).unwrap();
        read.query_row(rusqlite::params![execution, task], |r| r.get(0))
            .unwrap()
    };
    open.iter().map(token).collect()
}

/// Runs to the end once, then again from each number of records.
async fn killed(definition: Value, input: Value, status: &str, least: usize) {
    let folder = TempDir::new().unwrap();
    let first = engine(folder.path()).await;
    prepare(&first.app).await;
    let hands = Hands::default();
    let worker = work(&first.app, &hands);
    let machine = machine(&first.app, "tour", &definition).await;
    let execution = begin(&first.app, &machine, input).await;
    let wanted = end(&first.app, &execution).await;
    assert_eq!(wanted["status"], status, "{wanted}");
    let look = first.app.workflows.look(&execution).unwrap();
    let kinds = |history: &[engine_states::history::HistoryEvent]| {
        let mut kinds: Vec<String> = history
            .iter()
            .map(|e| format!("{} {:?}", e.kind, e.state()))
            .collect();
        // Side by side may end in another order.
        kinds.sort();
        kinds
    };
    worker.abort();
    first.shut_down().await;

    let file = folder.path().join("states.db");
    let db = Connection::open(&file).unwrap();
    let mut read = db
        .prepare("SELECT body FROM input WHERE execution = ?1 ORDER BY seq")
        .unwrap();
    let inputs: Vec<Input> = read
        .query_map([&execution], |r| r.get::<_, String>(0))
        .unwrap()
        .map(|row| serde_json::from_str(&row.unwrap()).unwrap())
        .collect();
    drop(read);
    assert!(inputs.len() >= least, "{} inputs", inputs.len());
    db.execute_batch(
        "CREATE TABLE whole AS SELECT * FROM input; CREATE TABLE first AS SELECT * FROM token",
    )
    .unwrap();
    drop(db);
    let whole = Live::replay(look.begun.clone(), &inputs).unwrap();
    assert_eq!(
        whole.history(),
        look.history,
        "the same records give the same history"
    );
    for kept in 0..inputs.len() {
        // As if the engine had been killed right after this record.
        let db = Connection::open(&file).unwrap();
        db.execute("DELETE FROM input WHERE execution = ?1", [&execution])
            .unwrap();
        db.execute(
            "INSERT INTO input SELECT * FROM whole WHERE execution = ?1 AND seq < ?2",
            rusqlite::params![execution, i64::try_from(kept).unwrap()],
        )
        .unwrap();
        db.execute(
            "UPDATE execution SET status = 'RUNNING', ended = NULL WHERE arn = ?1",
            [&execution],
        )
        .unwrap();
        let held = held(&db, &execution, &inputs[..kept]);
        drop(db);
        let again = engine(folder.path()).await;
        let worker = work(&again.app, &hands);
        for token in &held {
            let input = hands.lock().unwrap()[token].clone();
            answer(&again.app, token, &input).await;
        }
        let found = end(&again.app, &execution).await;
        for key in ["status", "error", "cause"] {
            assert_eq!(found[key], wanted[key], "after {kept}: {found}");
        }
        assert_eq!(
            tidied(output(&found)),
            tidied(output(&wanted)),
            "after {kept}"
        );
        let after = again.app.workflows.look(&execution).unwrap().history;
        let before = Live::replay(look.begun.clone(), &inputs[..kept]).unwrap();
        assert_eq!(
            after[..before.history().len()],
            *before.history(),
            "after {kept}"
        );
        assert_eq!(kinds(&after), kinds(&look.history), "after {kept}");
        worker.abort();
        again.shut_down().await;
    }
}

/// Without what is new in every run: where the results of a Map were written.
fn tidied(mut output: Value) -> Value {
    if let Some(fields) = output.as_object_mut() {
        fields.remove("MapRunArn");
        fields.remove("ResultWriterDetails");
    }
    output
}

const ACTIVITY: &str = "arn:aws:states:eu-west-1:123456789012:activity:work";

#[tokio::test]
async fn waits_branches_items_and_services() {
    let topic = "arn:aws:sns:eu-west-1:123456789012:news";
    let definition = json!({"StartAt": "W", "States": {
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
    }});
    killed(definition, json!({"items": [1, 2], "n": 7}), "SUCCEEDED", 5).await;
}

#[tokio::test]
async fn a_task_tried_again_then_caught() {
    let definition = json!({"StartAt": "T", "States": {
        "T": {"Type": "Task", "Resource": ACTIVITY, "TimeoutSeconds": 600, "Next": "Never",
            "Retry": [{"ErrorEquals": ["Bad"], "IntervalSeconds": 5, "MaxAttempts": 2, "JitterStrategy": "FULL"}],
            "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.why", "Next": "Caught"}]},
        "Never": {"Type": "Succeed"},
        "Caught": {"Type": "Wait", "Seconds": 30, "Next": "End"},
        "End": {"Type": "Fail", "Error": "Given up", "CausePath": "$.why.Error"}}});
    killed(definition, json!({"fail": true}), "FAILED", 8).await;
}

#[tokio::test]
async fn items_done_by_workers_a_few_at_a_time() {
    let definition = json!({"StartAt": "M", "States": {"M": {"Type": "Map", "ItemsPath": "$.items", "MaxConcurrency": 2, "End": true,
        "ItemProcessor": {"StartAt": "T", "States": {
            "T": {"Type": "Task", "Resource": ACTIVITY, "Next": "V", "Catch": [{"ErrorEquals": ["Bad"], "Next": "L"}]},
            "L": {"Type": "Pass", "Result": "left", "End": true},
            "V": {"Type": "Wait", "Seconds": 7, "End": true}}}}}});
    killed(
        definition,
        json!({"items": ["a", "fail", "c", "d"]}),
        "SUCCEEDED",
        11,
    )
    .await;
}

#[tokio::test]
async fn another_machine_that_ends_well_and_badly() {
    let start = |input: Value, next: &str| {
        json!({"Type": "Task", "Resource": "arn:aws:states:::states:startExecution.sync:2", "ResultSelector": {"s.$": "$.Status"},
            "Parameters": {"StateMachineArn": "arn:aws:states:eu-west-1:123456789012:stateMachine:inner", "Input": input,
                "Name.$": format!("States.Format('{{}}-{next}', $$.Execution.Name)")},
            "Catch": [{"ErrorEquals": ["States.TaskFailed"], "Next": "End", "ResultPath": null}], "ResultPath": null, "Next": next})
    };
    let definition = json!({"StartAt": "A", "States": {
        "A": start(json!({"good": 1}), "B"), "B": start(json!({}), "C"), "C": {"Type": "Fail"}, "End": {"Type": "Succeed"}}});
    killed(definition, json!({"x": 1}), "SUCCEEDED", 2).await;
}

#[tokio::test]
async fn a_distributed_map_over_an_object() {
    let definition = json!({"StartAt": "M", "States": {"M": {"Type": "Map", "End": true, "MaxConcurrency": 2,
        "ItemReader": {"Resource": "arn:aws:states:::s3:getObject", "Parameters": {"Bucket": "data", "Key": "list.json"}},
        "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, "StartAt": "W",
            "States": {"W": {"Type": "Wait", "Seconds": 5, "Next": "T"}, "T": {"Type": "Task", "Resource": ACTIVITY, "End": true}}},
        "ResultWriter": {"Resource": "arn:aws:states:::s3:putObject", "Parameters": {"Bucket": "data", "Prefix": "out"}}}}});
    killed(definition, json!({}), "SUCCEEDED", 8).await;
}

#[tokio::test]
async fn variables_random_numbers_and_a_loop() {
    let definition = json!({"QueryLanguage": "JSONata", "StartAt": "A", "States": {
        "A": {"Type": "Pass", "Assign": {"n": 0, "ids": []}, "Next": "B"},
        "B": {"Type": "Wait", "Seconds": "{% $n + 1 %}", "Assign": {"n": "{% $n + 1 %}", "ids": "{% $append($ids, $uuid()) %}"}, "Next": "C"},
        "C": {"Type": "Choice", "Choices": [{"Condition": "{% $n < 4 %}", "Next": "B"}], "Default": "D"},
        "D": {"Type": "Succeed", "Output": {"n": "{% $n %}", "ids": "{% $count($distinct($ids)) %}"}}}});
    killed(definition, json!({}), "SUCCEEDED", 4).await;
}

#[tokio::test]
async fn an_execution_that_times_out() {
    let definition = json!({"StartAt": "P", "TimeoutSeconds": 100, "States": {"P": {"Type": "Parallel", "End": true, "Branches": [
        {"StartAt": "A", "States": {"A": {"Type": "Wait", "Seconds": 40, "Next": "B"}, "B": {"Type": "Wait", "Seconds": 400, "End": true}}},
        {"StartAt": "C", "States": {"C": {"Type": "Wait", "Seconds": 50, "End": true}}}]}}});
    killed(definition, json!({}), "TIMED_OUT", 3).await;
}
