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
    Failing, Host, Mode, VirtualTime, World, describes, events, give_up_and_fail,
    memory::{MemoryArtifacts, MemoryLedger, MemorySecrets},
    repeat_and_fail,
};
use stagewright_standins::{
    InMemory, Reply, Stage, Trick,
    loadrunner_cloud::{LoadRunnerCloud as Vendor, Run},
};

use crate::{LoadRunnerCloud, params::Params};

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
    let mut parameters = good();
    for (name, value) in more.as_object().into_iter().flatten() {
        parameters[name] = value.clone();
    }
    if let Some(all) = parameters.as_object_mut() {
        all.retain(|_, value| !value.is_null());
    }
    let mut event = events::job(&parameters);
    if output {
        event["CodePipeline.job"]["data"]["outputArtifacts"] = json!([{
            "name": "Report", "revision": null,
            "location": {"type": "S3", "s3Location": {"bucketName": "store", "objectKey": "report.zip"}}
        }]);
    }
    event
}

/// Plays on one host; nothing that comes out may hold a planted secret.
async fn play_on(host: Host, stage: &Stage<Vendor>, event: &Value) -> (World, Report) {
    let world = World::new(Mode::Work);
    let action = action(&world, stage);
    let report = world.play_on(host, &action, event).await;
    let told = format!("{:?} {report:?} {action:?}", world.reporter.inner.taken());
    assert!(!told.contains("planted"), "{told}");
    (world, report)
}

/// The same outcome on all hosts, with at most one run.
async fn everywhere(
    arrange: impl Fn(&Stage<Vendor>),
    more: Value,
    output: bool,
) -> (Stage<Vendor>, World, Report) {
    let mut last = None;
    for host in Host::ALL {
        let stage = Stage::default();
        arrange(&stage);
        let (world, report) = play_on(host, &stage, &event(&more, output)).await;
        assert!(ours(&stage) <= 1, "{host:?}: started twice");
        last = Some((stage, world, report));
    }
    last.expect("four hosts")
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

fn failure(report: Report) -> (FailureKind, String) {
    match report {
        Report::Failure { kind, message, .. } => (kind, message),
        report => unreachable!("{report:?}"),
    }
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

#[tokio::test(start_paused = true)]
async fn each_end_has_its_own_sentence() {
    use FailureKind::JobFailed;
    let ends: [(&'static str, &str); 6] = [
        ("FAILED", "failed: its goals were not met (FAILED)"),
        (
            "STOPPED",
            "was stopped before its end (STOPPED): ask who stopped it",
        ),
        (
            "HALTED",
            "was halted before its end (HALTED): ask who halted it",
        ),
        (
            "ABORTED",
            "was aborted without results (ABORTED): look at its load generators",
        ),
        (
            "SYSTEM_ERROR",
            "ended with an error of LoadRunner Cloud itself (SYSTEM_ERROR): retry the stage",
        ),
        (
            "DREAMING",
            "ended with the status \"DREAMING\", which this version of the function does not know",
        ),
    ];
    for (end, want) in ends {
        for output in [false, true] {
            let arrange = |stage: &Stage<Vendor>| stage.with(|vendor| vendor.end = end);
            let (_, world, report) = everywhere(arrange, json!({}), output).await;
            let (kind, message) = failure(report);
            assert_eq!(kind, JobFailed, "{message}");
            assert!(
                message.starts_with(&format!("{WHAT} {want}")) && message.ends_with(LINK),
                "{message}"
            );
            let report = world.artifacts.inner.get("store", "report.zip");
            let expected = output && ["FAILED", "STOPPED", "HALTED"].contains(&end);
            assert_eq!(report.is_some(), expected, "{end}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn our_own_thresholds_fail_a_test_that_passed() {
    let strict = json!({"maxFailedPercent": 1, "maxPercentileMs": 1_000});
    let (_, _, report) = everywhere(|_| {}, strict.clone(), false).await;
    let (kind, message) = failure(report);
    assert_eq!(kind, FailureKind::JobFailed);
    let want = "passed at LoadRunner Cloud, but not here: 2.0 % of the transactions failed, more than 1 % \
                (maxFailedPercent); \"Pay\" took 1500 ms at the 90th percentile, more than 1000 (maxPercentileMs)";
    assert!(message.contains(want), "{message}");
    let (_, _, report) = everywhere(
        |stage| stage.with(|vendor| vendor.end = "FAILED"),
        strict,
        false,
    )
    .await;
    let message = failure(report).1;
    assert!(
        message.contains("its goals were not met (FAILED): 2.0 % of"),
        "{message}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_run_that_does_not_end_is_stopped() {
    for (status, minutes, want) in [
        (
            "RUNNING",
            12,
            "did not end within 12 minutes and was stopped",
        ),
        (
            "INITIALIZING",
            30,
            "is INITIALIZING for 10 minutes: it was told to stop; look at its load generators",
        ),
        (
            "STOPPING",
            30,
            "is STOPPING for 10 minutes: it was told to stop",
        ),
        (
            "PASSED",
            12,
            "did not end within 12 minutes and was stopped",
        ),
    ] {
        let arrange = |stage: &Stage<Vendor>| stage.with(|vendor| vendor.sticks = Some(status));
        let (stage, _, report) =
            everywhere(arrange, json!({"timeoutMinutes": minutes}), false).await;
        let (kind, message) = failure(report);
        assert_eq!(kind, FailureKind::JobFailed);
        assert!(message.contains(want), "{message}");
        assert!(
            stage.with(|vendor| vendor.runs[0].stopped.is_some()),
            "{message}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_report_that_is_never_ready_is_not_waited_for_for_ever() {
    use FailureKind::{JobFailed, SystemUnavailable};
    for minutes in [3, 240] {
        for (end, kind, want) in [
            (
                "PASSED",
                SystemUnavailable,
                "passed, but LoadRunner Cloud did not make its reports in time",
            ),
            ("FAILED", JobFailed, "its goals were not met"),
        ] {
            let stage: Stage<Vendor> = Stage::default();
            stage.with(|vendor| {
                vendor.end = end;
                vendor.report_takes = SignedDuration::from_hours(20);
            });
            let event = event(&json!({"timeoutMinutes": minutes}), true);
            let (_, report) = play_on(Host::Invoke, &stage, &event).await;
            let (is, message) = failure(report);
            assert!(is == kind && message.contains(want), "{message}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn refusals_and_bad_answers_say_what_to_do() {
    use FailureKind::{ConfigurationError, JobFailed, PermissionError, SystemUnavailable};
    let short = || json!({"timeoutMinutes": 5});
    let nothing: Arrange = |_| {};
    let contradicting: Arrange = |stage| {
        let body = json!({"uiStatus": "RUNNING", "isTerminated": true});
        stage.always(
            "GET",
            "/test-runs/900",
            Trick::Reply(Reply::json(200, &body)),
        );
    };
    let shapeless: Arrange = |stage| {
        stage.always(
            "GET",
            "",
            Trick::Reply(Reply::json(200, &json!({"isTerminated": "yes"}))),
        );
    };
    let cases: [(Arrange, Value, FailureKind, &str); 17] = [
        (
            nothing,
            json!({"clientSecret": "ssm:/wrong"}),
            PermissionError,
            "did not accept the credentials for the login (status 401): renew the secret",
        ),
        (
            nothing,
            json!({"clientSecret": "ssm:/absent"}),
            ConfigurationError,
            "the secret ssm:/absent was not found",
        ),
        (
            nothing,
            json!({"tenant": "653"}),
            PermissionError,
            "does not allow the login",
        ),
        (
            nothing,
            json!({"test": 99}),
            ConfigurationError,
            "knows nothing of the start",
        ),
        (
            nothing,
            json!({"test": 0}),
            ConfigurationError,
            "test must be from 1 to",
        ),
        (
            nothing,
            json!({"clientId": null}),
            ConfigurationError,
            "missing field `clientId`",
        ),
        (
            |stage| {
                stage.always("POST", "/runs", Trick::status(403));
            },
            json!({}),
            PermissionError,
            "does not allow the start",
        ),
        (
            |stage| {
                stage.always("", "/test-runs", Trick::status(401));
            },
            json!({}),
            PermissionError,
            "did not accept the credentials for the run",
        ),
        (
            |stage| {
                stage.always("POST", "/runs", Trick::throttled(None));
            },
            short(),
            SystemUnavailable,
            "could not be started within 300 s",
        ),
        (
            |stage| {
                stage.always("POST", "/auth-client", Trick::status(503));
            },
            short(),
            SystemUnavailable,
            "could not be started within 300 s",
        ),
        (
            |stage| {
                stage.always("GET", "", Trick::throttled(Some("100")));
            },
            short(),
            SystemUnavailable,
            "last seen: LoadRunner Cloud throttled the run (status 429)",
        ),
        (
            |stage| {
                stage.always("GET", "", Trick::html());
            },
            json!({}),
            JobFailed,
            "answered the run with an HTML page",
        ),
        (
            |stage| {
                stage.always("GET", "", Trick::empty());
            },
            json!({}),
            JobFailed,
            "answered the run with an empty answer",
        ),
        (
            |stage| {
                stage.always("GET", "", Trick::huge());
            },
            json!({}),
            JobFailed,
            "answered the run with more than 1048576 bytes",
        ),
        (
            |stage| {
                stage.always("GET", "", Trick::status(404));
            },
            json!({}),
            ConfigurationError,
            "knows nothing of the run",
        ),
        (
            shapeless,
            json!({}),
            JobFailed,
            "JSON of an unexpected shape (at isTerminated)",
        ),
        (
            contradicting,
            json!({}),
            JobFailed,
            "contradicts itself about load test 17 of LoadRunner Cloud: it is RUNNING and terminated",
        ),
    ];
    for (arrange, more, kind, want) in cases {
        let (_, _, report) = everywhere(arrange, more, false).await;
        let (is, message) = failure(report);
        assert!(is == kind && message.contains(want), "{is:?} {message}");
    }
    for trick in [
        Trick::html(),
        Trick::empty(),
        Trick::Reply(Reply::json(200, &json!({"message": "Broken"}))),
    ] {
        let stage: Stage<Vendor> = Stage::default();
        stage.always("GET", "/reports/", trick.clone());
        let (_, report) = play_on(Host::Invoke, &stage, &event(&json!({}), true)).await;
        let (kind, message) = failure(report);
        assert!(
            kind == JobFailed && message.contains("answered the report with"),
            "{trick:?} {message}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_passes_is_waited_for() {
    for trick in [
        Trick::throttled(Some("3")),
        Trick::throttled(None),
        Trick::status(502),
        Trick::status(404),
        Trick::status(401),
        Trick::NeverArrives,
        Trick::LostAnswer,
        Trick::Truncated,
        Trick::Hang,
        Trick::html(),
    ] {
        let stage: Stage<Vendor> = Stage::default();
        stage.trick("GET", "", 2, trick.clone());
        stage.trick("GET", "/reports/", 2, trick.clone());
        let (_, report) = play_on(Host::Invoke, &stage, &event(&json!({}), true)).await;
        assert!(
            matches!(report, Report::Success { .. }),
            "{trick:?}: {report:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_start_whose_answer_is_lost_is_adopted_while_it_is_active() {
    let long =
        |stage: &Stage<Vendor>| stage.with(|vendor| vendor.takes = SignedDuration::from_mins(20));
    for trick in [
        Trick::LostAnswer,
        Trick::Truncated,
        Trick::Hang,
        Trick::ReplyAfter(Reply::html(500, "x")),
        Trick::ReplyAfter(Reply::html(200, "x")),
    ] {
        let arrange = |stage: &Stage<Vendor>| {
            long(stage);
            // A stranger's, of the same test and earlier, and one of another test.
            stage.with(|vendor| {
                let earlier = Duration::from_secs(300);
                vendor
                    .runs
                    .push(stranger(898, 17, shared_testkit::time::BEGINNING - earlier));
                vendor
                    .runs
                    .push(stranger(899, 18, shared_testkit::time::BEGINNING));
            });
            stage.trick("POST", "/runs", 1, trick.clone());
        };
        let (stage, _, report) = everywhere(arrange, json!({}), false).await;
        assert!(
            matches!(report, Report::Success { .. }),
            "{trick:?}: {report:?}"
        );
        assert_eq!(stage.count("POST", "/runs"), 1, "{trick:?}");
    }
    // Ended by the time it is looked for, never arrived, or one of two: nothing is started again.
    let two = |stage: &Stage<Vendor>| {
        long(stage);
        let run = stranger(899, 17, shared_testkit::time::BEGINNING);
        stage.with(|vendor| vendor.runs.push(run));
        stage.trick("POST", "/runs", 1, Trick::LostAnswer);
    };
    let gone = |stage: &Stage<Vendor>| {
        stage.with(|vendor| vendor.takes = SignedDuration::from_secs(10));
        stage.trick("POST", "/runs", 1, Trick::LostAnswer);
    };
    let never = |stage: &Stage<Vendor>| {
        stage.trick("POST", "/runs", 1, Trick::status(500));
    };
    for arrange in [&two as &dyn Fn(&Stage<Vendor>), &gone, &never] {
        let (stage, _, report) = everywhere(arrange, json!({}), false).await;
        let (_, message) = failure(report);
        let want = "look at the runs of load test 17 in project 1 of LoadRunner Cloud, which lists active runs only, then \
                    retry the stage";
        assert!(message.contains(want), "{message}");
        assert_eq!(stage.count("POST", "/runs"), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stopped_pipeline_stops_the_run_and_may_do_so_twice() {
    let stage: Stage<Vendor> = Stage::default();
    let world = World::new(Mode::Work);
    let action = action(&world, &stage);
    world.deliver(&action, &event(&json!({}), false)).await;
    let params: Params = serde_json::from_value(good()).unwrap();
    let stop = async |run| {
        let stop = Stop {
            params: &params,
            run,
            now: world.time.now(),
            budget: Duration::from_secs(30),
        };
        action.stop(stop).await.map_err(|fault| fault.public)
    };
    assert_eq!(stop("900").await, Ok(()));
    assert!(stage.with(|vendor| vendor.runs[0].stopped.is_some()));
    tokio::time::advance(Duration::from_secs(60)).await;
    assert_eq!(stop("900").await, Ok(()), "it has ended");
    assert_eq!(stop("77").await, Ok(()), "there is no such run");
    stage.always("PUT", "", Trick::status(403));
    let refused = stop("900").await.unwrap_err();
    assert!(refused.contains("does not allow the stop"), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn any_call_may_fail_or_be_cut_off_and_one_run_is_started() {
    let stages = RefCell::new(Vec::new());
    let calls = repeat_and_fail(
        &event(&json!({}), true),
        |world| {
            let stage: Stage<Vendor> = Stage::default();
            // Long enough to be active when a claim is over.
            stage.with(|vendor| {
                vendor.takes = SignedDuration::from_secs(150);
                vendor.report_takes = SignedDuration::from_secs(10);
            });
            stages.borrow_mut().push(stage.clone());
            action(world, &stage)
        },
        |_, report, mode| {
            let stage = stages.borrow().last().cloned().expect("the run's own");
            let runs = ours(&stage);
            assert!(runs <= 1, "{mode:?}: {runs} runs");
            match report {
                Report::Success { variables, .. } => {
                    assert_eq!((variables["RunId"].as_str(), runs), ("900", 1))
                }
                Report::Failure { kind, message, .. } => {
                    assert_ne!(mode, Mode::Work);
                    // A start that was never sent cannot be told from one that has ended: nothing is started again.
                    let refused = message.contains("lists active runs only") && runs == 0;
                    assert!(
                        refused || *kind == FailureKind::SystemUnavailable,
                        "{mode:?}: {message}"
                    );
                }
                Report::Continue { .. } => unreachable!("{mode:?}"),
            }
        },
    )
    .await;
    for call in [
        "the login",
        "the start",
        "the run",
        "making a report",
        "the report",
        "artifact upload",
    ] {
        assert!(calls.contains(&call), "{calls:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_pipeline_gives_up_is_stopped_whatever_goes_wrong() {
    let stages = RefCell::new(Vec::new());
    give_up_and_fail(
        &event(&json!({}), false),
        2,
        |world| {
            let stage: Stage<Vendor> = Stage::default();
            stage.with(|vendor| vendor.sticks = Some("RUNNING"));
            stages.borrow_mut().push(stage.clone());
            action(world, &stage)
        },
        |_, host, mode| {
            let stage = stages.borrow().last().cloned().expect("the run's own");
            let runs = stage.with(|vendor| vendor.runs.clone());
            assert!(runs.len() <= 1, "{host:?} {mode:?}: {runs:?}");
            let stopped = runs.iter().all(|run| run.stopped.is_some());
            assert!(stopped, "{host:?} {mode:?}: {runs:?}");
        },
    )
    .await;
}
