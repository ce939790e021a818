//! `action-blazemeter-monitoring` against its vendor's stand-in over HTTP.

use std::path::PathBuf;

use harness::{
    connector::{Connector, Host, Hosted},
    engine::schedule,
};
use jiff::SignedDuration;
use serde_json::{Value, json};
use stagewright_standins::{Served, Stage, Trick, blazemeter_monitoring::BlazeMeterMonitoring};

fn start() -> (Served<BlazeMeterMonitoring>, Hosted, Value) {
    let vendor = Stage::<BlazeMeterMonitoring>::default().serve();
    vendor
        .stage
        .with(|vendor| vendor.takes = SignedDuration::from_millis(300));
    let connector = Connector::of("action-blazemeter-monitoring")
        .secret(
            "trigger",
            &format!("{}/radar/planted-trigger/trigger", vendor.url),
        )
        .secret("token", "planted-token")
        .variable("STAGEWRIGHT_LOG", "trace")
        .output()
        .start();
    let parameters = json!({
        "trigger": "ssm:trigger", "token": "secretsmanager:token", "bucket": "bkt1", "test": "7e57-1",
        "variables": {"greeting": "hello"}, "baseUrl": vendor.url
    });
    (vendor, connector, parameters)
}

#[test]
fn a_trigger_is_called_on_every_host() {
    let (vendor, connector, parameters) = start();
    connector.on_every_host(&parameters, |host, ended| {
        assert!(ended.succeeded(), "{host:?}: {ended:?}");
        assert_eq!(ended.variables["AssertionsPassed"], "5", "{host:?}");
        let artifact = ended.artifact.as_deref().unwrap_or_default();
        assert!(artifact.starts_with(b"PK"), "{host:?}: no archive");
    });
    let runs = vendor.stage.with(|vendor| vendor.runs.clone());
    assert_eq!(runs.len(), 3);
    assert!(runs.iter().all(|run| run.variables["greeting"] == "hello"));
    let shown =
        connector
            .engine
            .files_with(&["planted-trigger", "planted-token", "planted-variable"]);
    assert_eq!(shown, Vec::<PathBuf>::new(), "secrets in logs or state");
}

#[test]
fn a_failed_run_is_named() {
    let (vendor, connector, parameters) = start();
    vendor.stage.with(|vendor| vendor.ends = vec!["fail"]);
    connector.on_every_host(&parameters, |host, ended| {
        let (failure, message) = (ended.failure.as_str(), &ended.message);
        assert!(
            ["JobFailed", "Failed"].contains(&failure),
            "{host:?}: {ended:?}"
        );
        assert!(
            message.contains("1 of 5 assertions failed"),
            "{host:?}: {ended:?}"
        );
    });
}

/// To its end this takes longer than a test may: the claim of the delivery that lost the answer must be over first. The
/// action's own tests play that.
#[test]
fn a_lost_answer_calls_no_second_trigger() {
    let (vendor, connector, parameters) = start();
    vendor.stage.trick("POST", "/trigger", 2, Trick::LostAnswer);
    for host in [Host::Invoke, Host::Worker] {
        let run = connector.begin(host, &parameters);
        let waits = |actions: &[Value]| {
            connector
                .engine
                .invoke("action-blazemeter-monitoring", &schedule());
            let Some(action) = actions.first() else {
                return false;
            };
            let summary = &action["output"]["executionResult"]["externalExecutionSummary"];
            summary
                .as_str()
                .is_some_and(|text| text.contains("whether it was started already is found out"))
        };
        let actions = connector.engine.actions(&run, "Work", waits);
        assert_eq!(actions[0]["status"], "InProgress", "{actions:?}");
    }
    assert_eq!(vendor.stage.with(|vendor| vendor.runs.len()), 2);
    assert_eq!(vendor.stage.count("POST", "/trigger"), 2);
}

#[test]
fn a_callback_makes_the_worker_look() {
    let (vendor, connector, parameters) = start();
    let run = connector.begin(Host::Worker, &parameters);
    let ended = |actions: &[Value]| {
        actions
            .iter()
            .any(|action| action["status"] != "InProgress")
    };
    let callback = |method: &str| {
        json!({"version": "2.0", "rawPath": "/unguessable", "requestContext": {"http": {"method": method}},
               "body": "{\"result\": \"fail\", \"test_run_id\": \"a stranger's\"}"})
    };
    let name = "action-blazemeter-monitoring";
    let polled = vendor.stage.count("GET", "/results/");
    connector.engine.invoke(name, &callback("GET"));
    assert_eq!(
        vendor.stage.count("GET", "/results/"),
        polled,
        "not a callback"
    );
    let actions = connector.engine.actions(&run, "Work", |actions| {
        let answer = connector.engine.invoke(name, &callback("POST"));
        assert_eq!(answer, json!({"statusCode": 204}));
        ended(actions)
    });
    assert_eq!(actions[0]["status"], "Succeeded", "{actions:?}");
}
