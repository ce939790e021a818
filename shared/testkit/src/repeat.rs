//! Every step may be repeated and may be cut off anywhere: this shows it for one action.

use serde_json::Value;
use shared::{action::Action, job::Report};

use crate::{
    failing::Mode,
    world::{Driven, World},
};

/// Runs an action to its end once cleanly, twice with the same event, and once for every port call and every way it
/// can go wrong: failed before its effect, after its effect, from then on, and the process killed around it.
///
/// `make` arranges a fresh world and gives the action over its ports. That every job gets exactly one report is
/// checked here; `check` gets the finished world, the last report and what went wrong, and checks the effects.
/// Answers the names of the clean run's calls. To be called with paused time.
///
/// # Panics
/// When a job has no report or two, or when `check` does.
pub async fn repeat_and_fail<A: Action>(
    event: &Value,
    make: impl Fn(&World) -> A,
    check: impl Fn(&World, &Report, Mode),
) -> Vec<&'static str> {
    let clean = World::new(Mode::Work);
    let action = make(&clean);
    let report = clean.play(&action, event).await;
    check(&clean, &report, Mode::Work);
    let calls = clean.plan.calls();

    let reports = clean.reporter.inner.taken();
    let again = clean.deliver(&action, event).await;
    let fine = matches!(&again, Driven::Answered(result) if result.is_ok());
    assert!(fine, "a second delivery must end well: {again:?}");
    assert_eq!(
        clean.reporter.inner.taken(),
        reports,
        "a second delivery must not report again"
    );
    check(&clean, &report, Mode::Work);

    for at in 0..calls.len() {
        for mode in [
            Mode::FailBefore(at),
            Mode::FailAfter(at),
            Mode::DownFrom(at),
            Mode::DieBefore(at),
            Mode::DieAfter(at),
        ] {
            let world = World::new(mode);
            let action = make(&world);
            let report = world.play(&action, event).await;
            check(&world, &report, mode);
        }
    }
    calls
}
