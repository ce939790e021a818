//! `action-loadrunner-cloud` against its vendor's stand-in over HTTP.

use std::path::PathBuf;

use harness::{
    connector::{Connector, Host, Hosted},
    engine::schedule,
};
use jiff::SignedDuration;
use serde_json::{Value, json};
use stagewright_standins::{Served, Stage, Trick, loadrunner_cloud::LoadRunnerCloud};

fn start() -> (Served<LoadRunnerCloud>, Hosted, Value) {
    let vendor = Stage::<LoadRunnerCloud>::default().serve();
    vendor.stage.with(|vendor| {
        // Ended long ago: results are collected for 20 s after the end.
        vendor.takes = SignedDuration::from_secs(-20);
        vendor.report_takes = SignedDuration::from_millis(300);
    });
    let connector = Connector::of("action-loadrunner-cloud")
        .secret("lrc", "planted-secret")
        .variable("STAGEWRIGHT_LOG", "trace")
        .output()
        .start();
    let parameters = json!({
        "tenant": "652", "project": 1, "test": 17, "clientId": "oauth2-a@microfocus.com",
        "clientSecret": "ssm:lrc", "maxFailedPercent": 2, "baseUrl": vendor.url
    });
    (vendor, connector, parameters)
}

#[test]
fn a_load_test_is_run_on_every_host() {
    let (vendor, connector, parameters) = start();
    connector.on_every_host(&parameters, |host, ended| {
        assert!(ended.succeeded(), "{host:?}: {ended:?}");
        assert_eq!(ended.variables["FailedPercent"], "2.00", "{host:?}");
        assert_eq!(ended.variables["RunId"], ended.external_id, "{host:?}");
        let artifact = ended.artifact.as_deref().unwrap_or_default();
        assert!(artifact.starts_with(b"PK"), "{host:?}: no archive");
    });
    assert_eq!(vendor.stage.with(|vendor| vendor.runs.len()), 3);
    let shown = connector
        .engine
        .files_with(&["planted-secret", "planted-token"]);
    assert_eq!(shown, Vec::<PathBuf>::new(), "secrets in logs or state");
}

#[test]
fn a_failed_load_test_says_how_it_ended() {
    let (vendor, connector, parameters) = start();
    vendor.stage.with(|vendor| vendor.end = "FAILED");
    connector.on_every_host(&parameters, |host, ended| {
        let (failure, message) = (ended.failure.as_str(), &ended.message);
        assert!(
            ["JobFailed", "Failed"].contains(&failure),
            "{host:?}: {ended:?}"
        );
        assert!(
            message.contains("its goals were not met (FAILED)"),
            "{host:?}: {ended:?}"
        );
    });
}

/// To its end this takes longer than a test may: the claim of the delivery that lost the answer must be over first. The
/// action's own tests play that.
#[test]
fn a_lost_answer_starts_no_second_run() {
    let (vendor, connector, parameters) = start();
    vendor.stage.trick("POST", "/runs", 2, Trick::LostAnswer);
    for host in [Host::Invoke, Host::Worker] {
        let run = connector.begin(host, &parameters);
        let waits = |actions: &[Value]| {
            connector
                .engine
                .invoke("action-loadrunner-cloud", &schedule());
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
    assert_eq!(vendor.stage.count("POST", "/runs"), 2);
}
