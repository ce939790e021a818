//! Tasks that wait for a token: by every service that passes one on, to every end.

use super::{tasks::with, *};

const ENDS: [&str; 5] = ["success", "failure", "heartbeat", "stopped", "timeout"];

/// What a task of each service is given; `TOKEN` stands for the expression of its token.
fn services(app: &App) -> Vec<(&'static str, Value)> {
    let token = "{% $states.context.Task.Token %}";
    let topic = app.topics.create("asked", Default::default()).unwrap();
    vec![
        (
            "lambda:invoke",
            json!({"FunctionName": "asker", "Payload": {"token": token}}),
        ),
        (
            "sns:publish",
            json!({"TopicArn": topic, "Message": {"token": token}}),
        ),
        (
            "sqs:sendMessage",
            json!({"QueueUrl": "http://q/1/mine", "MessageBody": {"token": token}}),
        ),
        (
            "events:putEvents",
            json!({"Entries": [{"Source": "shop", "DetailType": "Asked", "Detail": {"token": token}}]}),
        ),
        (
            "states:startExecution",
            json!({"StateMachineArn": app.workflows.arn("stateMachine", "inner"), "Input": {"token": token}}),
        ),
        (
            "aws-sdk:eventbridge:putEvents",
            json!({"Entries": [{"Source": "shop", "DetailType": "Asked", "Detail": token}]}),
        ),
        (
            "ecs:runTask",
            json!({"TaskDefinition": "t", "Overrides": {"ContainerOverrides": [{"Environment": [{"Name": "T", "Value": token}]}]}}),
        ),
    ]
}

/// The token that the service was given, as the history says: `A` and 86 more characters.
async fn token(app: &App, execution: &str) -> String {
    let history = ok(
        app,
        "GetExecutionHistory",
        json!({"executionArn": execution}),
    )
    .await;
    let events = history["events"].as_array().unwrap();
    let sent = events
        .iter()
        .find_map(|e| e["taskScheduledEventDetails"]["parameters"].as_str())
        .expect("it was scheduled");
    let words = sent.split(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_');
    let token = |word: &&str| engine_states::chance::is_token(word);
    words.into_iter().find(token).expect("a token").to_owned()
}

#[tokio::test]
async fn every_service_passes_a_token_on_and_its_task_ends_as_the_answer_says() {
    let folder = TempDir::new().unwrap();
    let mut config = Config::default();
    let asker = crate::lambda::tests::bootstrap_function("");
    config.function.insert("asker".to_owned(), asker);
    let elsewhere = super::tasks::echo().await;
    let engine = with(folder.path(), config, Some(elsewhere)).await;
    let app = &engine.app;
    machine(
        app,
        "inner",
        &json!({"StartAt": "P", "States": {"P": {"Type": "Succeed"}}}),
    )
    .await;
    for (service, arguments) in services(app) {
        let definition = json!({"QueryLanguage": "JSONata", "StartAt": "Ask", "States": {"Ask": {"Type": "Task",
            "Resource": format!("arn:aws:states:::{service}.waitForTaskToken"), "HeartbeatSeconds": 600, "TimeoutSeconds": 3600,
            "Arguments": arguments, "End": true}}});
        let name = service.replace(':', "-");
        let machine = machine(app, &name, &definition).await;
        for end_by in ENDS {
            // What a person does holds a fast clock.
            let busy = app.clock.busy();
            let body = json!({"stateMachineArn": machine, "name": end_by});
            let execution = ok(app, "StartExecution", body).await["executionArn"]
                .as_str()
                .unwrap()
                .to_owned();
            let mut last = Vec::new();
            while !last.contains(&"TaskSubmitted".to_owned()) {
                let over = last
                    .iter()
                    .any(|kind| kind.starts_with("Execution") && kind != "ExecutionStarted");
                assert!(!over, "{service}: {last:?}");
                tokio::task::yield_now().await;
                last = kinds(app, &execution).await;
            }
            let token = token(app, &execution).await;
            ok(app, "SendTaskHeartbeat", json!({"taskToken": token})).await;
            let mut answer = json!({"taskToken": token});
            let (status, error, event) = match end_by {
                "success" => {
                    answer["output"] = "7".into();
                    ok(app, "SendTaskSuccess", answer.clone()).await;
                    ("SUCCEEDED", Value::Null, "TaskSucceeded")
                }
                "failure" => {
                    answer["error"] = "Rejected".into();
                    ok(app, "SendTaskFailure", answer.clone()).await;
                    ("FAILED", json!("Rejected"), "TaskFailed")
                }
                "stopped" => {
                    ok(app, "StopExecution", json!({"executionArn": execution})).await;
                    ("ABORTED", Value::Null, "TaskSubmitted")
                }
                "heartbeat" => ("FAILED", json!("States.HeartbeatTimeout"), "TaskTimedOut"),
                _ => {
                    // Its heart beats until its time is over.
                    let beating = app.clock.busy();
                    drop(busy);
                    let (clock, mut beating) = (app.clock.clone(), Some(beating));
                    let body = json!({"taskToken": token});
                    while call(app, "SendTaskHeartbeat", body.clone()).await.is_ok() {
                        let held = beating.take().expect("held");
                        beating = Some(clock.rest(held, Duration::from_secs(300)).await);
                    }
                    drop(beating);
                    assert_timed_out(app, &token).await;
                    let described = end(app, &execution).await;
                    assert_eq!(described["error"], "States.Timeout", "{service}");
                    continue;
                }
            };
            drop(busy);
            let described = end(app, &execution).await;
            assert_eq!(
                (described["status"].as_str(), &described["error"]),
                (Some(status), &error),
                "{service} {end_by}: {described}"
            );
            let found = kinds(app, &execution).await;
            assert_eq!(
                found
                    .iter()
                    .rfind(|k| k.starts_with("Task") && *k != "TaskStateExited"),
                Some(&event.to_owned()),
                "{service} {end_by}: {found:?}"
            );
            assert_timed_out(app, &token).await;
        }
    }
    engine.shut_down().await;
}

/// A token that is closed, by whatever, takes nothing more.
async fn assert_timed_out(app: &App, token: &str) {
    for operation in ["SendTaskSuccess", "SendTaskFailure", "SendTaskHeartbeat"] {
        let body = json!({"taskToken": token, "output": "1"});
        let refused = call(app, operation, body).await.unwrap_err();
        assert_eq!(refused.code, "TaskTimedOut", "{operation}");
    }
}

#[tokio::test]
async fn what_is_no_token_and_what_is_none_of_ours_are_told_apart() {
    let folder = TempDir::new().unwrap();
    let engine = engine(folder.path()).await;
    let strange = engine_states::chance::Chance::new(7).token();
    for (token, code) in [
        (strange.as_str(), "TaskDoesNotExist"),
        ("nobody's", "InvalidToken"),
        ("", "ValidationException"),
    ] {
        for operation in ["SendTaskSuccess", "SendTaskFailure", "SendTaskHeartbeat"] {
            let body = json!({"taskToken": token, "output": "1"});
            let refused = call(&engine.app, operation, body).await.unwrap_err();
            assert_eq!(refused.code, code, "{operation} {token}");
        }
    }
    for output in ["", "{", "a"] {
        let body = json!({"taskToken": strange, "output": output});
        let refused = call(&engine.app, "SendTaskSuccess", body)
            .await
            .unwrap_err();
        let code = if output.is_empty() {
            "ValidationException"
        } else {
            "InvalidOutput"
        };
        assert_eq!(refused.code, code, "{output:?}");
    }
    let body = json!({"taskToken": strange, "output": format!("\"{}\"", "a".repeat(262_143))});
    let refused = call(&engine.app, "SendTaskSuccess", body)
        .await
        .unwrap_err();
    assert_eq!(refused.code, "InvalidOutput");
    engine.shut_down().await;
}
