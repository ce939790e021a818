//! The worker and the task host: jobs taken once and never lost, answers of tasks, parameters from every host.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shared::{
    action::{Action, CutOff, Done, Request, Step},
    drive::{DriveError, Outcome, task::Answer, worker::Worked},
    fault::{Fault, FaultKind},
    job::{Details, FailureKind, Report},
    port::OpenJob,
};
use shared_testkit::{
    Driven, Failing, Fate, Host, Mode, Plan, World, events, memory::MemoryTopic, play::schedule,
    proptest::prelude::*, repeat::repeat_and_fail_on,
};

/// Says its label on a topic and waits until it was asked `tries` times.
struct Patient(Failing<MemoryTopic>);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    #[serde(default)]
    tries: u32,
    label: Option<String>,
    #[serde(default)]
    fail: bool,
    #[serde(default)]
    limits: BTreeMap<String, u32>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Progress {
    tries: u32,
}

impl Action for Patient {
    const NAME: &'static str = "action-patient";
    const STOPS: bool = false;
    const FIRST_STEP_CUT_OFF: CutOff = CutOff::AskAgain;
    type Params = Params;
    type Progress = Progress;

    async fn step(&self, request: Request<'_, Params, Progress>) -> Result<Step<Progress>, Fault> {
        let params = request.params;
        let label = params.label.as_deref().unwrap_or("none");
        self.0.inner.publish_now("steps", label);
        if params.fail {
            return Err(Fault::new(FaultKind::Configuration, "told to fail"));
        }
        let tries = request.progress.map_or(0, |progress| progress.tries) + 1;
        let details = Details {
            summary: Some(format!("asked {tries} times")),
            external_id: Some("run-7".parse().expect("an id")),
            percent: None,
            link: Some("https://ci.example.com/7".to_owned()),
        };
        if tries < params.tries {
            return Ok(Step::Wait {
                progress: Progress { tries },
                details,
                again_in: Duration::from_secs(20),
            });
        }
        let limits: u32 = params.limits.values().sum();
        Ok(Step::Done(Done {
            details,
            variables: BTreeMap::from([("Sum".to_owned(), limits.to_string())]),
        }))
    }
}

fn patient(world: &World) -> Patient {
    Patient(world.topic.clone())
}

fn job(number: u32, parameters: &Value) -> Value {
    let mut event = events::job(parameters);
    event["CodePipeline.job"]["id"] = json!(format!("aaaaaaaa-{number:04}"));
    event
}

fn worked(driven: Driven) -> Worked {
    match driven {
        Driven::Answered(result) => match *result {
            Ok(Outcome::Worker(worked)) => worked,
            other => unreachable!("a worker's round: {other:?}"),
        },
        Driven::Died => unreachable!("no plan lets it die"),
    }
}

fn answered(driven: Driven) -> Result<Outcome, DriveError> {
    match driven {
        Driven::Answered(result) => *result,
        Driven::Died => unreachable!("no plan lets it die"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_worker_takes_several_jobs_at_once_and_leaves_the_rest() {
    let world = World::new(Mode::Work);
    for number in 0..8 {
        world
            .jobs
            .inner
            .offer(&job(number, &json!({"tries": 2})), &format!("run-{number}"));
    }
    let first = worked(world.deliver(&patient(&world), &world.started()).await);
    assert_eq!(first.ended.len(), 5);
    assert!(first.ended.iter().all(|ended| {
        matches!(ended.report, Some(Report::Continue { .. })) && ended.run_key.starts_with("run-")
    }));
    let second = worked(world.deliver(&patient(&world), &schedule()).await);
    assert_eq!(second.ended.len(), 3);
    assert!(world.ledger.inner.open_jobs().is_empty());

    // Rounds follow each other while each was full and no job of it goes on.
    let world = World::new(Mode::Work);
    for number in 0..12 {
        world
            .jobs
            .inner
            .offer(&job(number, &json!({})), &format!("run-{number}"));
    }
    let all = worked(world.deliver(&patient(&world), &world.started()).await);
    assert_eq!(all.ended.len(), 12);
}

#[tokio::test(start_paused = true)]
async fn a_used_nonce_is_somebody_elses_job() {
    let world = World::new(Mode::Work);
    let event = job(1, &json!({}));
    world.jobs.inner.offer(&event, "run-1");
    world.jobs.inner.offer(&job(2, &json!({})), "run-2");
    // Another worker takes job 1 between our poll and our acknowledgement.
    let plan = Plan::new(Mode::Work);
    let slow = World {
        plan: plan.clone(),
        jobs: Failing::new(world.jobs.inner.clone(), &plan),
        ledger: Failing::new(world.ledger.inner.clone(), &plan),
        ..world.clone()
    };
    let thief = world.jobs.inner.clone();
    plan.before("acknowledge", move || {
        thief.steal(&"aaaaaaaa-0001".parse().expect("an id"))
    });
    let round = worked(slow.deliver(&patient(&world), &world.started()).await);
    assert_eq!((round.ended.len(), round.lost), (1, 1));
    assert_eq!(round.ended[0].job.as_str(), "aaaaaaaa-0002");
    assert!(world.ledger.inner.open_jobs().is_empty());
    assert_eq!(world.reporter.inner.taken().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn two_deliveries_of_ours_never_work_on_one_job() {
    let world = World::new(Mode::Work);
    world.jobs.inner.offer(&job(1, &json!({})), "run-1");
    let action = patient(&world);
    let (event, sweep) = (world.started(), schedule());
    let (one, two) = tokio::join!(
        world.deliver(&action, &event),
        world.deliver(&action, &sweep)
    );
    let ended = [one, two]
        .map(worked)
        .iter()
        .map(|w| w.ended.len())
        .sum::<usize>();
    assert_eq!(ended, 1);
    assert_eq!(world.topic.inner.published().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_job_left_by_a_crash_is_found_and_ended_once() {
    // left open, poll, open, acknowledge, details, ledger read, report, finished, close
    let calls = [
        "left open",
        "poll",
        "open job",
        "acknowledge",
        "job details",
        "ledger read",
        "report",
        "ledger finished",
        "close job",
    ];
    for (at, name) in calls.iter().enumerate() {
        for fate in [Fate::DieBefore, Fate::DieAfter] {
            let world = World::new(Mode::At(at, fate));
            world.jobs.inner.offer(&job(1, &json!({})), "run-1");
            let driven = world.deliver(&patient(&world), &world.started()).await;
            assert!(matches!(driven, Driven::Died), "{name} {fate:?}");
            assert_eq!(world.plan.calls().last(), Some(name));
            world.plan.recover();
            for _ in 0..2 {
                tokio::time::advance(Duration::from_secs(120)).await;
                worked(world.deliver(&patient(&world), &schedule()).await);
            }
            assert_eq!(world.reporter.inner.taken().len(), 1, "{name} {fate:?}");
            assert!(world.ledger.inner.open_jobs().is_empty(), "{name} {fate:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_is_not_found_again_while_its_worker_may_live() {
    let world = World::new(Mode::At(4, Fate::DieAfter));
    world.jobs.inner.offer(&job(1, &json!({})), "run-1");
    world.deliver(&patient(&world), &world.started()).await;
    world.plan.recover();
    tokio::time::advance(Duration::from_secs(65)).await;
    let early = worked(world.deliver(&patient(&world), &schedule()).await);
    assert!(early.ended.is_empty());
    tokio::time::advance(Duration::from_secs(10)).await;
    let late = worked(world.deliver(&patient(&world), &schedule()).await);
    assert_eq!(late.ended.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_job_that_is_over_is_forgotten() {
    let world = World::new(Mode::Work);
    let gone = OpenJob {
        job: "bbbbbbbb-0001".parse().unwrap(),
        nonce: "n".to_owned(),
        by: "x".to_owned(),
        until: shared_testkit::time::BEGINNING,
    };
    use shared::port::OpenJobs as _;
    world
        .ledger
        .inner
        .open("action-patient", &gone)
        .await
        .unwrap();
    tokio::time::advance(Duration::from_secs(1)).await;
    let round = worked(world.deliver(&patient(&world), &schedule()).await);
    assert_eq!(round.lost, 1);
    assert!(world.ledger.inner.open_jobs().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_is_no_reason_to_work_is_ignored_and_what_is_missing_is_named() {
    let world = World::new(Mode::Work);
    let mut event = world.started();
    event["detail"]["state"] = json!("SUCCEEDED");
    let round = worked(world.deliver(&patient(&world), &event).await);
    assert_eq!(round.ignored, Some("the action did not start"));
    assert!(world.plan.calls().is_empty());

    let world = World::new(Mode::DownFrom(0));
    let error = answered(world.deliver(&patient(&world), &schedule()).await).unwrap_err();
    assert_eq!(error.to_string(), "no jobs could be asked for");
}

#[tokio::test(start_paused = true)]
async fn a_flat_configuration_is_typed_and_refused_by_name() {
    let play = async |parameters: Value| {
        let world = World::new(Mode::Work);
        world
            .play_on(Host::Worker, &patient(&world), &events::job(&parameters))
            .await
    };
    let report = play(json!({"tries": "2", "label": "7", "limits": {"a": 1, "b": 2}})).await;
    let Report::Success { variables, details } = report else {
        unreachable!("{report:?}");
    };
    assert_eq!(variables["Sum"], "3");
    let summary = "asked 2 times — https://ci.example.com/7";
    assert_eq!(details.summary.as_deref(), Some(summary));

    for (parameters, expected) in [
        (json!({"tries": "many"}), "at tries: expected u32"),
        (json!({"fail": "ja"}), "at fail: expected a boolean"),
        (
            json!({"planted": "x"}),
            "at planted: unknown field `planted`",
        ),
        (json!({"limits": "[]"}), "at limits: expected a map"),
        (
            json!({"Parameters": "x"}),
            "the property Parameters holds no JSON object",
        ),
    ] {
        let report = play(parameters).await;
        let Report::Failure { kind, message, .. } = report else {
            unreachable!("{report:?}");
        };
        assert_eq!(kind, FailureKind::ConfigurationError);
        assert!(message.contains(expected), "{message}");
    }
}

#[tokio::test(start_paused = true)]
async fn parameters_come_out_of_an_artifacts_file_on_every_host() {
    let long = "x".repeat(5000);
    let file = json!({"tries": 1, "label": long, "limits": {"a": 4}}).to_string();
    for host in Host::ALL {
        let play = async |place: &str, files: &[(&str, &str)]| {
            let world = World::new(Mode::Work);
            world
                .artifacts
                .inner
                .set("store", "built.zip", events::zip_of(files));
            let mut event =
                events::with_input(events::job(&json!({})), "Built", "store", "built.zip");
            let given = match host {
                Host::Worker => json!({"Parameters": place}).to_string(),
                _ => place.to_owned(),
            };
            event["CodePipeline.job"]["data"]["actionConfiguration"]["configuration"]["UserParameters"] =
                json!(given);
            world.play_on(host, &patient(&world), &event).await
        };
        let report = play("file:Built::ci/p.json", &[("ci/p.json", &file)]).await;
        let Report::Success { variables, .. } = report else {
            unreachable!("{host:?}: {report:?}");
        };
        assert_eq!(variables["Sum"], "4");
        for (place, files, expected) in [
            (
                "file:q.json",
                &[("p.json", "{}")][..],
                r#"the parameters' file "q.json" is not in the artifact Built"#,
            ),
            (
                "file:Other::p.json",
                &[],
                r#"the artifact "Other", which is no input of the action"#,
            ),
            (
                "file:../p.json",
                &[],
                "must be written file:PATH or file:ARTIFACT::PATH",
            ),
            (
                "file:p.json",
                &[("p.json", r#"{"planted": 1}"#)],
                "unknown field `planted`",
            ),
        ] {
            let report = play(place, files).await;
            let Report::Failure { message, .. } = report else {
                unreachable!("{report:?}");
            };
            assert!(message.contains(expected), "{host:?}: {message}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_answers_running_then_succeeded() {
    let world = World::new(Mode::Work);
    let mut input =
        json!({"params": {"tries": 2}, "progress": null, "startedAt": "2026-01-01T00:00:00Z"});
    let call = async |input: &Value| match answered(world.deliver(&patient(&world), input).await) {
        Ok(Outcome::Task(tasked)) => tasked.answer,
        other => unreachable!("{other:?}"),
    };
    let Answer::Output(first) = call(&input).await else {
        unreachable!("it waits");
    };
    assert_eq!(first["status"], "RUNNING");
    assert_eq!(first["waitSeconds"], 20);
    assert_eq!(first["startedAt"], "2026-01-01T00:00:00Z");
    let details = json!({"summary": "asked 1 times", "externalId": "run-7", "link": "https://ci.example.com/7"});
    assert_eq!(first["details"], details);
    // A machine may hand the whole answer back.
    for (name, value) in first.as_object().unwrap() {
        input[name] = value.clone();
    }
    let Answer::Output(last) = call(&input).await else {
        unreachable!("it succeeds");
    };
    assert_eq!(last["status"], "SUCCEEDED");
    assert_eq!(last["variables"], json!({"Sum": "0"}));

    let failed = call(&json!({"params": {"fail": true}})).await;
    let Answer::Failed { kind, message, .. } = failed else {
        unreachable!("{failed:?}");
    };
    assert_eq!(
        (kind.name(), message.as_str()),
        ("Configuration", "told to fail")
    );
    let broken = call(&json!({"params": {}, "progress": {"v": 9}})).await;
    assert!(matches!(
        broken,
        Answer::Failed {
            kind: FaultKind::Internal,
            ..
        }
    ));
}

#[tokio::test(start_paused = true)]
async fn every_host_survives_every_failure() {
    let event = events::job(&json!({"tries": 3}));
    for (host, count) in [
        (Host::Invoke, 7),
        (Host::Worker, 27),
        (Host::Task, 0),
        (Host::Token, 15),
    ] {
        let calls = repeat_and_fail_on(host, &event, patient, |_, report, mode| {
            assert!(
                matches!(report, Report::Success { .. }),
                "{host:?} {mode:?}: {report:?}"
            );
        })
        .await;
        assert_eq!(calls.len(), count, "{host:?}: {calls:?}");
    }
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![2 => Just(Fate::Work), 3 => prop::sample::select(Fate::BAD.to_vec())]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever becomes of each call, on any host: each job ends with exactly one report. `World::play_on` checks it.
    #[test]
    fn every_job_ends_once_on_any_host(
        host in prop::sample::select(Host::ALL.to_vec()),
        tries in 1..4_u32,
        fates in prop::collection::vec(fate(), 0..30),
        doubled in any::<bool>(),
    ) {
        let tokio = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime");
        let report = tokio.block_on(async {
            let world = World { doubled, ..World::under(Plan::scripted(fates)) };
            world.play_on(host, &patient(&world), &events::job(&json!({"tries": tries}))).await
        });
        let over = !matches!(report, Report::Continue { .. });
        prop_assert!(over);
    }
}
