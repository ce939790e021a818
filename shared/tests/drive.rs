//! The loop's guarantees: exactly one report, whatever the step and the services do.

use std::{
    collections::BTreeMap,
    future::{pending, ready},
    pin::Pin,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shared::{
    action::{Action, CutOff, Done, Request, Step},
    drive::{Delivery, DriveError, Ended, Outcome, decide::MAX_CUT_OFFS, token::Ticket},
    fault::{Fault, FaultKind},
    job::{Details, FailureKind, Report},
    port::{LedgerEntry, PortError},
};
use shared_testkit::proptest::prelude::*;
use shared_testkit::{Driven, Fate, Mode, Plan, World, events, repeat_and_fail};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    #[serde(default)]
    tries: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Progress {
    tries: u32,
}

type Answer = Pin<Box<dyn Future<Output = Result<Step<Progress>, Fault>> + Send>>;

/// Does what the test says, and remembers the progress it was given.
struct Scripted<const ASK_AGAIN: bool> {
    answer: Box<dyn Fn(u32, Option<Progress>) -> Answer + Send + Sync>,
    seen: Mutex<Vec<Option<Progress>>>,
}

impl<const ASK_AGAIN: bool> Action for Scripted<ASK_AGAIN> {
    const NAME: &'static str = "action-test";
    const STOPS: bool = false;
    const FIRST_STEP_CUT_OFF: CutOff = if ASK_AGAIN {
        CutOff::AskAgain
    } else {
        CutOff::Fail
    };
    type Params = Params;
    type Progress = Progress;

    async fn step(&self, request: Request<'_, Params, Progress>) -> Result<Step<Progress>, Fault> {
        self.seen
            .lock()
            .expect("not poisoned")
            .push(request.progress.clone());
        (self.answer)(request.params.tries, request.progress).await
    }
}

fn scripted<const ASK_AGAIN: bool, F>(
    answer: impl Fn(u32, Option<Progress>) -> F + Send + Sync + 'static,
) -> Scripted<ASK_AGAIN>
where
    F: Future<Output = Result<Step<Progress>, Fault>> + Send + 'static,
{
    Scripted {
        answer: Box::new(move |tries, progress| Box::pin(answer(tries, progress))),
        seen: Mutex::default(),
    }
}

fn plain<F>(answer: impl Fn(u32) -> F + Send + Sync + 'static) -> Scripted<false>
where
    F: Future<Output = Result<Step<Progress>, Fault>> + Send + 'static,
{
    scripted(move |tries, _| answer(tries))
}

fn done() -> Result<Step<Progress>, Fault> {
    Ok(Step::Done(Done::default()))
}

fn wait(tries: u32) -> Result<Step<Progress>, Fault> {
    Ok(Step::Wait {
        progress: Progress { tries },
        details: Details::default(),
        again_in: Duration::from_secs(30),
    })
}

/// Waits until it was asked `tries` times.
fn patient() -> Scripted<false> {
    scripted(|tries, progress| {
        let asked = progress.map_or(0, |progress: Progress| progress.tries) + 1;
        ready(if asked < tries { wait(asked) } else { done() })
    })
}

fn continued(mut event: Value, token: &str) -> Value {
    event["CodePipeline.job"]["data"]["continuationToken"] = json!(token);
    event
}

fn answered(driven: Driven) -> Result<Ended, DriveError> {
    match driven {
        Driven::Answered(result) => result.map(|outcome| match outcome {
            Outcome::Job(ended) => ended,
            outcome => unreachable!("a job was given: {outcome:?}"),
        }),
        Driven::Died => unreachable!("no plan lets it die"),
    }
}

fn message(report: &Report) -> (FailureKind, &str) {
    match report {
        Report::Failure { kind, message, .. } => (*kind, message),
        other => unreachable!("a failure was expected: {other:?}"),
    }
}

/// Delivers once in a fresh world; the one report that was taken.
async fn once<const ASK_AGAIN: bool>(action: &Scripted<ASK_AGAIN>, event: &Value) -> Report {
    let world = World::new(Mode::Work);
    let ended = answered(world.deliver(action, event).await).expect("delivered");
    let mut taken = world.reporter.inner.taken();
    assert_eq!(taken.len(), 1, "{ended:?}");
    let (_, report) = taken.remove(0);
    assert_eq!(Some(&report), ended.report.as_ref());
    report
}

#[tokio::test(start_paused = true)]
async fn a_returned_fault_is_one_failure() {
    let cases = [
        (FaultKind::Failed, FailureKind::JobFailed),
        (FaultKind::Configuration, FailureKind::ConfigurationError),
        (FaultKind::Permission, FailureKind::PermissionError),
        (FaultKind::Unavailable, FailureKind::SystemUnavailable),
        (FaultKind::Artifact, FailureKind::RevisionUnavailable),
    ];
    for (kind, expected) in cases {
        let action = plain(move |_| {
            let fault = Fault::new(kind, "the page answered 500").because("planted-internal");
            ready(Err(fault.of_run("run-7".parse().unwrap())))
        });
        let report = once(&action, &events::job(&json!({}))).await;
        assert_eq!(message(&report), (expected, "the page answered 500"));
        assert!(!format!("{report:?}").contains("planted"));
        assert!(
            matches!(&report, Report::Failure { external_id: Some(run), .. } if run.as_str() == "run-7")
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_one_failure() {
    for late in [false, true] {
        let action = plain(move |_| async move {
            if late {
                tokio::task::yield_now().await;
            }
            assert!(std::hint::black_box(false), "planted-internal");
            done()
        });
        let report = once(&action, &events::job(&json!({}))).await;
        let expected = "action-test panicked; the function's log says where";
        assert_eq!(message(&report), (FailureKind::JobFailed, expected));
    }
}

#[tokio::test(start_paused = true)]
async fn parameters_are_typed_and_refused_by_name() {
    let mut event = events::job(&json!({}));
    let cases = [
        (json!(""), None),
        (json!("  "), None),
        (Value::Null, None),
        (json!(r#"{"tries": 1}"#), None),
        (
            json!(r#"{"url": "x"}"#),
            Some("at url: unknown field `url`, expected `tries` at line 1 column 6"),
        ),
        (
            json!(r#"{"tries": "planted"}"#),
            Some("at tries: expected u32 at line 1 column 19"),
        ),
        (json!("hello"), Some("expected value at line 1 column 1")),
    ];
    for (text, expected) in cases {
        event["CodePipeline.job"]["data"]["actionConfiguration"]["configuration"]["UserParameters"] =
            text.clone();
        let report = once(&plain(|_| ready(done())), &event).await;
        let Some(expected) = expected else {
            assert!(
                matches!(report, Report::Success { .. }),
                "{text}: {report:?}"
            );
            continue;
        };
        let expected = format!("UserParameters cannot be used: {expected}");
        assert_eq!(
            message(&report),
            (FailureKind::ConfigurationError, expected.as_str())
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_unreadable_job_is_told_so_when_it_has_an_id() {
    let mut event = events::job(&json!({}));
    event["CodePipeline.job"]["data"]["inputArtifacts"] = json!("planted");
    let report = once(&patient(), &event).await;
    let expected = "the job event has an unexpected shape: at CodePipeline.job.data.inputArtifacts: expected a sequence";
    assert_eq!(message(&report), (FailureKind::JobFailed, expected));

    let refused = [
        (
            json!({"CodePipeline.job": {"data": {}}}),
            "the job event has no readable job id",
        ),
        (
            json!({"params": {}, "inputs": 5}),
            "the task's input is wrong: at inputs: expected a sequence",
        ),
        (
            json!({"Records": []}),
            "the event is neither a CodePipeline job, an EventBridge event, a callback nor a task input; its fields are: Records",
        ),
    ];
    for (event, expected) in refused {
        let world = World::new(Mode::Work);
        let result = answered(world.deliver(&patient(), &event).await);
        assert_eq!(
            result.map_err(|error| error.to_string()).err().as_deref(),
            Some(expected)
        );
        assert!(world.plan.calls().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn progress_and_start_travel_in_the_token() {
    let world = World::new(Mode::Work);
    let action = patient();
    let report = world
        .play(&action, &events::job(&json!({"tries": 3})))
        .await;
    assert!(matches!(report, Report::Success { .. }));
    let seen = action.seen.lock().unwrap().clone();
    assert_eq!(
        seen,
        [
            None,
            Some(Progress { tries: 1 }),
            Some(Progress { tries: 2 })
        ]
    );
    let tickets: Vec<Ticket> = world
        .reporter
        .inner
        .taken()
        .iter()
        .filter_map(|(_, report)| match report {
            Report::Continue { token, .. } => Some(Ticket::decode(token).expect("our token")),
            _ => None,
        })
        .collect();
    assert_eq!(tickets.len(), 2);
    assert!(tickets.iter().all(
        |ticket| ticket.run_key == "11111111-abcd-1111-abcd-111111abcdef"
            && ticket.started_at == tickets[0].started_at
    ));
    let key = "action-test/11111111-abcd-1111-abcd-111111abcdef";
    assert_eq!(
        world.ledger.inner.entries().get(key),
        Some(&LedgerEntry::Finished)
    );
}

#[tokio::test(start_paused = true)]
async fn a_recorded_continuation_is_gone_on_with() {
    let mut event = events::recorded("codepipeline-job-continuation.json");
    event["CodePipeline.job"]["data"]["actionConfiguration"] = Value::Null;
    let action = plain(|_| ready(done()));
    assert!(matches!(
        once(&action, &event).await,
        Report::Success { .. }
    ));
    assert_eq!(*action.seen.lock().unwrap(), [Some(Progress { tries: 2 })]);
}

#[tokio::test(start_paused = true)]
async fn a_bad_token_is_a_named_failure_and_no_step() {
    let cases = [
        (
            "garbage",
            "the continuation token was not written by this function",
        ),
        (
            r#"{"v":9}"#,
            "the continuation token has version 9, this function reads version 1",
        ),
        (
            r#"{"v":1,"k":"x","s":"2026-01-02T03:04:05Z","p":{"other":1}}"#,
            "the continuation token holds progress that this version of the function does not read: start the action again",
        ),
    ];
    for (token, expected) in cases {
        let action = patient();
        let report = once(&action, &continued(events::job(&json!({})), token)).await;
        assert_eq!(message(&report), (FailureKind::JobFailed, expected));
        assert!(action.seen.lock().unwrap().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_step_that_outruns_its_time_is_cut_off_before_the_deadline() {
    let token = r#"{"v":1,"k":"x","s":"2026-01-02T03:04:05Z","p":{"tries":4}}"#;
    let first = events::job(&json!({}));
    let later = continued(first.clone(), token);

    let report = once(&plain(|_| pending()), &first).await;
    let expected = "action-test did not end its step in 55.0 s: give the function a longer timeout";
    assert_eq!(message(&report), (FailureKind::JobFailed, expected));

    for (report, tries) in [
        (once(&plain(|_| pending()), &later).await, Some(4)),
        (
            once(&scripted::<true, _>(|_, _| pending()), &first).await,
            None,
        ),
    ] {
        let Report::Continue { token, details } = report else {
            unreachable!("a continuation was expected: {report:?}");
        };
        let ticket = Ticket::decode(&token).expect("our token");
        assert_eq!(ticket.progress, tries.map(|tries| json!({"tries": tries})));
        assert_eq!(ticket.cut_offs, 1);
        assert!(
            details
                .summary
                .is_some_and(|text| text.contains("asked again"))
        );
    }

    let last = token.replace(r#""p""#, &format!(r#""o":{},"p""#, MAX_CUT_OFFS - 1));
    let report = once(&plain(|_| pending()), &continued(first, &last)).await;
    assert!(
        message(&report).1.contains("20 times in a row"),
        "{report:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn even_without_any_time_there_is_a_report() {
    let world = World {
        timeout: Duration::ZERO,
        ..World::new(Mode::Work)
    };
    let ended = answered(
        world
            .deliver(&plain(|_| pending()), &events::job(&json!({})))
            .await,
    );
    assert!(matches!(
        ended.expect("delivered").report,
        Some(Report::Failure { .. })
    ));
}

#[tokio::test(start_paused = true)]
async fn results_that_do_not_fit_are_failures_by_name() {
    let long = "x".repeat(3000);
    let huge = plain(move |_| {
        ready(Ok(Step::Done(Done {
            details: Details::default(),
            variables: BTreeMap::from([("bad key".to_owned(), String::new())]),
        })))
    });
    let report = once(&huge, &events::job(&json!({}))).await;
    assert!(message(&report).1.contains("\"bad key\""));

    let wordy = plain(move |_| {
        ready(Ok(Step::Done(Done {
            details: Details {
                summary: Some(long.clone()),
                external_id: None,
                percent: Some(130),
                link: None,
            },
            variables: BTreeMap::new(),
        })))
    });
    let Report::Success { details, .. } = once(&wordy, &events::job(&json!({}))).await else {
        unreachable!("it succeeds");
    };
    assert_eq!(details.summary.map(|text| text.chars().count()), Some(2048));
    assert_eq!(details.percent, Some(100));
}

/// Waits once, with progress of this many characters.
struct Hoarder(usize);

impl Action for Hoarder {
    const NAME: &'static str = "action-hoarder";
    type Params = Params;
    type Progress = String;
    async fn step(&self, request: Request<'_, Params, String>) -> Result<Step<String>, Fault> {
        let progress = "x".repeat(self.0);
        match request.progress {
            None => Ok(Step::Wait {
                progress,
                details: Details::default(),
                again_in: Duration::ZERO,
            }),
            Some(kept) if kept == progress => Ok(Step::Done(Done::default())),
            Some(_) => Err(Fault::new(FaultKind::Failed, "other progress came back")),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn progress_too_large_for_a_token_is_filed_and_comes_back() {
    let event = events::job(&json!({}));
    for (size, filed) in [(1000, 0), (2048, 1), (300_000, 1)] {
        let world = World::new(Mode::Work);
        let report = world.play(&Hoarder(size), &event).await;
        assert!(
            matches!(report, Report::Success { .. }),
            "{size}: {report:?}"
        );
        assert_eq!(world.ledger.inner.filed().len(), filed, "{size}");
    }
    let world = World::new(Mode::Work);
    let report = world.play(&Hoarder(350_000), &event).await;
    assert_eq!(
        message(&report).1,
        "the action's progress has 350002 bytes; the ledger takes 350000 of them"
    );
    repeat_and_fail(
        &event,
        |_| Hoarder(5000),
        |_, report, mode| match report {
            Report::Failure { kind, .. } => {
                assert_eq!(*kind, FailureKind::SystemUnavailable, "{mode:?}");
            }
            report => assert!(
                matches!(report, Report::Success { .. }),
                "{mode:?}: {report:?}"
            ),
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_second_delivery_reports_nothing() {
    for (tries, finished) in [(1, Delivery::AlreadyFinished), (2, Delivery::AlreadyThere)] {
        let world = World::new(Mode::Work);
        let event = events::job(&json!({"tries": tries}));
        let first = answered(world.deliver(&patient(), &event).await).expect("delivered");
        assert_eq!(first.delivery, Delivery::Sent { attempts: 1 });
        let second = answered(world.deliver(&patient(), &event).await).expect("delivered");
        assert_eq!(second.delivery, finished);
        assert_eq!(world.reporter.inner.taken().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_duplicate_does_not_end_a_run_that_goes_on() {
    let world = World::new(Mode::Work);
    let first = events::job(&json!({}));
    let asked = AtomicUsize::new(0);
    let action = plain(move |_| {
        let before = asked.fetch_add(1, Ordering::Relaxed);
        ready(if before == 0 { wait(1) } else { done() })
    });
    answered(world.deliver(&action, &first).await).expect("delivered");
    let duplicate = answered(world.deliver(&action, &first).await).expect("delivered");
    assert_eq!(duplicate.delivery, Delivery::AlreadyThere);

    let Some((_, Report::Continue { token, .. })) = world.reporter.inner.taken().pop() else {
        unreachable!("the first delivery continued");
    };
    let mut second = continued(first, &token);
    second["CodePipeline.job"]["id"] = json!("22222222");
    let ended = answered(world.deliver(&action, &second).await).expect("delivered");
    assert_eq!(ended.delivery, Delivery::Sent { attempts: 1 });
    assert!(matches!(ended.report, Some(Report::Success { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_lost_reply_is_asked_for_again_and_found_to_have_arrived() {
    // Calls of a clean run: ledger read, report, ledger finished.
    let world = World::new(Mode::At(1, Fate::FailAfter));
    let event = events::job(&json!({}));
    let ended = answered(world.deliver(&patient(), &event).await).expect("delivered");
    assert_eq!(ended.delivery, Delivery::AlreadyThere);
    assert_eq!(world.plan.calls(), ["ledger read", "report", "report"]);

    let world = World::new(Mode::At(1, Fate::FailBefore));
    let ended = answered(world.deliver(&patient(), &event).await).expect("delivered");
    assert_eq!(ended.delivery, Delivery::Sent { attempts: 2 });
}

#[tokio::test(start_paused = true)]
async fn an_undelivered_report_fails_the_invocation() {
    let world = World::new(Mode::DownFrom(0));
    let event = events::job(&json!({}));
    let error = answered(world.deliver(&patient(), &event).await).expect_err("not delivered");
    assert!(matches!(
        error,
        DriveError::Undelivered {
            source: PortError::Unavailable { .. },
            ..
        }
    ));
    assert_eq!(
        world.plan.calls(),
        ["ledger read", "report", "report", "report", "report"]
    );
    world.plan.recover();
    let ended = answered(world.deliver(&patient(), &event).await).expect("delivered");
    assert_eq!(ended.delivery, Delivery::Sent { attempts: 1 });
}

#[tokio::test(start_paused = true)]
async fn a_silent_ledger_changes_no_outcome() {
    for at in [0, 2] {
        let world = World::new(Mode::At(at, Fate::FailBefore));
        let ended =
            answered(world.deliver(&patient(), &events::job(&json!({}))).await).expect("delivered");
        assert_eq!(ended.delivery, Delivery::Sent { attempts: 1 });
        assert_eq!(ended.warnings.len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn any_action_survives_every_failure() {
    let calls = repeat_and_fail(
        &events::job(&json!({"tries": 3})),
        |_| patient(),
        |_, report, mode| {
            assert!(
                matches!(report, Report::Success { .. }),
                "{mode:?}: {report:?}"
            )
        },
    )
    .await;
    assert_eq!(calls.len(), 7, "{calls:?}");
}

#[tokio::test(start_paused = true)]
async fn nothing_printable_holds_a_secret() {
    let good = events::job(&json!({}));
    let mut odd = good.clone();
    odd["CodePipeline.job"]["data"]["artifactCredentials"]["sessionToken"] = json!(["planted"]);
    let mut worse = good.clone();
    worse["CodePipeline.job"]["data"]["artifactCredentials"] = json!("planted");
    for event in [good, odd, worse] {
        for mode in [Mode::Work, Mode::DownFrom(0)] {
            let world = World::new(mode);
            let printed = format!("{:?}", answered(world.deliver(&patient(), &event).await));
            assert!(
                !printed.contains("planted-") && !printed.contains("\"planted\""),
                "{printed}"
            );
        }
    }
}

/// What a step does when it is asked.
#[derive(Debug, Clone, Copy)]
enum Deed {
    Done,
    Wait,
    Fault,
    Panic,
    Hang,
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        Just(Deed::Done),
        Just(Deed::Wait),
        Just(Deed::Fault),
        Just(Deed::Panic),
        Just(Deed::Hang)
    ]
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![2 => Just(Fate::Work), 3 => prop::sample::select(Fate::BAD.to_vec())]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the steps do and whatever becomes of each call: every job ends with exactly one report, so the run
    /// ends. `World::play` checks each job.
    #[test]
    fn every_job_ends_with_exactly_one_report(
        deeds in prop::collection::vec(deed(), 1..8),
        fates in prop::collection::vec(fate(), 0..24),
        doubled in any::<bool>(),
    ) {
        let tokio = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime");
        let report = tokio.block_on(async {
            let world = World { doubled, ..World::under(Plan::scripted(fates)) };
            let asked = AtomicUsize::new(0);
            let action = scripted::<true, _>(move |_, _| {
                let deed = deeds.get(asked.fetch_add(1, Ordering::Relaxed)).copied();
                async move {
                    match deed {
                        Some(Deed::Done) | None => done(),
                        Some(Deed::Wait) => wait(1),
                        Some(Deed::Fault) => Err(Fault::new(FaultKind::Failed, "bad")),
                        Some(Deed::Panic) => {
                            std::panic::resume_unwind(Box::new("planted"));
                        }
                        Some(Deed::Hang) => pending().await,
                    }
                }
            });
            world.play(&action, &events::job(&json!({}))).await
        });
        let over = !matches!(report, Report::Continue { .. });
        prop_assert!(over);
    }
}
