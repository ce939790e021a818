//! The whole action over its vendor's stand-in: every outcome on every host, and every call failed, lost, cut off, repeated.

use std::{collections::BTreeMap, io::Cursor, time::Duration};

use serde_json::{Value, json};

use shared::{
    action::{Action as _, Stop},
    archive::{Limits, names, read_one},
    job::{FailureKind, Report},
    port::{Clock as _, LedgerEntry},
};

use shared_testkit::{
    Failing, Host, Mode, VirtualTime, World, describes, events, failure, give_up_and_fail,
    memory::{MemoryArtifacts, MemoryLedger, MemorySecrets},
    over, played, repeat_and_fail,
};

use stagewright_standins::{
    InMemory, Reply, Stage, Trick, bad_answers,
    ghost_inspector::{Fate, GhostInspector as Vendor, Run},
    passing_trouble,
};

use crate::{GhostInspector, params::Params};

mod ends;
mod faults;

type Tested = GhostInspector<
    Failing<InMemory<Vendor, VirtualTime>>,
    VirtualTime,
    Failing<MemorySecrets>,
    Failing<MemoryLedger>,
    Failing<MemoryArtifacts>,
>;

const SUITE: &str = "the suite 5f1 of Ghost Inspector";

const FIRST: &str = "00000000000000005f000000";

#[test]
fn the_description_agrees_with_the_parameters() {
    describes::<Tested>(&json!({"test": "6a1", "apiKey": "ssm:/gi"}));
}

fn action(world: &World, stage: &Stage<Vendor>) -> Tested {
    world.secrets.inner.set("ssm:/gi", "planted-key");
    world.secrets.inner.set("ssm:/wrong", "planted-wrong");
    world
        .secrets
        .inner
        .set("ssm:/hook", "https://hooks.example.com/planted-path");
    GhostInspector::new(
        Failing::new(stage.http(world.time), &world.plan),
        world.time,
        world.secrets.clone(),
        world.ledger.clone(),
        world.artifacts.clone(),
    )
}

fn event(more: &Value) -> Value {
    let good = json!({"suite": "5f1", "apiKey": "ssm:/gi"});
    let mut event = events::job(&over(good, more));
    event["CodePipeline.job"]["data"]["outputArtifacts"] = json!([{
        "name": "Report", "revision": null,
        "location": {"type": "S3", "s3Location": {"bucketName": "store", "objectKey": "report.zip"}}
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
        let runs = stage.with(|vendor| vendor.runs.len());
        assert!(runs <= 1, "{host:?}: started twice");
        let blocked = stage.with(|vendor| vendor.blocked);
        assert_eq!(blocked, 0, "{host:?}: without immediate=1");
        let by_get = stage.count("GET", "execute");
        assert_eq!(by_get, 0, "{host:?}: a GET starts as well");
    });
    let played = played.await;
    (played.vendor, played.world, played.report)
}

#[tokio::test(start_paused = true)]
async fn a_suite_that_passes_succeeds_with_its_report() {
    let wanted = json!({"browser": "chrome", "startUrl": "https://example.com", "settings": {"greeting": "hello"}});
    let (stage, world, report) = everywhere(|_| {}, wanted).await;
    let Report::Success { details, variables } = report else {
        unreachable!("{report:?}");
    };
    assert_eq!(details.summary.as_deref(), Some("Shop 5f1 passed: 3 tests"));
    assert_eq!(details.external_id.unwrap().as_str(), FIRST);
    let link = format!("https://app.ghostinspector.com/suite-results/{FIRST}");
    assert_eq!(details.link.as_deref(), Some(link.as_str()));
    let expected = [
        ("DurationMs", "45000"),
        ("Failed", "0"),
        ("Passed", "3"),
        ("ResultIds", FIRST),
        ("Total", "3"),
    ];
    let seen: Vec<_> = variables
        .iter()
        .map(|(n, v)| (n.as_str(), v.as_str()))
        .collect();
    assert_eq!(seen, expected);
    let fields = stage.with(|vendor| vendor.runs[0].fields.clone());
    for (name, value) in [
        ("immediate", "1"),
        ("browser", "chrome"),
        ("greeting", "hello"),
        ("startUrl", "https://example.com"),
    ] {
        assert_eq!(fields[name], value, "{name}");
    }
    let zip = world
        .artifacts
        .inner
        .get("store", "report.zip")
        .expect("a report");
    let report = read_one(Cursor::new(&zip), &format!("{FIRST}.xml"), 10_000).unwrap();
    assert!(
        String::from_utf8(report)
            .unwrap()
            .contains("<testsuite tests=\"3\">")
    );
}

#[tokio::test(start_paused = true)]
async fn the_run_is_shown_from_the_first_wait_on() {
    let stage = Stage::default();
    let (world, _) = play_on(Host::Invoke, &stage, &json!({})).await;
    let reports = world.reporter.inner.taken();
    let Report::Continue { details, .. } = &reports[0].1 else {
        unreachable!("{reports:?}");
    };
    assert_eq!(details.external_id.as_ref().unwrap().as_str(), FIRST);
    let link = format!(" — https://app.ghostinspector.com/suite-results/{FIRST}");
    assert_eq!(details.summary, Some(format!("started {SUITE}{link}")));
    let Report::Continue { details, .. } = &reports[1].1 else {
        unreachable!("{reports:?}");
    };
    assert_eq!(details.percent, Some(0));
    let summary = format!("{SUITE}: running: 0 of 3 tests ended, 0 failed{link}");
    assert_eq!(details.summary, Some(summary));
}

#[tokio::test(start_paused = true)]
async fn a_suite_that_fails_names_its_tests_of_all_pages() {
    let many = |stage: &Stage<Vendor>| {
        stage.with(|vendor| {
            vendor.tests = (0..130).map(|n| (format!("t{n}"), n % 60 != 59)).collect()
        });
    };
    let (stage, world, report) = everywhere(many, json!({})).await;
    let (kind, message) = failure(report);
    assert_eq!(kind, FailureKind::JobFailed);
    let link = format!(" — https://app.ghostinspector.com/suite-results/{FIRST}");
    assert_eq!(
        message,
        format!("{SUITE} failed: 2 of 130 tests: t59, t119{link}")
    );
    assert_eq!(stage.count("GET", "/results/"), 3, "pages of 50");
    let zip = world
        .artifacts
        .inner
        .get("store", "report.zip")
        .expect("a report of a failure, too");
    assert_eq!(names(Cursor::new(&zip), &Limits::DEFAULT).unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn one_test_is_run_with_its_callback() {
    let wanted = json!({"suite": null, "test": "6a1", "webhook": "ssm:/hook"});
    let (stage, _, report) = everywhere(|_| {}, wanted).await;
    let Report::Success { details, variables } = report else {
        unreachable!("{report:?}");
    };
    assert_eq!(variables["Total"], "1");
    assert!(
        details
            .link
            .unwrap()
            .ends_with(&format!("/results/{FIRST}"))
    );
    let fields = stage.with(|vendor| vendor.runs[0].fields.clone());
    assert_eq!(fields["webhook"], "https://hooks.example.com/planted-path");
    assert_eq!(fields["cpJobId"], "run-of-the-machine");
}

#[tokio::test(start_paused = true)]
async fn several_browsers_are_one_run() {
    for (passes, kind) in [(true, None), (false, Some(FailureKind::JobFailed))] {
        let stage: Stage<Vendor> = Stage::default();
        stage.with(|vendor| {
            vendor.browsers = 3;
            vendor.tests[1].1 = passes;
        });
        let (world, report) = play_on(Host::Invoke, &stage, &json!({})).await;
        match (report, kind) {
            (Report::Success { variables, .. }, None) => {
                assert_eq!(variables["Total"], "9");
                assert_eq!(variables["ResultIds"].split(',').count(), 3);
                let zip = world
                    .artifacts
                    .inner
                    .get("store", "report.zip")
                    .expect("reports");
                assert_eq!(names(Cursor::new(&zip), &Limits::DEFAULT).unwrap().len(), 3);
            }
            (report, kind) => assert_eq!(Some(failure(report).0), kind),
        }
        assert_eq!(stage.count("POST", "execute"), 1);
    }
}
