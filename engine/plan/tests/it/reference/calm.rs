//! What happens in the model by itself.

use std::collections::BTreeSet;

use super::{
    asked::{FULL, Outcome},
    world::{
        Act, Action, Again, DAY, HOUR, Job, Kind, MINUTE, Mode, OnFailure, Place, Run, Spot, Try,
        Wake, World,
    },
};

impl World {
    pub(super) fn room(&self) -> Outcome {
        let active = self
            .runs
            .iter()
            .filter(|it| it.place != Place::Over)
            .count();
        if self.newest().mode != Mode::Superseded && active >= 50 {
            return Err(FULL);
        }
        Ok(())
    }

    pub(super) fn last(&mut self, run: usize) -> &mut Try {
        self.runs[run].tries.last_mut().expect("it entered a stage")
    }

    pub(super) fn add(&mut self, version: usize, rollback_of: Option<usize>) -> usize {
        self.runs.push(Run {
            version,
            status: "InProgress",
            place: Place::Over,
            arrived: 0,
            outdated: false,
            rollback_of,
            told: rollback_of.is_some_and(|target| self.runs[target].told),
            tries: Vec::new(),
            attempt: 1,
            begun: self.now,
        });
        self.runs.len() - 1
    }

    pub(super) fn tick(&mut self) -> usize {
        self.clock += 1;
        self.clock
    }

    pub(super) fn arrive(&mut self, run: usize, stage: usize) {
        let name = self.stage_of(run, stage).name;
        if self.plan_of(run).mode == Mode::Superseded {
            for older in self.waiting(name) {
                if self.plan_of(older).mode != Mode::Parallel {
                    self.over(older, "Superseded");
                }
            }
        }
        self.runs[run].arrived = self.tick();
        self.runs[run].place = Place::Before(stage);
    }

    pub(super) fn over(&mut self, run: usize, status: &'static str) {
        self.runs[run].status = status;
        self.runs[run].place = Place::Over;
    }

    pub(super) fn calm(&mut self) {
        'again: loop {
            for run in 0..self.runs.len() {
                if self.progress(run) {
                    continue 'again;
                }
            }
            let mut waiting: Vec<usize> = (0..self.runs.len())
                .filter(|run| matches!(self.runs[*run].place, Place::Before(_)))
                .collect();
            waiting.sort_by_key(|run| self.runs[*run].arrived);
            for run in waiting {
                if let Place::Before(stage) = self.runs[run].place
                    && self.may_enter(run, stage)
                {
                    self.enter(run, stage);
                    continue 'again;
                }
            }
            return;
        }
    }

    pub(super) fn may_enter(&self, run: usize, stage: usize) -> bool {
        let name = self.stage_of(run, stage).name;
        let Some(at) = self.newest().stages.iter().position(|it| it.name == name) else {
            return true;
        };
        let gates = |name| self.gates.get(name).copied().unwrap_or_default();
        let open = gates(name).inbound.is_none()
            && (at == 0 || gates(self.newest().stages[at - 1].name).outbound.is_none());
        let free = self.plan_of(run).mode == Mode::Parallel || self.holder(name).is_none();
        open && free
    }

    pub(super) fn enter(&mut self, run: usize, stage: usize) {
        let name = self.stage_of(run, stage).name;
        if self.newest().stages.iter().any(|it| it.name == name) {
            self.entered.push((name, run));
        }
        self.runs[run].place = Place::In(stage);
        self.runs[run].tries.push(Try {
            stage,
            status: "InProgress",
            manual: 0,
            automatic: 0,
            again: BTreeSet::new(),
            first: 0,
            acts: Vec::new(),
        });
    }

    /// One thing an execution in a stage may do; whether it did.
    pub(super) fn progress(&mut self, run: usize) -> bool {
        let Place::In(at) = self.runs[run].place else {
            return false;
        };
        let stage = self.stage_of(run, at).clone();
        let (stopping, outdated) = (self.runs[run].status == "Stopping", self.runs[run].outdated);
        let last = self.runs[run].tries.last().expect("it is in a stage");
        let status = |action: &Action| {
            let newest = last.acts[last.first..]
                .iter()
                .rfind(|it| it.name == action.name);
            newest
                .map(|it| it.status)
                .filter(|_| !last.again.contains(action.name))
        };
        let running = last
            .acts
            .iter()
            .filter(|it| it.status == "InProgress")
            .count();
        let failed = stage
            .actions
            .iter()
            .any(|it| matches!(status(it), Some("Failed" | "Abandoned")));
        let undone: Vec<&Action> = stage
            .actions
            .iter()
            .filter(|it| status(it) != Some("Succeeded"))
            .collect();
        let end = match (stopping, outdated, failed) {
            (true, _, _) => Some("Stopped"),
            (_, true, _) => Some("Cancelled"),
            (_, _, true) => Some("Failed"),
            _ => undone.is_empty().then_some("Succeeded"),
        };
        if let Some(end) = end {
            if running == 0 {
                self.leave(run, end);
            }
            return running == 0;
        }
        let order = undone.iter().map(|it| it.order).min();
        let mut next: Vec<Action> = undone
            .into_iter()
            .filter(|it| Some(it.order) == order && status(it).is_none())
            .cloned()
            .collect();
        if self.plan_of(run).mode == Mode::Parallel {
            next.truncate(5 - running);
        }
        for action in &next {
            self.launch(run, stage.name, action);
        }
        !next.is_empty()
    }

    pub(super) fn launch(&mut self, run: usize, stage: &'static str, action: &Action) {
        let minutes = match action.kind {
            Kind::Source => HOUR,
            Kind::Build => 36 * HOUR,
            Kind::Lambda | Kind::Worker => DAY,
            Kind::Approval => 7 * DAY,
        };
        let act = Act {
            name: action.name,
            kind: action.kind,
            status: "InProgress",
            deadline: self.now + minutes,
            wake: None,
            job: None,
            answered: false,
            started: self.tick(),
        };
        let told = self.runs[run].told;
        let last = self.last(run);
        last.again.remove(action.name);
        last.acts.push(act);
        let spot = (
            run,
            self.runs[run].tries.len() - 1,
            self.last(run).acts.len() - 1,
        );
        if self.newest().stages.iter().any(|it| it.name == stage) {
            self.latest.insert((stage, action.name), spot);
        }
        if action.needs && !told {
            self.act(spot).status = "Failed";
        } else if [Kind::Lambda, Kind::Worker].contains(&action.kind) {
            self.open_job(spot);
        }
    }

    pub(super) fn open_job(&mut self, spot: Spot) {
        let lambda = self.act(spot).kind == Kind::Lambda;
        let silence = Wake::Silence(self.now + 20 * MINUTE);
        self.jobs.push(Job {
            spot,
            status: if lambda { "InProgress" } else { "Queued" },
        });
        let job = self.jobs.len() - 1;
        let act = self.act(spot);
        act.job = Some(job);
        act.wake = lambda.then_some(silence);
    }

    pub(super) fn conclude(&mut self, spot: Spot, well: bool, tells: bool) {
        self.end(spot, if well { "Succeeded" } else { "Failed" });
        if well && self.act(spot).name == "s" {
            self.runs[spot.0].told = tells;
        }
        self.calm();
    }

    pub(super) fn end(&mut self, spot: Spot, status: &'static str) {
        let act = self.act(spot);
        act.status = status;
        act.wake = None;
        if let Some(job) = act.job.take() {
            self.jobs[job].status = if status == "Succeeded" {
                status
            } else {
                "Failed"
            };
        }
    }

    pub(super) fn leave(&mut self, run: usize, status: &'static str) {
        let Place::In(at) = self.runs[run].place else {
            return;
        };
        let stage = self.stage_of(run, at).clone();
        let (standard, all) = (
            self.runs[run].rollback_of.is_none(),
            self.plan_of(run).stages.len(),
        );
        self.last(run).status = status;
        match status {
            "Succeeded" => {
                if standard && self.runs[run].version == self.plans.len() {
                    self.succeeded.push((stage.name, run));
                }
                if standard && at + 1 < all {
                    self.arrive(run, at + 1);
                } else {
                    self.over(run, "Succeeded");
                }
            }
            "Failed" => match stage.on_failure {
                OnFailure::Retry(again) if self.last(run).automatic == 0 => {
                    self.last(run).automatic = 1;
                    self.again(run, again);
                }
                OnFailure::Rollback if standard => {
                    self.over(run, status);
                    let target = self
                        .succeeded
                        .iter()
                        .rev()
                        .find(|(name, _)| *name == stage.name);
                    if let Some((_, target)) =
                        target.copied().filter(|it| self.can_go_back(it.1, at))
                    {
                        self.go_back(target, at);
                    }
                }
                _ => self.over(run, status),
            },
            _ => self.over(run, status),
        }
    }

    pub(super) fn again(&mut self, run: usize, again: Again) {
        let last = self.last(run);
        last.status = "InProgress";
        match again {
            Again::Failed => last.again = last.bad(),
            Again::All => {
                last.first = last.acts.len();
                last.again.clear();
            }
        }
        let stage = last.stage;
        self.runs[run].status = "InProgress";
        self.runs[run].place = Place::In(stage);
        self.runs[run].attempt += 1;
    }

    pub(super) fn can_go_back(&self, target: usize, stage: usize) -> bool {
        let run = &self.runs[target];
        let name = self.newest().stages[stage].name;
        let there = run
            .tries
            .iter()
            .find(|it| self.stage_of(target, it.stage).name == name);
        self.newest().mode != Mode::Parallel
            && stage > 0
            && run.rollback_of.is_none()
            && run.version == self.plans.len()
            && there.is_some_and(|it| it.status == "Succeeded")
            && self.holder(name).is_none()
            && self.room().is_ok()
    }

    pub(super) fn go_back(&mut self, target: usize, stage: usize) {
        let run = self.add(self.runs[target].version, Some(target));
        self.enter(run, stage);
    }
}
