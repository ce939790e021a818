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
    Failing, Host, Mode, VirtualTime, World, describes, events, give_up_and_fail,
    memory::{MemoryArtifacts, MemoryLedger, MemorySecrets},
    repeat_and_fail,
};
use stagewright_standins::{
    InMemory, Reply, Stage, Trick,
    jenkins::{Jenkins as Vendor, Outcome, Stop},
};

use crate::Jenkins;

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
    let mut parameters = json!({
        "url": "https://ci.example.com/jenkins", "user": "pipeline", "token": "ssm:/ci", "job": "team/app",
        "parameters": {"REF": "main"}
    });
    for (name, value) in more.as_object().into_iter().flatten() {
        parameters[name] = value.clone();
    }
    let mut event = events::job(&parameters);
    event["CodePipeline.job"]["data"]["outputArtifacts"] = json!([{
        "name": "Report", "revision": null,
        "location": {"type": "S3", "s3Location": {"bucketName": "store", "objectKey": "report.zip"}}
    }]);
    event
}

/// The same outcome on all hosts; nothing that comes out holds a planted secret, and at most one build is started.
async fn everywhere(
    arrange: impl Fn(&Stage<Vendor>),
    more: Value,
) -> (Stage<Vendor>, World, Report) {
    let mut last = None;
    for host in Host::ALL {
        let (stage, world) = (stage(), World::new(Mode::Work));
        arrange(&stage);
        let action = action(&world, &stage);
        let report = world.play_on(host, &action, &event(&more)).await;
        let told = format!("{:?} {report:?} {action:?}", world.reporter.inner.taken());
        assert!(!told.contains("planted"), "{told}");
        assert!(
            stage.with(|vendor| vendor.starts()) <= 1,
            "{host:?}: started twice"
        );
        last = Some((stage, world, report));
    }
    last.expect("four hosts")
}

fn failure(report: Report) -> (FailureKind, String) {
    match report {
        Report::Failure { kind, message, .. } => (kind, message),
        report => unreachable!("{report:?}"),
    }
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
        "team/app #1: SUCCESS in 180 s, 9 tests, 1 skipped, none failed, 2 files in the artifact";
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
    assert_eq!(all, ["artifacts/dist/app.jar", "testReport.json"]);
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

#[tokio::test(start_paused = true)]
async fn every_bad_end_says_what_happened() {
    let log = (1..=40).map(|n| format!("line {n}\n")).collect::<String>();
    for (result, want) in [
        ("FAILURE", "team/app #1 ended with FAILURE; see"),
        ("ABORTED", "team/app #1 was ABORTED in Jenkins; see"),
        (
            "NOT_BUILT",
            "team/app #1 was NOT_BUILT: an earlier part of it stopped it; see",
        ),
        (
            "SPLENDID",
            "team/app #1 ended with \"SPLENDID\", a result that this action does not know; see",
        ),
    ] {
        let arrange = |stage: &Stage<Vendor>| {
            // Jenkins decides late after a restart.
            let undecided = SignedDuration::from_mins(1);
            next(
                stage,
                Outcome {
                    console: log.clone(),
                    undecided,
                    ..Outcome::of(result)
                },
            );
        };
        let (_, _, report) = everywhere(arrange, json!({})).await;
        if let Report::Failure { external_id, .. } = &report {
            // A task's failure has no place for it.
            assert!(external_id.as_ref().is_none_or(|id| id.as_str() == "1"));
        }
        let (kind, message) = failure(report);
        assert_eq!(kind, FailureKind::JobFailed);
        assert!(message.starts_with(want), "{message}");
        assert!(
            message.ends_with("The end of its log:\n".to_owned().as_str())
                || message.ends_with("line 40"),
            "{message}"
        );
        assert!(
            message.contains("line 21\n") && !message.contains("line 20\n"),
            "{message}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_started_says_what_to_do() {
    use FailureKind::{ConfigurationError, PermissionError};
    let nothing = |_: &Stage<Vendor>| {};
    let may_not = |stage: &Stage<Vendor>| stage.with(|vendor| vendor.may_build = false);
    let disabled =
        |stage: &Stage<Vendor>| stage.with(|vendor| vendor.job("team/app").disabled = true);
    let branches =
        |stage: &Stage<Vendor>| stage.with(|vendor| vendor.job("team/app").multibranch = true);
    let late = |status: u16| {
        move |stage: &Stage<Vendor>| {
            stage.always("POST", START, Trick::status(status));
        }
    };
    type Arrange = Box<dyn Fn(&Stage<Vendor>)>;
    let cases: Vec<(Arrange, Value, FailureKind, &str)> = vec![
        (
            Box::new(nothing),
            json!({"token": "ssm:/wrong"}),
            PermissionError,
            "Jenkins did not accept the credentials for the job (status 401): renew the secret that the action names",
        ),
        (
            Box::new(nothing),
            json!({"token": "ssm:/absent"}),
            ConfigurationError,
            "the secret ssm:/absent was not found",
        ),
        (
            Box::new(may_not),
            json!({}),
            PermissionError,
            "Jenkins does not let pipeline start team/app: give that user the permission Job/Build",
        ),
        (
            Box::new(disabled),
            json!({}),
            ConfigurationError,
            "the job team/app is disabled in Jenkins: enable it there, then retry the stage",
        ),
        (
            Box::new(late(409)),
            json!({}),
            ConfigurationError,
            "the job team/app is disabled in Jenkins",
        ),
        (
            Box::new(late(400)),
            json!({}),
            ConfigurationError,
            "Jenkins takes no parameters for team/app: declare them in the job, or leave parameters out",
        ),
        (
            Box::new(branches),
            json!({}),
            ConfigurationError,
            "team/app is no job but a folder or a multibranch project",
        ),
        (
            Box::new(nothing),
            json!({"parameters": {"RE": "x"}}),
            ConfigurationError,
            "the job team/app declares no parameter \"RE\", so Jenkins would drop it",
        ),
        (
            Box::new(nothing),
            json!({"job": "team/absent"}),
            ConfigurationError,
            "Jenkins knows nothing of the job: check the address and the names",
        ),
        (
            Box::new(nothing),
            json!({"url": "https://ci.example.com"}),
            ConfigurationError,
            "Jenkins knows nothing of the job",
        ),
        (
            Box::new(nothing),
            json!({"url": "ci"}),
            ConfigurationError,
            "url must start with http:// or https://",
        ),
        (
            Box::new(nothing),
            json!({"jb": 1}),
            ConfigurationError,
            "unknown field `jb`",
        ),
    ];
    for (arrange, more, kind, want) in cases {
        let (stage, _, report) = everywhere(arrange, more).await;
        let (is, message) = failure(report);
        assert!(message.contains(want), "{message}");
        assert_eq!(is, kind, "{message}");
        assert_eq!(stage.with(|vendor| vendor.starts()), 0, "{message}");
    }
}

#[tokio::test(start_paused = true)]
async fn nonsense_is_named_and_passing_trouble_is_waited_for() {
    use FailureKind::{JobFailed, SystemUnavailable};
    let json_of = |value: Value| Trick::Reply(Reply::json(200, &value));
    for (trick, kind, want) in [
        (
            Trick::html(),
            JobFailed,
            "Jenkins answered the job with an HTML page: check that the address is that of its API",
        ),
        (
            Trick::empty(),
            JobFailed,
            "Jenkins answered the job with an empty answer",
        ),
        (
            Trick::huge(),
            JobFailed,
            "Jenkins answered the job with more than 8388608 bytes",
        ),
        (
            json_of(json!({"buildable": "yes"})),
            JobFailed,
            "Jenkins answered the job with JSON of an unexpected shape (at buildable)",
        ),
        (json_of(json!([])), JobFailed, "JSON of an unexpected shape"),
        (
            Trick::Reply(Reply::of_type(200, "application/json", "{\"a\":")),
            JobFailed,
            "JSON that breaks off",
        ),
        (
            Trick::throttled(None),
            SystemUnavailable,
            "Jenkins throttled the job (status 429): try again later",
        ),
        (
            Trick::status(503),
            SystemUnavailable,
            "Jenkins is not well: the job was answered with status 503; try again later",
        ),
        (
            Trick::Truncated,
            SystemUnavailable,
            "Jenkins gave no whole answer to the job",
        ),
        (
            Trick::NeverArrives,
            SystemUnavailable,
            "Jenkins could not be reached for the job: check the address",
        ),
    ] {
        let arrange = |stage: &Stage<Vendor>| {
            stage.always("GET", "/app/api/json", trick.clone());
        };
        let (is, message) = failure(everywhere(arrange, json!({"timeoutMinutes": 4})).await.2);
        assert!(message.contains(want), "{message}");
        assert_eq!(is, kind, "{message}");
    }
    // The same trouble for a while only.
    for trick in [
        Trick::throttled(Some("90")),
        Trick::status(502),
        Trick::Hang,
        Trick::NeverArrives,
    ] {
        let arrange = |stage: &Stage<Vendor>| {
            stage.trick("GET", "", 9, trick.clone());
            stage.trick("POST", START, 1, Trick::throttled(Some("30")));
        };
        let (_, _, report) = everywhere(arrange, json!({})).await;
        assert!(
            matches!(report, Report::Success { .. }),
            "{trick:?}: {report:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_to_the_start_is_found_again_or_refused() {
    for trick in [
        Trick::LostAnswer,
        Trick::Hang,
        Trick::Truncated,
        Trick::ReplyAfter(Reply::html(502, "Bad Gateway")),
        Trick::ReplyAfter(Reply::empty(201)),
    ] {
        let lose = |stage: &Stage<Vendor>| {
            stage.trick("POST", "/build", 1, trick.clone());
        };
        let (stage, _, report) = everywhere(lose, json!({})).await;
        assert!(
            matches!(report, Report::Success { .. }),
            "{trick:?}: {report:?}"
        );
        assert_eq!(stage.with(|vendor| vendor.starts()), 1);

        let plain = json!({"job": "team/plain", "parameters": {}});
        let (_, message) = failure(everywhere(lose, plain).await.2);
        let want = "look at the queue and the builds of team/plain in Jenkins (https://ci.example.com/jenkins/job/team/job/plain); \
                    for a retry that finds its build, declare a text parameter PIPELINE_RUN in that job";
        assert!(message.contains(want), "{message}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_item_that_was_forgotten_is_found_among_the_builds() {
    let arrange = |stage: &Stage<Vendor>| {
        stage.with(|vendor| vendor.build_time = SignedDuration::from_mins(20));
        // Nothing is heard of the item until it is forgotten.
        stage.trick("GET", "/queue/item/", 200, Trick::status(500));
    };
    let (stage, _, report) = everywhere(arrange, json!({"timeoutMinutes": 90})).await;
    assert!(matches!(report, Report::Success { .. }), "{report:?}");
    let handled = stage.records().into_iter().filter(|record| {
        record.asked.path.contains("/queue/item/")
            && record.answered == stagewright_standins::Answered::Handled(404)
    });
    assert!(handled.count() > 0, "the item was still known");
}

#[tokio::test(start_paused = true)]
async fn an_item_that_others_end_is_said_to_be_gone() {
    let cancelled = |stage: &Stage<Vendor>| {
        let item = json!({"id": 17, "cancelled": true, "executable": null, "_class": "hudson.model.Queue$LeftItem"});
        stage.always("GET", "/queue/item/", Trick::Reply(Reply::json(200, &item)));
    };
    let (kind, message) = failure(everywhere(cancelled, json!({})).await.2);
    let want = "team/app: somebody cancelled queue/17 in Jenkins before it was built";
    assert_eq!(kind, FailureKind::JobFailed);
    assert!(message.starts_with(want), "{message}");
    let gone = |stage: &Stage<Vendor>| {
        stage.always("GET", "/app/1/api/json", Trick::status(404));
    };
    let (_, message) = failure(everywhere(gone, json!({})).await.2);
    assert!(message.contains("Jenkins no longer knows"), "{message}");
    // One look too early is no loss.
    let late = |stage: &Stage<Vendor>| {
        stage.trick("GET", "/app/1/api/json", 2, Trick::status(404));
    };
    assert!(matches!(
        everywhere(late, json!({})).await.2,
        Report::Success { .. }
    ));
}

#[tokio::test(start_paused = true)]
async fn a_build_that_takes_too_long_is_ended_as_hard_as_needed() {
    for (ends_at, want) in [
        (
            Stop::Stop,
            "team/app did not end within 2 minutes and was stopped",
        ),
        (
            Stop::Term,
            "team/app did not end within 2 minutes and was stopped",
        ),
        (
            Stop::Kill,
            "team/app did not end within 2 minutes and was stopped",
        ),
        (
            Stop::Never,
            "the build team/app #1 was told to stop and still runs: end it in Jenkins, https://ci.example.com/jenkins/job/team/job/app/1/",
        ),
    ] {
        let arrange = |stage: &Stage<Vendor>| stage.with(|vendor| vendor.ends_at = ends_at);
        let (stage, world, report) = everywhere(arrange, json!({"timeoutMinutes": 2})).await;
        let (kind, message) = failure(report);
        assert_eq!(kind, FailureKind::JobFailed);
        assert!(message.contains(want), "{message}");
        let alive = stage.with(|vendor| vendor.alive(world.time.now()));
        assert_eq!(alive, usize::from(ends_at == Stop::Never), "{ends_at:?}");
    }
    // Still in the queue.
    let slow = |stage: &Stage<Vendor>| {
        stage.with(|vendor| vendor.queue_time = SignedDuration::from_mins(30))
    };
    let (stage, world, report) = everywhere(slow, json!({"timeoutMinutes": 2})).await;
    assert!(
        failure(report)
            .1
            .contains("did not end within 2 minutes and was stopped")
    );
    assert_eq!(stage.with(|vendor| vendor.alive(world.time.now())), 0);
    // Not allowed.
    let may_not = |stage: &Stage<Vendor>| {
        stage.always("POST", "/1/stop", Trick::status(403));
    };
    let (_, message) = failure(everywhere(may_not, json!({"timeoutMinutes": 2})).await.2);
    assert!(
        message.contains(
            "Jenkins does not let pipeline stop it: give that user the permission Job/Cancel"
        ),
        "{message}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_build_merged_with_a_strangers_is_waited_for_and_not_stopped() {
    let (stage, world) = (stage(), World::new(Mode::Work));
    let action = action(&world, &stage);
    stage.with(|vendor| vendor.queue("team/feature%2Fx", &[("REF", "main")], world.time.now()));
    let more = json!({"job": "team/feature%2Fx", "timeoutMinutes": 2});
    let report = world.play(&action, &event(&more)).await;
    let (_, message) = failure(report);
    assert!(
        message.contains("somebody else had queued the same build, so it goes on"),
        "{message}"
    );
    assert_eq!(
        stage.with(|vendor| (vendor.starts(), vendor.alive(world.time.now()))),
        (1, 1)
    );
}

#[tokio::test(start_paused = true)]
async fn any_call_may_fail_or_be_cut_off() {
    let stages = RefCell::new(stage());
    let calls = repeat_and_fail(
        &event(&json!({})),
        |world| {
            let fresh = stage();
            fresh.with(|vendor| vendor.build_time = SignedDuration::from_secs(20));
            let action = action(world, &fresh);
            stages.replace(fresh);
            action
        },
        |_, report, mode| {
            let starts = stages.borrow().with(|vendor| vendor.starts());
            match report {
                Report::Success { .. } => assert_eq!(starts, 1, "{mode:?}"),
                Report::Failure { message, .. } => {
                    assert_ne!(mode, Mode::Work, "{message}");
                    assert!(starts <= 1, "{mode:?}: {message}");
                }
                Report::Continue { .. } => unreachable!("{mode:?}"),
            }
        },
    )
    .await;
    for call in [
        "the job",
        "the start of the build",
        "the queue item",
        "the build",
        "artifact upload",
        "ledger started",
    ] {
        assert!(calls.contains(&call), "{call}: {calls:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_given_up_is_ended() {
    let stages = RefCell::new(stage());
    give_up_and_fail(
        &event(&json!({})),
        2,
        |world| {
            let fresh = stage();
            fresh.with(|vendor| vendor.build_time = SignedDuration::from_hours(9));
            let action = action(world, &fresh);
            stages.replace(fresh);
            action
        },
        |world, host, mode| {
            let seen = stages
                .borrow()
                .with(|vendor| (vendor.starts(), vendor.alive(world.time.now())));
            assert!(seen.0 <= 1, "{host:?} {mode:?}: {seen:?}");
            assert_eq!(seen.1, 0, "{host:?} {mode:?}: still alive");
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_path_out_of_the_artifact_is_refused() {
    let arrange = |stage: &Stage<Vendor>| {
        let artifacts = vec![("../evil".to_owned(), "x".to_owned())];
        next(
            stage,
            Outcome {
                artifacts,
                ..Outcome::of("SUCCESS")
            },
        );
    };
    let (kind, message) = failure(everywhere(arrange, json!({})).await.2);
    assert_eq!(kind, FailureKind::RevisionUnavailable);
    assert!(
        message.contains("\"../evil\", which leads out of the artifact"),
        "{message}"
    );
}
