//! Tasks that wait for what they started: to its end, through a restart, ended with the task; what is not built.

use std::sync::{Arc, Mutex};

use axum::{Router, http::HeaderMap, routing::any};

use super::{tasks::with, *};

/// Calls as they came: what was called, and with what.
type Calls = Arc<Mutex<Vec<(String, Value)>>>;

/// A place where everything starts, runs for some looks and ends so.
async fn place(calls: &Calls, looks: usize, good: bool) -> String {
    let calls = Arc::clone(calls);
    let answer = move |headers: HeaderMap, body: String| async move {
        let target = headers["x-amz-target"].to_str().unwrap();
        let operation = target.split('.').nth(1).unwrap().to_owned();
        let body: Value = serde_json::from_str(&body).unwrap();
        let mut calls = calls.lock().unwrap();
        calls.push((operation.clone(), body));
        let looked = |c: &&(String, Value)| {
            c.0.starts_with("Get") || c.0.starts_with("BatchGet") || c.0.starts_with("Describe")
        };
        let runs = calls.iter().filter(looked).count() <= looks;
        let state = |running: &'static str, failed: &'static str| match (runs, good) {
            (true, _) => running,
            (false, true) => "SUCCEEDED",
            (false, false) => failed,
        };
        let stopped = if runs { "RUNNING" } else { "STOPPED" };
        match operation.as_str() {
            "StartBuild" => json!({"build": {"id": "b:1", "buildStatus": "IN_PROGRESS"}}),
            "BatchGetBuilds" => json!({"builds": [{"id": "b:1", "buildStatus": state("IN_PROGRESS", "FAILED")}]}),
            "StartBuildBatch" => json!({"buildBatch": {"id": "b:2", "buildBatchStatus": "IN_PROGRESS"}}),
            "BatchGetBuildBatches" => json!({"buildBatches": [{"id": "b:2", "buildBatchStatus": state("IN_PROGRESS", "FAULT")}]}),
            "RunTask" => json!({"failures": [], "tasks": [{"taskArn": "arn:t", "lastStatus": "PROVISIONING"}]}),
            "DescribeTasks" => json!({"tasks": [{"taskArn": "arn:t", "lastStatus": stopped,
                "containers": [{"name": "main", "exitCode": i32::from(!good)}]}]}),
            "StartJobRun" => json!({"JobRunId": "jr_1"}),
            "GetJobRun" => json!({"JobRun": {"Id": "jr_1", "JobRunState": state("RUNNING", "TIMEOUT")}}),
            "StartQueryExecution" => json!({"QueryExecutionId": "q1"}),
            "GetQueryExecution" => json!({"QueryExecution": {"QueryExecutionId": "q1", "Status": {"State": state("QUEUED", "CANCELLED")}}}),
            _ => json!({}),
        }
        .to_string()
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().fallback(any(answer));
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

fn starts(resource: &str) -> Value {
    let arguments =
        json!({"ProjectName": "p", "JobName": "j", "Cluster": "c", "QueryString": "select 1"});
    json!({"StartAt": "T", "States": {"T": {"Type": "Task", "Resource": format!("arn:aws:states:::{resource}"),
        "Parameters": arguments, "End": true}}})
}

fn operations(calls: &Calls) -> Vec<String> {
    calls.lock().unwrap().iter().map(|c| c.0.clone()).collect()
}

#[tokio::test]
async fn what_was_started_is_waited_for_and_its_end_is_the_tasks() {
    for (resource, names, place_of_state, once) in [
        (
            "codebuild:startBuild.sync",
            ["StartBuild", "BatchGetBuilds"],
            "/Build/BuildStatus",
            "idempotencyToken",
        ),
        (
            "codebuild:startBuildBatch.sync",
            ["StartBuildBatch", "BatchGetBuildBatches"],
            "/BuildBatch/BuildBatchStatus",
            "idempotencyToken",
        ),
        (
            "ecs:runTask.sync",
            ["RunTask", "DescribeTasks"],
            "/LastStatus",
            "clientToken",
        ),
        (
            "glue:startJobRun.sync",
            ["StartJobRun", "GetJobRun"],
            "/JobRunState",
            "",
        ),
        (
            "athena:startQueryExecution.sync",
            ["StartQueryExecution", "GetQueryExecution"],
            "/QueryExecution/Status/State",
            "ClientRequestToken",
        ),
    ] {
        for good in [true, false] {
            let (calls, folder) = (Calls::default(), TempDir::new().unwrap());
            let url = place(&calls, 2, good).await;
            let engine = with(folder.path(), Config::default(), Some(url)).await;
            let app = &engine.app;
            let machine = machine(app, "starter", &starts(resource)).await;
            let execution = begin(app, &machine, json!({})).await;
            let described = end(app, &execution).await;
            let [start, look] = names;
            assert_eq!(operations(&calls), [start, look, look, look], "{resource}");
            let told = if good {
                output(&described)
            } else {
                assert_eq!(described["error"], "States.TaskFailed", "{resource}");
                serde_json::from_str(described["cause"].as_str().unwrap()).unwrap()
            };
            let state = told
                .pointer(place_of_state)
                .and_then(Value::as_str)
                .unwrap_or_default();
            assert!(
                !state.is_empty()
                    && (state == "SUCCEEDED" || state == "STOPPED") == (good || state == "STOPPED"),
                "{resource}: {told}"
            );
            if !once.is_empty() {
                assert!(
                    calls.lock().unwrap()[0].1[once].is_string(),
                    "{resource}: {:?}",
                    calls.lock().unwrap()[0]
                );
            }
            let last = if good {
                ["TaskSucceeded", "TaskStateExited", "ExecutionSucceeded"].as_slice()
            } else {
                &["TaskFailed", "ExecutionFailed"]
            };
            let found = kinds(app, &execution).await;
            assert_eq!(
                found[..5],
                [
                    "ExecutionStarted",
                    "TaskStateEntered",
                    "TaskScheduled",
                    "TaskStarted",
                    "TaskSubmitted"
                ],
                "{resource}"
            );
            assert_eq!(found[5..], *last, "{resource}");
            engine.shut_down().await;
        }
    }
}

#[tokio::test]
async fn a_restart_finds_what_was_started_and_a_stop_ends_it() {
    let (calls, folder) = (Calls::default(), TempDir::new().unwrap());
    let url = place(&calls, usize::MAX, true).await;
    let waiting = async |app: &App, execution: &str, times: usize| {
        let looks = || {
            operations(&calls)
                .into_iter()
                .filter(|c| c == "BatchGetBuilds")
        };
        until("looks", async || looks().count() >= times).await;
        kinds(app, execution).await
    };
    let first = with(folder.path(), Config::default(), Some(url.clone())).await;
    let machine = machine(&first.app, "starter", &starts("codebuild:startBuild.sync")).await;
    let execution = begin(&first.app, &machine, json!({})).await;
    let before = waiting(&first.app, &execution, 1).await;
    first.shut_down().await;
    let looked = operations(&calls).len();
    let again = with(folder.path(), Config::default(), Some(url)).await;
    let after = waiting(&again.app, &execution, looked).await;
    assert_eq!(before, after, "it is submitted once");
    let tokens: Vec<Value> = calls
        .lock()
        .unwrap()
        .iter()
        .filter(|c| c.0 == "StartBuild")
        .map(|c| c.1["idempotencyToken"].clone())
        .collect();
    assert!(tokens.len() == 2 && tokens[0] == tokens[1], "{tokens:?}");
    ok(
        &again.app,
        "StopExecution",
        json!({"executionArn": execution}),
    )
    .await;
    until("the stop", async || {
        operations(&calls).contains(&"StopBuild".to_owned())
    })
    .await;
    let stopped = calls.lock().unwrap().last().unwrap().clone();
    assert_eq!(stopped.1, json!({"id": "b:1"}));
    again.shut_down().await;
}

#[tokio::test]
async fn an_execution_that_waits_for_another_ends_it_when_it_is_stopped() {
    let folder = TempDir::new().unwrap();
    let engine = engine(folder.path()).await;
    let app = &engine.app;
    let busy = app.clock.busy();
    let inner = machine(
        app,
        "inner",
        &json!({"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 3600, "End": true}}}),
    )
    .await;
    let outer = json!({"StartAt": "S", "States": {"S": {"Type": "Task", "Resource": "arn:aws:states:::states:startExecution.sync:2",
        "Parameters": {"StateMachineArn": inner, "Name": "child"}, "End": true}}});
    let outer = machine(app, "outer", &outer).await;
    let execution = begin(app, &outer, json!({})).await;
    let submitted = "TaskSubmitted".to_owned();
    until("the child", async || {
        kinds(app, &execution).await.contains(&submitted)
    })
    .await;
    ok(app, "StopExecution", json!({"executionArn": execution})).await;
    let child = app.workflows.arn("execution", "inner:child");
    assert_eq!(end(app, &child).await["status"], "ABORTED");
    drop(busy);
    engine.shut_down().await;
}

#[tokio::test]
async fn what_aws_has_and_this_engine_has_not_is_refused_by_name_when_a_machine_is_made() {
    let folder = TempDir::new().unwrap();
    let engine = engine(folder.path()).await;
    let app = &engine.app;
    let role = "arn:aws:iam::123456789012:role/states";
    for resource in [
        "batch:submitJob.sync",
        "batch:submitJob",
        "eks:runJob.sync",
        "sagemaker:createTrainingJob.sync",
        "elasticmapreduce:addStep.sync",
        "aws-sdk:ec2:runInstances",
        "aws-sdk:s3:listBuckets",
        "apigateway:invoke",
        "codebuild:retryBuildBatch.sync",
    ] {
        let definition = starts(resource).to_string();
        let validated = ok(
            app,
            "ValidateStateMachineDefinition",
            json!({"definition": definition}),
        )
        .await;
        assert_eq!(validated["result"], "FAIL", "{resource}");
        let body = json!({"name": "m", "definition": definition, "roleArn": role});
        let refused = call(app, "CreateStateMachine", body).await.unwrap_err();
        assert_eq!(refused.code, "InvalidDefinition", "{resource}");
        let named = resource.strip_prefix("aws-sdk:").unwrap_or(resource);
        for word in ["NOT_BUILT", named, "'T'"] {
            assert!(
                refused.message.contains(word),
                "{resource}: {}",
                refused.message
            );
        }
    }
    // What AWS has not either it says as AWS does.
    for resource in [
        "dynamodb:getItem.sync",
        "dynamodb:getItem.waitForTaskToken",
        "lambda:invoke.sync",
        "shop:buy",
        "sns:subscribe",
        "aws-sdk:codebuild:startBuild.sync",
        "ecs:runTask.sync:2",
    ] {
        let body =
            json!({"name": "m", "definition": starts(resource).to_string(), "roleArn": role});
        let refused = call(app, "CreateStateMachine", body).await.unwrap_err();
        assert!(
            refused.message.contains("is not recognized"),
            "{resource}: {}",
            refused.message
        );
    }
    engine.shut_down().await;
}
