//! Comparing the planner with the model after each happening.

use engine_plan::state::Position;
use jiff::SignedDuration;

use super::{drive::Both, world::Place};
use crate::histories::rules;

impl Both {
    /// The planner's state is the model's, and what always holds holds.
    pub(super) fn compare(&mut self) {
        for event in std::mem::take(&mut self.desk.emitted) {
            self.outsider.hear(&event);
        }
        self.effects();
        let state = &self.desk.state;
        let known = &state.pipelines["p"];
        assert_eq!(known.executions.started(), self.world.runs.len());
        for (at, run) in self.world.runs.iter().enumerate() {
            let theirs = self.desk.execution(at);
            assert_eq!(format!("{:?}", theirs.status), run.status, "execution {at}");
            let place = match run.place {
                Place::Before(stage) => Position::Before(stage),
                Place::In(stage) => Position::In(stage),
                Place::Over => Position::Ended,
            };
            assert_eq!(theirs.position, place, "execution {at}");
            assert_eq!(
                (theirs.attempt, theirs.pipeline_version),
                (run.attempt, run.version as u64)
            );
            let target = run.rollback_of.map(|it| self.desk.execution(it).id.clone());
            assert_eq!(theirs.rollback_of, target);
            let ours: Vec<_> = run
                .tries
                .iter()
                .map(|it| {
                    let acts: Vec<_> = it
                        .acts
                        .iter()
                        .map(|it| format!("{} {}", it.name, it.status))
                        .collect();
                    let name = self.world.stage_of(at, it.stage).name;
                    (
                        name.to_owned(),
                        it.status.to_owned(),
                        it.manual,
                        it.automatic,
                        acts,
                    )
                })
                .collect();
            let theirs: Vec<_> = theirs
                .stages
                .iter()
                .map(|it| {
                    let acts: Vec<_> = it
                        .actions
                        .iter()
                        .map(|it| format!("{} {:?}", it.name, it.status))
                        .collect();
                    (
                        it.name.clone(),
                        format!("{:?}", it.status),
                        it.manual_retries,
                        it.automatic_retries,
                        acts,
                    )
                })
                .collect();
            assert_eq!(theirs, ours, "execution {at}");
        }
        for stage in &known.stages {
            let index = |id: &String| known.execution_index[id];
            let waiting: Vec<usize> = stage.waiting.iter().map(index).collect();
            assert_eq!(
                waiting,
                self.world.waiting(&stage.name),
                "in front of {}",
                stage.name
            );
            assert_eq!(
                stage.held_by.as_ref().map(index),
                self.world.holder(&stage.name),
                "who holds {}",
                stage.name
            );
        }
        let due = self
            .world
            .due()
            .map(|(at, _)| self.begun + SignedDuration::from_secs(at));
        assert_eq!(state.next_due(), due);
        for (number, job) in self.world.jobs.iter().enumerate() {
            if self.world.runs[job.spot.0].tries[job.spot.1].acts[job.spot.2].job == Some(number) {
                let id = self.run(job.spot).job.clone().expect("a job is open");
                let nonce = state.jobs[&id].nonce.clone();
                let known = self.jobs.entry(number).or_insert((id.clone(), nonce));
                assert_eq!(known.0, id);
            }
            if let Some((id, _)) = self.jobs.get(&number) {
                assert_eq!(
                    format!("{:?}", state.jobs[id].status),
                    job.status,
                    "job {number}"
                );
            }
        }
        rules::check(state, &self.outsider.seen);
    }

    /// What is performed runs, what is cancelled does not; each is told once, but for new jobs.
    fn effects(&mut self) {
        for task in std::mem::take(&mut self.desk.tasks) {
            let run = self.desk.state.running.contains_key(&task.action_execution);
            assert!(run, "{} was performed and does not run", task.action);
            let first = self.heard.insert(task.action_execution.clone());
            let again = task.job.is_some_and(|it| it.continuation_token.is_some());
            assert!(first || again, "{} was performed twice", task.action);
        }
        for id in std::mem::take(&mut self.desk.cancelled) {
            assert!(!self.desk.state.running.contains_key(&id));
            assert!(self.heard.contains(&id), "cancelled and never performed");
            assert!(self.cancelled.insert(id), "cancelled twice");
        }
    }
}
