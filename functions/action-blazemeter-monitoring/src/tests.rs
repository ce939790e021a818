//! The whole action over its vendor's stand-in: every outcome on every host, and every call failed, lost, cut off, repeated.

use std::{cell::RefCell, collections::BTreeMap, io::Cursor, time::Duration};

use jiff::SignedDuration;

use serde_json::{Value, json};

use shared::{
    action::{Action as _, Stop},
    archive::{Limits, names, read_one},
    job::{FailureKind, Report},
    port::Clock as _,
};

use shared_testkit::{
    Failing, Host, Learns, Mode, VirtualTime, World, describes, events, failure,
    memory::{MemoryArtifacts, MemoryLedger, MemorySecrets},
    over, played, repeat_and_fail,
};

use stagewright_standins::{
    InMemory, Reply, Stage, Trick, bad_answers,
    blazemeter_monitoring::{BlazeMeterMonitoring as Vendor, Run},
    passing_trouble,
};

use crate::{BlazeMeterMonitoring, params::Params};

mod ends;
mod faults;

type Tested = BlazeMeterMonitoring<
    Failing<InMemory<Vendor, VirtualTime>>,
    VirtualTime,
    Failing<MemorySecrets>,
    Failing<MemoryLedger>,
    Failing<MemoryArtifacts>,
>;

type Arrange = fn(&Stage<Vendor>);

const WHAT: &str = "the API tests of BlazeMeter";

const LINK: &str = "https://www.runscope.com/radar/bkt1/7e57-1/results/4u2-0000";

const RUN: &str = "bkt1/7e57-1/4u2-0000";

fn good() -> Value {
    json!({"trigger": "ssm:/trigger", "token": "ssm:/token", "bucket": "bkt1", "test": "7e57-1"})
}

#[test]
fn the_description_agrees_with_the_parameters() {
    describes::<Tested>(&good());
}

fn action(world: &World, stage: &Stage<Vendor>) -> Tested {
    for (name, value) in [
        (
            "ssm:/trigger",
            "https://api.runscope.com/radar/planted-trigger/trigger?runscope_environment=old&a=b",
        ),
        ("ssm:/id", "planted-trigger"),
        (
            "ssm:/bucket",
            "https://api.runscope.com/radar/bucket/planted-bucket/trigger",
        ),
        ("ssm:/token", "planted-token"),
        ("ssm:/wrong", "planted-wrong"),
        ("ssm:/hook", "https://hooks.example.com/planted-path"),
        ("ssm:/odd", "planted, but no trigger"),
    ] {
        world.secrets.inner.set(name, value);
    }
    BlazeMeterMonitoring::new(
        Failing::new(stage.http(world.time), &world.plan),
        world.time,
        world.secrets.clone(),
        world.ledger.clone(),
        world.artifacts.clone(),
    )
}

fn event(more: &Value) -> Value {
    let mut event = events::job(&over(good(), more));
    event["CodePipeline.job"]["data"]["outputArtifacts"] = json!([{
        "name": "Results", "revision": null,
        "location": {"type": "S3", "s3Location": {"bucketName": "store", "objectKey": "results.zip"}}
    }]);
    event
}

async fn play_on(host: Host, stage: &Stage<Vendor>, more: &Value) -> (World, Report) {
    let played = played(host, stage.clone(), action, &event(more)).await;
    (played.world, played.report)
}

/// The same outcome on all hosts, with at most one run.
async fn everywhere(
    arrange: impl Fn(&Stage<Vendor>),
    more: Value,
) -> (Stage<Vendor>, World, Report) {
    let vendor = || {
        let stage = Stage::default();
        arrange(&stage);
        stage
    };
    let event = event(&more);
    let played = shared_testkit::everywhere(vendor, action, &event, |host, stage| {
        let triggered = stage.with(|vendor| vendor.triggered.len());
        assert!(triggered <= 1, "{host:?}: started twice");
    });
    let played = played.await;
    (played.vendor, played.world, played.report)
}

#[tokio::test(start_paused = true)]
async fn a_test_that_passes_succeeds_with_its_result() {
    let wanted = json!({"environment": "ab234cdf", "variables": {"greeting": "hello"}, "notificationUrl": "ssm:/hook"});
    let (stage, world, report) = everywhere(|_| {}, wanted).await;
    let Report::Success { details, variables } = report else {
        unreachable!("{report:?}");
    };
    assert_eq!(
        details.summary,
        Some(format!("{WHAT}: 1 runs passed, 5 assertions"))
    );
    assert_eq!(details.external_id.unwrap().as_str(), RUN);
    assert_eq!(details.link.as_deref(), Some(LINK));
    let expected = json!({
        "AssertionsPassed": "5", "LongestMs": "40000", "RequestsExecuted": "2", "RunIds": "4u2-0000", "Runs": "1"
    });
    assert_eq!(json!(variables), expected);
    let fields = stage.with(|vendor| vendor.runs[0].fields.clone());
    for (name, value) in [
        ("runscope_environment", "ab234cdf"),
        (
            "runscope_notification_url",
            "https://hooks.example.com/planted-path",
        ),
        ("greeting", "hello"),
        ("a", "b"),
        ("cpJobId", "run-of-the-machine"),
    ] {
        assert_eq!(fields[name], value, "{name}");
    }
    let zip = world
        .artifacts
        .inner
        .get("store", "results.zip")
        .expect("results");
    let result = read_one(Cursor::new(&zip), "4u2-0000.json", 10_000).unwrap();
    let result: Value = serde_json::from_slice(&result).unwrap();
    assert_eq!(result["result"], "pass");
}

#[tokio::test(start_paused = true)]
async fn all_runs_of_a_trigger_must_end() {
    for trigger in ["ssm:/trigger", "ssm:/id", "ssm:/bucket"] {
        let arrange = |stage: &Stage<Vendor>| stage.with(|vendor| vendor.spread = 6);
        let (_, world, report) = everywhere(arrange, json!({"trigger": trigger})).await;
        let Report::Success { variables, .. } = report else {
            unreachable!("{report:?}");
        };
        assert_eq!(
            (variables["Runs"].as_str(), variables["LongestMs"].as_str()),
            ("6", "90000")
        );
        let zip = world
            .artifacts
            .inner
            .get("store", "results.zip")
            .expect("results");
        assert_eq!(names(Cursor::new(&zip), &Limits::DEFAULT).unwrap().len(), 6);
    }
    let stage: Stage<Vendor> = Stage::default();
    stage.with(|vendor| vendor.spread = 6);
    let (world, _) = play_on(Host::Invoke, &stage, &json!({})).await;
    let reports = world.reporter.inner.taken();
    let shown: Vec<_> = reports
        .iter()
        .filter_map(|(_, report)| match report {
            Report::Continue { details, .. } => {
                Some((details.summary.clone().unwrap(), details.percent))
            }
            _ => None,
        })
        .collect();
    let at = |text: &str, percent| (format!("{text} — {LINK}"), percent);
    let of = |ended: usize, percent| at(&format!("{WHAT}: {ended} of 6 runs ended"), Some(percent));
    assert_eq!(
        shown,
        [at(&format!("started {WHAT}"), None), of(0, 0), of(3, 50)]
    );
}

#[tokio::test(start_paused = true)]
async fn the_eleventh_trigger_in_ten_seconds_waits() {
    let stage: Stage<Vendor> = Stage::default();
    stage.with(|vendor| vendor.triggered = vec![shared_testkit::time::BEGINNING; 10]);
    let (_, report) = play_on(Host::Task, &stage, &json!({})).await;
    assert!(matches!(report, Report::Success { .. }), "{report:?}");
    assert_eq!(stage.with(|vendor| vendor.runs.len()), 1);
    assert!(stage.count("POST", "/trigger") > 1);
}
