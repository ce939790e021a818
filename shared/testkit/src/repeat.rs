//! Every step may be repeated and may be cut off anywhere: this shows it for one action.

use serde_json::{Value, json};
use shared::{
    action::Action,
    drive::decide::params,
    job::{RawParameters, Report},
};

use crate::{
    failing::{Fate, Mode},
    play::Host,
    world::World,
};

/// Runs an action on every host: to its end once cleanly, once with each event delivered twice, and once for every port call and
/// every way it can go wrong: failed before its effect, throttled, failed after its effect, from then on, hung, the process killed
/// before and after it.
///
/// `make` arranges a fresh world and gives the action over its ports. That every job gets exactly one report is
/// checked here; `check` gets the finished world, the last report and what went wrong, and checks the effects.
/// Answers the names of the clean run's calls as an invoke action. To be called with paused time.
///
/// # Panics
/// When a job has no report or two, or when `check` does.
pub async fn repeat_and_fail<A: Action>(
    event: &Value,
    make: impl Fn(&World) -> A,
    check: impl Fn(&World, &Report, Mode),
) -> Vec<&'static str> {
    let mut invoked = Vec::new();
    for host in Host::ALL {
        let calls = repeat_and_fail_on(host, event, &make, &check).await;
        if host == Host::Invoke {
            invoked = calls;
        }
    }
    invoked
}

/// The same on one host. Answers the names of the clean run's calls.
///
/// # Panics
/// As [`repeat_and_fail`].
pub async fn repeat_and_fail_on<A: Action>(
    host: Host,
    event: &Value,
    make: impl Fn(&World) -> A,
    check: impl Fn(&World, &Report, Mode),
) -> Vec<&'static str> {
    let run = async |world: World, mode| {
        let action = make(&world);
        let report = world.play_on(host, &action, event).await;
        check(&world, &report, mode);
        world.plan.calls()
    };
    let calls = run(World::new(Mode::Work), Mode::Work).await;
    let doubled = World {
        doubled: true,
        ..World::new(Mode::Work)
    };
    run(doubled, Mode::Work).await;
    for at in 0..calls.len() {
        run(World::new(Mode::DownFrom(at)), Mode::DownFrom(at)).await;
        for fate in Fate::BAD {
            let mode = Mode::At(at, fate);
            run(World::new(mode), mode).await;
        }
    }
    calls
}

/// Checks that an action takes these parameters, and refuses them by name with one unknown field more.
///
/// # Panics
/// When it does not.
pub fn refuses_unknown_parameters<A: Action>(good: &Value) {
    let read = |value: &Value| params::<A::Params>(&RawParameters::Text(value.to_string()));
    if let Err(fault) = read(good) {
        assert_eq!(fault.public, "", "good parameters are refused");
    }
    let mut unknown = good.clone();
    unknown["planted"] = json!(1);
    let text = read(&unknown).err().map(|fault| fault.public);
    assert!(
        text.as_deref()
            .is_some_and(|text| text.contains("unknown field `planted`")),
        "{}: an unknown field must be refused by name: {text:?}",
        A::NAME
    );
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use shared::{
        action::{CutOff, Done, Request, Step},
        fault::Fault,
        port::Topic,
    };

    use super::*;
    use crate::{events, failing::Failing, memory::MemoryTopic};

    /// Publishes at each step: right only where a repeat is harmless.
    struct Careless(Failing<MemoryTopic>);

    #[derive(Deserialize)]
    struct Params {}

    impl Action for Careless {
        const NAME: &'static str = "action-careless";
        const STOPS: bool = false;
        const FIRST_STEP_CUT_OFF: CutOff = CutOff::Fail;
        type Params = Params;
        type Progress = ();
        async fn step(&self, _: Request<'_, Params, ()>) -> Result<Step<()>, Fault> {
            self.0.publish("topic", "subject", "message").await?;
            Ok(Step::Done(Done::default()))
        }
    }

    async fn published(at_most: usize) {
        let calls = repeat_and_fail(
            &events::job(&json!({})),
            |world| Careless(world.topic.clone()),
            |world, _, mode| {
                let count = world.topic.inner.published().len();
                assert!(count <= at_most, "{mode:?}: {count} messages");
            },
        )
        .await;
        assert_eq!(
            calls,
            ["ledger read", "publish", "report", "ledger finished"]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn an_action_may_be_repeated() {
        published(2).await;
    }

    #[tokio::test(start_paused = true)]
    #[should_panic(expected = "At(1, DieAfter): 2 messages")]
    async fn what_a_repeat_does_twice_is_found() {
        published(1).await;
    }

    #[test]
    #[should_panic(expected = "an unknown field must be refused by name")]
    fn lenient_parameters_are_found() {
        refuses_unknown_parameters::<Careless>(&json!({}));
    }
}
