//! Everything an action can touch, in memory.

use std::{
    future::poll_fn,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::Poll,
    time::Duration,
};

use serde_json::Value;
use shared::{
    action::Action,
    config::worker::WorkerSettings,
    drive::{DriveError, Outcome, Outside, drive},
    port::Clock,
};

use crate::{
    failing::{Failing, Mode, Plan},
    memory::{
        MemoryArtifacts, MemoryFiles, MemoryInvalidator, MemoryJobs, MemoryLedger, MemoryPages,
        MemoryReporter, MemorySecrets, MemorySite, MemoryTokens, MemoryTopic,
    },
    time::VirtualTime,
};

/// All ports under one plan. `world.ledger` fails by plan, `world.ledger.inner` never does.
#[derive(Debug, Clone)]
pub struct World {
    /// What goes wrong.
    pub plan: Plan,
    /// Clock and timer.
    pub time: VirtualTime,
    /// Where reports go.
    pub reporter: Failing<MemoryReporter>,
    /// Jobs of the custom action type [`World::kind`].
    pub jobs: Failing<MemoryJobs>,
    /// Waiting state machines.
    pub tokens: Failing<MemoryTokens>,
    /// The ledger.
    pub ledger: Failing<MemoryLedger>,
    /// The artifact store.
    pub artifacts: Failing<MemoryArtifacts>,
    /// Single files of it.
    pub files: Failing<MemoryFiles>,
    /// Secrets.
    pub secrets: Failing<MemorySecrets>,
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
    /// Whether each event is delivered once more after its end.
    pub doubled: bool,
    /// Whether the function has a table.
    pub tabled: bool,
    /// Whether the function is a worker.
    pub works: bool,
    /// What the function takes as a worker.
    pub worker: WorkerSettings,
    /// Ids given so far.
    pub ids: Arc<AtomicU64>,
}

/// How one delivery of an event ended.
#[derive(Debug)]
pub enum Driven {
    /// The loop answered.
    Answered(Box<Result<Outcome, DriveError>>),
    /// The process died, by plan.
    Died,
}

impl Driven {
    /// Whether Lambda would deliver the event again.
    pub fn is_retried(&self) -> bool {
        match self {
            Self::Answered(result) => match &**result {
                Ok(Outcome::Worker(worked)) => worked.undelivered.is_some(),
                result => result.is_err(),
            },
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
        let (reporter, artifacts) = (MemoryReporter::default(), MemoryArtifacts::default());
        Self {
            time: VirtualTime::begin(),
            jobs: Failing::new(MemoryJobs::of(&reporter), &plan),
            reporter: Failing::new(reporter, &plan),
            tokens: Failing::new(MemoryTokens::default(), &plan),
            ledger: Failing::new(MemoryLedger::default(), &plan),
            files: Failing::new(MemoryFiles::of(&artifacts), &plan),
            artifacts: Failing::new(artifacts, &plan),
            secrets: Failing::new(MemorySecrets::default(), &plan),
            site: Failing::new(MemorySite::default(), &plan),
            invalidator: Failing::new(MemoryInvalidator::default(), &plan),
            pages: Failing::new(MemoryPages::default(), &plan),
            topic: Failing::new(MemoryTopic::default(), &plan),
            timeout: Duration::from_secs(60),
            doubled: false,
            tabled: true,
            works: true,
            worker: WorkerSettings {
                kind: "Test/Planted/1".parse().expect("three words"),
                query: None,
                most: 5,
            },
            ids: Arc::default(),
            plan,
        }
    }

    /// Delivers an event once.
    pub async fn deliver<A: Action>(&self, action: &A, event: &Value) -> Driven {
        let deadline = self.time.now() + self.timeout;
        let mut call = pin!(drive(action, self, event.clone(), deadline));
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
}

impl Outside for World {
    type Reporter = Failing<MemoryReporter>;
    type Jobs = Failing<MemoryJobs>;
    type Table = Failing<MemoryLedger>;
    type Files = Failing<MemoryFiles>;
    type Tokens = Failing<MemoryTokens>;
    type Clock = VirtualTime;
    type Timer = VirtualTime;

    fn reporter(&self) -> &Self::Reporter {
        &self.reporter
    }
    fn jobs(&self) -> &Self::Jobs {
        &self.jobs
    }
    fn table(&self) -> Option<&Self::Table> {
        Some(&self.ledger).filter(|_| self.tabled)
    }
    fn files(&self) -> Option<&Self::Files> {
        Some(&self.files)
    }
    fn tokens(&self) -> &Self::Tokens {
        &self.tokens
    }
    fn clock(&self) -> &VirtualTime {
        &self.time
    }
    fn timer(&self) -> &VirtualTime {
        &self.time
    }
    fn worker(&self) -> Option<&WorkerSettings> {
        Some(&self.worker).filter(|_| self.works)
    }
    fn new_id(&self) -> String {
        let number = self.ids.fetch_add(1, Ordering::Relaxed);
        format!("ffffffff-{number:08x}")
    }
}
