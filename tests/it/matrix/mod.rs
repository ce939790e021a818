//! Every connector, on every host, in every play: a table without a hole, played by virtual time over the vendors' stand-ins.
//!
//! A play that a connector cannot be in is a cell that says why. The functions' own binaries play the same over HTTP in
//! `connectors`.

use std::time::Duration;

use serde_json::{Value, json};
use shared::{
    action::Action,
    job::{FailureKind, Report},
    port::Clock as _,
};
use shared_testkit::{Fate, Host, Learns, Mode, World};
use stagewright_standins::{Stage, StandIn, Trick};

mod aws;
mod vendors;

/// What happens to an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Play {
    /// All is well.
    Happy,
    /// The vendor's run ends badly.
    Failed,
    /// The vendor's run never ends.
    TimedOut,
    /// The pipeline or machine gives the action up.
    Stopped,
    /// The vendor takes the start, and its answer is lost.
    LostAnswer,
    /// The function dies right after the start.
    Crash,
    /// The vendor throttles at first.
    Throttled,
    /// Answers break off at first.
    Truncated,
    /// Answers come late at first.
    Slow,
    /// The vendor does not let the function in.
    BadCredentials,
    /// There is no such parameter.
    BadParameters,
}

const PLAYS: [Play; 11] = [
    Play::Happy,
    Play::Failed,
    Play::TimedOut,
    Play::Stopped,
    Play::LostAnswer,
    Play::Crash,
    Play::Throttled,
    Play::Truncated,
    Play::Slow,
    Play::BadCredentials,
    Play::BadParameters,
];

/// How a play ends.
#[derive(Debug, Clone)]
enum Cell {
    /// The action succeeds.
    Succeeds,
    /// With these parameters the action fails, and says this.
    Fails(Value, FailureKind, &'static str),
    /// Nothing goes on afterwards.
    Stops,
    /// The vendor has no call that ends a run; a person is told this.
    CannotStop(&'static str),
    /// There is no such play, because of this.
    None(&'static str),
}

/// A connector with its vendor.
trait Cast {
    /// The vendor.
    type Vendor: StandIn;
    /// The connector.
    type Played: Action;
    /// The call that starts a run, as plans name it.
    const START: &'static str;
    /// Runs that one action may start.
    const MOST: usize = 1;
    /// Waits after which its run goes on.
    const WAITS: usize = 2;
    /// The vendor, well.
    fn vendor() -> Self::Vendor;
    /// The connector over it.
    fn action(world: &World, stage: &Stage<Self::Vendor>) -> Self::Played;
    /// A job of it, with all artifacts.
    fn event() -> Value;
    /// Arranges what the connector has of its own in this play, and says how it ends. Every play is named: a new one
    /// does not compile before each connector has a cell for it.
    fn cell(play: Play, stage: &Stage<Self::Vendor>) -> Cell;
    /// Runs that were started.
    fn started(vendor: &mut Self::Vendor) -> usize;
    /// Runs that would go on for ever.
    fn going(vendor: &mut Self::Vendor) -> usize;
}

/// One cell.
async fn play<C: Cast>(host: Host, play: Play) {
    let of = format!("{} {host:?} {play:?}", C::Played::NAME);
    let stage = Stage::new(C::vendor());
    let cell = C::cell(play, &stage);
    let hinder = |trick: Trick| {
        stage.trick("", "", 4, trick);
    };
    match play {
        Play::Throttled => hinder(Trick::throttled(Some("3"))),
        Play::Truncated => hinder(Trick::Truncated),
        Play::Slow => hinder(Trick::Slow(Duration::from_millis(1500))),
        _ => {}
    }
    let (event, mode) = match &cell {
        Cell::None(why) => {
            assert!(why.len() > 20, "{of}: no reason");
            return;
        }
        Cell::Fails(more, ..) => (with(C::event(), more), Mode::Work),
        _ => (C::event(), mode::<C>(host, play).await),
    };
    let world = World::new(mode);
    let action = C::action(&world, &stage);
    if let Cell::Stops | Cell::CannotStop(_) = cell {
        let given_up = world
            .give_up(host, Learns::ByEvent, &action, &event, C::WAITS)
            .await;
        assert!(given_up, "{of}: it failed by itself");
        let going = stage.with(C::going);
        match cell {
            Cell::CannotStop(text) => {
                assert_eq!(going, 1, "{of}: the run goes on");
                let told = cannot_stop::<C>().await;
                assert!(told.contains(text), "{of}: {told}");
            }
            _ => assert_eq!(going, 0, "{of}: a run goes on"),
        }
        assert_eq!(stage.with(C::started), 1, "{of}");
        return;
    }
    let report = world.play_on(host, &action, &event).await;
    let told = format!("{:?} {report:?}", world.reporter.inner.taken());
    assert!(!told.contains("planted"), "{of}: {told}");
    let started = stage.with(C::started);
    assert!(started <= C::MOST, "{of}: {started} starts");
    match (&cell, &report) {
        (Cell::Succeeds, Report::Success { .. }) => {}
        (
            Cell::Fails(_, kind, text),
            Report::Failure {
                kind: is, message, ..
            },
        ) => {
            assert!(message.contains(text), "{of}: {message}");
            assert_eq!(is, kind, "{of}: {message}");
        }
        _ => unreachable!("{of}: {report:?} at {}", world.time.now()),
    }
}

/// Goes wrong at the start's own call, whose number a clean run tells.
async fn mode<C: Cast>(host: Host, play: Play) -> Mode {
    let fate = match play {
        Play::LostAnswer => Fate::FailAfter,
        Play::Crash => Fate::DieAfter,
        _ => return Mode::Work,
    };
    let (stage, world) = (Stage::new(C::vendor()), World::new(Mode::Work));
    world
        .play_on(host, &C::action(&world, &stage), &C::event())
        .await;
    let calls = world.plan.calls();
    let start = calls.iter().position(|call| *call == C::START);
    Mode::At(
        start.unwrap_or_else(|| unreachable!("no {} in {calls:?}", C::START)),
        fate,
    )
}

/// What is said where a run cannot be stopped.
async fn cannot_stop<C: Cast>() -> String {
    let stage = Stage::new(C::vendor());
    C::cell(Play::Stopped, &stage);
    let world = World::new(Mode::Work);
    let action = C::action(&world, &stage);
    let mut event = C::event();
    for number in 0..3 {
        world.deliver(&action, &event).await;
        let id = event["CodePipeline.job"]["id"].as_str().unwrap_or_default();
        if let Some(Report::Continue { token, .. }) = world.reporter.inner.of(id) {
            event["CodePipeline.job"]["data"]["continuationToken"] = json!(token);
            event["CodePipeline.job"]["id"] = json!(format!("bbbbbbbb-{number:04}"));
            tokio::time::advance(Duration::from_secs(30)).await;
        }
    }
    world.reporter.inner.abandon();
    let driven = world
        .deliver(&action, &shared_testkit::stop::abandoned())
        .await;
    format!("{driven:?}")
}

/// The event with other parameters; null takes one away.
fn with(mut event: Value, more: &Value) -> Value {
    let given = &mut event["CodePipeline.job"]["data"]["actionConfiguration"]["configuration"]["UserParameters"];
    let text = given.as_str().unwrap_or_default();
    let mut all: serde_json::Map<String, Value> = serde_json::from_str(text).unwrap_or_default();
    for (name, value) in more.as_object().into_iter().flatten() {
        all.insert(name.clone(), value.clone());
    }
    all.retain(|_, value| !value.is_null());
    *given = json!(Value::Object(all).to_string());
    event
}

/// What every connector says of a parameter that there is not.
fn unknown_parameter() -> Cell {
    let text = "unknown field `no_such_parameter`";
    let more = json!({"no_such_parameter": 1});
    Cell::Fails(more, FailureKind::ConfigurationError, text)
}

async fn every_host_and_play<C: Cast>() {
    for host in Host::ALL {
        for one in PLAYS {
            play::<C>(host, one).await;
        }
    }
}

macro_rules! matrix {
    ($($test:ident: $cast:ty, $action:literal;)*) => {
        $(
            #[tokio::test(start_paused = true)]
            async fn $test() {
                assert_eq!(<<$cast as Cast>::Played as Action>::NAME, $action);
                every_host_and_play::<$cast>().await;
            }
        )*
        const PLAYED: &[&str] = &[$($action),*];
    };
}

matrix! {
    jenkins: vendors::Jenkins, "action-jenkins";
    ghost_inspector: vendors::Ghost, "action-ghost-inspector";
    loadrunner_cloud: vendors::LoadRunner, "action-loadrunner-cloud";
    blazemeter_monitoring: vendors::BlazeMeter, "action-blazemeter-monitoring";
    alexa_skill: vendors::Alexa, "action-alexa-skill";
    commit_status: vendors::Status, "action-commit-status";
    device_farm: aws::Farm, "action-device-farm";
    run_state_machine: aws::StateMachine, "action-run-state-machine";
    run_task: aws::Task, "action-run-task";
    gate: aws::OfGate, "action-gate";
}

/// Actions that are no connectors, as a site's publisher; `make new-action` adds its own.
const NO_CONNECTORS: &str = include_str!("no-connectors");

#[test]
fn no_connector_is_left_out() {
    let folder = harness::workspace::root().join("functions");
    let mut folders: Vec<String> = std::fs::read_dir(folder)
        .expect("the functions")
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name.starts_with("action-"))
        .collect();
    folders.sort();
    let mut known: Vec<&str> = PLAYED
        .iter()
        .copied()
        .chain(NO_CONNECTORS.lines())
        .collect();
    known.sort_unstable();
    assert_eq!(folders, known, "a connector needs its line in the matrix");
}
