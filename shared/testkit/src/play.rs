//! The hosts' sides of driving an action to its end: CodePipeline with a function, CodePipeline with a worker, and a
//! state machine with and without a token.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};
use shared::{
    action::Action,
    drive::{Outcome, task::Answer},
    job::{Details, Report},
    port::TaskOutcome,
};

use crate::world::{Driven, World};

/// What drives an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Host {
    /// A pipeline's invoke action.
    Invoke,
    /// A job worker, woken by events and schedules.
    Worker,
    /// A state machine that loops.
    Task,
    /// A state machine that waits for a token.
    Token,
}

impl Host {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Invoke, Self::Worker, Self::Task, Self::Token];
}

/// Continuations after which an action is taken to be endless.
const MAX_JOBS: usize = 100;
/// Rounds of a worker after which a job is taken to be lost.
const MAX_ROUNDS: usize = 8;
/// CodePipeline lets this much time pass before it asks again.
const AGAIN: Duration = Duration::from_secs(30);
/// Longer than any claim of a delivery.
const LATER: Duration = Duration::from_secs(120);

impl World {
    /// Plays CodePipeline until the action is over: each continuation becomes a new job. Answers the last report.
    /// With [`World::doubled`] each event is delivered once more after its report.
    ///
    /// # Panics
    /// When a job ends without a report, when a job has two, or when there is no end.
    pub async fn play<A: Action>(&self, action: &A, event: &Value) -> Report {
        self.play_on(Host::Invoke, action, event).await
    }

    /// The same on any host. The event is always that of an invoke action; other hosts get what it says in their own
    /// way.
    ///
    /// # Panics
    /// As [`World::play`].
    pub async fn play_on<A: Action>(&self, host: Host, action: &A, event: &Value) -> Report {
        match host {
            Host::Invoke | Host::Worker => self.jobs(host, action, event).await,
            Host::Task => self.calls(action, event).await,
            Host::Token => self.token(action, event).await,
        }
    }

    async fn jobs<A: Action>(&self, host: Host, action: &A, event: &Value) -> Report {
        let mut event = event.clone();
        let mut jobs = 0;
        loop {
            jobs += 1;
            let id = event["CodePipeline.job"]["id"].clone();
            let id = id.as_str().unwrap_or_default();
            let driven = match host {
                Host::Worker => self.offer(action, &event, id).await,
                _ => self.deliver_with_retries(action, &event).await,
            };
            let mut reports = self.reporter.inner.taken();
            reports.retain(|(job, _)| job.as_str() == id);
            if self.doubled {
                let again = match host {
                    Host::Worker => self.deliver_with_retries(action, &schedule()).await,
                    _ => self.deliver_with_retries(action, &event).await,
                };
                assert!(
                    !again.is_retried(),
                    "a second delivery must end well: {again:?}"
                );
                assert_eq!(
                    self.reporter.inner.taken().len(),
                    jobs,
                    "reports of {jobs} jobs"
                );
            }
            assert_eq!(reports.len(), 1, "reports of job {id}; {driven:?}");
            let (_, report) = reports.swap_remove(0);
            let Report::Continue { token, .. } = &report else {
                return report;
            };
            assert!(jobs < MAX_JOBS, "the action does not end");
            tokio::time::advance(AGAIN).await;
            let job = &mut event["CodePipeline.job"];
            job["id"] = json!(format!("00000000-0000-0000-0000-{jobs:012}"));
            job["data"]["continuationToken"] = json!(token);
        }
    }

    /// Offers a job, tells that its action started (a continuation tells nothing), and lets the schedule come until the
    /// job is reported and forgotten.
    async fn offer<A: Action>(&self, action: &A, event: &Value, id: &str) -> Driven {
        self.jobs.inner.offer(event, "run-of-the-action");
        let first = event["CodePipeline.job"]["data"]["continuationToken"].is_null();
        let woken = if first { self.started() } else { schedule() };
        let mut driven = self.deliver_with_retries(action, &woken).await;
        for round in 0.. {
            let reported = self.reporter.inner.of(id).is_some();
            if reported && self.ledger.inner.open_jobs().is_empty() {
                break;
            }
            assert!(round < MAX_ROUNDS, "job {id} stays open; {driven:?}");
            self.plan.revive();
            tokio::time::advance(LATER).await;
            driven = self.deliver_with_retries(action, &schedule()).await;
        }
        driven
    }

    /// An action of the worker's type started.
    pub fn started(&self) -> Value {
        let kind = &self.worker.kind;
        json!({
            "id": "e-1", "detail-type": "CodePipeline Action Execution State Change", "source": "aws.codepipeline",
            "account": "111111111111", "time": "2026-01-02T03:04:05Z", "region": "eu-west-1",
            "detail": {
                "pipeline": "p", "execution-id": "12345678", "state": "STARTED", "stage": "S", "action": "A",
                "type": {"owner": "Custom", "provider": kind.provider, "category": kind.category, "version": kind.version}
            }
        })
    }

    /// Plays a state machine until the action is over. A call that fails is made again, as its `Retry` says.
    async fn calls<A: Action>(&self, action: &A, event: &Value) -> Report {
        let mut input = input(event);
        for call in 1..=MAX_JOBS {
            let driven = self.deliver_with_retries(action, &input).await;
            if self.doubled {
                let again = self.deliver_with_retries(action, &input).await;
                assert!(
                    !again.is_retried(),
                    "a second call must end well: {again:?}"
                );
            }
            let answer = of_call(&driven)
                .unwrap_or_else(|| unreachable!("no answer of call {call}; {driven:?}"));
            let Answer::Output(output) = &answer else {
                return report(&answer);
            };
            if output["status"] != "RUNNING" {
                return report(&answer);
            }
            // Without a report to send, nothing fails the call when all ports are down: they are well again some day.
            if call == 3 {
                self.plan.recover();
            }
            let wait = output["waitSeconds"].as_u64().unwrap_or_default();
            tokio::time::advance(Duration::from_secs(wait)).await;
            input["progress"] = output["progress"].clone();
        }
        unreachable!("the action does not end");
    }

    /// Plays a state machine that gives a token and waits; schedules come until the token is answered and forgotten.
    async fn token<A: Action>(&self, action: &A, event: &Value) -> Report {
        let mut input = input(event);
        input["taskToken"] = json!(TOKEN);
        let times = 1 + usize::from(self.doubled);
        let mut driven = Driven::Died;
        for _ in 0..times {
            driven = self.deliver_with_retries(action, &input).await;
            assert!(!driven.is_retried(), "the call ends well: {driven:?}");
        }
        for round in 0..MAX_JOBS {
            let answer = self.tokens.inner.outcome(TOKEN);
            let kept = !self.ledger.inner.waiting_tasks().is_empty();
            if let (Some(answer), false) = (answer, kept) {
                return report(&of_token(answer));
            }
            // As of a machine's calls.
            if round == 3 {
                self.plan.recover();
            }
            self.plan.revive();
            tokio::time::advance(MINUTE).await;
            for _ in 0..times {
                driven = self.deliver_with_retries(action, &schedule()).await;
            }
        }
        unreachable!("the token is never answered; {driven:?}");
    }
}

/// What a machine of a test waits with.
pub(crate) const TOKEN: &str = "planted-task-token";
/// Between two schedules.
pub(crate) const MINUTE: Duration = Duration::from_secs(60);

/// The schedule came.
pub fn schedule() -> Value {
    json!({"source": "aws.events", "detail-type": "Scheduled Event", "id": "s-1", "detail": {}})
}

/// What a state machine gives that wants the same as an invoke action.
pub(crate) fn input(event: &Value) -> Value {
    let data = &event["CodePipeline.job"]["data"];
    let parameters = data["actionConfiguration"]["configuration"]["UserParameters"].as_str();
    let parameters = parameters.unwrap_or_default();
    let artifacts = |list: &Value| -> Vec<Value> {
        let artifacts = list.as_array().into_iter().flatten();
        artifacts
            .map(|artifact| {
                let location = &artifact["location"]["s3Location"];
                json!({"name": artifact["name"], "bucket": location["bucketName"], "key": location["objectKey"]})
            })
            .collect()
    };
    json!({
        "params": serde_json::from_str::<Value>(parameters).unwrap_or_else(|_| parameters.into()),
        "progress": null, "run": "run-of-the-machine",
        "inputs": artifacts(&data["inputArtifacts"]), "outputs": artifacts(&data["outputArtifacts"])
    })
}

pub(crate) fn of_call(driven: &Driven) -> Option<Answer> {
    match driven {
        Driven::Answered(result) => match &**result {
            Ok(Outcome::Task(tasked)) => Some(tasked.answer.clone()),
            _ => None,
        },
        Driven::Died => None,
    }
}

pub(crate) fn of_token(outcome: TaskOutcome) -> Answer {
    match outcome {
        TaskOutcome::Success(output) => Answer::Output(output),
        TaskOutcome::Failure { kind, cause } => Answer::Failed {
            kind,
            message: cause,
            external_id: None,
        },
    }
}

/// The answer as CodePipeline would have been told.
fn report(answer: &Answer) -> Report {
    match answer {
        Answer::Failed {
            kind,
            message,
            external_id,
        } => Report::Failure {
            kind: (*kind).into(),
            message: message.clone(),
            external_id: external_id.clone(),
        },
        Answer::Kept => unreachable!("a token's answer is an outcome"),
        Answer::Output(output) => {
            let text = |value: &Value| value.as_str().map(str::to_owned);
            let details = &output["details"];
            let variables = output["variables"].as_object().into_iter().flatten();
            let variables: BTreeMap<_, _> = variables
                .filter_map(|(name, value)| Some((name.clone(), text(value)?)))
                .collect();
            Report::Success {
                details: Details {
                    summary: text(&details["summary"]),
                    external_id: text(&details["externalId"]).and_then(|id| id.parse().ok()),
                    percent: details["percent"]
                        .as_u64()
                        .and_then(|n| u8::try_from(n).ok()),
                    link: text(&details["link"]),
                },
                variables,
            }
        }
    }
}
