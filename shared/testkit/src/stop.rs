//! A pipeline or a state machine gives an action up: plays it on every host, with every call failed and repeated.

use std::time::Duration;

use serde_json::{Value, json};
use shared::{
    action::Action,
    drive::{Outcome, task::Answer},
    job::Report,
    port::TaskOutcome,
};

use crate::{
    failing::{Fate, Mode},
    play::{Host, MINUTE, TOKEN, schedule},
    world::{Driven, World},
};

/// The action's run at CodePipeline.
const RUN: &str = "run-of-the-action";
/// The state machine's execution.
const MACHINE: &str = "arn:aws:states:eu-west-1:111111111111:execution:machine:17";
/// Longer than any claim of a delivery.
const LATER: Duration = Duration::from_secs(120);
/// Deliveries after which a stop is taken to be lost. Lambda and a person's redrive are patient as well.
const MAX_TRIES: usize = 6;

/// How a function learns that its action was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Learns {
    /// Its report is refused.
    ByRefusal,
    /// An event says so while nothing of it runs.
    ByEvent,
}

impl World {
    /// Plays an action up to its `waits`-th wait; there it is given up, and the function learns so. Afterwards the last
    /// event comes once more, late. To be followed by a look at what was stopped. Answers whether it came so far: with
    /// what goes wrong the action may have failed before.
    ///
    /// # Panics
    /// When a job of a given-up action is reported.
    pub async fn give_up<A: Action>(
        &self,
        host: Host,
        learns: Learns,
        action: &A,
        event: &Value,
        waits: usize,
    ) -> bool {
        match host {
            Host::Invoke | Host::Worker => self.abandon(host, learns, action, event, waits).await,
            Host::Task => self.abort(learns, action, event, waits).await,
            Host::Token => self.close(learns, action, event, waits).await,
        }
    }

    async fn abandon<A: Action>(
        &self,
        host: Host,
        learns: Learns,
        action: &A,
        event: &Value,
        waits: usize,
    ) -> bool {
        let mut event = event.clone();
        for wait in 0..=waits {
            let id = event["CodePipeline.job"]["id"].clone();
            let id = id.as_str().unwrap_or_default();
            let last = wait == waits;
            if last && learns == Learns::ByEvent {
                break;
            }
            if last {
                let reporter = self.reporter.inner.clone();
                self.plan.before("report", move || reporter.abandon());
            }
            if host == Host::Worker {
                self.jobs.inner.offer(&event, RUN);
            }
            let woken = match host {
                Host::Worker => schedule(),
                _ => event.clone(),
            };
            for _ in 0..MAX_TRIES {
                let driven = self.deliver_with_retries(action, &woken).await;
                self.plan.revive();
                tokio::time::advance(LATER).await;
                let open = !self.ledger.inner.open_jobs().is_empty();
                let known = last || self.reporter.inner.of(id).is_some();
                if !driven.is_retried() && !open && known {
                    break;
                }
            }
            if last {
                break;
            }
            let token = match self.reporter.inner.of(id) {
                Some(Report::Continue { token, .. }) => token,
                Some(Report::Failure { .. }) => return false,
                report => unreachable!("job {id} goes on or fails: {report:?}"),
            };
            let job = &mut event["CodePipeline.job"];
            job["id"] = json!(format!("00000000-0000-0000-0000-{:012}", wait + 1));
            job["data"]["continuationToken"] = json!(token);
        }
        self.reporter.inner.abandon();
        let before = self.reporter.inner.taken().len();
        if learns == Learns::ByEvent {
            self.tell(action, &abandoned()).await;
        }
        // What comes late starts nothing again.
        self.plan.recover();
        self.tell(action, &event).await;
        assert_eq!(self.reporter.inner.taken().len(), before, "reports");
        true
    }

    async fn abort<A: Action>(
        &self,
        learns: Learns,
        action: &A,
        event: &Value,
        waits: usize,
    ) -> bool {
        let mut input = crate::play::input(event);
        input["run"] = json!(format!("{MACHINE}/State"));
        for _ in 0..waits {
            let driven = self.tell(action, &input).await;
            let output = match crate::play::of_call(&driven) {
                Some(Answer::Output(output)) => output,
                Some(Answer::Failed { .. }) => return false,
                _ => unreachable!("the action goes on or fails: {driven:?}"),
            };
            assert_eq!(output["status"], "RUNNING", "the action goes on");
            input["progress"] = output["progress"].clone();
        }
        let stop = match learns {
            Learns::ByEvent => aborted(),
            // A state machine has no refusal: its `Catch` asks.
            Learns::ByRefusal => {
                let mut stop = input.clone();
                stop["stop"] = json!({});
                stop
            }
        };
        self.tell(action, &stop).await;
        self.plan.recover();
        self.tell(action, &input).await;
        true
    }

    /// The machine that gave a token waits no more. By refusal: the sweep learns so from the token alone.
    async fn close<A: Action>(
        &self,
        learns: Learns,
        action: &A,
        event: &Value,
        waits: usize,
    ) -> bool {
        let mut input = crate::play::input(event);
        input["run"] = json!(format!("{MACHINE}/State"));
        input["taskToken"] = json!(TOKEN);
        self.tell(action, &input).await;
        for _ in 1..waits {
            self.plan.revive();
            tokio::time::advance(MINUTE).await;
            self.tell(action, &schedule()).await;
        }
        match self.tokens.inner.outcome(TOKEN) {
            Some(TaskOutcome::Failure { .. }) => return false,
            Some(outcome) => unreachable!("the action goes on: {outcome:?}"),
            None => {}
        }
        self.tokens.inner.close(TOKEN);
        if learns == Learns::ByEvent {
            self.tell(action, &aborted()).await;
        }
        self.swept(action).await;
        self.plan.recover();
        self.tell(action, &input).await;
        self.swept(action).await;
        true
    }

    /// Lets schedules come until no task is kept.
    async fn swept<A: Action>(&self, action: &A) {
        for _ in 0..MAX_TRIES {
            if self.ledger.inner.waiting_tasks().is_empty() {
                return;
            }
            self.plan.revive();
            tokio::time::advance(LATER).await;
            self.deliver_with_retries(action, &schedule()).await;
        }
        let kept = self.ledger.inner.waiting_tasks();
        assert!(kept.is_empty(), "kept for ever: {kept:?}");
    }

    /// Delivers until it ends well.
    async fn tell<A: Action>(&self, action: &A, event: &Value) -> Driven {
        let mut driven = self.deliver_with_retries(action, event).await;
        for _ in 0..MAX_TRIES {
            let failed = matches!(&driven, Driven::Answered(result)
                if matches!(&**result, Ok(Outcome::Task(tasked)) if matches!(tasked.answer, Answer::Failed { .. })));
            if !driven.is_retried() && !failed {
                break;
            }
            self.plan.revive();
            tokio::time::advance(LATER).await;
            driven = self.deliver_with_retries(action, event).await;
        }
        driven
    }
}

/// Gives an action up on every host, in every way it can learn so, at each of its first `waits` waits: once cleanly, and
/// once for every port call and every way it can go wrong, as [`crate::repeat_and_fail`] does. `check` looks at the finished
/// world: what was started must be stopped, and nothing started later.
///
/// # Panics
/// When `check` does, or when the action ends by itself.
pub async fn give_up_and_fail<A: Action>(
    event: &Value,
    waits: usize,
    make: impl Fn(&World) -> A,
    check: impl Fn(&World, Host, Mode),
) {
    let run = async |host, learns, at, mode| {
        let world = World::new(mode);
        let action = make(&world);
        let given_up = world.give_up(host, learns, &action, event, at).await;
        assert!(
            given_up || mode != Mode::Work,
            "{host:?}: the action fails by itself"
        );
        if given_up {
            check(&world, host, mode);
        }
        world.plan.calls().len()
    };
    for host in Host::ALL {
        for learns in [Learns::ByRefusal, Learns::ByEvent] {
            for at in 1..=waits {
                let calls = run(host, learns, at, Mode::Work).await;
                for call in 0..calls {
                    for fate in Fate::BAD {
                        run(host, learns, at, Mode::At(call, fate)).await;
                    }
                }
            }
        }
    }
}

/// The pipeline's execution was stopped without waiting for the action.
pub fn abandoned() -> Value {
    json!({
        "id": "e-9", "detail-type": "CodePipeline Action Execution State Change", "source": "aws.codepipeline",
        "account": "111111111111", "time": "2026-01-02T03:14:05Z", "region": "eu-west-1",
        "detail": {
            "pipeline": "p", "execution-id": "12345678", "state": "ABANDONED", "stage": "S", "action": "A",
            "action-execution-id": RUN,
            "type": {"owner": "AWS", "provider": "Lambda", "category": "Invoke", "version": "1"}
        }
    })
}

/// The state machine's execution was aborted.
pub fn aborted() -> Value {
    json!({
        "id": "e-9", "detail-type": "Step Functions Execution Status Change", "source": "aws.states",
        "account": "111111111111", "time": "2026-01-02T03:14:05Z", "region": "eu-west-1",
        "detail": {"executionArn": MACHINE, "status": "ABORTED"}
    })
}
