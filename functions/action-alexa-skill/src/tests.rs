//! The whole action over its vendor's stand-in: every outcome on every host, and every call failed, lost, cut off, repeated.

use std::{collections::BTreeMap, io::Cursor};

use serde_json::{Value, json};

use shared::{
    archive::{Limits, names, read_one},
    job::{FailureKind, Report},
};

use shared_testkit::{
    Failing, Host, Mode, VirtualTime, World, describes, events, failure,
    memory::{MemoryArtifacts, MemoryLedger, MemorySecrets},
    repeat_and_fail,
};

use stagewright_standins::{
    InMemory, Stage, Trick,
    alexa::{Alexa, CLIENT, Fate, SKILL},
};

use crate::AlexaSkill;

mod ends;
mod faults;

type Tested = AlexaSkill<
    Failing<InMemory<Alexa, VirtualTime>>,
    VirtualTime,
    Failing<MemorySecrets>,
    Failing<MemoryLedger>,
    Failing<MemoryArtifacts>,
>;

fn parameters() -> Value {
    json!({"skillId": SKILL, "clientId": CLIENT, "clientSecret": "ssm:/client", "refreshToken": "ssm:/refresh"})
}

#[test]
fn the_description_agrees_with_the_parameters() {
    describes::<Tested>(&parameters());
}

fn action(world: &World, stage: &Stage<Alexa>) -> Tested {
    for (name, value) in [
        ("ssm:/client", "planted-client"),
        ("ssm:/refresh", "planted-refresh"),
        ("ssm:/old", "planted-old"),
    ] {
        world.secrets.inner.set(name, value);
    }
    let artifacts = &world.artifacts.inner;
    if artifacts.get("store", "skill.zip").is_none() {
        let skill = [
            ("skill.json", "{}"),
            ("interactionModels/custom/en_US.json", "{\"a\": 1}"),
        ];
        artifacts.set("store", "skill.zip", events::zip_of(&skill));
        let overlay = [
            ("interactionModels/custom/en_US.json", "{\"a\": 2}"),
            ("assets/icon.png", "png"),
        ];
        artifacts.set("store", "overlay.zip", events::zip_of(&overlay));
    }
    AlexaSkill::new(
        Failing::new(stage.http(world.time), &world.plan),
        world.time,
        world.secrets.clone(),
        world.ledger.clone(),
        world.artifacts.clone(),
    )
}

fn event(more: &Value) -> Value {
    let mut wanted = parameters();
    for (name, value) in more.as_object().into_iter().flatten() {
        wanted[name] = value.clone();
    }
    let event = events::with_input(events::job(&wanted), "Skill", "store", "skill.zip");
    events::with_input(event, "Overlay", "store", "overlay.zip")
}

/// Plays on one host; nothing that comes out may hold a planted secret.
async fn play_in(world: &World, host: Host, stage: &Stage<Alexa>, event: &Value) -> Report {
    let action = action(world, stage);
    let report = world.play_on(host, &action, event).await;
    let told = format!("{:?} {report:?} {action:?}", world.reporter.inner.taken());
    assert!(!told.contains("planted"), "{told}");
    report
}

/// The same outcome on all hosts.
async fn everywhere(arrange: impl Fn(&Stage<Alexa>), more: Value) -> (Stage<Alexa>, Report) {
    let mut last: Option<(Stage<Alexa>, Report)> = None;
    for host in Host::ALL {
        let stage = Stage::default();
        arrange(&stage);
        let report = play_in(&World::new(Mode::Work), host, &stage, &event(&more)).await;
        if let Some((_, before)) = &last {
            assert_eq!(
                std::mem::discriminant(before),
                std::mem::discriminant(&report),
                "{host:?}: {report:?}"
            );
        }
        last = Some((stage, report));
    }
    last.expect("four hosts")
}

fn success(report: Report) -> (String, BTreeMap<String, String>) {
    match report {
        Report::Success { details, variables } => (details.summary.unwrap_or_default(), variables),
        report => unreachable!("{report:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_package_is_imported_with_the_overlay_on_top() {
    let (stage, report) = everywhere(|_| {}, json!({"certify": true})).await;
    let (summary, variables) = success(report);
    let shown = format!(
        "{SKILL}: imported; warnings: Manifest: the icon is small, submitted for certification"
    );
    assert_eq!(summary, shown);
    assert_eq!(variables["ImportStatus"], "SUCCEEDED");
    assert_eq!(variables["ETag"], "etag-1");
    assert_eq!(variables["Warnings"], "1");
    let (imports, submissions) = stage.with(|vendor| (vendor.imports.clone(), vendor.submissions));
    assert_eq!((imports.len(), submissions), (1, 1));
    assert_eq!(imports[0].if_match, None);
    let zip = Cursor::new(&imports[0].package);
    let mut files = names(zip.clone(), &Limits::DEFAULT).unwrap();
    files.sort();
    assert_eq!(
        files,
        [
            "assets/icon.png",
            "interactionModels/custom/en_US.json",
            "skill.json"
        ]
    );
    let model = read_one(zip, "interactionModels/custom/en_US.json", 100).unwrap();
    assert_eq!(model, b"{\"a\": 2}");
}

#[tokio::test(start_paused = true)]
async fn a_token_is_used_for_less_than_an_hour() {
    let (stage, world) = (Stage::default(), World::new(Mode::Work));
    let action = action(&world, &stage);
    for (tokens, minutes) in [(1, 30), (1, 19), (2, 0)] {
        let package = events::zip_of(&[("skill.json", &format!("{minutes}"))]);
        world.artifacts.inner.set("store", "skill.zip", package);
        let report = world
            .play_on(Host::Task, &action, &event(&json!({"overwrite": true})))
            .await;
        // The same run again would be known.
        world
            .ledger
            .inner
            .forget("action-alexa-skill/run-of-the-machine");
        success(report);
        assert_eq!(stage.with(|vendor| vendor.tokens.len()), tokens);
        tokio::time::advance(std::time::Duration::from_secs(minutes * 60)).await;
    }
    assert_eq!(stage.with(|vendor| vendor.imports.len()), 3);
}
