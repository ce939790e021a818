//! The way of an execution through its stages: waiting, locks, runOrder groups, the end.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    Turn,
    verdict::{After, Verdict, after_failure},
};
use crate::{
    definition::{ExecutionMode, PipelineDeclaration},
    state::{
        Execution, ExecutionStatus, Pipeline, Position, RetryTrigger, StageRun, StageState,
        StageStatus,
    },
};

impl Turn<'_> {
    pub(super) fn execution(&self, pipeline: &str, execution: usize) -> Option<&Execution> {
        self.state
            .pipelines
            .get(pipeline)?
            .executions
            .get(execution)
    }

    pub(super) fn execution_mut(
        &mut self,
        pipeline: &str,
        execution: usize,
    ) -> Option<&mut Execution> {
        self.state
            .pipelines
            .get_mut(pipeline)?
            .executions
            .get_mut(execution)
    }

    pub(super) fn definition(
        &self,
        pipeline: &str,
        execution: usize,
    ) -> Option<Arc<PipelineDeclaration>> {
        let pipeline = self.state.pipelines.get(pipeline)?;
        pipeline
            .definition_of(pipeline.executions.get(execution)?)
            .cloned()
    }

    /// The execution stands in front of a stage: it enters, or waits and supersedes who waited there.
    pub(super) fn arrive(&mut self, pipeline: &str, execution: usize, stage: usize) {
        let Some(definition) = self.definition(pipeline, execution) else {
            return;
        };
        let name = &definition.stages[stage].name;
        let Some(known) = self.state.pipelines.get_mut(pipeline) else {
            return;
        };
        let run = &mut known.executions[execution];
        run.position = Position::Before(stage);
        run.updated = self.at;
        let id = run.id.clone();
        let Some(state) = stage_state(known, name) else {
            // a PARALLEL execution on an old definition whose stage is gone: nothing gates it
            return self.enter(pipeline, execution, stage);
        };
        state.waiting.push_back(id.clone());
        let overtaken = match definition.mode() {
            ExecutionMode::Superseded => overtaken(known, name, &id),
            ExecutionMode::Queued | ExecutionMode::Parallel => Vec::new(),
        };
        for older in overtaken {
            self.leave_queue(pipeline, older);
            self.end_execution(pipeline, older, ExecutionStatus::Superseded);
        }
        self.admit(pipeline, name);
    }

    /// Lets in who may enter a stage now.
    pub(super) fn admit(&mut self, pipeline: &str, stage: &str) {
        while let Some((execution, position)) = self.next_in(pipeline, stage) {
            self.enter(pipeline, execution, position);
        }
    }

    /// Takes the next execution that may enter out of the queue.
    fn next_in(&mut self, pipeline: &str, stage: &str) -> Option<(usize, usize)> {
        let known = self.state.pipelines.get_mut(pipeline)?;
        let at = known.stages.iter().position(|it| it.name == stage)?;
        let open =
            known.stages[at].inbound.enabled && (at == 0 || known.stages[at - 1].outbound.enabled);
        if !open {
            return None;
        }
        let free = known.stages[at].held_by.is_none();
        let chosen = known.stages[at].waiting.iter().position(|id| {
            free || known.execution(id).is_some_and(|run| {
                known
                    .definition_of(run)
                    .is_some_and(|definition| definition.mode() == ExecutionMode::Parallel)
            })
        })?;
        let id = known.stages[at].waiting.remove(chosen)?;
        let execution = *known.execution_index.get(&id)?;
        match known.executions.get(execution)?.position {
            Position::Before(position) => Some((execution, position)),
            Position::In(_) | Position::Ended => None,
        }
    }

    pub(super) fn enter(&mut self, pipeline: &str, execution: usize, stage: usize) {
        let Some(definition) = self.definition(pipeline, execution) else {
            return;
        };
        let declared = &definition.stages[stage];
        let at = self.at;
        let Some(known) = self.state.pipelines.get_mut(pipeline) else {
            return;
        };
        let run = &mut known.executions[execution];
        run.position = Position::In(stage);
        run.updated = at;
        run.stages.push(StageRun {
            name: declared.name.clone(),
            status: StageStatus::InProgress,
            entered: at,
            manual_retries: 0,
            automatic_retries: 0,
            latest_retry: None,
            again: BTreeSet::new(),
            conditions: Vec::new(),
            first: 0,
            actions: Vec::with_capacity(declared.actions.len()),
        });
        let id = run.id.clone();
        if let Some(state) = stage_state(known, &declared.name) {
            if definition.mode() != ExecutionMode::Parallel {
                state.held_by = Some(id.clone());
            }
            state.latest = Some(id);
        }
        self.emit_stage(pipeline, execution, "STARTED");
        self.settle(pipeline, execution);
    }

    /// Looks at the stage an execution is in and does what comes next.
    pub(super) fn settle(&mut self, pipeline: &str, execution: usize) {
        loop {
            match self.verdict(pipeline, execution) {
                None | Some(Verdict::Wait) => return,
                Some(Verdict::Start(actions)) => {
                    // an action that cannot even start has ended already: look again
                    if !self.start_actions(pipeline, execution, &actions) {
                        return;
                    }
                }
                Some(Verdict::Check(gate)) => {
                    // a condition that only compares variables is decided already: look again
                    if !self.start_condition(pipeline, execution, gate) {
                        return;
                    }
                }
                Some(Verdict::End(status)) => return self.end_stage(pipeline, execution, status),
            }
        }
    }

    /// Starts these actions; whether any of them failed to start.
    fn start_actions(&mut self, pipeline: &str, execution: usize, actions: &[usize]) -> bool {
        let Some(definition) = self.definition(pipeline, execution) else {
            return false;
        };
        let Some(Position::In(stage)) = self.execution(pipeline, execution).map(|it| it.position)
        else {
            return false;
        };
        let mut failed = false;
        for at in actions {
            let declared = &definition.stages[stage].actions[*at];
            failed |= !self.start_action(pipeline, execution, &definition, declared);
        }
        failed
    }

    fn end_stage(&mut self, pipeline: &str, execution: usize, status: StageStatus) {
        let Some(definition) = self.definition(pipeline, execution) else {
            return;
        };
        let Some(run) = self.execution_mut(pipeline, execution) else {
            return;
        };
        let Position::In(stage) = run.position else {
            return;
        };
        let declared = &definition.stages[stage];
        let standard = run.rollback_of.is_none();
        let Some(stage_run) = run.stages.last_mut() else {
            return;
        };
        stage_run.status = status;
        let after = after_failure(declared, stage_run);
        if status == StageStatus::Failed && stage_run.failed().is_empty() {
            run.status_summary = super::condition::failure(stage_run);
        }
        let last = stage + 1 == definition.stages.len() || !standard;
        let (word, ends) = match status {
            StageStatus::Failed => ("FAILED", Some(ExecutionStatus::Failed)),
            StageStatus::Stopped => ("STOPPED", Some(ExecutionStatus::Stopped)),
            StageStatus::Cancelled => ("CANCELED", Some(ExecutionStatus::Cancelled)),
            _ => ("SUCCEEDED", last.then_some(ExecutionStatus::Succeeded)),
        };
        if status == StageStatus::Cancelled {
            self.emit_canceled(pipeline, execution, declared);
        }
        // no event is documented for a skipped stage
        if status != StageStatus::Skipped {
            self.emit_stage(pipeline, execution, word);
        }
        if let After::Retry(mode) = after {
            return self.rerun(pipeline, execution, mode, RetryTrigger::AutomatedStageRetry);
        }
        self.release(pipeline, execution, &declared.name, status);
        match ends {
            Some(status) => self.end_execution(pipeline, execution, status),
            None => self.arrive(pipeline, execution, stage + 1),
        }
        if matches!(after, After::Rollback) && standard {
            self.roll_back_after(pipeline, execution, stage);
        }
        self.admit(pipeline, &declared.name);
    }

    /// Frees the stage that an execution held, and notes a success.
    fn release(&mut self, pipeline: &str, execution: usize, stage: &str, status: StageStatus) {
        let Some(known) = self.state.pipelines.get_mut(pipeline) else {
            return;
        };
        let run = &known.executions[execution];
        let (id, standard) = (run.id.clone(), run.rollback_of.is_none());
        // a PARALLEL execution may outlive its definition
        let current = Some(run.pipeline_version) == known.definition.version;
        if let Some(state) = stage_state(known, stage) {
            if state.held_by.as_ref() == Some(&id) {
                state.held_by = None;
            }
            if status == StageStatus::Succeeded && standard && current {
                state.succeeded = Some(execution);
            }
        }
    }

    /// The execution ends, wherever it waited.
    pub(super) fn end_execution(
        &mut self,
        pipeline: &str,
        execution: usize,
        status: ExecutionStatus,
    ) {
        let Some(known) = self.state.pipelines.get_mut(pipeline) else {
            return;
        };
        known.active.remove(&execution);
        self.ended.insert(pipeline.to_owned());
        let run = &mut known.executions[execution];
        run.status = status;
        run.position = Position::Ended;
        run.updated = self.at;
        let word = match status {
            ExecutionStatus::Succeeded => "SUCCEEDED",
            ExecutionStatus::Failed => "FAILED",
            ExecutionStatus::Stopped => "STOPPED",
            ExecutionStatus::Superseded => "SUPERSEDED",
            ExecutionStatus::Cancelled => "CANCELED",
            ExecutionStatus::InProgress | ExecutionStatus::Stopping => return,
        };
        self.emit_pipeline(pipeline, execution, word);
    }

    /// Takes a waiting execution out of the queue it stands in.
    pub(super) fn leave_queue(&mut self, pipeline: &str, execution: usize) {
        if let Some(known) = self.state.pipelines.get_mut(pipeline) {
            let id = known.executions[execution].id.clone();
            for stage in &mut known.stages {
                stage.waiting.retain(|waiting| *waiting != id);
            }
        }
    }
}

/// Who waits in front of a stage and gives way to a newer arrival: all but executions that ignore each other, which may
/// be left from a PARALLEL definition.
fn overtaken(known: &Pipeline, stage: &str, newer: &str) -> Vec<usize> {
    let waiting = known.stage(stage).into_iter().flat_map(|it| &it.waiting);
    waiting
        .filter(|id| *id != newer)
        .filter_map(|id| known.execution_index.get(id).copied())
        .filter(|index| {
            let definition = known.definition_of(&known.executions[*index]);
            definition.is_some_and(|it| it.mode() != ExecutionMode::Parallel)
        })
        .collect()
}

fn stage_state<'a>(pipeline: &'a mut Pipeline, name: &str) -> Option<&'a mut StageState> {
    pipeline.stages.iter_mut().find(|stage| stage.name == name)
}
