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
    Failing, Host, Learns, Mode, VirtualTime, World, describes, events,
    memory::{MemoryArtifacts, MemoryLedger, MemorySecrets},
    repeat_and_fail,
};
use stagewright_standins::{
    InMemory, Reply, Stage, Trick,
    blazemeter_monitoring::{BlazeMeterMonitoring as Vendor, Run},
};

use crate::{BlazeMeterMonitoring, params::Params};

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
    let mut parameters = good();
    for (name, value) in more.as_object().into_iter().flatten() {
        parameters[name] = value.clone();
    }
    if let Some(all) = parameters.as_object_mut() {
        all.retain(|_, value| !value.is_null());
    }
    let mut event = events::job(&parameters);
    event["CodePipeline.job"]["data"]["outputArtifacts"] = json!([{
        "name": "Results", "revision": null,
        "location": {"type": "S3", "s3Location": {"bucketName": "store", "objectKey": "results.zip"}}
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

/// The same outcome on all hosts, with at most one trigger taken.
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
            stage.with(|vendor| vendor.triggered.len()) <= 1,
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
async fn each_bad_end_has_its_own_sentence() {
    let ends = |ends: &[&'static str], broken: usize| {
        let ends = ends.to_vec();
        move |stage: &Stage<Vendor>| {
            stage.with(|vendor| {
                vendor.spread = ends.len() + broken;
                vendor.broken = broken;
                vendor.ends = ends.clone();
            });
        }
    };
    for (arrange, want) in [
        (
            ends(&["fail"], 0),
            format!("{WHAT}: 1 of 1 runs did not pass: 1 of 5 assertions failed in {LINK}"),
        ),
        (
            ends(&["canceled", "pass"], 0),
            format!(
                "{WHAT}: 1 of 2 runs did not pass: canceled at BlazeMeter before its end: {LINK}"
            ),
        ),
        (
            ends(&["dreaming"], 0),
            format!(
                "{WHAT}: 1 of 1 runs did not pass: ended as \"dreaming\", which this version of the function does not know: {LINK}"
            ),
        ),
        (
            ends(&["pass"], 2),
            format!("{WHAT}: 2 of 3 runs did not pass: 2 could not be started — {LINK}"),
        ),
    ] {
        let (_, world, report) = everywhere(arrange, json!({})).await;
        assert_eq!(failure(report), (FailureKind::JobFailed, want));
        assert!(world.artifacts.inner.get("store", "results.zip").is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn runs_that_do_not_end_are_told_to_go_on() {
    let arrange = |stage: &Stage<Vendor>| stage.with(|vendor| vendor.endless = true);
    let (_, _, report) = everywhere(arrange, json!({"timeoutMinutes": 5})).await;
    let (kind, message) = failure(report);
    assert_eq!(kind, FailureKind::JobFailed);
    let want = "did not end within 5 minutes and could not be stopped: BlazeMeter API Monitoring has no call that ends a run: \
                it goes on to its own end";
    assert!(message.contains(want), "{message}");
}

#[tokio::test(start_paused = true)]
async fn refusals_and_bad_answers_say_what_to_do() {
    use FailureKind::{ConfigurationError, JobFailed, PermissionError, SystemUnavailable};
    let short = || json!({"timeoutMinutes": 5});
    let nothing: Arrange = |_| {};
    let contradicting: Arrange = |stage| {
        let body = json!({"data": {"result": "pass", "assertions_failed": 2, "finished_at": 1.5}});
        stage.always("GET", "/results/", Trick::Reply(Reply::json(200, &body)));
    };
    let empty: Arrange = |stage| stage.with(|vendor| vendor.spread = 0);
    let broken: Arrange = |stage| {
        stage.with(|vendor| {
            vendor.spread = 2;
            vendor.broken = 2;
        });
    };
    let cases: [(Arrange, Value, FailureKind, &str); 17] = [
        (
            nothing,
            json!({"token": "ssm:/wrong"}),
            PermissionError,
            "does not allow the result to the user of these credentials (status 403)",
        ),
        (
            nothing,
            json!({"token": "ssm:/absent"}),
            ConfigurationError,
            "the secret ssm:/absent was not found",
        ),
        (
            nothing,
            json!({"trigger": "ssm:/odd"}),
            ConfigurationError,
            "the secret that trigger names holds no trigger",
        ),
        (
            nothing,
            json!({"trigger": "ssm:/wrong"}),
            ConfigurationError,
            "knows nothing of the trigger",
        ),
        (
            nothing,
            json!({"bucket": null}),
            ConfigurationError,
            "give bucket and test together",
        ),
        (
            nothing,
            json!({"variables": {"runscope_region": "us1"}}),
            ConfigurationError,
            "variables cannot hold runscope_region",
        ),
        (
            empty,
            json!({}),
            ConfigurationError,
            "the trigger started nothing: give the test or bucket an environment",
        ),
        (
            broken,
            json!({}),
            ConfigurationError,
            "none of the trigger's 2 runs could be started",
        ),
        (
            |stage| {
                stage.always(
                    "POST",
                    "",
                    Trick::Reply(Reply::json(
                        400,
                        &json!({"error": {"message": "No planted-trigger here"}}),
                    )),
                );
            },
            json!({}),
            ConfigurationError,
            "refused the trigger with status 400: No [redacted] here",
        ),
        (
            |stage| {
                stage.always("POST", "", Trick::throttled(None));
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
            "last seen: BlazeMeter API Monitoring throttled the result (status 429)",
        ),
        (
            |stage| {
                stage.always("GET", "", Trick::status(502));
            },
            short(),
            SystemUnavailable,
            "last seen: BlazeMeter API Monitoring is not well",
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
            "answered the result with more than 8388608 bytes",
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
            contradicting,
            json!({}),
            JobFailed,
            "contradicts itself, it passed with failed assertions",
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
        Trick::status(502),
        Trick::status(404),
        Trick::NeverArrives,
        Trick::LostAnswer,
        Trick::Truncated,
        Trick::Hang,
        Trick::html(),
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
async fn the_eleventh_trigger_in_ten_seconds_waits() {
    let stage: Stage<Vendor> = Stage::default();
    stage.with(|vendor| vendor.triggered = vec![shared_testkit::time::BEGINNING; 10]);
    let (_, report) = play_on(Host::Task, &stage, &json!({})).await;
    assert!(matches!(report, Report::Success { .. }), "{report:?}");
    assert_eq!(stage.with(|vendor| vendor.runs.len()), 1);
    assert!(stage.count("POST", "/trigger") > 1);
}

#[tokio::test(start_paused = true)]
async fn a_trigger_whose_answer_is_lost_is_found_again() {
    for shows in ["list", "detail"] {
        for trick in [
            Trick::LostAnswer,
            Trick::Truncated,
            Trick::Hang,
            Trick::ReplyAfter(Reply::html(500, "x")),
            Trick::ReplyAfter(Reply::html(200, "x")),
        ] {
            let arrange = |stage: &Stage<Vendor>| {
                stage.with(|vendor| {
                    vendor.spread = 3;
                    vendor.shows = shows;
                });
                stage.trick("POST", "/trigger", 1, trick.clone());
            };
            let (stage, _, report) = everywhere(arrange, json!({})).await;
            let Report::Success { variables, .. } = report else {
                unreachable!("{trick:?}: {report:?}");
            };
            assert_eq!(variables["Runs"], "3");
            assert_eq!(stage.count("POST", "/trigger"), 1, "{trick:?}");
        }
    }
    // One that never arrived is made again, beside a stranger's run.
    let stage: Stage<Vendor> = Stage::default();
    stage.with(|vendor| {
        vendor.runs.push(Run {
            id: "5-tranger".to_owned(),
            began: shared_testkit::time::BEGINNING,
            number: 0,
            variables: BTreeMap::from([("cpJobId".to_owned(), "a stranger's".to_owned())]),
            fields: BTreeMap::new(),
        });
    });
    stage.trick("POST", "/trigger", 1, Trick::status(500));
    let (_, report) = play_on(Host::Invoke, &stage, &json!({})).await;
    let Report::Success { variables, .. } = report else {
        unreachable!("{report:?}");
    };
    assert_eq!(variables["RunIds"], "4u2-0001");
    assert_eq!(stage.with(|vendor| vendor.triggered.len()), 1);
    // Where nothing tells, nothing is started again.
    let nowhere = (
        json!({}),
        "nowhere",
        "look at https://www.runscope.com/radar/bkt1/7e57-1, then retry",
    );
    let unplaced = (
        json!({"bucket": null, "test": null}),
        "list",
        "look at the newest results in BlazeMeter",
    );
    for (more, shows, want) in [nowhere, unplaced] {
        let arrange = |stage: &Stage<Vendor>| {
            stage.with(|vendor| vendor.shows = shows);
            stage.trick("POST", "/trigger", 1, Trick::LostAnswer);
        };
        let (stage, _, report) = everywhere(arrange, more).await;
        let (_, message) = failure(report);
        assert!(message.contains(want), "{message}");
        assert_eq!(stage.count("POST", "/trigger"), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_says_that_there_is_none_until_the_run_has_ended() {
    let stage: Stage<Vendor> = Stage::default();
    let world = World::new(Mode::Work);
    let action = action(&world, &stage);
    world.deliver(&action, &event(&json!({}))).await;
    let params: Params = serde_json::from_value(good()).unwrap();
    let stop = async || {
        let stop = Stop {
            params: &params,
            run: RUN,
            now: world.time.now(),
            budget: Duration::from_secs(30),
        };
        action.stop(stop).await.map_err(|fault| fault.public)
    };
    let told = stop().await.unwrap_err();
    assert!(told.contains("has no call that ends a run"), "{told}");
    tokio::time::advance(Duration::from_secs(60)).await;
    assert_eq!(stop().await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn any_call_may_fail_or_be_cut_off_and_one_trigger_is_called() {
    let stages = RefCell::new(Vec::new());
    let calls = repeat_and_fail(
        &event(&json!({})),
        |world| {
            let stage: Stage<Vendor> = Stage::default();
            stage.with(|vendor| {
                vendor.spread = 2;
                vendor.takes = SignedDuration::from_secs(20);
            });
            stages.borrow_mut().push(stage.clone());
            action(world, &stage)
        },
        |_, report, mode| {
            let stage = stages.borrow().last().cloned().expect("the run's own");
            let triggered = stage.with(|vendor| vendor.triggered.len());
            assert!(triggered <= 1, "{mode:?}: {triggered} triggers");
            match report {
                Report::Success { variables, .. } => {
                    assert_eq!((variables["Runs"].as_str(), triggered), ("2", 1));
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
    for call in ["the trigger", "the result", "artifact upload"] {
        assert!(calls.contains(&call), "{calls:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_pipeline_gives_up_is_not_started_again() {
    for host in Host::ALL {
        for learns in [Learns::ByRefusal, Learns::ByEvent] {
            let stage: Stage<Vendor> = Stage::default();
            stage.with(|vendor| vendor.endless = true);
            let world = World::new(Mode::Work);
            let action = action(&world, &stage);
            assert!(
                world
                    .give_up(host, learns, &action, &event(&json!({})), 2)
                    .await
            );
            assert_eq!(
                stage.with(|vendor| vendor.triggered.len()),
                1,
                "{host:?} {learns:?}"
            );
            assert!(
                stage.count("GET", "/results/") > 1,
                "{host:?} {learns:?}: not asked"
            );
        }
    }
}
