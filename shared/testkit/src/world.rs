//! Everything an action can touch, in memory, and CodePipeline's side of driving it.

use std::{future::poll_fn, pin::pin, task::Poll, time::Duration};

use serde_json::{Value, json};
use shared::{
    action::Action,
    drive::{DriveError, Ended, Ports, drive},
    job::Report,
    port::Clock,
};

use crate::{
    failing::{Failing, Mode, Plan},
    memory::{
        MemoryArtifacts, MemoryInvalidator, MemoryLedger, MemoryPages, MemoryReporter, MemorySite,
        MemoryTopic,
    },
    time::VirtualTime,
};

/// Continuations after which an action is taken to be endless.
const MAX_JOBS: usize = 100;

/// All ports under one plan. `world.ledger` fails by plan, `world.ledger.inner` never does.
#[derive(Debug, Clone)]
pub struct World {
    /// What goes wrong.
    pub plan: Plan,
    /// Clock and timer.
    pub time: VirtualTime,
    /// Where reports go.
    pub reporter: Failing<MemoryReporter>,
    /// The ledger.
    pub ledger: Failing<MemoryLedger>,
    /// The artifact store.
    pub artifacts: Failing<MemoryArtifacts>,
    /// The bucket of a site.
    pub site: Failing<MemorySite>,
    /// The CDN.
    pub invalidator: Failing<MemoryInvalidator>,
    /// The web.
    pub pages: Failing<MemoryPages>,
    /// SNS.
    pub topic: Failing<MemoryTopic>,
    /// How long one delivery may take.
    pub timeout: Duration,
    /// Whether [`World::play`] delivers each event once more after its report.
    pub doubled: bool,
}

/// How one delivery of an event ended.
#[derive(Debug)]
pub enum Driven {
    /// The loop answered.
    Answered(Box<Result<Ended, DriveError>>),
    /// The process died, by plan.
    Died,
}

impl Driven {
    /// Whether Lambda would deliver the event again.
    pub fn is_retried(&self) -> bool {
        match self {
            Self::Answered(result) => result.is_err(),
            Self::Died => true,
        }
    }
}

impl World {
    /// An empty world, to be made inside a runtime with paused time. One delivery may take a minute.
    pub fn new(mode: Mode) -> Self {
        Self::under(Plan::new(mode))
    }

    /// The same under a plan of its own.
    pub fn under(plan: Plan) -> Self {
        Self {
            time: VirtualTime::begin(),
            reporter: Failing::new(MemoryReporter::default(), &plan),
            ledger: Failing::new(MemoryLedger::default(), &plan),
            artifacts: Failing::new(MemoryArtifacts::default(), &plan),
            site: Failing::new(MemorySite::default(), &plan),
            invalidator: Failing::new(MemoryInvalidator::default(), &plan),
            pages: Failing::new(MemoryPages::default(), &plan),
            topic: Failing::new(MemoryTopic::default(), &plan),
            timeout: Duration::from_secs(60),
            doubled: false,
            plan,
        }
    }

    /// Delivers an event once.
    pub async fn deliver<A: Action>(&self, action: &A, event: &Value) -> Driven {
        let ports = Ports {
            reporter: &self.reporter,
            ledger: Some(&self.ledger),
            clock: &self.time,
            timer: &self.time,
        };
        let deadline = self.time.now() + self.timeout;
        let mut call = pin!(drive(action, &ports, event.clone(), deadline));
        poll_fn(|context| match call.as_mut().poll(context) {
            Poll::Ready(result) => Poll::Ready(Driven::Answered(Box::new(result))),
            Poll::Pending if self.plan.is_dead() => Poll::Ready(Driven::Died),
            Poll::Pending => Poll::Pending,
        })
        .await
    }

    /// Delivers an event as Lambda does: twice more after a failure. What failed is well again for the last delivery.
    pub async fn deliver_with_retries<A: Action>(&self, action: &A, event: &Value) -> Driven {
        for attempt in 1..3 {
            let driven = self.deliver(action, event).await;
            if !driven.is_retried() {
                return driven;
            }
            self.plan.revive();
            if attempt == 2 {
                self.plan.recover();
            }
        }
        self.deliver(action, event).await
    }

    /// Plays CodePipeline until the action is over: each continuation becomes a new job. Answers the last report.
    /// With [`World::doubled`] each event is delivered once more after its report.
    ///
    /// # Panics
    /// When a job ends without a report, when a job has two, or when there is no end.
    pub async fn play<A: Action>(&self, action: &A, event: &Value) -> Report {
        let mut event = event.clone();
        let mut jobs = 0;
        loop {
            jobs += 1;
            let driven = self.deliver_with_retries(action, &event).await;
            let id = event["CodePipeline.job"]["id"].clone();
            let mut reports = self.reporter.inner.taken();
            reports.retain(|(job, _)| Some(job.as_str()) == id.as_str());
            if self.doubled {
                let again = self.deliver_with_retries(action, &event).await;
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
            let job = &mut event["CodePipeline.job"];
            job["id"] = json!(format!("00000000-0000-0000-0000-{jobs:012}"));
            job["data"]["continuationToken"] = json!(token);
        }
    }
}
