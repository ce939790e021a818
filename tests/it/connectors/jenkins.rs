//! `action-jenkins` against Jenkins' stand-in: each host builds once, brings its report, and finds a start that was lost.

use std::{io::Cursor, process::Command};

use harness::{
    connector::{Connector, Host, Hosted},
    process::{client, finish, shown},
    workspace::root,
};
use jiff::SignedDuration;
use serde_json::{Value, json};
use shared::archive::read_one;
use stagewright_standins::{
    Served, Stage, Trick,
    jenkins::{Jenkins, Outcome},
};

/// Jenkins with builds that end like this, and the action with everything but the job in its own settings, as with the
/// official plugin's action type.
fn started(outcome: &Outcome) -> (Served<Jenkins>, Hosted) {
    let mut vendor = Jenkins::default()
        .quick()
        .with_job("team/app", Some(&["REF", "PIPELINE_RUN"]));
    vendor.outcomes.extend(vec![outcome.clone(); 3]);
    let vendor = Stage::new(vendor).serve();
    let defaults = json!({
        "url": format!("{}/jenkins", vendor.url), "user": "pipeline", "token": "secretsmanager:ci/token",
        "projects": {"shop": "team/app"}
    });
    let connector = Connector::of("action-jenkins")
        .secret("ci/token", "planted-token")
        .variable("STAGEWRIGHT_PARAMETERS", &defaults.to_string())
        .query("ProjectName", "shop")
        .output()
        .start();
    (vendor, connector)
}

#[test]
fn each_host_builds_once_and_brings_the_report() {
    let outcome = Outcome {
        tests: Some((0, 0, 4)),
        artifacts: vec![("dist/app.jar".to_owned(), "jar".to_owned())],
        ..Outcome::of("SUCCESS")
    };
    let (vendor, connector) = started(&outcome);
    let parameters = json!({"ProjectName": "shop", "parameters": {"REF": "main"}});
    connector.on_every_host(&parameters, |host, ended| {
        assert!(ended.succeeded(), "{host:?}: {ended:?}");
        assert_eq!(ended.variables["TestsTotal"], "4", "{host:?}");
        assert!(
            ["1", "2", "3"].contains(&ended.external_id.as_str()),
            "{host:?}: {ended:?}"
        );
        assert!(ended.summary.starts_with("team/app #"), "{ended:?}");
        let zip = ended.artifact.clone().expect("an output artifact");
        let report = read_one(Cursor::new(zip), "testReport.json", 1 << 20).expect("the report");
        let report: Value = serde_json::from_slice(&report).expect("JSON");
        assert_eq!(report["passCount"], 4);
    });
    assert_eq!(vendor.stage.with(|jenkins| jenkins.starts()), 3);
}

#[test]
fn a_build_that_fails_says_why() {
    let outcome = Outcome {
        console: "make: *** no rule\n".to_owned(),
        ..Outcome::of("FAILURE")
    };
    let (_vendor, connector) = started(&outcome);
    connector.on_every_host(&json!({"ProjectName": "shop"}), |host, ended| {
        assert_eq!(ended.status, "Failed", "{host:?}");
        assert!(
            ["JobFailed", "Failed"].contains(&ended.failure.as_str()),
            "{ended:?}"
        );
        assert!(
            ended.message.contains("ended with FAILURE")
                && ended.message.contains("make: *** no rule"),
            "{ended:?}"
        );
        assert!(!format!("{ended:?}").contains("planted"));
    });
}

#[test]
fn a_wrong_password_is_a_permission_error() {
    let (_vendor, connector) = started(&Outcome::of("SUCCESS"));
    connector
        .secrets
        .stage
        .with(|secrets| secrets.set("ci/token", "planted-wrong"));
    connector.on_every_host(&json!({"ProjectName": "shop"}), |host, ended| {
        assert!(
            ["PermissionError", "Permission"].contains(&ended.failure.as_str()),
            "{host:?}: {ended:?}"
        );
        assert!(
            ended.message.contains("renew the secret") && !ended.message.contains("planted"),
            "{ended:?}"
        );
    });
}

/// That it is found once the claim is over, a minute and a half later, is what the action's own tests play.
#[test]
fn a_start_whose_answer_was_lost_is_not_made_again() {
    let (vendor, connector) = started(&Outcome::of("SUCCESS"));
    vendor
        .stage
        .trick("POST", "buildWithParameters", 1, Trick::LostAnswer);
    let mut input = json!({"params": {"ProjectName": "shop"}, "progress": null, "run": "by-hand"});
    for _ in 0..3 {
        let answer = connector.engine.invoke("action-jenkins", &input);
        assert_eq!(answer["status"], "RUNNING", "{answer}");
        assert!(answer["waitSeconds"].as_u64() > Some(60), "{answer}");
        input["progress"] = answer["progress"].clone();
    }
    assert_eq!(vendor.stage.with(|jenkins| jenkins.starts()), 1);
}

/// The Notification plugin's message is unsigned: it wakes the worker, which looks for itself and believes none of it.
#[test]
fn a_notification_wakes_the_worker_and_decides_nothing() {
    let (vendor, connector) = started(&Outcome::of("SUCCESS"));
    let run = connector.begin(Host::Worker, &json!({"ProjectName": "shop"}));
    let said = json!({
        "name": "app", "display_name": "app", "url": "job/team/job/app/",
        "build": {"full_url": "https://attacker.example.com/", "number": 1, "queue_id": 17, "phase": "FINALIZED",
            "status": "FAILURE", "url": "job/team/job/app/1/", "parameters": {"PIPELINE_RUN": "another"}}
    });
    let post = json!({
        "version": "2.0", "rawPath": "/", "headers": {"content-type": "application/json"}, "body": said.to_string(),
        "isBase64Encoded": false, "requestContext": {"http": {"method": "POST", "path": "/"}}
    });
    let over = |actions: &[Value]| {
        connector.engine.invoke("action-jenkins", &post);
        actions
            .first()
            .is_some_and(|action| action["status"] != "InProgress")
    };
    let actions = connector.engine.actions(&run, "Work", over);
    assert_eq!(actions[0]["status"], "Succeeded", "{actions:#?}");
    assert_eq!(actions[0]["output"]["outputVariables"]["Result"], "SUCCESS");
    assert_eq!(vendor.stage.with(|jenkins| jenkins.starts()), 1);
}

/// Clients that people use are satisfied with the stand-in: its shapes are Jenkins'.
#[test]
fn clients_of_jenkins_take_the_stand_in_for_it() {
    let Some(python) = client("python3") else {
        return;
    };
    let there = finish(Command::new(&python).args(["-c", "import api4jenkins, jenkins"]));
    if !there.status.success() {
        assert!(std::env::var_os("CI").is_none(), "{}", shown(&there));
        eprintln!(
            "SKIPPED: python-jenkins and api4jenkins are not installed under target/clients (`make test` does it)"
        );
        return;
    }
    let vendor = Jenkins::default()
        .quick()
        .with_job("team/app", Some(&["REF", "PIPELINE_RUN"]));
    let vendor = Stage::new(vendor).serve();
    let url = format!("{}/jenkins", vendor.url);
    vendor.stage.with(|jenkins| {
        jenkins.own_url = url.clone();
        jenkins.queue_time = SignedDuration::from_millis(700);
        jenkins.build_time = SignedDuration::from_millis(1500);
        jenkins.outcomes.push_back(Outcome {
            tests: Some((0, 0, 4)),
            artifacts: vec![("dist/app.jar".to_owned(), "jar".to_owned())],
            ..Outcome::of("SUCCESS")
        });
    });
    let script = root().join("tests/clients/jenkins_session.py");
    let mut session = Command::new(python);
    let output = finish(
        session
            .arg(script)
            .args([&url, "planted-token", "planted-password"]),
    );
    assert!(
        output.status.success() && output.stdout.ends_with(b"ok\n"),
        "{}",
        shown(&output)
    );
}
