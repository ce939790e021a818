//! `action-ghost-inspector` against its vendor's stand-in over HTTP.

use std::{path::PathBuf, process::Command};

use harness::{
    connector::{Connector, Hosted},
    process::{finish, shown},
    workspace::root,
};
use jiff::SignedDuration;
use serde_json::{Value, json};
use stagewright_standins::{Served, Stage, Trick, ghost_inspector::GhostInspector};

fn start() -> (Served<GhostInspector>, Hosted, Value) {
    let vendor = Stage::<GhostInspector>::default().serve();
    vendor
        .stage
        .with(|vendor| vendor.takes = SignedDuration::from_millis(300));
    let connector = Connector::of("action-ghost-inspector")
        .secret("gi", "planted-key")
        .variable("STAGEWRIGHT_LOG", "trace")
        .output()
        .start();
    let parameters = json!({"suite": "5f1", "apiKey": "secretsmanager:gi", "baseUrl": format!("{}/v1", vendor.url)});
    (vendor, connector, parameters)
}

#[test]
fn a_suite_is_run_on_every_host() {
    let (vendor, connector, parameters) = start();
    connector.on_every_host(&parameters, |host, ended| {
        assert!(ended.succeeded(), "{host:?}: {ended:?}");
        assert_eq!(ended.variables["Passed"], "3", "{host:?}");
        assert_eq!(ended.variables["ResultIds"], ended.external_id, "{host:?}");
        let artifact = ended.artifact.as_deref().unwrap_or_default();
        assert!(artifact.starts_with(b"PK"), "{host:?}: no archive");
    });
    assert_eq!(vendor.stage.with(|vendor| vendor.runs.len()), 3);
    // The key goes in addresses: of all vendors' secrets this one is the most likely to be shown. Every log is on.
    let files = |text| connector.engine.files_with(&[text]);
    assert!(
        !files("action-ghost-inspector").is_empty(),
        "nothing is logged"
    );
    assert_eq!(files("planted-key"), Vec::<PathBuf>::new());
}

#[test]
fn a_failed_suite_names_its_test() {
    let (vendor, connector, parameters) = start();
    vendor.stage.with(|vendor| vendor.tests[1].1 = false);
    connector.on_every_host(&parameters, |host, ended| {
        let (failure, message) = (&ended.failure, &ended.message);
        assert!(
            ["JobFailed", "Failed"].contains(&failure.as_str()),
            "{host:?}: {ended:?}"
        );
        assert!(message.contains("1 of 3 tests: Pay"), "{host:?}: {ended:?}");
    });
}

/// To its end on all hosts at the same time: once the claim of the delivery that lost the answer is over, which its short
/// timeout makes soon, the run is found at the vendor and adopted.
#[test]
fn a_start_whose_answer_was_lost_is_found_again_on_every_host() {
    let (vendor, _, parameters) = start();
    let connector = Connector::of("action-ghost-inspector")
        .secret("gi", "planted-key")
        .timeout(6)
        .start();
    vendor.stage.trick("POST", "execute", 3, Trick::LostAnswer);
    connector.on_every_host(&parameters, |host, ended| {
        assert!(ended.succeeded(), "{host:?}: {ended:?}");
        assert_eq!(ended.variables["Passed"], "3", "{host:?}");
    });
    assert_eq!(vendor.stage.with(|vendor| vendor.runs.len()), 3);
    assert_eq!(vendor.stage.count("POST", "execute"), 3);
}

/// The stand-in's judge. `ghost-inspector` of npm, installed without its scripts, which download a tunnel.
#[test]
fn the_vendors_own_client_is_satisfied_with_the_stand_in() {
    let modules = root().join("target/clients/npm/node_modules");
    if !modules.join("ghost-inspector").exists() {
        eprintln!(
            "SKIPPED: ghost-inspector is not installed under target/clients/npm (`make test` installs it where npm is)"
        );
        return;
    }
    let vendor = Stage::<GhostInspector>::default().serve();
    vendor
        .stage
        .with(|vendor| vendor.takes = SignedDuration::from_millis(300));
    let output = finish(
        Command::new("node")
            .env("NODE_PATH", modules)
            .arg(root().join("tests/clients/ghost_inspector.js"))
            .arg(&vendor.url),
    );
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.ends_with("ok\n"),
        "{}",
        shown(&output)
    );
    assert_eq!(vendor.stage.with(|vendor| vendor.blocked), 0);
}
