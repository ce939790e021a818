//! One history in both worlds: each happening is told to the planner and to the model, then they are compared.

use std::collections::{BTreeSet, HashMap};

use engine_plan::{
    event::{Event, ExecutionDetails, Outcome, RetryMode},
    refusal::Refusal,
    state::Execution,
    step::Answer,
};
use jiff::{SignedDuration, Timestamp};

use super::{
    plans::{Shape, definition, plan},
    world::{Again, DAY, Kind, Spot, World},
};
use crate::{
    harness::{Desk, declared, job_failed, job_succeeded, start, succeeded_with},
    histories::outsider::Outsider,
};

/// One thing that may happen; numbers choose among what there is, and one more than there is stands for nobody.
#[derive(Debug, Clone)]
pub enum Op {
    Start(u8),
    /// A running action of any kind is helped to its end, in one go.
    Work {
        at: usize,
        well: bool,
        tells: bool,
    },
    /// A provider's report, on whatever ran once.
    Finish {
        at: usize,
        well: bool,
    },
    Poll(usize),
    Acknowledge(usize, bool),
    Report {
        at: usize,
        well: bool,
        continues: bool,
    },
    Answer {
        at: usize,
        well: bool,
    },
    Stop(usize, bool),
    Retry(usize, usize, Again),
    Rollback(usize, usize),
    Transition(usize, bool, bool),
    Update(Shape),
    /// So many seconds go by; the planner hears of it or not.
    Pass(i64, bool),
    Resume,
}

pub const STAGES: [&str; 5] = ["Source", "Build", "Deploy", "Gate", "Nowhere"];

pub struct Both {
    pub(super) desk: Desk,
    pub(super) world: World,
    pub(super) outsider: Outsider,
    /// The planner's job ids by the model's numbers, and their nonces.
    pub(super) jobs: HashMap<usize, (String, String)>,
    pub(super) begun: Timestamp,
    pub(super) heard: BTreeSet<String>,
    pub(super) cancelled: BTreeSet<String>,
}

impl Both {
    pub fn new(shape: Shape) -> Self {
        let plan = plan(shape);
        let definition = definition(&plan);
        let desk = Desk::with_worker(declared(definition.clone()));
        Self {
            begun: desk.now,
            desk,
            world: World::new(plan),
            outsider: Outsider::new(definition),
            jobs: HashMap::new(),
            heard: BTreeSet::new(),
            cancelled: BTreeSet::new(),
        }
    }

    pub fn apply(&mut self, op: &Op) {
        match *op {
            Op::Start(times) => (0..times).for_each(|_| self.start()),
            Op::Work { at, well, tells } => self.work(at, well, tells),
            Op::Finish { at, well } => {
                // only providers report by action execution
                let mut spots = self.world.spots();
                spots.retain(|spot| {
                    matches!(self.world.act(*spot).kind, Kind::Source | Kind::Build)
                });
                if let Some(spot) = pick(&spots, at) {
                    self.finish(spot, well, false);
                }
            }
            Op::Poll(at) => self.poll(at),
            Op::Acknowledge(at, right) => self.acknowledge(at, right),
            Op::Report {
                at,
                well,
                continues,
            } => self.report(at, well, continues),
            Op::Answer { at, well } => {
                let mut spots = self.world.spots();
                spots.retain(|spot| self.world.act(*spot).kind == Kind::Approval);
                if let Some(spot) = pick(&spots, at) {
                    self.answer(spot, well);
                }
            }
            Op::Stop(at, abandon) => {
                let run = self.one_or_nobody(at);
                let told = self.desk.stop(&self.id(run), abandon);
                same("stop", told, self.world.stop(run, abandon));
            }
            Op::Retry(at, stage, again) => self.retry(at, STAGES[stage % STAGES.len()], again),
            Op::Rollback(at, stage) => {
                let (run, stage) = (self.one_or_nobody(at), STAGES[stage % STAGES.len()]);
                let told = self.desk.rollback(stage, &self.id(run));
                same("rollback", told, self.world.rollback(run, stage));
            }
            Op::Transition(at, inbound, enabled) => {
                let stage = STAGES[at % STAGES.len()];
                let told = self.desk.ask(Event::SetTransition {
                    pipeline: "p".to_owned(),
                    stage: stage.to_owned(),
                    inbound,
                    enabled,
                    reason: None,
                    by: "dana".to_owned(),
                });
                same(
                    "transition",
                    told,
                    self.world.transition(stage, inbound, enabled),
                );
            }
            Op::Update(shape) => {
                let plan = plan(shape);
                let value = definition(&plan);
                self.outsider.definitions.push(value.clone());
                self.desk.tell(Event::UpdatePipeline {
                    definition: declared(value),
                });
                self.world.update(plan);
            }
            Op::Pass(seconds, heard) => {
                self.world.now += seconds;
                self.desk.now += SignedDuration::from_secs(seconds);
                if heard {
                    self.desk.tell(Event::TimePassed);
                    self.world.wake();
                }
            }
            Op::Resume => {
                self.desk.tell(Event::Resumed);
                self.world.resume();
            }
        }
        self.compare();
    }

    fn start(&mut self) {
        let told = self.desk.ask(start("p"));
        same("start", told, self.world.start());
    }

    /// Ends an open action in the way its kind ends.
    fn work(&mut self, at: usize, well: bool, tells: bool) {
        let mut open = self.world.spots();
        open.retain(|spot| self.world.act(*spot).status == "InProgress");
        let Some(spot) = pick(&open, at) else { return };
        let (kind, job) = (self.world.act(spot).kind, self.world.act(spot).job);
        match (kind, job) {
            (Kind::Source | Kind::Build, _) => self.finish(spot, well, tells),
            (Kind::Approval, _) => self.answer(spot, well),
            (Kind::Lambda, Some(job)) => self.report(job, well, false),
            (Kind::Worker, Some(job)) => {
                self.poll(job);
                self.acknowledge(job, true);
                self.report(job, well, false);
            }
            // between two jobs
            (Kind::Lambda | Kind::Worker, None) => {}
        }
    }

    fn finish(&mut self, spot: Spot, well: bool, tells: bool) {
        let id = self.run(spot).id.clone();
        let event = match (well, tells) {
            (true, true) => succeeded_with(&id, &[("k", "v")]),
            (true, false) => succeeded_with(&id, &[]),
            (false, _) => Event::Finished {
                action_execution: id,
                outcome: Outcome::Failed {
                    code: "JobFailed".to_owned(),
                    message: "it broke".to_owned(),
                    details: ExecutionDetails::default(),
                },
            },
        };
        self.desk.tell(event);
        self.world.finish(spot, well, tells);
    }

    fn poll(&mut self, at: usize) {
        if let Some((job, (id, _))) = self.job(at) {
            self.desk.tell(Event::JobsPolled { jobs: vec![id] });
            self.world.poll(job);
        }
    }

    fn acknowledge(&mut self, at: usize, right: bool) {
        if let Some((job, (id, nonce))) = self.job(at) {
            let nonce = if right { nonce } else { "wrong".to_owned() };
            let told = self.desk.ask(Event::JobAcknowledged { job: id, nonce });
            same("acknowledge", told, self.world.acknowledge(job, right));
        }
    }

    fn report(&mut self, at: usize, well: bool, continues: bool) {
        if let Some((job, (id, _))) = self.job(at) {
            let event = match (well, continues) {
                (true, true) => job_succeeded(&id, Some("more")),
                (true, false) => job_succeeded(&id, None),
                (false, _) => job_failed(&id),
            };
            let told = self.desk.ask(event);
            same("report", told, self.world.report(job, well, continues));
        }
    }

    fn answer(&mut self, spot: Spot, approved: bool) {
        let stage = self.execution(spot.0).stages[spot.1].name.clone();
        let run = self.run(spot);
        let event = Event::Approval {
            pipeline: "p".to_owned(),
            stage,
            action: run.name.clone(),
            token: run.approval_token.clone().unwrap(),
            approved,
            summary: "because".to_owned(),
            by: "dana".to_owned(),
        };
        let told = self.desk.ask(event);
        same("answer", told, self.world.answer(spot, approved));
    }

    fn retry(&mut self, at: usize, stage: &str, again: Again) {
        let run = self.one_or_nobody(at);
        let mode = match again {
            Again::Failed => RetryMode::FailedActions,
            Again::All => RetryMode::AllActions,
        };
        let id = self.id(run);
        let told = self.desk.retry(stage, &id, mode);
        if told.is_ok() && again == Again::All {
            self.outsider.retried_all(&id, stage);
        }
        same("retry", told, self.world.retry(run, stage, again));
    }

    fn one_or_nobody(&self, at: usize) -> Option<usize> {
        // the newest are the interesting ones
        let all = self.world.runs.len();
        let back = at % (all.min(6) + 1);
        all.checked_sub(back + 1)
    }

    fn id(&self, run: Option<usize>) -> String {
        run.map_or_else(|| "nobody".to_owned(), |run| self.execution(run).id.clone())
    }

    fn job(&self, at: usize) -> Option<(usize, (String, String))> {
        let number = at % self.world.jobs.len().max(1);
        Some((number, self.jobs.get(&number)?.clone()))
    }

    pub(super) fn execution(&self, run: usize) -> &Execution {
        self.desk.execution(run)
    }

    pub(super) fn run(&self, (run, stage, act): Spot) -> &engine_plan::state::ActionRun {
        &self.execution(run).stages[stage].actions[act]
    }

    /// Opens all gates and lets everything succeed: then nothing is left, and the journal gives the same state.
    pub fn end(&mut self) {
        for stage in self.world.newest().stages.clone() {
            for inbound in [true, false] {
                let at = STAGES.iter().position(|it| *it == stage.name).unwrap();
                self.apply(&Op::Transition(at, inbound, true));
            }
        }
        let open = |it: &Self| (it.world.jobs.len(), it.outsider.ended.len());
        for _ in 0..10_000 {
            if self.world.due().is_none() {
                break;
            }
            let before = open(self);
            self.apply(&Op::Work {
                at: 0,
                well: true,
                tells: true,
            });
            // what cannot be helped comes to its end by itself: a paused function, an approval of a stage that is gone
            let wait = if open(self) == before { 8 * DAY } else { 0 };
            self.apply(&Op::Pass(wait, true));
        }
        assert!(self.desk.state.pipelines["p"].active.is_empty());
        assert!(self.desk.state.approvals.is_empty());
        assert!(self.desk.replayed() == self.desk.state, "a replay differs");
    }
}

fn pick(all: &[Spot], at: usize) -> Option<Spot> {
    all.get(at % all.len().max(1)).copied()
}

fn same(what: &str, planner: Result<Answer, Refusal>, model: Result<(), &'static str>) {
    let told = planner.as_ref().map(|_| ()).map_err(|it| it.exception);
    assert_eq!(told, model, "{what}: {planner:?}");
}
