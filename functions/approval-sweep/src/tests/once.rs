//! Exactly one result, whoever races and wherever they crash: seeds, racers, crash points, and sweeps that finish.
//!
//! A deterministic scheduler: every call of a port gives way once, and the seed picks who goes on. Each racer is a
//! process of its own that may die, hang, be throttled or lose a reply at one of its calls.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

use shared::{
    approval::{
        audit::{
            Head, Line,
            port::{Append, AuditStore},
        },
        booth::Booth,
        decide::{Ballot, Finding, SendAnswer},
        facts::{ExecutionFacts, SourceOutput, Waiting},
        history::Past,
        id::{ApprovalId, DecisionId},
        key::MessageKey,
        port::{Answer, ApprovalStore, PipelineReader, ResultSender},
        request::{Record, Request, State, Verdict},
    },
    id::{ExecutionId, PipelineName, StageName},
    port::PortError,
};
use shared_testkit::{Fate, FixedClock, Mode, Plan, approval::sample_task};

use super::scene::{Scene, simple};
use crate::Sweep;

const SEEDS: u64 = 500;
const RACERS: usize = 50;
/// Calls of a racer that decides: replace, perhaps load and replace again, put, replace.
const POINTS: usize = 5;
/// A process that has made no step for so many turns hangs, and Lambda ends it.
const PATIENCE: usize = 40;

/// The table and CodePipeline, without JSON: what thousands of races have time for.
#[derive(Clone)]
struct Both {
    state: Arc<Mutex<Inner>>,
    plan: Plan,
}

struct Inner {
    record: Record,
    taken: Vec<(Verdict, String)>,
    decisions: Vec<DecisionId>,
}

/// Gives way once.
struct GiveWay(bool);

impl Future for GiveWay {
    type Output = ();
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.0, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Both {
    async fn call<V>(
        &self,
        what: &'static str,
        act: impl FnOnce(&mut Inner) -> Result<V, PortError>,
    ) -> Result<V, PortError> {
        GiveWay(false).await;
        let call = async { act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner)) };
        self.plan.around(what, call).await
    }

    fn under(&self, plan: Plan) -> Self {
        Self {
            state: self.state.clone(),
            plan,
        }
    }
}

fn write(inner: &mut Inner, next: &Record) -> Result<(), PortError> {
    if inner.record.version + 1 != next.version {
        return Err(PortError::Conflict {
            what: "the record".to_owned(),
        });
    }
    if let State::Deciding { decision, .. } = &next.state
        && inner.decisions.last() != Some(&decision.id)
    {
        inner.decisions.push(decision.id.clone());
    }
    inner.record = next.clone();
    Ok(())
}

impl ApprovalStore for Both {
    async fn find(&self, _: &MessageKey) -> Result<Option<ApprovalId>, PortError> {
        Ok(None)
    }
    async fn create(&self, _: &MessageKey, _: &Record) -> Result<(), PortError> {
        Ok(())
    }
    async fn load(&self, _: &ApprovalId) -> Result<Option<Record>, PortError> {
        self.call("load", |s| Ok(Some(s.record.clone()))).await
    }
    async fn replace(&self, next: &Record) -> Result<(), PortError> {
        self.call("replace", |s| write(s, next)).await
    }
    async fn unfinished(&self, _: Option<&ApprovalId>) -> Result<Vec<ApprovalId>, PortError> {
        Ok(Vec::new())
    }
    async fn of_execution(&self, _: &ExecutionId) -> Result<Vec<ApprovalId>, PortError> {
        Ok(Vec::new())
    }
    async fn finished(&self, _: &ApprovalId) -> Result<(), PortError> {
        Ok(())
    }
}

/// No chain: the trail is only emptied.
impl AuditStore for Both {
    async fn head(&self) -> Result<Option<Head>, PortError> {
        Ok(None)
    }
    async fn append(&self, append: Append<'_>) -> Result<(), PortError> {
        match append.drained {
            Some(next) => self.call("append", |s| write(s, next)).await,
            None => Ok(()),
        }
    }
    async fn recorded(&self, _: &str) -> Result<bool, PortError> {
        Ok(true)
    }
    async fn lines(&self, _: &str, _: u64) -> Result<Vec<Line>, PortError> {
        Ok(Vec::new())
    }
}

impl PipelineReader for Both {
    async fn waiting_in_state(&self, _: &PipelineName) -> Result<Vec<Waiting>, PortError> {
        Ok(Vec::new())
    }
    async fn waiting_in_history(&self, _: &PipelineName) -> Result<Vec<Waiting>, PortError> {
        Ok(Vec::new())
    }
    async fn execution(
        &self,
        _: &PipelineName,
        _: &ExecutionId,
    ) -> Result<ExecutionFacts, PortError> {
        Ok(ExecutionFacts::default())
    }
    async fn source_outputs(
        &self,
        _: &PipelineName,
        _: &ExecutionId,
    ) -> Result<Vec<SourceOutput>, PortError> {
        Ok(Vec::new())
    }
    async fn past(&self, _: &PipelineName, _: &StageName) -> Result<Past, PortError> {
        Ok(Past::default())
    }
}

impl ResultSender for Both {
    async fn put(&self, answer: &Answer<'_>) -> Result<SendAnswer, PortError> {
        let (verdict, summary) = (answer.decision.verdict, answer.summary.to_owned());
        let act = |s: &mut Inner| {
            if !s.taken.is_empty() {
                return Ok(SendAnswer::NotOpen);
            }
            s.taken.push((verdict, summary));
            Ok(SendAnswer::Accepted { request: None })
        };
        self.call("put", act).await
    }
    async fn give_up(&self, _: &Record) -> Result<(), PortError> {
        self.call("give up", |_| Ok(())).await
    }
    async fn look(&self, _: &Request) -> Result<Finding, PortError> {
        let act = |s: &mut Inner| {
            let found = s.taken.first().map(|(verdict, summary)| Finding {
                summary: Some(summary.clone()),
                verdict: Some(*verdict),
                ended: true,
                by: None,
            });
            Ok(found.unwrap_or_default())
        };
        self.call("look", act).await
    }
}

/// splitmix64.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn below(random: &mut u64, bound: usize) -> usize {
    usize::try_from(next(random) % bound as u64).unwrap()
}

type Process<'a> = (Pin<Box<dyn Future<Output = ()> + 'a>>, Plan, usize);

/// Runs processes to their ends, in an order of the seed's.
fn run(mut processes: Vec<Process<'_>>, random: &mut u64) {
    let mut context = Context::from_waker(Waker::noop());
    while !processes.is_empty() {
        let at = below(random, processes.len());
        let (future, plan, turns) = &mut processes[at];
        *turns += 1;
        let over = future.as_mut().poll(&mut context).is_ready();
        // A live process needs a turn for each call, and a few for conflicts.
        let stuck = *turns > plan.calls().len() + PATIENCE;
        if over || plan.is_dead() || stuck {
            drop(processes.swap_remove(at));
        }
    }
}

struct Race {
    scene: Scene,
    both: Both,
    ballots: Vec<Ballot>,
    clock: FixedClock,
}

/// Five approvers with ten devices each.
fn prepare(seed: u64) -> Race {
    let people: Vec<String> = (0..5).map(|n| format!("p{n}@example.com")).collect();
    let people: Vec<&str> = people.iter().map(String::as_str).collect();
    let needed = u32::try_from(seed % 3).unwrap() + 1;
    let scene = Scene::of(simple(needed, &people));
    let mut record = scene.record();
    // Every second race is a state machine's.
    if seed % 2 == 1 {
        record.request.asker = sample_task(record.request.asked_at).asker;
    }
    let mut random = seed;
    let ballots = (0..RACERS).map(|racer| {
        let mut ballot = scene.ballot(racer % people.len(), Verdict::Approve);
        if next(&mut random).is_multiple_of(4) {
            ballot.verdict = Verdict::Reject;
        }
        ballot.nonce = format!("nonce{racer}");
        ballot
    });
    let ballots = ballots.collect();
    let inner = Inner {
        record,
        taken: Vec::new(),
        decisions: Vec::new(),
    };
    Race {
        clock: scene.clock.clone(),
        both: Both {
            state: Arc::new(Mutex::new(inner)),
            plan: Plan::new(Mode::Work),
        },
        ballots,
        scene,
    }
}

async fn vote(both: Both, clock: &FixedClock, record: Record, ballot: &Ballot) {
    let booth = Booth {
        store: &both,
        sender: &both,
        clock,
    };
    let _ = booth.cast(record, ballot).await;
}

async fn tend(race: &Race, both: Both) {
    let world = &race.scene.world;
    let sweep = Sweep {
        store: both.clone(),
        pipelines: both,
        conditions: race.scene.machines.clone(),
        postman: world.clone(),
        alerts: world.clone(),
        witness: None::<super::scene::World>,
        clock: race.clock.clone(),
        entropy: world.clone(),
        settings: race.scene.sweep_of(world).settings,
    };
    let _ = sweep.tend(&race.scene.request.id).await;
}

/// One race: each racer fails at a call of its own, then sweeps take over, the first of them failing too.
fn race(seed: u64, fails: impl Fn(usize) -> Mode) {
    let race = prepare(seed);
    let mut random = seed;
    let start = race.both.state.lock().unwrap().record.clone();
    let processes = race.ballots.iter().enumerate().map(|(racer, ballot)| {
        let plan = Plan::new(fails(racer));
        let work = vote(
            race.both.under(plan.clone()),
            &race.clock,
            start.clone(),
            ballot,
        );
        (Box::pin(work) as Pin<Box<dyn Future<Output = ()>>>, plan, 0)
    });
    run(processes.collect(), &mut random);
    let said = || format!("seed {seed}");
    for round in 0..6 {
        race.clock.step(Duration::from_secs(31));
        let plans = [round, 9].map(|_| match round {
            0 => Plan::new(fails(below(&mut random, RACERS))),
            _ => Plan::new(Mode::Work),
        });
        let sweeps = plans.into_iter().map(|plan| {
            let work = tend(&race, race.both.under(plan.clone()));
            (Box::pin(work) as Pin<Box<dyn Future<Output = ()>>>, plan, 0)
        });
        run(sweeps.collect(), &mut random);
    }
    let inner = race.both.state.lock().unwrap();
    let record = &inner.record;
    if inner.decisions.is_empty() {
        // Every racer died before it wrote a vote that decides: people vote again.
        assert!(
            inner.taken.is_empty() && record.state == State::Open,
            "{}",
            said()
        );
        return;
    }
    assert_eq!(inner.decisions.len(), 1, "{}", said());
    assert_eq!(inner.taken.len(), 1, "{}", said());
    let (verdict, summary) = &inner.taken[0];
    assert!(
        summary.contains(inner.decisions[0].as_str()),
        "{}: {summary}",
        said()
    );
    let rejected = record.votes.iter().any(|v| v.verdict == Verdict::Reject);
    assert_eq!(*verdict == Verdict::Reject, rejected, "{}", said());
    let State::Decided { decision, .. } = &record.state else {
        panic!("{}: {:?}", said(), record.state);
    };
    assert_eq!(
        (&decision.id, decision.verdict),
        (&inner.decisions[0], *verdict),
        "{}",
        said()
    );
    let mut voters: Vec<_> = record.votes.iter().map(|v| v.recipient.as_str()).collect();
    voters.sort_unstable();
    voters.dedup();
    assert_eq!(
        voters.len(),
        record.votes.len(),
        "{}: one vote for each person",
        said()
    );
}

/// In every race all crash points and all ways to fail meet: 50 racers share 5 points and 6 ways.
#[test]
fn threat_12_13_14_37_five_hundred_races_of_fifty_end_in_one_result_wherever_they_crash() {
    for seed in 0..SEEDS {
        race(seed, |racer| {
            let turn = racer + usize::try_from(seed).unwrap();
            Mode::At(turn % POINTS, Fate::BAD[turn / POINTS % Fate::BAD.len()])
        });
    }
}

/// And without any failure, where everything is told at once.
#[test]
fn threat_12_of_fifty_racers_one_decides() {
    for seed in 0..SEEDS / 5 {
        race(seed, |_| Mode::Work);
    }
}
