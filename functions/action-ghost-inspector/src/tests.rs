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
    Failing, Host, Mode, VirtualTime, World, describes, events, give_up_and_fail,
    memory::{MemoryArtifacts, MemoryLedger, MemorySecrets},
    repeat_and_fail,
};
use stagewright_standins::{
    InMemory, Reply, Stage, Trick,
    ghost_inspector::{Fate, GhostInspector as Vendor, Run},
};

use crate::{GhostInspector, params::Params};

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
    let mut parameters = json!({"suite": "5f1", "apiKey": "ssm:/gi"});
    for (name, value) in more.as_object().into_iter().flatten() {
        parameters[name] = value.clone();
    }
    let parameters = match parameters {
        Value::Object(all) => all
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .collect(),
        other => other,
    };
    let mut event = events::job(&parameters);
    event["CodePipeline.job"]["data"]["outputArtifacts"] = json!([{
        "name": "Report", "revision": null,
        "location": {"type": "S3", "s3Location": {"bucketName": "store", "objectKey": "report.zip"}}
    }]);
    event
}

/// Plays on one host; nothing that comes out may hold a planted secret.
async fn play_on(host: Host, stage: &Stage<Vendor>, more: &Value) -> (World, Report) {
    let world = World::new(Mode::Work);
    let action = action(&world, stage);
    let report = world.play_on(host, &action, &event(more)).await;
    let told = format!("{:?} {report:?} {action:?}", world.reporter.inner.taken());
    assert!(!told.contains("planted"), "{told}");
    (world, report)
}

/// The same outcome on all hosts.
async fn everywhere(
    arrange: impl Fn(&Stage<Vendor>),
    more: Value,
) -> (Stage<Vendor>, World, Report) {
    let mut last = None;
    for host in Host::ALL {
        let stage = Stage::default();
        arrange(&stage);
        let (world, report) = play_on(host, &stage, &more).await;
        assert!(
            stage.with(|vendor| vendor.runs.len()) <= 1,
            "{host:?}: started twice"
        );
        assert_eq!(
            stage.with(|vendor| vendor.blocked),
            0,
            "{host:?}: without immediate=1"
        );
        assert_eq!(
            stage.count("GET", "execute"),
            0,
            "{host:?}: a GET starts as well"
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

#[tokio::test(start_paused = true)]
async fn each_bad_end_has_its_own_sentence() {
    use FailureKind::JobFailed;
    let strict = json!({"failOnScreenshots": true});
    for (fate, more, kind, want) in [
        (
            Fate::Cancelled,
            json!({}),
            JobFailed,
            "was cancelled at Ghost Inspector before it had a result",
        ),
        (
            Fate::Screenshots,
            strict,
            JobFailed,
            "screenshots differ from the approved ones: Log in, Pay, Log out: approve them",
        ),
        (
            Fate::Contradiction,
            json!({}),
            JobFailed,
            "contradicts itself about the result",
        ),
        (
            Fate::Never,
            json!({"timeoutMinutes": 5}),
            JobFailed,
            "did not end within 5 minutes and was stopped",
        ),
    ] {
        let arrange = |stage: &Stage<Vendor>| {
            stage.with(|vendor| {
                vendor.fate = fate;
                vendor.tests[1].1 = fate != Fate::Contradiction;
            });
        };
        let (stage, _, report) = everywhere(arrange, more).await;
        let (is, message) = failure(report);
        assert_eq!(is, kind, "{message}");
        assert!(message.contains(want), "{message}");
        assert!(
            message.contains("https://app.ghostinspector.com/suite-results/"),
            "{message}"
        );
        let cancelled = stage.with(|vendor| vendor.runs[0].cancelled.is_some());
        assert_eq!(cancelled, fate == Fate::Never, "{message}");
    }
    let stage: Stage<Vendor> = Stage::default();
    stage.with(|vendor| vendor.fate = Fate::Screenshots);
    let (_, report) = play_on(Host::Task, &stage, &json!({})).await;
    assert!(matches!(report, Report::Success { .. }), "{report:?}");
}

#[tokio::test(start_paused = true)]
async fn refusals_and_bad_answers_say_what_to_do() {
    use FailureKind::{ConfigurationError, JobFailed, PermissionError, SystemUnavailable};
    let short = json!({"timeoutMinutes": 5});
    let no_tests = |stage: &Stage<Vendor>| stage.with(|vendor| vendor.tests.clear());
    type Arrange = fn(&Stage<Vendor>);
    let nothing: Arrange = |_| {};
    let cases: [(Arrange, Value, FailureKind, &str); 15] = [
        (
            nothing,
            json!({"apiKey": "ssm:/wrong"}),
            PermissionError,
            "did not accept the API key for the start: API key is not valid: [redacted]; renew the secret",
        ),
        (
            nothing,
            json!({"apiKey": "ssm:/absent"}),
            ConfigurationError,
            "the secret ssm:/absent was not found",
        ),
        (
            nothing,
            json!({"suite": "5f2"}),
            ConfigurationError,
            "refused the start (VALIDATION_ERROR): Suite or test not found",
        ),
        (
            nothing,
            json!({"suite": "a/b"}),
            ConfigurationError,
            "suite must be an id of Ghost Inspector",
        ),
        (
            no_tests,
            json!({}),
            ConfigurationError,
            "the suite has no test that can be run",
        ),
        (
            |stage| {
                stage.always("POST", "", Trick::status(403));
            },
            json!({}),
            PermissionError,
            "does not allow the start",
        ),
        (
            |stage| {
                stage.always("POST", "", Trick::throttled(None));
            },
            short.clone(),
            SystemUnavailable,
            "could not be started within 300 s",
        ),
        (
            |stage| {
                stage.always("GET", "", Trick::throttled(Some("100")));
            },
            short.clone(),
            SystemUnavailable,
            "last seen: Ghost Inspector throttled the result (status 429)",
        ),
        (
            |stage| {
                stage.always("GET", "", Trick::status(502));
            },
            short.clone(),
            SystemUnavailable,
            "last seen: Ghost Inspector is not well",
        ),
        (
            |stage| {
                stage.always("GET", "", Trick::html());
            },
            json!({}),
            JobFailed,
            "answered the result with an HTML page",
        ),
        (
            |stage| {
                stage.always("GET", "", Trick::empty());
            },
            json!({}),
            JobFailed,
            "answered the result with an empty answer",
        ),
        (
            |stage| {
                stage.always("GET", "", Trick::huge());
            },
            json!({}),
            JobFailed,
            "answered the result with more than 1048576 bytes",
        ),
        (
            |stage| {
                stage.always("GET", "", Trick::status(404));
            },
            json!({}),
            ConfigurationError,
            "knows nothing of the result",
        ),
        (
            |stage| {
                stage.always(
                    "GET",
                    "",
                    Trick::Reply(Reply::json(
                        200,
                        &json!({"code": "SUCCESS", "data": {"passing": "yes"}}),
                    )),
                );
            },
            json!({}),
            JobFailed,
            "JSON of an unexpected shape",
        ),
        (
            |stage| {
                stage.always("GET", "xunit", Trick::html());
            },
            json!({}),
            JobFailed,
            "answered the xUnit report with something that is none",
        ),
    ];
    for (arrange, more, kind, want) in cases {
        let (_, _, report) = everywhere(arrange, more).await;
        let (is, message) = failure(report);
        assert!(is == kind && message.contains(want), "{is:?} {message}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_passes_is_waited_for() {
    for trick in [
        Trick::throttled(Some("3")),
        Trick::throttled(None),
        Trick::status(503),
        Trick::status(404),
        Trick::NeverArrives,
        Trick::LostAnswer,
        Trick::Truncated,
        Trick::Hang,
        Trick::html(),
        Trick::Slow(Duration::from_secs(300)),
    ] {
        let stage: Stage<Vendor> = Stage::default();
        stage.trick("GET", "", 2, trick.clone());
        let (_, report) = play_on(Host::Invoke, &stage, &json!({})).await;
        assert!(
            matches!(report, Report::Success { .. }),
            "{trick:?}: {report:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_start_whose_answer_is_lost_is_found_again() {
    for kind in [json!({}), json!({"suite": null, "test": "6a1"})] {
        for trick in [
            Trick::LostAnswer,
            Trick::Truncated,
            Trick::Hang,
            Trick::ReplyAfter(Reply::html(500, "x")),
            Trick::ReplyAfter(Reply::html(200, "x")),
        ] {
            let arrange = |stage: &Stage<Vendor>| {
                stage.trick("POST", "execute", 1, trick.clone());
            };
            let (stage, _, report) = everywhere(arrange, kind.clone()).await;
            assert!(
                matches!(report, Report::Success { .. }),
                "{trick:?}: {report:?}"
            );
            assert_eq!(stage.count("POST", "execute"), 1, "{trick:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_strangers_run_is_not_ours() {
    // The start arrived and its answer was lost; and it never arrived.
    for (trick, starts) in [(Trick::LostAnswer, 1), (Trick::status(500), 2)] {
        for host in Host::ALL {
            let stage: Stage<Vendor> = Stage::default();
            stage.with(|vendor| {
                vendor.runs.push(Run {
                    id: "00000000000000000000000a".to_owned(),
                    kind: "suites".to_owned(),
                    of: "5f1".to_owned(),
                    created: shared_testkit::time::BEGINNING,
                    cancelled: None,
                    variables: BTreeMap::from([("cpJobId".to_owned(), "a stranger's".to_owned())]),
                    fields: BTreeMap::new(),
                });
            });
            stage.trick("POST", "execute", 1, trick.clone());
            let (_, report) = play_on(host, &stage, &json!({})).await;
            let Report::Success { variables, .. } = report else {
                unreachable!("{host:?} {trick:?}: {report:?}");
            };
            assert_eq!(
                variables["ResultIds"], "00000000000000005f000001",
                "{host:?}"
            );
            assert_eq!(stage.count("POST", "execute"), starts);
            assert_eq!(stage.with(|vendor| vendor.runs.len()), 2);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_does_not_say_whose_it_is_keeps_a_second_from_being_started() {
    // A run of somebody else's that shows no variables: it cannot be told whether it is ours.
    let stage: Stage<Vendor> = Stage::default();
    stage.trick(
        "POST",
        "execute",
        1,
        Trick::ReplyAfter(Reply::html(500, "x")),
    );
    let untold = json!({"code": "SUCCESS", "data": [{"_id": "x", "passing": null}]});
    stage.always(
        "GET",
        "/suite-results/",
        Trick::Reply(Reply::json(200, &untold)),
    );
    let (_, report) = play_on(Host::Invoke, &stage, &json!({})).await;
    let (_, message) = failure(report);
    assert!(
        message.contains("look at https://app.ghostinspector.com/suites/5f1, then retry the stage"),
        "{message}"
    );
    assert_eq!(stage.count("POST", "execute"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_stopped_pipeline_cancels_the_run_and_may_do_so_twice() {
    for more in [
        json!({"suite": "5f1", "apiKey": "ssm:/gi"}),
        json!({"test": "6a1", "apiKey": "ssm:/gi"}),
    ] {
        let stage: Stage<Vendor> = Stage::default();
        stage.with(|vendor| vendor.browsers = 2);
        let world = World::new(Mode::Work);
        let action = action(&world, &stage);
        let mut job = event(&more);
        job["CodePipeline.job"]["data"]["actionConfiguration"]["configuration"]["UserParameters"] =
            json!(more.to_string());
        world.deliver(&action, &job).await;
        let entries = world.ledger.inner.entries();
        let Some(LedgerEntry::Started { run }) = entries.values().next() else {
            unreachable!("{entries:?}");
        };
        let params: Params = serde_json::from_value(more).unwrap();
        for _ in 0..2 {
            let stop = Stop {
                params: &params,
                run,
                now: world.time.now(),
                budget: Duration::from_secs(30),
            };
            action.stop(stop).await.unwrap();
        }
        assert!(stage.with(|vendor| vendor.runs.iter().all(|run| run.cancelled.is_some())));
        stage.always("POST", "", Trick::status(403));
        let stop = Stop {
            params: &params,
            run,
            now: world.time.now(),
            budget: Duration::from_secs(30),
        };
        let fault = action.stop(stop).await.unwrap_err();
        assert!(
            fault.public.contains("does not allow the cancellation"),
            "{}",
            fault.public
        );
    }
}

#[tokio::test(start_paused = true)]
async fn any_call_may_fail_or_be_cut_off_and_one_run_is_started() {
    let stages = std::cell::RefCell::new(Vec::new());
    let calls = repeat_and_fail(
        &event(&json!({})),
        |world| {
            let stage = Stage::default();
            stages.borrow_mut().push(stage.clone());
            action(world, &stage)
        },
        |_, report, mode| {
            let stage = stages.borrow().last().cloned().expect("the run's own");
            let runs = stage.with(|vendor| vendor.runs.len());
            assert!(runs <= 1, "{mode:?}: {runs} runs");
            match report {
                Report::Success { variables, .. } => {
                    assert_eq!((variables["Passed"].as_str(), runs), ("3", 1))
                }
                Report::Failure { kind, message, .. } => {
                    assert_ne!(mode, Mode::Work);
                    assert_eq!(*kind, FailureKind::SystemUnavailable, "{mode:?}: {message}");
                }
                Report::Continue { .. } => unreachable!("{mode:?}"),
            }
        },
    )
    .await;
    for call in [
        "the start",
        "the result",
        "the xUnit report",
        "artifact upload",
    ] {
        assert!(calls.contains(&call), "{calls:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_pipeline_gives_up_is_cancelled_whatever_goes_wrong() {
    let stages = std::cell::RefCell::new(Vec::new());
    give_up_and_fail(
        &event(&json!({})),
        2,
        |world| {
            let stage: Stage<Vendor> = Stage::default();
            stage.with(|vendor| vendor.fate = Fate::Never);
            stages.borrow_mut().push(stage.clone());
            action(world, &stage)
        },
        |world, host, mode| {
            let stage = stages.borrow().last().cloned().expect("the run's own");
            let runs = stage.with(|vendor| vendor.runs.clone());
            let calls = world.plan.calls();
            assert!(runs.len() <= 1, "{host:?} {mode:?}: {runs:?}");
            assert!(
                runs.iter().all(|run| run.cancelled.is_some()),
                "{host:?} {mode:?}: {runs:?} {calls:?}"
            );
        },
    )
    .await;
}
