//! Start once: never two outside runs, whatever is repeated, lost or cut off, and one as soon as all is well.

use std::{
    collections::BTreeMap,
    future::poll_fn,
    pin::pin,
    sync::{Arc, Mutex},
    task::Poll,
    time::Duration,
};

use jiff::Timestamp;
use shared::{
    action::Request,
    fault::{Fault, FaultKind},
    job::{Job, Origin, RawParameters},
    port::{Clock, Intent, LedgerEntry, PortError},
    start::{Found, Move, SETTLE, StartError, Started, Starter, decide, start_once},
};
use shared_testkit::{Fate, Mode, Plan, World, proptest::prelude::*};

const BUDGET: Duration = Duration::from_secs(55);

/// A vendor whose runs are marked with our key.
#[derive(Debug, Clone)]
struct Vendor {
    plan: Plan,
    runs: Arc<Mutex<Vec<String>>>,
    findable: bool,
    refuses: bool,
}

impl Vendor {
    fn new(plan: &Plan) -> Self {
        Self {
            plan: plan.clone(),
            runs: Arc::default(),
            findable: true,
            refuses: false,
        }
    }

    fn runs(&self) -> usize {
        self.runs.lock().expect("not poisoned").len()
    }
}

impl Starter for Vendor {
    async fn start(&self) -> Result<String, StartError> {
        if self.refuses {
            let fault = Fault::new(FaultKind::Configuration, "no such project");
            return Err(StartError::NotStarted(fault));
        }
        let call = async {
            let mut runs = self.runs.lock().expect("not poisoned");
            let run = format!("run-{}", runs.len());
            runs.push(run.clone());
            Ok(run)
        };
        let started = self.plan.around("start", call).await;
        started.map_err(|error| StartError::Unknown(error.into()))
    }

    async fn find(&self) -> Result<Found, Fault> {
        if !self.findable {
            let look_at = "the builds of site/main".to_owned();
            return Ok(Found::CannotTell { look_at });
        }
        let found = async { Ok(self.runs.lock().expect("not poisoned").first().cloned()) };
        let found = self
            .plan
            .around("find", found)
            .await
            .map_err(|error: PortError| Fault::from(error))?;
        Ok(found.map_or(Found::Nothing, Found::Run))
    }
}

fn job() -> Job {
    Job {
        id: "1-a".parse().expect("an id"),
        run_key: "run-of-the-action".to_owned(),
        parameters: RawParameters::Text(String::new()),
        inputs: vec![],
        outputs: vec![],
        credentials: None,
        encryption_key: None,
        continuation: None,
        origin: Origin::Unsaid,
    }
}

/// What a delivery came to; `None`: it died or was cut off at the end of its time.
async fn deliver(world: &World, vendor: &Vendor, id: u32) -> Option<Result<Started, Fault>> {
    let (job, delivery) = (job(), format!("d-{id}"));
    let request: Request<'_, (), ()> = Request {
        params: &(),
        progress: None,
        job: &job,
        started_at: world.time.now(),
        now: world.time.now(),
        budget: BUDGET,
        delivery: &delivery,
    };
    let step = start_once(&world.ledger, vendor, "action-x", &request);
    let bounded = tokio::time::timeout(BUDGET, step);
    let mut bounded = pin!(bounded);
    poll_fn(|context| match bounded.as_mut().poll(context) {
        Poll::Ready(Ok(result)) => Poll::Ready(Some(result)),
        Poll::Ready(Err(_)) => Poll::Ready(None),
        Poll::Pending if world.plan.is_dead() => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    })
    .await
}

#[test]
fn the_entry_alone_decides() {
    let now: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
    let intent = |by: &str, until: Timestamp| Intent {
        at: now,
        until,
        by: by.to_owned(),
    };
    let later = now + Duration::from_secs(9);
    for (entry, expected) in [
        (None, Move::Claim),
        (Some(LedgerEntry::Intended(intent("me", now))), Move::Start),
        (
            Some(LedgerEntry::Intended(intent("other", later))),
            Move::Wait(Duration::from_secs(9)),
        ),
        (
            Some(LedgerEntry::Intended(intent("other", now))),
            Move::TakeOver(intent("other", now)),
        ),
        (
            Some(LedgerEntry::Started { run: "r".into() }),
            Move::Adopt("r".into()),
        ),
        (Some(LedgerEntry::Finished), Move::Over),
    ] {
        assert_eq!(decide(entry.as_ref(), "me", now), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_clean_start_is_claimed_before_and_noted_after() {
    let world = World::new(Mode::Work);
    let vendor = Vendor::new(&world.plan);
    let run = deliver(&world, &vendor, 1).await.unwrap().unwrap();
    assert_eq!(run, Started::Run("run-0".into()));
    assert_eq!(
        world.plan.calls(),
        ["ledger read", "ledger intend", "start", "ledger started"]
    );
    let again = deliver(&world, &vendor, 2).await.unwrap().unwrap();
    assert_eq!(again, run);
    assert_eq!(vendor.runs(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_refused_start_leaves_no_claim() {
    let world = World::new(Mode::Work);
    let mut vendor = Vendor::new(&world.plan);
    vendor.refuses = true;
    let fault = deliver(&world, &vendor, 1).await.unwrap().unwrap_err();
    assert_eq!(fault.public, "no such project");
    assert_eq!(world.ledger.inner.entries(), BTreeMap::new());
}

#[tokio::test(start_paused = true)]
async fn a_lost_start_is_adopted_once_its_claim_is_over() {
    let world = World::new(Mode::At(2, Fate::FailAfter));
    let vendor = Vendor::new(&world.plan);
    let first = deliver(&world, &vendor, 1).await.unwrap().unwrap();
    assert_eq!(first, Started::Wait(BUDGET + SETTLE));
    tokio::time::advance(Duration::from_secs(60)).await;
    let early = deliver(&world, &vendor, 2).await.unwrap().unwrap();
    assert_eq!(
        early,
        Started::Wait(BUDGET + SETTLE - Duration::from_secs(60))
    );
    tokio::time::advance(Duration::from_secs(30)).await;
    let late = deliver(&world, &vendor, 3).await.unwrap().unwrap();
    assert_eq!(late, Started::Run("run-0".into()));
}

#[tokio::test(start_paused = true)]
async fn where_nothing_can_be_found_the_start_is_refused_with_the_place_to_look() {
    for fate in [
        Fate::FailAfter,
        Fate::FailBefore,
        Fate::DieAfter,
        Fate::DieBefore,
        Fate::Hang,
    ] {
        let world = World::new(Mode::At(2, fate));
        let mut vendor = Vendor::new(&world.plan);
        vendor.findable = false;
        deliver(&world, &vendor, 1).await;
        world.plan.recover();
        tokio::time::advance(BUDGET + SETTLE).await;
        let fault = deliver(&world, &vendor, 2).await.unwrap().unwrap_err();
        assert!(
            fault
                .public
                .ends_with("look at the builds of site/main, then retry the stage"),
            "{fault}"
        );
        assert!(vendor.runs() <= 1);
    }
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![2 => Just(Fate::Work), 3 => prop::sample::select(Fate::BAD.to_vec())]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 512, ..ProptestConfig::default() })]

    /// Deliveries come one after the other and side by side, at any distance, and each call meets any fate: never two
    /// runs. Once all is well there is one, and everybody is told the same.
    #[test]
    fn never_two_outside_runs(
        fates in prop::collection::vec(fate(), 0..24),
        rounds in prop::collection::vec((1..4_u32, 0..100_u64), 1..6),
        findable in prop::bool::weighted(0.8),
    ) {
        let tokio = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime");
        tokio.block_on(async {
            let world = World::under(Plan::scripted(fates));
            let vendor = Vendor { findable, ..Vendor::new(&world.plan) };
            let mut id = 0;
            for (deliveries, pause) in rounds {
                let together = (0..deliveries).map(|_| {
                    id += 1;
                    deliver(&world, &vendor, id)
                });
                futures_util::future::join_all(together).await;
                world.plan.revive();
                assert!(vendor.runs() <= 1, "{} runs", vendor.runs());
                tokio::time::advance(Duration::from_secs(pause)).await;
            }
            world.plan.recover();
            tokio::time::advance(BUDGET + SETTLE).await;
            let last = deliver(&world, &vendor, 1000).await.expect("nothing dies now");
            match last {
                Ok(Started::Run(run)) => {
                    assert_eq!((run.as_str(), vendor.runs()), ("run-0", 1));
                }
                Ok(wait) => unreachable!("no claim holds any more: {wait:?}"),
                Err(fault) => assert!(!findable && vendor.runs() <= 1, "{fault}"),
            }
        });
    }
}
