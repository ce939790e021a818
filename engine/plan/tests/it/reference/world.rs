//! What pipelines do, written as plainly as possible: nothing is indexed or kept up to date, everything is looked up
//! anew, and after each happening the world is calmed: whatever may happen by itself happens until nothing may.
//!
//! It shares no code with the planner. Conditions are not in it; the histories in `histories` cover them.

use std::collections::{BTreeMap, BTreeSet};

pub const MINUTE: i64 = 60;
pub const HOUR: i64 = 60 * MINUTE;
pub const DAY: i64 = 24 * HOUR;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Superseded,
    Queued,
    Parallel,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    Failed,
    All,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    Nothing,
    Retry(Again),
    Rollback,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Source,
    Build,
    Lambda,
    Worker,
    Approval,
}

#[derive(Debug, Clone)]
pub struct Action {
    pub name: &'static str,
    pub order: u32,
    pub kind: Kind,
    /// Fails at its start unless the first source told a variable.
    pub needs: bool,
}

#[derive(Debug, Clone)]
pub struct Stage {
    pub name: &'static str,
    pub actions: Vec<Action>,
    pub on_failure: OnFailure,
}

/// One version of the definition.
#[derive(Debug, Clone)]
pub struct Plan {
    pub mode: Mode,
    pub stages: Vec<Stage>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    Before(usize),
    In(usize),
    Over,
}

#[derive(Debug)]
pub struct Run {
    /// From 1.
    pub version: usize,
    pub status: &'static str,
    pub place: Place,
    /// Grows with every arrival in front of a stage.
    pub arrived: usize,
    /// The definition was updated under it.
    pub outdated: bool,
    pub rollback_of: Option<usize>,
    pub told: bool,
    pub tries: Vec<Try>,
    pub attempt: u32,
    pub begun: i64,
}

/// An execution's time in one stage.
#[derive(Debug)]
pub struct Try {
    pub stage: usize,
    pub status: &'static str,
    pub manual: u32,
    pub automatic: u32,
    pub again: BTreeSet<&'static str>,
    /// Where the actions of the last ALL_ACTIONS begin.
    pub first: usize,
    pub acts: Vec<Act>,
}

/// One run of an action.
#[derive(Debug)]
pub struct Act {
    pub name: &'static str,
    pub kind: Kind,
    pub status: &'static str,
    pub deadline: i64,
    pub wake: Option<Wake>,
    pub job: Option<usize>,
    /// A person has decided.
    pub answered: bool,
    pub started: usize,
}

#[derive(Debug, Clone, Copy)]
pub enum Wake {
    Silence(i64),
    Continue(i64),
}

/// Where an [`Act`] is: execution, try, act.
pub type Spot = (usize, usize, usize);

#[derive(Debug)]
pub struct Job {
    pub spot: Spot,
    pub status: &'static str,
}

#[derive(Debug, Default, Clone, Copy)]
pub struct Gates {
    pub inbound: Option<i64>,
    pub outbound: Option<i64>,
}

#[derive(Debug)]
pub struct World {
    pub now: i64,
    pub plans: Vec<Plan>,
    pub runs: Vec<Run>,
    pub jobs: Vec<Job>,
    /// Since when the transitions of a stage are disabled.
    pub gates: BTreeMap<&'static str, Gates>,
    /// Who entered which stage of the newest definition, oldest first.
    pub entered: Vec<(&'static str, usize)>,
    /// Who succeeded in which stage, oldest first.
    pub succeeded: Vec<(&'static str, usize)>,
    /// The last run of each action of the newest definition.
    pub latest: BTreeMap<(&'static str, &'static str), Spot>,
    pub clock: usize,
}

impl World {
    pub fn new(plan: Plan) -> Self {
        Self {
            now: 0,
            plans: vec![plan],
            runs: Vec::new(),
            jobs: Vec::new(),
            gates: BTreeMap::new(),
            entered: Vec::new(),
            succeeded: Vec::new(),
            latest: BTreeMap::new(),
            clock: 0,
        }
    }

    pub fn newest(&self) -> &Plan {
        self.plans.last().expect("there is a first one")
    }

    pub fn plan_of(&self, run: usize) -> &Plan {
        &self.plans[self.runs[run].version - 1]
    }

    pub fn stage_of(&self, run: usize, stage: usize) -> &Stage {
        &self.plan_of(run).stages[stage]
    }

    /// Who holds a stage.
    pub fn holder(&self, stage: &str) -> Option<usize> {
        (0..self.runs.len()).find(|run| {
            matches!(self.runs[*run].place, Place::In(at) if self.stage_of(*run, at).name == stage)
                && self.plan_of(*run).mode != Mode::Parallel
        })
    }

    /// Who waits in front of a stage, in order of arrival.
    pub fn waiting(&self, stage: &str) -> Vec<usize> {
        let mut all: Vec<usize> = (0..self.runs.len())
            .filter(|run| matches!(self.runs[*run].place, Place::Before(at) if self.stage_of(*run, at).name == stage))
            .collect();
        all.sort_by_key(|run| self.runs[*run].arrived);
        all
    }

    pub fn spots(&self) -> Vec<Spot> {
        let mut all = Vec::new();
        for (run, it) in self.runs.iter().enumerate() {
            for (at, it) in it.tries.iter().enumerate() {
                all.extend((0..it.acts.len()).map(|act| (run, at, act)));
            }
        }
        all
    }

    pub fn act(&mut self, (run, at, act): Spot) -> &mut Act {
        &mut self.runs[run].tries[at].acts[act]
    }

    /// What is due first, and when.
    pub fn due(&self) -> Option<(i64, Spot)> {
        let acts = self.spots().into_iter().filter_map(|spot| {
            let act = &self.runs[spot.0].tries[spot.1].acts[spot.2];
            let wake = match act.wake {
                Some(Wake::Silence(at) | Wake::Continue(at)) => at,
                None => act.deadline,
            };
            (act.status == "InProgress").then_some((act.deadline.min(wake), spot))
        });
        acts.min()
    }
}

impl Try {
    /// Actions whose last run failed or was abandoned.
    pub fn bad(&self) -> BTreeSet<&'static str> {
        let acts = &self.acts[self.first..];
        acts.iter()
            .filter(|act| {
                acts.iter()
                    .rfind(|it| it.name == act.name)
                    .is_some_and(|it| ["Failed", "Abandoned"].contains(&it.status))
            })
            .map(|act| act.name)
            .collect()
    }
}
