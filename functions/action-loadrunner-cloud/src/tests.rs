//! The whole action over its vendor's stand-in: every outcome on every host, and every call failed, lost, cut off, repeated.

use std::{cell::RefCell, io::Cursor, time::Duration};

use jiff::SignedDuration;

use serde_json::{Value, json};

use shared::{
    action::{Action as _, Stop},
    archive::{Limits, names, read_one},
    job::{FailureKind, Report},
    port::Clock as _,
};

use shared_testkit::{
    Failing, Host, Mode, VirtualTime, World, describes, events, failure, give_up_and_fail,
    memory::{MemoryArtifacts, MemoryLedger, MemorySecrets},
    over, played, repeat_and_fail,
};

use stagewright_standins::{
    InMemory, Reply, Stage, Trick, bad_answers,
    loadrunner_cloud::{LoadRunnerCloud as Vendor, Run},
    passing_trouble,
};

use crate::{LoadRunnerCloud, params::Params};

mod ends;
mod faults;

type Tested = LoadRunnerCloud<
    Failing<InMemory<Vendor, VirtualTime>>,
    VirtualTime,
    Failing<MemorySecrets>,
    Failing<MemoryLedger>,
    Failing<MemoryArtifacts>,
>;

type Arrange = fn(&Stage<Vendor>);

const WHAT: &str = "load test 17 of LoadRunner Cloud";

const LINK: &str = "https://loadrunner-cloud.saas.microfocus.com/run-overview/900/dashboard/?TENANTID=652&projectId=1";

fn good() -> Value {
    json!({
        "tenant": "652", "project": 1, "test": 17,
        "clientId": "oauth2-a@microfocus.com", "clientSecret": "ssm:/lrc"
    })
}

#[test]
fn the_description_agrees_with_the_parameters() {
    describes::<Tested>(&good());
}

fn action(world: &World, stage: &Stage<Vendor>) -> Tested {
    for (name, value) in [
        ("ssm:/lrc", "planted-secret"),
        ("ssm:/wrong", "planted-wrong"),
        ("ssm:/old", "planted-password"),
    ] {
        world.secrets.inner.set(name, value);
    }
    LoadRunnerCloud::new(
        Failing::new(stage.http(world.time), &world.plan),
        world.time,
        world.secrets.clone(),
        world.ledger.clone(),
        world.artifacts.clone(),
    )
}

fn event(more: &Value, output: bool) -> Value {
    let mut event = events::job(&over(good(), more));
    if output {
        event["CodePipeline.job"]["data"]["outputArtifacts"] = json!([{
            "name": "Report", "revision": null,
            "location": {"type": "S3", "s3Location": {"bucketName": "store", "objectKey": "report.zip"}}
        }]);
    }
    event
}

async fn play_on(host: Host, stage: &Stage<Vendor>, event: &Value) -> (World, Report) {
    let played = played(host, stage.clone(), action, event).await;
    (played.world, played.report)
}

/// The same outcome on all hosts, with at most one run.
async fn everywhere(
    arrange: impl Fn(&Stage<Vendor>),
    more: Value,
    output: bool,
) -> (Stage<Vendor>, World, Report) {
    let vendor = || {
        let stage = Stage::default();
        arrange(&stage);
        stage
    };
    let event = event(&more, output);
    let played = shared_testkit::everywhere(vendor, action, &event, |host, stage| {
        assert!(ours(stage) <= 1, "{host:?}: started twice");
    });
    let played = played.await;
    (played.vendor, played.world, played.report)
}

/// A run that somebody else started.
fn stranger(id: u64, test: u64, began: jiff::Timestamp) -> Run {
    Run {
        id,
        test,
        began,
        stopped: None,
        query: Vec::new(),
    }
}

/// Runs that we started.
fn ours(stage: &Stage<Vendor>) -> usize {
    stage.with(|vendor| {
        vendor
            .runs
            .iter()
            .filter(|run| !run.query.is_empty())
            .count()
    })
}

#[tokio::test(start_paused = true)]
async fn a_test_that_passes_succeeds_with_its_reports() {
    let wanted =
        json!({"reports": ["csv", "pdf"], "maxFailedPercent": 2, "maxPercentileMs": 1_500});
    let (stage, world, report) = everywhere(|_| {}, wanted, true).await;
    let Report::Success { details, variables } = report else {
        unreachable!("{report:?}");
    };
    let summary = format!("{WHAT} passed: 98 transactions passed, 2 failed");
    assert_eq!(details.summary, Some(summary));
    assert_eq!(details.external_id.unwrap().as_str(), "900");
    assert_eq!(details.link.as_deref(), Some(LINK));
    let expected = json!({
        "Duration": "00:02:00", "FailedPercent": "2.00", "Percentile": "90", "RunId": "900", "ScriptErrors": "0",
        "SlowestMs": "1500", "SlowestTransaction": "Pay", "TransactionsFailed": "2", "TransactionsPassed": "98",
        "Vusers": "12"
    });
    assert_eq!(json!(variables), expected);
    let query = stage.with(|vendor| vendor.runs[0].query.clone());
    let has = |name: &str, value: &str| {
        query
            .iter()
            .any(|(n, v)| (n.as_str(), v.as_str()) == (name, value))
    };
    assert!(
        has("sendEmail", "false") && has("initiator", "stagewright"),
        "{query:?}"
    );
    let zip = world
        .artifacts
        .inner
        .get("store", "report.zip")
        .expect("reports");
    let files = names(Cursor::new(&zip), &Limits::DEFAULT).unwrap();
    assert_eq!(files, ["report.csv", "report.pdf", "results.json"]);
    let pdf = read_one(Cursor::new(&zip), "report.pdf", 100).unwrap();
    assert_eq!(pdf, b"a pdf report");
    assert_eq!(stage.count("POST", "/reports"), 2, "each is asked for once");
}

#[tokio::test(start_paused = true)]
async fn the_run_is_shown_from_the_first_wait_on() {
    let stage = Stage::default();
    let (world, _) = play_on(Host::Invoke, &stage, &event(&json!({}), false)).await;
    let reports = world.reporter.inner.taken();
    let shown: Vec<_> = reports
        .iter()
        .filter_map(|(_, report)| match report {
            Report::Continue { details, .. } => {
                assert_eq!(details.external_id.as_ref().unwrap().as_str(), "900");
                let summary = details.summary.as_deref().unwrap();
                Some(
                    summary
                        .strip_suffix(&format!(" — {LINK}"))
                        .unwrap()
                        .to_owned(),
                )
            }
            _ => None,
        })
        .collect();
    let running = format!("{WHAT}: RUNNING, 12 users, 340 transactions passed, 2 failed");
    let collecting = format!("{WHAT}: PASSED, its results are being collected");
    assert_eq!(
        shown,
        [
            format!("started {WHAT}"),
            running.clone(),
            running.clone(),
            running,
            collecting
        ]
    );
    assert_eq!(stage.count("POST", "/reports"), 0, "nobody takes them");
}

#[tokio::test(start_paused = true)]
async fn both_logins_work() {
    let old = json!({"clientId": "old@example.com", "clientSecret": "ssm:/old"});
    let (_, _, report) = everywhere(|_| {}, old, false).await;
    assert!(matches!(report, Report::Success { .. }), "{report:?}");
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_over_is_begun_again() {
    for polite in [false, true] {
        let stage: Stage<Vendor> = Stage::default();
        stage.with(|vendor| {
            vendor.polite = polite;
            vendor.token_lives = SignedDuration::from_secs(50);
        });
        let (_, report) = play_on(Host::Invoke, &stage, &event(&json!({}), true)).await;
        assert!(
            matches!(report, Report::Success { .. }),
            "{polite} {report:?}"
        );
        let logins = stage.with(|vendor| vendor.logins);
        assert!((3..6).contains(&logins), "{logins} logins");
    }
    // The token is not taken at the very start: the start is made once all the same.
    for trick in [Trick::status(401), Trick::html()] {
        let stage: Stage<Vendor> = Stage::default();
        stage.trick("POST", "/runs", 2, trick.clone());
        let (_, report) = play_on(Host::Invoke, &stage, &event(&json!({}), false)).await;
        assert!(
            matches!(report, Report::Success { .. }),
            "{trick:?} {report:?}"
        );
        assert_eq!((ours(&stage), stage.with(|vendor| vendor.logins)), (1, 3));
    }
}
