//! One action with one vendor on every host, and what came of it.

use std::fmt::Debug;

use serde_json::Value;
use shared::{
    action::Action,
    job::{FailureKind, Report},
};

use crate::{Host, Mode, World};

/// What came of an action on one host.
#[derive(Debug)]
pub struct Played<S> {
    /// The vendor afterwards.
    pub vendor: S,
    /// The world afterwards.
    pub world: World,
    /// The last report.
    pub report: Report,
}

/// Plays an action over a vendor. Nothing that comes out may hold a planted secret.
///
/// # Panics
/// When something does.
pub async fn played<A: Action + Debug, S>(
    host: Host,
    vendor: S,
    action: impl Fn(&World, &S) -> A,
    event: &Value,
) -> Played<S> {
    let world = World::new(Mode::Work);
    let action = action(&world, &vendor);
    let report = world.play_on(host, &action, event).await;
    let told = format!("{:?} {report:?} {action:?}", world.reporter.inner.taken());
    assert!(!told.contains("planted"), "{host:?}: {told}");
    Played {
        vendor,
        world,
        report,
    }
}

/// The same on every host, with a vendor of its own each; `check` looks at it. Answers the last host's, which is as the
/// others: all succeed, or all fail.
///
/// # Panics
/// When they do not, or when `check` does.
pub async fn everywhere<A: Action + Debug, S>(
    vendor: impl Fn() -> S,
    action: impl Fn(&World, &S) -> A,
    event: &Value,
    check: impl Fn(Host, &S),
) -> Played<S> {
    let mut last: Option<Played<S>> = None;
    for host in Host::ALL {
        let played = played(host, vendor(), &action, event).await;
        check(host, &played.vendor);
        if let Some(before) = &last {
            let same =
                std::mem::discriminant(&before.report) == std::mem::discriminant(&played.report);
            assert!(same, "{host:?}: {:?}", played.report);
        }
        last = Some(played);
    }
    last.expect("four hosts")
}

/// The failure that an action ended with.
///
/// # Panics
/// When it did not fail.
pub fn failure(report: Report) -> (FailureKind, String) {
    match report {
        Report::Failure { kind, message, .. } => (kind, message),
        report => unreachable!("{report:?}"),
    }
}

/// Parameters with others over them; null takes one away.
pub fn over(mut good: Value, more: &Value) -> Value {
    for (name, value) in more.as_object().into_iter().flatten() {
        good[name] = value.clone();
    }
    if let Some(all) = good.as_object_mut() {
        all.retain(|_, value| !value.is_null());
    }
    good
}
