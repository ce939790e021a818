//! Actions that drive services of AWS, against stand-ins over HTTP; what goes to and fro is checked by botocore's own
//! descriptions of the services.

use std::{collections::BTreeSet, fs, process::Command, time::Duration};

use harness::{
    connector::{Connector, Host, Hosted},
    http::request,
    process::{client, finish, shown},
    workspace::root,
};
use serde_json::{Value, json};
use stagewright_standins::{
    Served, Stage, StandIn, Trick,
    aws::{Containers, DeviceFarm, Machines, PROJECT, Signals},
};

/// Checks every request of a stage, and its answers, against botocore's models: by asking the stand-in once more, what
/// was asked. Answers the operations; skipped, and empty, without botocore.
pub fn checked_by_botocore<S: StandIn>(served: &Served<S>) -> BTreeSet<String> {
    let mut operations = BTreeSet::new();
    let Some(python) = client("python3") else {
        return operations;
    };
    let mut lines = String::new();
    for record in served.stage.records() {
        let asked = &record.asked;
        let Some(target) = asked.header("x-amz-target") else {
            continue;
        };
        let kind = asked.header("content-type").unwrap_or_default();
        let headers = [("x-amz-target", target), ("content-type", kind)];
        let answer = request(&served.url, "POST", "/", &headers, &asked.body).expect("an answer");
        let line = json!({
            "method": asked.method, "path": asked.path, "target": target, "type": kind, "request": asked.json(),
            "status": answer.status, "answer": answer.json()
        });
        lines.push_str(&format!("{line}\n"));
        let operation = target.rsplit('.').next().unwrap_or_default();
        operations.insert(operation.to_owned());
    }
    let file = tempfile::NamedTempFile::new().expect("a file");
    fs::write(file.path(), lines).expect("written");
    let script = root().join("tests/clients/aws_shapes.py");
    let output = finish(Command::new(python).arg(script).arg(file.path()));
    assert!(output.status.success(), "{}", shown(&output));
    operations
}

fn all_of(operations: &BTreeSet<String>, wanted: &[&str]) {
    let missing = wanted.iter().filter(|name| !operations.contains(**name));
    let missing: Vec<_> = missing.collect();
    assert!(operations.is_empty() || missing.is_empty(), "{missing:?}");
}

/// Whoever may take `parameters` on every host does, and a start whose answer is lost is not made twice.
fn lost_start<S: StandIn>(
    served: &Served<S>,
    hosted: &Hosted,
    parameters: &Value,
    operation: &str,
    runs: impl Fn(&mut S) -> usize,
) {
    let before = served.stage.with(&runs);
    // The first answer is lost; the same call is made again at once, under the same name or token.
    served.stage.trick("POST", operation, 1, Trick::LostAnswer);
    let ended = hosted.play(Host::Invoke, parameters);
    assert!(ended.succeeded(), "{ended:?}");
    assert_eq!(served.stage.with(&runs), before + 1);
}

#[test]
fn a_gate_opens_on_every_host() {
    let mut signals = Signals::default();
    signals.calendar("Freeze", true, None);
    signals.alarm("Errors", "OK", false);
    signals.alarm("All", "OK", true);
    let open = ("String".to_owned(), "open".to_owned());
    signals.parameters.insert("/gate".into(), open);
    signals.page = Some((200, "all is well".into()));
    let served = Stage::new(signals).serve();
    let gate = Connector::of("action-gate")
        .variable("AWS_ENDPOINT_URL_SSM", &served.url)
        .variable("AWS_ENDPOINT_URL_CLOUDWATCH", &served.url)
        .start();
    let parameters = json!({
        "calendars": ["Freeze"], "alarms": ["Errors", "All"], "parameter": "/gate",
        "url": format!("{}/state", served.url)
    });
    gate.on_every_host(&parameters, |host, ended| {
        assert!(ended.succeeded(), "{host:?}: {ended:?}");
        assert_eq!(ended.variables["Checks"], "1", "{host:?}");
    });
    served
        .stage
        .with(|signals| signals.alarm("All", "ALARM", true));
    let closed = json!({"alarms": ["All"], "timeoutMinutes": 0});
    gate.on_every_host(&closed, |host, ended| {
        assert!(!ended.succeeded(), "{host:?}: {ended:?}");
        let message = &ended.message;
        assert!(message.contains("the alarm All is ALARM"), "{message}");
    });
    let operations = checked_by_botocore(&served);
    all_of(
        &operations,
        &["GetCalendarState", "DescribeAlarms", "GetParameter"],
    );
}

#[test]
fn a_task_runs_on_every_host() {
    let ecs = Containers {
        times: (Duration::from_millis(100), Duration::from_millis(300)),
        ..Containers::default()
    };
    let served = Stage::new(ecs).serve();
    let task = Connector::of("action-run-task")
        .variable("AWS_ENDPOINT_URL_ECS", &served.url)
        .variable("AWS_ENDPOINT_URL_CLOUDWATCH_LOGS", &served.url)
        .output()
        .start();
    let parameters = json!({
        "taskDefinition": "migrate", "container": "app", "command": ["up"], "environment": {"A": "b"},
        "subnets": ["subnet-1"], "securityGroups": ["sg-1"], "launchType": "FARGATE"
    });
    task.on_every_host(&parameters, |host, ended| {
        assert!(ended.succeeded(), "{host:?}: {ended:?}");
        assert_eq!(ended.variables["LastLine"], "42 rows", "{host:?}");
        assert_eq!(ended.variables["TaskArn"], ended.external_id, "{host:?}");
        let artifact = ended.artifact.as_deref().unwrap_or_default();
        assert!(artifact.starts_with(b"PK"), "{host:?}: no archive");
    });
    assert_eq!(served.stage.with(|ecs| ecs.started()), 3);
    lost_start(&served, &task, &parameters, "RunTask", |ecs| ecs.started());
    served
        .stage
        .with(|ecs| ecs.ending.containers = vec![("app", Some(3), None)]);
    let failed = task.play(Host::Worker, &parameters);
    assert_eq!(failed.failure, "JobFailed");
    assert!(
        failed
            .message
            .contains("ended with exit code 3; its log ends with:\nbegin\n42 rows"),
        "{failed:?}"
    );
    let operations = checked_by_botocore(&served);
    all_of(
        &operations,
        &[
            "RunTask",
            "DescribeTasks",
            "DescribeTaskDefinition",
            "GetLogEvents",
        ],
    );
}

#[test]
fn a_state_machine_runs_on_every_host() {
    let machines = Machines {
        lasts: Duration::from_millis(300),
        ..Machines::default()
    };
    let served = Stage::new(machines).serve();
    let machine = Connector::of("action-run-state-machine")
        .variable("AWS_ENDPOINT_URL_SFN", &served.url)
        .output()
        .start();
    let arn = "arn:aws:states:eu-west-1:123456789012:stateMachine:release";
    let parameters = json!({"stateMachineArn": arn, "input": {"stage": "live"}});
    machine.on_every_host(&parameters, |host, ended| {
        assert!(ended.succeeded(), "{host:?}: {ended:?}");
        assert_eq!(ended.variables["version"], "1.4", "{host:?}");
        assert_eq!(
            ended.variables["ExecutionArn"], ended.external_id,
            "{host:?}"
        );
        let artifact = ended.artifact.as_deref().unwrap_or_default();
        assert!(artifact.starts_with(b"PK"), "{host:?}: no archive");
    });
    let runs = |machines: &mut Machines| machines.executions.len();
    assert_eq!(served.stage.with(runs), 3);
    lost_start(&served, &machine, &parameters, "StartExecution", runs);
    let express = json!({"stateMachineArn": arn.replace("release", "quick")});
    let refused = machine.play(Host::Invoke, &express);
    assert_eq!(refused.failure, "ConfigurationError", "{refused:?}");
    let operations = checked_by_botocore(&served);
    all_of(
        &operations,
        &[
            "DescribeStateMachine",
            "StartExecution",
            "DescribeExecution",
        ],
    );
}

#[test]
fn an_app_is_tested_on_devices_on_every_host() {
    let farm = DeviceFarm {
        checks: Duration::from_millis(100),
        times: (Duration::from_millis(100), Duration::from_millis(300)),
        ..DeviceFarm::default()
    };
    let served = Stage::new(farm).serve();
    served.stage.with(|farm| farm.storage = served.url.clone());
    // The pipeline is in eu-west-1; Device Farm has an endpoint of its own.
    let connector = Connector::of("action-device-farm")
        .variable("AWS_ENDPOINT_URL_DEVICE_FARM", &served.url)
        .file("out/app.apk", "an app")
        .file("tests.zip", "tests")
        .output()
        .start();
    let pool = "arn:aws:devicefarm:us-west-2::devicepool:082d10e5-d7d7-48a5-ba5c-b33d66efa1f5";
    let parameters = json!({
        "projectArn": PROJECT, "devicePoolArn": pool, "appType": "Android", "app": "out/app.apk",
        "testType": "APPIUM_PYTHON", "testPackage": "App::tests.zip", "jobTimeoutMinutes": 20
    });
    connector.on_every_host(&parameters, |host, ended| {
        assert!(ended.succeeded(), "{host:?}: {ended:?}");
        assert_eq!(ended.variables["Passed"], "12", "{host:?}");
        assert_eq!(ended.variables["RunArn"], ended.external_id, "{host:?}");
        let artifact = ended.artifact.as_deref().unwrap_or_default();
        assert!(artifact.starts_with(b"PK"), "{host:?}: no archive");
    });
    let farm = served.stage.with(|farm| farm.clone());
    assert_eq!((farm.uploads.len(), farm.runs.len()), (6, 3));
    let sent = |one: &stagewright_standins::aws::Uploaded| one.bytes.clone().unwrap_or_default();
    let mut bytes: Vec<Vec<u8>> = farm.uploads.iter().map(sent).collect();
    bytes.sort();
    bytes.dedup();
    assert_eq!(bytes, [b"an app".to_vec(), b"tests".to_vec()]);
    for record in served.stage.records() {
        let signed = record.asked.header("authorization").unwrap_or_default();
        let there = signed.contains("/us-west-2/devicefarm/aws4_request");
        assert_eq!(
            there,
            record.asked.method == "POST",
            "{:?}: {signed}",
            record.asked
        );
    }
    let operations = checked_by_botocore(&served);
    all_of(
        &operations,
        &[
            "CreateUpload",
            "GetUpload",
            "ScheduleRun",
            "GetRun",
            "ListArtifacts",
        ],
    );
}

/// To its end this takes longer than a test may, as with other vendors; the action's own tests play that.
#[test]
fn a_run_whose_start_was_lost_is_not_started_again() {
    let mut farm = DeviceFarm::default();
    farm.ready_upload();
    let served = Stage::new(farm).serve();
    let connector = Connector::of("action-device-farm")
        .variable("AWS_ENDPOINT_URL_DEVICE_FARM", &served.url)
        .start();
    let upload = "arn:aws:devicefarm:us-west-2:123456789012:upload:5e01a8c7-c861-4c0a-b1d5-12345EXAMPLE/00000000";
    let pool = "arn:aws:devicefarm:us-west-2::devicepool:082d10e5-d7d7-48a5-ba5c-b33d66efa1f5";
    let parameters = json!({
        "projectArn": PROJECT, "devicePoolArn": pool, "appType": "Web", "testType": "APPIUM_WEB_NODE",
        "testPackage": upload
    });
    served
        .stage
        .trick("POST", "ScheduleRun", 1, Trick::LostAnswer);
    let run = connector.begin(Host::Invoke, &parameters);
    let waits = |actions: &[Value]| {
        let summary = actions.first().and_then(|action| {
            action["output"]["executionResult"]["externalExecutionSummary"].as_str()
        });
        summary.is_some_and(|text| text.contains("whether it was started already is found out"))
    };
    let actions = connector.engine.actions(&run, "Work", waits);
    assert_eq!(actions[0]["status"], "InProgress", "{actions:?}");
    assert_eq!(served.stage.with(|farm| farm.runs.len()), 1);
}
