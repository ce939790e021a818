//! The whole action over Jenkins' stand-in: every outcome on every host, and every call failed, lost, cut off, repeated.

use std::{cell::RefCell, io::Cursor};

use jiff::SignedDuration;

use serde_json::{Value, json};

use shared::{
    archive::{Limits, names, read_one},
    job::{FailureKind, Report},
    port::Clock as _,
};

use shared_testkit::{
    Failing, Host, Mode, VirtualTime, World, describes, events, failure, give_up_and_fail,
    memory::{MemoryArtifacts, MemoryLedger, MemorySecrets},
    over, repeat_and_fail,
};

use stagewright_standins::{
    InMemory, Reply, Stage, Trick,
    jenkins::{Jenkins as Vendor, Outcome, Stop},
};

use crate::Jenkins;

mod ends;
mod faults;

type Tested = Jenkins<
    Failing<InMemory<Vendor, VirtualTime>>,
    VirtualTime,
    Failing<MemorySecrets>,
    Failing<MemoryLedger>,
    Failing<MemoryArtifacts>,
>;

const BUILD: &str = "https://ci.example.com/jenkins/job/team/job/app/1/";

const START: &str = "/job/team/job/app/buildWithParameters";

#[test]
fn the_description_agrees_with_the_parameters() {
    describes::<Tested>(
        &json!({"url": "https://ci.example.com", "user": "u", "token": "ssm:/ci", "job": "a"}),
    );
}

fn stage() -> Stage<Vendor> {
    let vendor = Vendor::default()
        .with_job("team/app", Some(&["REF", "PIPELINE_RUN"]))
        .with_job("team/plain", None)
        .with_job("team/feature%2Fx", Some(&["REF"]));
    Stage::new(vendor)
}

fn action(world: &World, stage: &Stage<Vendor>) -> Tested {
    for (name, value) in [
        ("ssm:/ci", "planted-token"),
        ("ssm:/wrong", "planted-wrong"),
        ("ssm:/password", "planted-password"),
    ] {
        world.secrets.inner.set(name, value);
    }
    Jenkins::new(
        Failing::new(stage.http(world.time), &world.plan),
        world.time,
        world.secrets.clone(),
        world.ledger.clone(),
        world.artifacts.clone(),
    )
}

fn event(more: &Value) -> Value {
    let good = json!({
        "url": "https://ci.example.com/jenkins", "user": "pipeline", "token": "ssm:/ci", "job": "team/app",
        "parameters": {"REF": "main"}
    });
    let mut event = events::job(&over(good, more));
    event["CodePipeline.job"]["data"]["outputArtifacts"] = json!([{
        "name": "Report", "revision": null,
        "location": {"type": "S3", "s3Location": {"bucketName": "store", "objectKey": "report.zip"}}
    }]);
    event
}

/// The same outcome on all hosts, with at most one build.
async fn everywhere(
    arrange: impl Fn(&Stage<Vendor>),
    more: Value,
) -> (Stage<Vendor>, World, Report) {
    let vendor = || {
        let stage = stage();
        arrange(&stage);
        stage
    };
    let event = event(&more);
    let played = shared_testkit::everywhere(vendor, action, &event, |host, stage| {
        let starts = stage.with(|vendor| vendor.starts());
        assert!(starts <= 1, "{host:?}: started twice");
    });
    let played = played.await;
    (played.vendor, played.world, played.report)
}

fn variables(report: Report) -> Vec<(String, String)> {
    match report {
        Report::Success { variables, .. } => variables.into_iter().collect(),
        report => unreachable!("{report:?}"),
    }
}

fn next(stage: &Stage<Vendor>, outcome: Outcome) {
    stage.with(|vendor| vendor.outcomes.push_back(outcome));
}

#[tokio::test(start_paused = true)]
async fn a_build_that_succeeds_brings_its_tests_and_files() {
    let arrange = |stage: &Stage<Vendor>| {
        let artifacts = [("dist/app.jar", "jar"), ("dist/notes.txt", "text")];
        next(
            stage,
            Outcome {
                tests: Some((0, 1, 9)),
                artifacts: artifacts
                    .map(|(path, text)| (path.to_owned(), text.to_owned()))
                    .into(),
                ..Outcome::of("SUCCESS")
            },
        );
    };
    let (stage, world, report) = everywhere(arrange, json!({"artifacts": ["dist/app"]})).await;
    let Report::Success { details, .. } = &report else {
        unreachable!("{report:?}");
    };
    let want =
        "team/app #1: SUCCESS in 180 s, 9 tests, 1 skipped, none failed, 3 files in the artifact";
    assert_eq!(details.summary.as_deref(), Some(want));
    assert_eq!(
        details.external_id.as_ref().map(|id| id.as_str()),
        Some("1")
    );
    assert_eq!(details.link.as_deref(), Some(BUILD));
    let expected = [
        ("BuildNumber", "1"),
        ("BuildUrl", BUILD),
        ("DurationSeconds", "180"),
        ("Result", "SUCCESS"),
        ("TestsFailed", "0"),
        ("TestsSkipped", "1"),
        ("TestsTotal", "9"),
    ];
    let seen = variables(report);
    let seen: Vec<_> = seen
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    assert_eq!(seen, expected);

    let zip = world
        .artifacts
        .inner
        .get("store", "report.zip")
        .expect("uploaded");
    let all = names(Cursor::new(zip.clone()), &Limits::default()).expect("an archive");
    assert_eq!(
        all,
        [
            "artifacts/dist/app.jar",
            "testReport.json",
            "testReport.xml"
        ]
    );
    let xml = read_one(Cursor::new(zip.clone()), "testReport.xml", 1 << 20).expect("the report");
    let xml = String::from_utf8(xml).expect("text");
    assert!(
        xml.contains("tests=\"9\" failures=\"0\" skipped=\"1\""),
        "{xml}"
    );
    let report = read_one(Cursor::new(zip), "testReport.json", 1 << 20).expect("the report");
    assert_eq!(
        serde_json::from_slice::<Value>(&report).unwrap()["passCount"],
        8
    );

    let asked = stage
        .records()
        .into_iter()
        .map(|record| record.asked)
        .find(|asked| asked.path.ends_with(START));
    let asked = asked.expect("a start");
    let form = asked.form();
    assert!(
        form.contains(&("REF".to_owned(), "main".to_owned())),
        "{form:?}"
    );
    assert_eq!(asked.param("delay"), Some("0sec"));
    assert_eq!(
        stage.count("GET", "crumbIssuer"),
        0,
        "an API token needs no crumb"
    );
}

#[tokio::test(start_paused = true)]
async fn people_see_where_the_build_is() {
    let (stage, world) = (stage(), World::new(Mode::Work));
    let action = action(&world, &stage);
    world.play(&action, &event(&json!({}))).await;
    let reports = world.reporter.inner.taken();
    let mut seen: Vec<String> = reports
        .iter()
        .filter_map(|(_, report)| match report {
            Report::Continue { details, .. } => Some(details.clone()),
            _ => None,
        })
        .map(|details| {
            format!(
                "{:?} {:?} {}",
                details.external_id.map(|id| id.to_string()),
                details.percent.map(|percent| percent / 50),
                details.summary.unwrap_or_default()
            )
        })
        .collect();
    seen.dedup();
    let job = "https://ci.example.com/jenkins/job/team/job/app/";
    assert_eq!(
        seen,
        [
            format!("Some(\"queue/17\") None started team/app — {job}"),
            format!("Some(\"1\") Some(0) team/app #1 runs — {BUILD}"),
            format!("Some(\"1\") Some(1) team/app #1 runs — {BUILD}"),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_build_that_waits_for_an_answer_says_so() {
    for (asks, want) in [
        (
            Some(vec![(
                "Deploy to live?\u{7}".to_owned(),
                "Go".to_owned(),
                vec!["VERSION".to_owned()],
            )]),
            "team/app #1 waits for somebody to answer \"Deploy to live? \" in Jenkins with \"Go\" or \"Abort\" and to give \
             VERSION, at https://ci.example.com/jenkins/job/team/job/app/1/input/",
        ),
        (Some(vec![]), "team/app #1 runs"),
        (None, "team/app #1 runs"),
    ] {
        let (stage, world) = (stage(), World::new(Mode::Work));
        let absent = asks.is_none();
        stage.with(|vendor| vendor.asks = asks);
        world
            .play(&action(&world, &stage), &event(&json!({})))
            .await;
        let reports = world.reporter.inner.taken();
        let seen = reports.iter().any(|(_, report)| {
            matches!(report, Report::Continue { details, .. }
                if details.summary.as_deref().is_some_and(|text| text.starts_with(want)))
        });
        assert!(seen, "{want}: {reports:#?}");
        // A Jenkins without the plugin is asked once.
        assert!(!absent || stage.count("GET", "wfapi") == 1);
    }
}

#[tokio::test(start_paused = true)]
async fn files_of_an_artifact_become_file_parameters() {
    let files = json!({"files": {"DATA": "in/a \"b\".bin", "MORE": "In::c"}});
    for host in Host::ALL {
        let (stage, world) = (stage(), World::new(Mode::Work));
        stage.with(|vendor| {
            let all = ["REF", "PIPELINE_RUN", "DATA", "MORE"].map(str::to_owned);
            vendor.job("team/app").parameters = Some(all.into());
        });
        let zip = events::zip_of(&[("in/a \"b\".bin", "one\r\n--two"), ("c", "")]);
        world.artifacts.inner.set("store", "in.zip", zip);
        let event = events::with_input(event(&files), "In", "store", "in.zip");
        let report = world.play_on(host, &action(&world, &stage), &event).await;
        assert!(
            matches!(report, Report::Success { .. }),
            "{host:?}: {report:?}"
        );
        let given = |name: &str| stage.with(|vendor| vendor.given(name));
        assert_eq!(given("REF"), ["main"]);
        assert_eq!(
            (given("DATA"), given("MORE")),
            (vec!["one\r\n--two".to_owned()], vec![String::new()])
        );
        assert_eq!(given("PIPELINE_RUN").len(), 1);
    }
    for (files, zip, kind, want) in [
        (
            json!({"DATA": "absent"}),
            true,
            FailureKind::RevisionUnavailable,
            "files: DATA: the artifact In: the archive has no entry \"absent\"",
        ),
        (
            json!({"DATA": "Other::a"}),
            true,
            FailureKind::ConfigurationError,
            "files: DATA lies in the artifact Other, which is no input of the action",
        ),
        (
            json!({"DATA": "a"}),
            false,
            FailureKind::RevisionUnavailable,
            "the artifact In is not in its bucket",
        ),
        (
            json!({"NONE": "a"}),
            true,
            FailureKind::ConfigurationError,
            "the job team/app declares no parameter \"NONE\"",
        ),
        (
            json!({"DATA": "../a"}),
            true,
            FailureKind::ConfigurationError,
            "files must be written PATH or ARTIFACT::PATH",
        ),
        (
            json!({"REF": "a"}),
            true,
            FailureKind::ConfigurationError,
            "files hold a name that parameters or runParameter hold",
        ),
    ] {
        let (stage, world) = (stage(), World::new(Mode::Work));
        stage.with(|vendor| {
            vendor.job("team/app").parameters = Some(["REF", "DATA"].map(str::to_owned).into());
        });
        if zip {
            world
                .artifacts
                .inner
                .set("store", "in.zip", events::zip_of(&[("a", "b")]));
        }
        let event = events::with_input(event(&json!({"files": files})), "In", "store", "in.zip");
        let (is, message) = failure(world.play(&action(&world, &stage), &event).await);
        assert!(message.contains(want), "{message}");
        assert_eq!(is, kind, "{message}");
        assert_eq!(stage.with(|vendor| vendor.starts()), 0, "{message}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_branch_and_a_job_without_parameters_are_built() {
    for (more, path) in [
        (
            json!({"job": "team/plain", "parameters": {}}),
            "/job/team/job/plain/build",
        ),
        (
            json!({"job": "team/feature%2Fx"}),
            "/job/team/job/feature%252Fx/buildWithParameters",
        ),
    ] {
        let (stage, _, report) = everywhere(|_| {}, more).await;
        assert_eq!(
            variables(report)[0],
            ("BuildNumber".to_owned(), "1".to_owned())
        );
        assert_eq!(stage.count("POST", path), 1, "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_password_gets_a_crumb_in_its_session() {
    let (stage, _, report) = everywhere(|_| {}, json!({"token": "ssm:/password"})).await;
    assert!(matches!(report, Report::Success { .. }), "{report:?}");
    assert_eq!(stage.count("GET", "crumbIssuer"), 1);
    assert_eq!(stage.count("POST", START), 2);
}

#[tokio::test(start_paused = true)]
async fn unstable_is_a_setting() {
    let unstable = |stage: &Stage<Vendor>| {
        next(
            stage,
            Outcome {
                tests: Some((2, 0, 9)),
                ..Outcome::of("UNSTABLE")
            },
        );
    };
    let (_, _, good) = everywhere(unstable, json!({"unstable": "succeeds"})).await;
    assert!(variables(good).contains(&("Result".to_owned(), "UNSTABLE".to_owned())));
    let (kind, message) = failure(everywhere(unstable, json!({})).await.2);
    assert_eq!(kind, FailureKind::JobFailed);
    let want = format!(
        "team/app #1 is UNSTABLE; 2 of 9 tests failed: shop.CartTest.case0, shop.CartTest.case1; see {BUILD}"
    );
    assert!(message.starts_with(&want), "{message}");
}
