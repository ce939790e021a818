//! `action-alexa-skill` against its vendor's stand-in over HTTP.

use harness::{
    connector::{Connector, Host, Hosted},
    engine::schedule,
};
use jiff::SignedDuration;
use serde_json::{Value, json};
use stagewright_standins::{
    Served, Stage, Trick,
    alexa::{Alexa, CLIENT, SKILL},
};

fn start() -> (Served<Alexa>, Hosted, Value) {
    let vendor = Stage::<Alexa>::default().serve();
    vendor
        .stage
        .with(|vendor| vendor.takes = SignedDuration::from_millis(300));
    let connector = Connector::of("action-alexa-skill")
        .secret("client", "planted-client")
        .secret("refresh", "planted-refresh")
        .file("skill.json", "{}")
        .file("interactionModels/custom/en-US.json", "{}")
        .start();
    let parameters = json!({
        "skillId": SKILL, "clientId": CLIENT, "clientSecret": "ssm:client", "refreshToken": "secretsmanager:refresh",
        "overwrite": true, "baseUrl": vendor.url, "tokenUrl": format!("{}/auth/o2/token", vendor.url)
    });
    (vendor, connector, parameters)
}

/// The three imports meet: one at a time, and the same package only once it is not the last one's.
#[test]
fn a_package_is_imported_on_every_host() {
    let (vendor, connector, parameters) = start();
    connector.on_every_host(&parameters, |host, ended| {
        assert!(ended.succeeded(), "{host:?}: {ended:?}");
        assert_eq!(ended.variables["SkillId"], SKILL, "{host:?}");
        let hash = ended.variables["PackageSha256"].as_str();
        assert_eq!(hash.map(str::len), Some(64), "{host:?}: {ended:?}");
    });
    let imports = vendor.stage.with(|vendor| vendor.imports.clone());
    assert!(
        (1..=3).contains(&imports.len()),
        "{} imports",
        imports.len()
    );
    assert!(
        imports
            .iter()
            .all(|import| import.package.starts_with(b"PK"))
    );
    let again = connector.play(Host::Invoke, &parameters);
    assert_eq!(again.variables["ImportStatus"], "UNCHANGED", "{again:?}");
}

/// To its end this takes longer than a test may; the action's own tests play that.
#[test]
fn a_lost_answer_imports_nothing_at_once() {
    let (vendor, connector, parameters) = start();
    vendor.stage.trick("POST", "/imports", 1, Trick::LostAnswer);
    let run = connector.begin(Host::Worker, &parameters);
    let waits = |actions: &[Value]| {
        connector.engine.invoke("action-alexa-skill", &schedule());
        let Some(action) = actions.first() else {
            return false;
        };
        let summary = &action["output"]["executionResult"]["externalExecutionSummary"];
        let text = summary.as_str().unwrap_or_default();
        text.contains("whether it was started already is found out")
    };
    let actions = connector.engine.actions(&run, "Work", waits);
    assert_eq!(actions[0]["status"], "InProgress", "{actions:?}");
    assert_eq!(vendor.stage.with(|vendor| vendor.imports.len()), 1);
}
