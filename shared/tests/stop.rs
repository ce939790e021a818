//! What a pipeline or a state machine gives up is stopped, whatever fails, and is never started again.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shared::{
    action::{Action, CutOff, Request, Step, Stop},
    drive::{
        DriveError, Outcome,
        stop::{Over, RunEnd, over},
    },
    fault::Fault,
    job::Details,
    port::{Intent, LedgerEntry, PortError},
    start::{Found, StartError, Started, Starter, start_once},
};
use shared_testkit::{
    Driven, Failing, Mode, Plan, World, events, give_up_and_fail,
    memory::MemoryLedger,
    stop::{abandoned, aborted},
    time::BEGINNING,
};

/// A provider whose runs never end by themselves.
#[derive(Debug, Clone)]
struct Vendor {
    plan: Plan,
    runs: Arc<Mutex<Runs>>,
    findable: bool,
}

#[derive(Debug, Default)]
struct Runs {
    started: Vec<String>,
    stopped: Vec<String>,
}

/// Starts a run and waits for ever.
struct Endless {
    ledger: Failing<MemoryLedger>,
    vendor: Vendor,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    label: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Progress {
    run: Option<String>,
}

struct Start<'a>(&'a Vendor, &'a str);

impl Starter for Start<'_> {
    async fn start(&self) -> Result<String, StartError> {
        let call = async {
            let mut runs = self.0.runs.lock().expect("not poisoned");
            let run = format!("{}-{}", self.1, runs.started.len());
            runs.started.push(run.clone());
            Ok(run)
        };
        let started = self.0.plan.around("start", call).await;
        started.map_err(|error| StartError::Unknown(error.into()))
    }

    async fn find(&self) -> Result<Found, Fault> {
        if !self.0.findable {
            let look_at = "the runs of the vendor".to_owned();
            return Ok(Found::CannotTell { look_at });
        }
        let runs = async { Ok(self.0.runs.lock().expect("not poisoned").started.clone()) };
        let found: Result<_, PortError> = self.0.plan.around("find", runs).await;
        let found = found?.first().cloned();
        Ok(found.map_or(Found::Nothing, Found::Run))
    }
}

impl Action for Endless {
    const NAME: &'static str = "action-endless";
    const FIRST_STEP_CUT_OFF: CutOff = CutOff::AskAgain;
    type Params = Params;
    type Progress = Progress;

    async fn step(&self, request: Request<'_, Params, Progress>) -> Result<Step<Progress>, Fault> {
        let starter = Start(&self.vendor, &request.params.label);
        let known = request
            .progress
            .as_ref()
            .and_then(|known| known.run.clone());
        let started = match known {
            Some(run) => Started::Run(run),
            None => start_once(&self.ledger, &starter, Self::NAME, &request).await?,
        };
        let (run, again_in) = match started {
            Started::Run(run) => (Some(run), Duration::from_secs(10)),
            Started::Wait(time) => (None, time),
        };
        Ok(Step::Wait {
            progress: Progress { run },
            details: Details::default(),
            again_in,
        })
    }

    async fn stop(&self, stop: Stop<'_, Params>) -> Result<(), Fault> {
        assert!(stop.run.starts_with(&stop.params.label), "{stop:?}");
        let call = async {
            let run = stop.run.to_owned();
            self.vendor
                .runs
                .lock()
                .expect("not poisoned")
                .stopped
                .push(run);
            Ok(())
        };
        Ok(self.vendor.plan.around("stop", call).await?)
    }

    async fn find(&self, request: Request<'_, Params, Progress>) -> Result<Found, Fault> {
        Start(&self.vendor, &request.params.label).find().await
    }
}

fn endless(world: &World, runs: &Arc<Mutex<Runs>>) -> Endless {
    Endless {
        ledger: world.ledger.clone(),
        vendor: Vendor {
            plan: world.plan.clone(),
            runs: runs.clone(),
            findable: true,
        },
    }
}

fn job() -> Value {
    events::job(&json!({"label": "run"}))
}

#[tokio::test(start_paused = true)]
async fn what_is_given_up_is_stopped_whatever_fails() {
    let runs: Arc<Mutex<Arc<Mutex<Runs>>>> = Arc::default();
    give_up_and_fail(
        &job(),
        2,
        |world| {
            *runs.lock().expect("not poisoned") = Arc::default();
            endless(world, &runs.lock().expect("not poisoned"))
        },
        |world, host, mode| {
            let runs = runs.lock().expect("not poisoned").clone();
            let runs = runs.lock().expect("not poisoned");
            assert!(runs.started.len() <= 1, "{host:?} {mode:?}: {runs:?}");
            assert!(mode != Mode::Work || runs.started.len() == 1, "{host:?}");
            assert!(
                runs.started.iter().all(|run| runs.stopped.contains(run)),
                "{host:?} {mode:?}: {runs:?} {:?}",
                world.plan.calls()
            );
            let entries = world.ledger.inner.entries();
            assert!(
                entries
                    .values()
                    .all(|entry| *entry == LedgerEntry::Finished),
                "{host:?} {mode:?}: {entries:?}"
            );
        },
    )
    .await;
}

/// A world with one run that waits, and what is known of it.
async fn waiting() -> (World, Endless, Arc<Mutex<Runs>>) {
    let (world, runs) = (World::new(Mode::Work), Arc::default());
    let action = endless(&world, &runs);
    world.deliver(&action, &job()).await;
    (world, action, runs)
}

async fn ends(world: &World, action: &Endless, event: &Value) -> Result<Vec<RunEnd>, DriveError> {
    match world.deliver(action, event).await {
        Driven::Answered(result) => match *result {
            Ok(Outcome::Stopped(stopped)) => {
                Ok(stopped.runs.into_iter().map(|ended| ended.end).collect())
            }
            Ok(other) => unreachable!("a stop: {other:?}"),
            Err(error) => Err(error),
        },
        Driven::Died => unreachable!("no plan lets it die"),
    }
}

const KEY: &str = "action-endless/11111111-abcd-1111-abcd-111111abcdef";

#[tokio::test(start_paused = true)]
async fn only_what_is_over_is_stopped() {
    let (world, action, runs) = waiting().await;
    // An event of an earlier run of the same action.
    let mut earlier = abandoned();
    earlier["detail"]["action-execution-id"] = json!("another");
    assert_eq!(ends(&world, &action, &earlier).await.unwrap(), []);
    // One that does not say which run: CodePipeline says that ours goes on.
    let mut unsaid = abandoned();
    unsaid["detail"]["action-execution-id"] = Value::Null;
    assert_eq!(
        ends(&world, &action, &unsaid).await.unwrap(),
        [RunEnd::GoesOn]
    );
    assert!(runs.lock().unwrap().stopped.is_empty());

    world.reporter.inner.abandon();
    let stopped = RunEnd::Stopped {
        run: "run-0".into(),
    };
    assert_eq!(ends(&world, &action, &unsaid).await.unwrap(), [stopped]);
    assert_eq!(
        ends(&world, &action, &unsaid).await.unwrap(),
        [RunEnd::AlreadyOver]
    );
    assert_eq!(runs.lock().unwrap().stopped, ["run-0"]);
}

#[tokio::test(start_paused = true)]
async fn a_start_that_may_have_arrived_is_found_or_named() {
    let at = BEGINNING;
    let claim = |until| {
        let by = "somebody".to_owned();
        LedgerEntry::Intended(Intent { at, until, by })
    };
    for (arrived, findable, expected) in [
        (
            true,
            true,
            RunEnd::Stopped {
                run: "run-0".into(),
            },
        ),
        (false, true, RunEnd::NeverStarted),
        (
            true,
            false,
            RunEnd::NotFound {
                look_at: "the runs of the vendor".into(),
            },
        ),
    ] {
        let (world, mut action, runs) = waiting().await;
        action.vendor.findable = findable;
        world.ledger.inner.set(KEY, claim(at));
        if !arrived {
            runs.lock().unwrap().started.clear();
        }
        let found = ends(&world, &action, &abandoned()).await.unwrap();
        assert_eq!(found, [expected]);
        assert_eq!(world.ledger.inner.entries()[KEY], LedgerEntry::Finished);
    }
    // Another delivery is starting it for longer than this one lives: the event must come again.
    let (world, action, _) = waiting().await;
    world
        .ledger
        .inner
        .set(KEY, claim(at + Duration::from_secs(900)));
    let error = ends(&world, &action, &abandoned()).await.unwrap_err();
    let DriveError::NotStopped { source, .. } = error else {
        unreachable!("{error:?}");
    };
    assert_eq!(
        source.public,
        "another delivery is starting the run: it cannot be stopped yet"
    );
}

#[test]
fn ends_are_told_by_events() {
    let action = |id: Option<&str>| {
        Some(Over::Action {
            execution: "12345678".into(),
            action_execution: id.map(str::to_owned),
        })
    };
    let with = |mut event: Value, name: &str, value: &str| {
        event["detail"][name] = json!(value);
        event
    };
    let execution = |state: &str| {
        json!({
            "id": "e", "detail-type": "CodePipeline Pipeline Execution State Change", "source": "aws.codepipeline",
            "account": "1", "time": "2026-01-24T22:03:07Z", "region": "eu-west-1",
            "detail": {"pipeline": "p", "execution-id": "12345678", "state": state}
        })
    };
    let mut approval = abandoned();
    approval["detail"]["type"]["provider"] = json!("Manual");
    let ended = Some(Over::Execution("12345678".into()));
    let machine = "arn:aws:states:eu-west-1:111111111111:execution:machine:17";
    let machine = Some(Over::Machine(machine.into()));
    for (event, expected) in [
        (abandoned(), action(Some("run-of-the-action"))),
        (
            with(abandoned(), "state", "FAILED"),
            action(Some("run-of-the-action")),
        ),
        (
            with(abandoned(), "state", "CANCELED"),
            action(Some("run-of-the-action")),
        ),
        (with(abandoned(), "state", "SUCCEEDED"), None),
        (with(abandoned(), "state", "STARTED"), None),
        (approval, None),
        (execution("STOPPED"), ended.clone()),
        (execution("SUPERSEDED"), ended.clone()),
        (execution("CANCELED"), ended),
        (execution("STOPPING"), None),
        (aborted(), machine.clone()),
        (with(aborted(), "status", "TIMED_OUT"), machine),
        (with(aborted(), "status", "SUCCEEDED"), None),
        (json!({"detail-type": "x"}), None),
        (json!([]), None),
    ] {
        assert_eq!(over(&event), expected, "{event}");
    }
}
