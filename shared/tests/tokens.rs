//! Tasks that wait with a token: kept in the table, woken by callbacks and schedules, answered exactly once.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shared::{
    action::{Action, CutOff, Request, Step, Stop},
    drive::{
        Delivery, DriveError, Outcome, stop::RunEnd, task::Answer, wait::Woken, worker::Worked,
    },
    fault::{Fault, FaultKind},
    job::Details,
    port::{LedgerEntry, TaskOutcome},
};
use shared_testkit::{Driven, Fate, Mode, World, play::schedule};
use tokio::sync::Notify;

/// A vendor's run that ends when it is told to.
#[derive(Debug, Clone, Default)]
struct Runner {
    world: Option<World>,
    steps: Arc<AtomicU32>,
    over_after: Arc<AtomicU32>,
    stopped: Arc<AtomicU32>,
    refuses_stop: Arc<AtomicU32>,
    held: Option<Arc<Notify>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    #[serde(default)]
    pad: usize,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Progress {
    steps: u32,
    pad: String,
}

impl Action for Runner {
    const NAME: &'static str = "action-runner";
    const FIRST_STEP_CUT_OFF: CutOff = CutOff::AskAgain;
    type Params = Params;
    type Progress = Progress;

    async fn step(&self, request: Request<'_, Params, Progress>) -> Result<Step<Progress>, Fault> {
        let all = self.steps.fetch_add(1, Ordering::Relaxed) + 1;
        if let Some(held) = &self.held {
            held.notified().await;
        }
        if let Some(world) = &self.world {
            let key = request.job.ledger_key(Self::NAME);
            let run = "vendor-7".to_owned();
            world.ledger.inner.set(&key, LedgerEntry::Started { run });
        }
        let details = Details {
            summary: Some(format!("asked {all} times")),
            external_id: Some("vendor-7".parse().expect("an id")),
            ..Details::default()
        };
        if all > self.over_after.load(Ordering::Relaxed) {
            return Ok(Step::done(details));
        }
        let progress = Progress {
            steps: all,
            pad: "x".repeat(request.params.pad),
        };
        Ok(Step::wait(progress, details, Duration::from_secs(300)))
    }

    async fn stop(&self, stop: Stop<'_, Params>) -> Result<(), Fault> {
        assert_eq!(stop.run, "vendor-7");
        if self.refuses_stop.load(Ordering::Relaxed) > 0 {
            self.refuses_stop.fetch_sub(1, Ordering::Relaxed);
            return Err(Fault::new(FaultKind::Unavailable, "the vendor sleeps"));
        }
        self.stopped.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

impl Runner {
    fn of(world: &World) -> Self {
        let runner = Self {
            world: Some(world.clone()),
            ..Self::default()
        };
        runner.goes_on();
        runner
    }
    fn goes_on(&self) {
        self.over_after.store(u32::MAX, Ordering::Relaxed);
    }
    fn ends(&self) {
        self.over_after.store(0, Ordering::Relaxed);
    }
    fn steps(&self) -> u32 {
        self.steps.load(Ordering::Relaxed)
    }
    fn stopped(&self) -> u32 {
        self.stopped.load(Ordering::Relaxed)
    }
}

const TOKEN: &str = "planted-token";

fn task() -> Value {
    json!({"params": {}, "taskToken": TOKEN, "run": "arn:aws:states:x:1:execution:m:e/Test"})
}

fn callback(body: &str) -> Value {
    json!({"version": "2.0", "rawPath": "/hook", "requestContext": {"http": {"method": "POST"}}, "body": body})
}

fn outcome(driven: Driven) -> Result<Outcome, DriveError> {
    match driven {
        Driven::Answered(result) => *result,
        Driven::Died => unreachable!("no plan lets it die"),
    }
}

fn worked(driven: Driven) -> Worked {
    match outcome(driven) {
        Ok(Outcome::Worker(worked)) => worked,
        other => unreachable!("a round: {other:?}"),
    }
}

async fn after(seconds: u64) {
    tokio::time::advance(Duration::from_secs(seconds)).await;
}

/// A world with a task that waits.
async fn waiting() -> (World, Runner) {
    let world = World::new(Mode::Work);
    let runner = Runner::of(&world);
    let driven = outcome(world.deliver(&runner, &task()).await);
    let Ok(Outcome::Task(tasked)) = &driven else {
        unreachable!("{driven:?}");
    };
    assert_eq!((&tasked.answer, tasked.delivery), (&Answer::Kept, None));
    assert!(!format!("{driven:?} {:?}", world.ledger.inner.waiting_tasks()).contains("planted"));
    (world, runner)
}

fn status(world: &World) -> Option<String> {
    match world.tokens.inner.outcome(TOKEN)? {
        TaskOutcome::Success(output) => output["status"].as_str().map(str::to_owned),
        TaskOutcome::Failure { kind, cause } => Some(format!("{}: {cause}", kind.name())),
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_is_kept_and_the_schedule_goes_on_with_it() {
    let (world, runner) = waiting().await;
    // Not due yet: no heartbeat, no step.
    after(60).await;
    assert!(
        worked(world.deliver(&runner, &schedule()).await)
            .woken
            .is_empty()
    );
    assert_eq!((runner.steps(), world.tokens.inner.beats()), (1, 0));
    after(300).await;
    let round = worked(world.deliver(&runner, &schedule()).await);
    assert!(matches!(&round.woken[..], [Woken::Looked(tasked)] if tasked.answer == Answer::Kept));
    assert_eq!((runner.steps(), world.tokens.inner.beats()), (2, 1));
    runner.ends();
    after(300).await;
    worked(world.deliver(&runner, &schedule()).await);
    assert_eq!(status(&world).as_deref(), Some("SUCCEEDED"));
    assert!(world.ledger.inner.waiting_tasks().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_callback_wakes_the_task_at_once_and_nothing_it_says_is_believed() {
    let (world, runner) = waiting().await;
    let early = r#"{"run": "vendor-7", "status": "passed"}"#;
    worked(world.deliver(&runner, &callback(early)).await);
    assert_eq!((runner.steps(), status(&world)), (2, None));
    runner.ends();
    worked(world.deliver(&runner, &callback("{}")).await);
    assert_eq!(status(&world).as_deref(), Some("SUCCEEDED"));
    // Once more, late: there is nobody to wake.
    let late = worked(world.deliver(&runner, &callback(early)).await);
    assert!(late.woken.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_call_made_twice_and_two_sweeps_at_once_look_once() {
    let (world, runner) = waiting().await;
    let again = outcome(world.deliver(&runner, &task()).await);
    assert!(matches!(&again, Ok(Outcome::Task(tasked)) if tasked.answer == Answer::Kept));
    assert_eq!(runner.steps(), 1);
    after(400).await;
    let event = schedule();
    let (one, two) = tokio::join!(
        world.deliver(&runner, &event),
        world.deliver(&runner, &event)
    );
    let (one, two) = (worked(one), worked(two));
    assert_eq!((one.woken.len() + two.woken.len(), runner.steps()), (1, 2));
    // Without a name of its run the token names it.
    let world = World::new(Mode::Work);
    let runner = Runner::of(&world);
    for _ in 0..2 {
        let unnamed = json!({"params": {}, "taskToken": TOKEN});
        outcome(world.deliver(&runner, &unnamed).await).expect("kept");
    }
    assert_eq!(
        (runner.steps(), world.ledger.inner.waiting_tasks().len()),
        (1, 1)
    );
}

#[tokio::test(start_paused = true)]
async fn a_step_under_way_keeps_other_sweeps_and_callbacks_away() {
    let (world, runner) = waiting().await;
    let release = Arc::new(Notify::new());
    let slow = Runner {
        held: Some(Arc::clone(&release)),
        ..runner.clone()
    };
    after(400).await;
    let event = schedule();
    let others = async {
        while slow.steps() < 2 {
            tokio::task::yield_now().await;
        }
        for event in [schedule(), callback("vendor-7")] {
            let round = worked(world.deliver(&runner, &event).await);
            assert!(round.woken.is_empty(), "{event}: {round:?}");
        }
        release.notify_one();
    };
    let (first, ()) = tokio::join!(world.deliver(&slow, &event), others);
    assert_eq!((worked(first).woken.len(), runner.steps()), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_waits_no_more_has_its_run_stopped_quietly() {
    let (world, runner) = waiting().await;
    world.tokens.inner.close(TOKEN);
    // The vendor refuses the stop at first: the invocation fails, and the next sweep stops it.
    runner.refuses_stop.store(1, Ordering::Relaxed);
    after(400).await;
    let first = worked(world.deliver(&runner, &schedule()).await);
    assert!(matches!(
        first.undelivered,
        Some(DriveError::NotStopped { .. })
    ));
    let second = worked(world.deliver(&runner, &schedule()).await);
    let [Woken::GivenUp(ended)] = &second.woken[..] else {
        unreachable!("{second:?}");
    };
    let run = "vendor-7".to_owned();
    assert_eq!(ended.end, RunEnd::Stopped { run });
    assert_eq!((runner.stopped(), runner.steps()), (1, 1));
    assert_eq!(world.tokens.inner.outcome(TOKEN), None);
    assert!(world.ledger.inner.waiting_tasks().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_deadline_stops_the_run_and_fails_the_task() {
    let world = World::new(Mode::Work);
    let runner = Runner::of(&world);
    let mut task = task();
    task["deadline"] = json!("2026-01-02T03:05:05Z");
    outcome(world.deliver(&runner, &task).await).expect("kept");
    after(29).await;
    worked(world.deliver(&runner, &schedule()).await);
    assert_eq!((status(&world), runner.stopped()), (None, 0));
    after(31).await;
    worked(world.deliver(&runner, &schedule()).await);
    let told = status(&world).expect("an outcome");
    assert!(
        told.starts_with(
            "TimedOut: the task did not end until its deadline, 2026-01-02T03:05:05Z: was stopped"
        ),
        "{told}"
    );
    assert_eq!((runner.stopped(), runner.steps()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_new_token_for_the_same_run_takes_the_place_of_the_old() {
    let (world, runner) = waiting().await;
    world.tokens.inner.close(TOKEN);
    let mut retried = task();
    retried["taskToken"] = json!("planted-second");
    outcome(world.deliver(&runner, &retried).await).expect("kept");
    runner.ends();
    after(400).await;
    worked(world.deliver(&runner, &schedule()).await);
    assert!(world.tokens.inner.outcome("planted-second").is_some());
    assert_eq!((status(&world), runner.stopped()), (None, 0));
}

#[tokio::test(start_paused = true)]
async fn a_function_that_is_no_worker_is_woken_too() {
    let (world, runner) = waiting().await;
    let plain = World {
        works: false,
        ..world.clone()
    };
    runner.ends();
    let round = worked(plain.deliver(&runner, &callback("vendor-7")).await);
    assert_eq!(round.woken.len(), 1);
    assert_eq!(status(&world).as_deref(), Some("SUCCEEDED"));
    let get = json!({"requestContext": {"http": {"method": "GET"}}});
    let ignored = worked(plain.deliver(&runner, &get).await);
    assert_eq!(ignored.ignored, Some("a callback comes as POST"));
    let bare = World {
        tabled: false,
        ..plain
    };
    let error = outcome(bare.deliver(&runner, &schedule()).await).unwrap_err();
    assert!(
        error.to_string().contains("STAGEWRIGHT_ACTION_TYPE"),
        "{error}"
    );
}

/// What the table does not take goes to the machine; so does everything where there is no table.
#[tokio::test(start_paused = true)]
async fn without_room_or_table_the_machine_calls_again() {
    let world = World {
        tabled: false,
        ..World::new(Mode::Work)
    };
    let runner = Runner::of(&world);
    outcome(world.deliver(&runner, &task()).await).expect("answered");
    assert_eq!(status(&world).as_deref(), Some("RUNNING"));
    let again = outcome(world.deliver(&runner, &task()).await);
    assert!(
        matches!(&again, Ok(Outcome::Task(tasked)) if tasked.delivery == Some(Delivery::AlreadyThere)),
        "{again:?}"
    );
    let world = World::new(Mode::Work);
    let mut large = task();
    large["params"] = json!({"pad": 360_000});
    outcome(world.deliver(&Runner::of(&world), &large).await).expect("answered");
    let told = status(&world).expect("an outcome");
    assert!(
        told.starts_with("Internal: the task's output has"),
        "{told}"
    );
    assert!(world.ledger.inner.waiting_tasks().is_empty());
}

/// A process that dies anywhere in a look: the token has one outcome, and the task is forgotten.
#[tokio::test(start_paused = true)]
async fn a_look_that_is_cut_off_anywhere_is_made_again() {
    let (clean, _) = waiting().await;
    let begun = clean.plan.calls().len();
    for at in begun..begun + 12 {
        for fate in Fate::BAD {
            let world = World::new(Mode::At(at, fate));
            let runner = Runner::of(&world);
            outcome(world.deliver(&runner, &task()).await).expect("kept");
            runner.ends();
            for _ in 0..4 {
                after(400).await;
                world.deliver_with_retries(&runner, &schedule()).await;
                world.plan.revive();
            }
            assert_eq!(
                status(&world).as_deref(),
                Some("SUCCEEDED"),
                "{at} {fate:?}"
            );
            assert!(
                world.ledger.inner.waiting_tasks().is_empty(),
                "{at} {fate:?}"
            );
            // After a crash between answer and forgetting, the run that has ended is told to stop: no error for an action.
            assert!(runner.stopped() <= 1, "{at} {fate:?}");
        }
    }
}
