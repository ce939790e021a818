//! RetryStageExecution.

use std::collections::BTreeSet;

use super::{Answer, Turn, start::room_for_one};
use crate::{
    definition::ExecutionMode,
    event::RetryMode,
    gate::GateKind,
    refusal::Refusal,
    state::{
        ActionStatus, ConditionStatus, Execution, ExecutionStatus, Pipeline, Position,
        RetryTrigger, StageRun, StageStatus,
    },
};

impl Turn<'_> {
    pub(super) fn retry(
        &mut self,
        pipeline: &str,
        stage: &str,
        id: &str,
        mode: RetryMode,
    ) -> Result<Answer, Refusal> {
        let known = self.pipeline(pipeline)?;
        self.declared_stage(pipeline, stage)?;
        let execution = retryable(known, stage, id, mode)?;
        let run = &known.executions[execution];
        if run.has_ended() {
            room_for_one(known)?;
        }
        self.rerun(pipeline, execution, mode, RetryTrigger::ManualStageRetry);
        Ok(Answer::Execution(id.to_owned()))
    }

    /// Runs the last stage of an execution again: what failed, or all of it.
    pub(super) fn rerun(
        &mut self,
        pipeline: &str,
        execution: usize,
        mode: RetryMode,
        trigger: RetryTrigger,
    ) {
        let ended = self
            .execution(pipeline, execution)
            .is_some_and(Execution::has_ended);
        self.reopen(pipeline, execution, mode, trigger);
        // an automatic retry comes before the execution has ended
        if ended || trigger == RetryTrigger::ManualStageRetry {
            self.emit_pipeline(pipeline, execution, "RESUMED");
        }
        self.emit_stage(pipeline, execution, "RESUMED");
        self.settle(pipeline, execution);
    }

    fn reopen(&mut self, pipeline: &str, execution: usize, mode: RetryMode, trigger: RetryTrigger) {
        self.resume(pipeline, execution);
        let last = self.execution_mut(pipeline, execution);
        let Some(stage) = last.and_then(|run| run.stages.last_mut()) else {
            return;
        };
        stage.latest_retry = Some(trigger);
        match trigger {
            RetryTrigger::ManualStageRetry => stage.manual_retries += 1,
            RetryTrigger::AutomatedStageRetry => stage.automatic_retries += 1,
        }
        for condition in &mut stage.conditions {
            let passed = matches!(
                condition.status,
                ConditionStatus::Succeeded | ConditionStatus::Overridden
            );
            let entered = condition.gate == GateKind::BeforeEntry && passed;
            condition.void |= mode == RetryMode::AllActions || !entered;
        }
        match mode {
            RetryMode::FailedActions => {
                let failed = stage.failed();
                stage.again.extend(failed);
            }
            RetryMode::AllActions => {
                stage.first = stage.actions.len();
                stage.again.clear();
            }
        }
    }

    /// The execution is in its last stage again, and holds it.
    pub(super) fn resume(&mut self, pipeline: &str, execution: usize) {
        let at = self.at;
        let Some(definition) = self.definition(pipeline, execution) else {
            return;
        };
        let Some(known) = self.state.pipelines.get_mut(pipeline) else {
            return;
        };
        known.active.insert(execution);
        let run = &mut known.executions[execution];
        run.status = ExecutionStatus::InProgress;
        run.stop_reason = None;
        run.status_summary = None;
        run.attempt += 1;
        run.updated = at;
        let id = run.id.clone();
        let Some(stage) = run.stages.last_mut() else {
            return;
        };
        stage.status = StageStatus::InProgress;
        if let Some(position) = definition.stage(&stage.name) {
            run.position = Position::In(position);
        }
        if definition.mode() != ExecutionMode::Parallel
            && let Some(state) = known.stages.iter_mut().find(|it| it.name == stage.name)
        {
            state.held_by = Some(id);
        }
    }
}

/// Index of the execution, if its stage may be retried.
fn retryable(known: &Pipeline, stage: &str, id: &str, mode: RetryMode) -> Result<usize, Refusal> {
    let no = |why: &str| {
        Err(Refusal::new(
            "StageNotRetryableException",
            format!("Stage '{stage}' of the pipeline execution '{id}' cannot be retried: {why}"),
        ))
    };
    let not_latest = || {
        Err(Refusal::new(
            "NotLatestPipelineExecutionException",
            format!(
                "The pipeline execution '{id}' is not the latest execution of stage '{stage}' in pipeline '{}'",
                known.definition.name
            ),
        ))
    };
    let Some(&index) = known.execution_index.get(id) else {
        return not_latest();
    };
    let run = &known.executions[index];
    let latest = known.stage(stage).and_then(|it| it.latest.as_deref());
    if !known.is_parallel() && latest != Some(id) {
        return not_latest();
    }
    let Some(stage_run) = run.stages.last().filter(|it| it.name == stage) else {
        return no("it has not failed");
    };
    if Some(run.pipeline_version) != known.definition.version {
        return no("the structure of the pipeline has changed since");
    }
    let in_progress = stage_run
        .actions
        .iter()
        .any(|action| action.status == ActionStatus::InProgress);
    match (run.status, stage_run.status) {
        (ExecutionStatus::Failed, StageStatus::Failed)
            if mode == RetryMode::FailedActions
                && stage_run.condition(GateKind::OnSuccess).is_some()
                && stage_run.failed().is_empty() =>
        {
            return no("all actions have succeeded");
        }
        (ExecutionStatus::Failed, StageStatus::Failed)
        | (ExecutionStatus::Stopped, StageStatus::Stopped) => {}
        (ExecutionStatus::InProgress, StageStatus::InProgress) if in_progress => {
            if mode == RetryMode::AllActions {
                return no("actions are in progress");
            }
            if being_retried(stage_run) {
                return no("another retry is in progress");
            }
            if stage_run.failed().is_empty() {
                return no("no action has failed");
            }
        }
        (ExecutionStatus::Stopping, _) => return no("the execution is being stopped"),
        (_, StageStatus::Skipped) => return no("the stage was skipped"),
        (_, StageStatus::Succeeded) => return no("all actions have succeeded"),
        _ => return no("it has not failed"),
    }
    Ok(index)
}

/// Whether an action that ran in this stage before runs again, or will as soon as it may.
fn being_retried(stage: &StageRun) -> bool {
    let mut seen = BTreeSet::new();
    !stage.again.is_empty()
        || stage
            .actions
            .iter()
            .any(|action| !seen.insert(&action.name) && action.status == ActionStatus::InProgress)
}
