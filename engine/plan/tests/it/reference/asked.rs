//! What can be asked of the model, and what it refuses.

use std::collections::BTreeSet;

use super::world::{Again, DAY, Kind, MINUTE, Mode, Place, Plan, Spot, Wake, World};

pub(super) type Outcome = Result<(), &'static str>;

const NOT_LATEST: &str = "NotLatestPipelineExecutionException";
const NOT_RETRYABLE: &str = "StageNotRetryableException";
const UNABLE: &str = "UnableToRollbackStageException";
pub(super) const FULL: &str = "ConcurrentPipelineExecutionsLimitExceededException";
const NO_STAGE: &str = "StageNotFoundException";

impl World {
    pub fn start(&mut self) -> Outcome {
        self.room()?;
        let run = self.add(self.plans.len(), None);
        self.arrive(run, 0);
        self.calm();
        Ok(())
    }

    pub fn stop(&mut self, run: Option<usize>, abandon: bool) -> Outcome {
        let run = run.ok_or("PipelineExecutionNotStoppableException")?;
        match self.runs[run].status {
            "InProgress" => {}
            "Stopping" if abandon => {}
            "Stopping" => return Err("DuplicatedStopRequestException"),
            _ => return Err("PipelineExecutionNotStoppableException"),
        }
        if let Place::In(_) = self.runs[run].place {
            self.runs[run].status = "Stopping";
            self.last(run).status = "Stopping";
            if abandon {
                for act in 0..self.last(run).acts.len() {
                    if self.last(run).acts[act].status == "InProgress" {
                        self.end((run, self.runs[run].tries.len() - 1, act), "Abandoned");
                    }
                }
            }
        } else {
            self.over(run, "Stopped");
        }
        self.calm();
        Ok(())
    }

    pub fn retry(&mut self, run: Option<usize>, stage: &str, again: Again) -> Outcome {
        if self.newest().stages.iter().all(|it| it.name != stage) {
            return Err(NO_STAGE);
        }
        let run = run.ok_or(NOT_LATEST)?;
        let newest = self.entered.iter().rev().find(|(name, _)| *name == stage);
        if self.newest().mode != Mode::Parallel && newest.map(|it| it.1) != Some(run) {
            return Err(NOT_LATEST);
        }
        let current = self.runs[run].version == self.plans.len();
        let over = self.runs[run].place == Place::Over;
        let Some(last) = self.runs[run].tries.last() else {
            return Err(NOT_RETRYABLE);
        };
        let here = self.stage_of(run, last.stage).name == stage;
        let ended = ["Failed", "Stopped"].contains(&last.status);
        let running = || last.acts.iter().filter(|it| it.status == "InProgress");
        let repeated = running().any(|act| {
            last.acts
                .iter()
                .any(|it| it.name == act.name && it.started < act.started)
        });
        let halfway = again == Again::Failed
            && self.runs[run].status == "InProgress"
            && last.status == "InProgress"
            && running().count() > 0
            && last.again.is_empty()
            && !repeated
            && !last.bad().is_empty();
        if !here || !current || !(over && ended || halfway) {
            return Err(NOT_RETRYABLE);
        }
        if over {
            self.room()?;
        }
        self.last(run).manual += 1;
        self.again(run, again);
        self.calm();
        Ok(())
    }

    pub fn rollback(&mut self, target: Option<usize>, stage: &str) -> Outcome {
        let at = self
            .newest()
            .stages
            .iter()
            .position(|it| it.name == stage)
            .ok_or(NO_STAGE)?;
        let target = target.ok_or("PipelineExecutionNotFoundException")?;
        if self.now - self.runs[target].begun > 365 * DAY {
            return Err("PipelineExecutionOutdatedException");
        }
        if !self.can_go_back(target, at) {
            return Err(UNABLE);
        }
        self.go_back(target, at);
        self.calm();
        Ok(())
    }

    pub fn transition(&mut self, stage: &'static str, inbound: bool, enabled: bool) -> Outcome {
        let at = self
            .newest()
            .stages
            .iter()
            .position(|it| it.name == stage)
            .ok_or(NO_STAGE)?;
        let gates = self.gates.entry(stage).or_default();
        let gate = if inbound {
            &mut gates.inbound
        } else {
            &mut gates.outbound
        };
        let since = std::mem::replace(gate, (!enabled).then_some(self.now));
        let behind = if inbound { at } else { at + 1 };
        let old = since.is_some_and(|since| self.now - since > 30 * DAY);
        let gated = self.newest().stages.get(behind).map(|it| it.name);
        if let Some(name) = gated.filter(|_| enabled && old) {
            for run in self.waiting(name) {
                self.over(run, "Cancelled");
            }
        }
        self.calm();
        Ok(())
    }

    pub fn update(&mut self, plan: Plan) {
        let kept: BTreeSet<&str> = plan.stages.iter().map(|it| it.name).collect();
        self.plans.push(plan);
        self.gates.retain(|stage, _| kept.contains(stage));
        self.entered.retain(|(stage, _)| kept.contains(stage));
        self.latest.retain(|(stage, _), _| kept.contains(stage));
        for run in 0..self.runs.len() {
            if self.plan_of(run).mode == Mode::Parallel {
                continue;
            }
            match self.runs[run].place {
                Place::Over => {}
                Place::In(_) => self.runs[run].outdated = true,
                Place::Before(_) => self.over(run, "Cancelled"),
            }
        }
        self.calm();
    }

    /// A provider ends; about what is over, nothing happens.
    pub fn finish(&mut self, spot: Spot, well: bool, tells: bool) {
        if self.act(spot).status == "InProgress" {
            self.conclude(spot, well, tells);
        }
    }

    pub fn poll(&mut self, job: usize) {
        if self.jobs[job].status == "Queued" {
            self.jobs[job].status = "Dispatched";
        }
    }

    pub fn acknowledge(&mut self, job: usize, right: bool) -> Outcome {
        if !right || self.jobs[job].status == "InProgress" {
            return Err("InvalidNonceException");
        }
        if ["Queued", "Dispatched"].contains(&self.jobs[job].status) {
            self.jobs[job].status = "InProgress";
        }
        Ok(())
    }

    pub fn report(&mut self, job: usize, well: bool, continues: bool) -> Outcome {
        if self.jobs[job].status != "InProgress" {
            return Err("InvalidJobStateException");
        }
        let spot = self.jobs[job].spot;
        if !(well && continues) {
            self.conclude(spot, well, false);
            return Ok(());
        }
        self.jobs[job].status = "Succeeded";
        self.act(spot).job = None;
        if self.act(spot).kind == Kind::Lambda {
            self.act(spot).wake = Some(Wake::Continue(self.now + 30));
        } else {
            self.open_job(spot);
        }
        Ok(())
    }

    pub fn answer(&mut self, spot: Spot, well: bool) -> Outcome {
        let stage = self
            .stage_of(spot.0, self.runs[spot.0].tries[spot.1].stage)
            .name;
        let name = self.act(spot).name;
        let Some(declared) = self.newest().stages.iter().find(|it| it.name == stage) else {
            return Err(NO_STAGE);
        };
        if declared.actions.iter().all(|it| it.name != name) {
            return Err("ActionNotFoundException");
        }
        let now = self.now;
        let newest = self.latest.get(&(stage, name)) == Some(&spot);
        let act = self.act(spot);
        if act.status == "InProgress" && act.deadline > now {
            act.answered = true;
            self.conclude(spot, well, false);
            return Ok(());
        }
        if newest && act.answered && act.status != "InProgress" {
            return Err("ApprovalAlreadyCompletedException");
        }
        Err("InvalidApprovalTokenException")
    }

    /// Everything that is due by now happens, whatever is due first first.
    pub fn wake(&mut self) {
        while let Some((at, spot)) = self.due() {
            if at > self.now {
                return;
            }
            let (now, act) = (self.now, self.act(spot));
            let continues = matches!(act.wake, Some(Wake::Continue(at)) if at <= now);
            if continues && act.deadline > now {
                self.open_job(spot);
                continue;
            }
            if let Some(job) = act.job.take() {
                self.jobs[job].status = "TimedOut";
            }
            self.conclude(spot, false, false);
        }
    }

    /// The engine was down: functions get their silence limit anew.
    pub fn resume(&mut self) {
        let silence = Wake::Silence(self.now + 20 * MINUTE);
        for act in self
            .runs
            .iter_mut()
            .flat_map(|it| &mut it.tries)
            .flat_map(|it| &mut it.acts)
        {
            if act.status == "InProgress" && matches!(act.wake, Some(Wake::Silence(_))) {
                act.wake = Some(silence);
            }
        }
    }
}
