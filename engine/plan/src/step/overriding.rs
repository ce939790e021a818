//! OverrideStageCondition.

use super::{Answer, Turn, start::room_for_one};
use crate::{
    gate::{GateKind, GateResult},
    refusal::Refusal,
    state::{ConditionStatus, Execution, ExecutionStatus, StageStatus},
};

impl Turn<'_> {
    /// OverrideStageCondition: the stage goes on as if the condition had succeeded.
    pub(super) fn override_condition(
        &mut self,
        pipeline: &str,
        stage: &str,
        id: &str,
        gate: GateKind,
    ) -> Result<Answer, Refusal> {
        let known = self.pipeline(pipeline)?;
        let declared = self.declared_stage(pipeline, stage)?;
        let latest = known.stage(stage).and_then(|it| it.latest.as_deref());
        let index = known.execution_index.get(id).copied();
        let Some(index) = index.filter(|_| known.is_parallel() || latest == Some(id)) else {
            return Err(Refusal::new(
                "NotLatestPipelineExecutionException",
                format!(
                    "The pipeline execution '{id}' is not the latest execution of stage '{stage}' in pipeline '{pipeline}'"
                ),
            ));
        };
        let run = &known.executions[index];
        let skips = declared.condition(gate).and_then(|it| it.result) == Some(GateResult::Skip);
        let outdated = Some(run.pipeline_version) != known.definition.version;
        if skips || outdated || !overridable(run, stage, gate) {
            return Err(Refusal::new(
                "ConditionNotOverridableException",
                format!(
                    "The {} condition of stage '{stage}' cannot be overridden in the pipeline execution '{id}'",
                    gate.member()
                ),
            ));
        }
        let ended = run.has_ended();
        if ended {
            room_for_one(known)?;
            self.resume(pipeline, index);
        }
        self.abandon_condition(pipeline, index, ConditionStatus::Overridden);
        let at = self.at;
        let last = self.execution_mut(pipeline, index);
        let conditions = last
            .and_then(|it| it.stages.last_mut())
            .map(|it| &mut it.conditions);
        for condition in conditions.into_iter().flatten() {
            if condition.gate == gate && !condition.void {
                condition.status = ConditionStatus::Overridden;
                condition.updated = at;
            }
        }
        if ended {
            self.emit_pipeline(pipeline, index, "RESUMED");
            self.emit_stage(pipeline, index, "RESUMED");
        }
        self.settle(pipeline, index);
        Ok(Answer::Done)
    }
}

/// A condition that runs, or that failed and ended its execution with its stage.
fn overridable(run: &Execution, stage: &str, gate: GateKind) -> bool {
    let Some(stage) = run.stages.last().filter(|it| it.name == stage) else {
        return false;
    };
    match stage.condition(gate).map(|it| it.status) {
        Some(ConditionStatus::InProgress) => run.status == ExecutionStatus::InProgress,
        Some(ConditionStatus::Failed | ConditionStatus::Errored) => {
            run.status == ExecutionStatus::Failed && stage.status == StageStatus::Failed
        }
        _ => false,
    }
}
