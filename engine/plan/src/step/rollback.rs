//! RollbackStage and the automatic rollback of a failed stage (`codepipeline.md` 3.5).

use jiff::SignedDuration;

use super::{
    Answer, Turn,
    start::{add, room_for_one},
};
use crate::{
    event::Trigger,
    limit::ROLLBACK_TARGET_DAYS,
    refusal::Refusal,
    state::{Execution, ExecutionStatus, Pipeline, Position, StageStatus},
};

impl Turn<'_> {
    pub(super) fn rollback(
        &mut self,
        pipeline: &str,
        stage: &str,
        target: &str,
        by: &str,
    ) -> Result<Answer, Refusal> {
        let known = self.pipeline(pipeline)?;
        self.declared_stage(pipeline, stage)?;
        let Some(&index) = known.execution_index.get(target) else {
            return Err(Refusal::new(
                "PipelineExecutionNotFoundException",
                format!("The pipeline {pipeline} does not have an execution with id {target}"),
            ));
        };
        let run = &known.executions[index];
        let oldest = self
            .at
            .checked_sub(SignedDuration::from_hours(24 * ROLLBACK_TARGET_DAYS));
        if oldest.is_ok_and(|oldest| run.started < oldest) {
            return Err(Refusal::new(
                "PipelineExecutionOutdatedException",
                format!(
                    "The pipeline execution '{target}' is outdated and cannot be the target of a rollback"
                ),
            ));
        }
        let position = known.definition.stage(stage).unwrap_or_default();
        if let Some(why) = unable(known, run, position) {
            return Err(Refusal::new(
                "UnableToRollbackStageException",
                format!(
                    "Unable to roll back stage '{stage}' of pipeline '{pipeline}' to the execution '{target}': {why}"
                ),
            ));
        }
        let trigger = Trigger {
            trigger_type: "ManualRollback".to_owned(),
            trigger_detail: by.to_owned(),
            reference: None,
        };
        Ok(Answer::Execution(
            self.roll_back(pipeline, index, position, trigger),
        ))
    }

    /// After a failure: back to the last success under this version, if there is one.
    pub(super) fn roll_back_after(&mut self, pipeline: &str, failed: usize, stage: usize) {
        let Some(known) = self.state.pipelines.get(pipeline) else {
            return;
        };
        let target = known.stages.get(stage).and_then(|it| it.succeeded);
        let Some(target) = target.filter(|at| {
            known
                .executions
                .get(*at)
                .is_some_and(|run| unable(known, run, stage).is_none())
        }) else {
            return;
        };
        let id = &known.executions[failed].id;
        let trigger = Trigger {
            trigger_type: "AutomatedRollback".to_owned(),
            trigger_detail: serde_json::json!({"failedPipelineExecutionId": id}).to_string(),
            reference: None,
        };
        self.roll_back(pipeline, target, stage, trigger);
    }

    /// A new execution with the target's revisions, variables and artifacts enters the stage at once: it passes those
    /// who wait and a closed transition.
    fn roll_back(
        &mut self,
        pipeline: &str,
        target: usize,
        stage: usize,
        trigger: Trigger,
    ) -> String {
        let id = self.ids.uuid();
        let at = self.at;
        let Some(known) = self.state.pipelines.get_mut(pipeline) else {
            return id;
        };
        let kept = &known.executions[target];
        let run = Execution {
            id: id.clone(),
            pipeline_version: kept.pipeline_version,
            status: ExecutionStatus::InProgress,
            status_summary: None,
            trigger,
            started: at,
            updated: at,
            stop_reason: None,
            variables: kept.variables.clone(),
            source_revisions: kept.source_revisions.clone(),
            client_token: None,
            namespaces: kept.namespaces.clone(),
            artifacts: kept.artifacts.clone(),
            stages: Vec::with_capacity(1),
            position: Position::Before(stage),
            attempt: 1,
            outdated: false,
            rollback_of: Some(kept.id.clone()),
        };
        let index = add(known, run);
        self.emit_pipeline(pipeline, index, "STARTED");
        self.enter(pipeline, index, stage);
        id
    }
}

/// Why a stage cannot go back to this execution. The words are ours.
fn unable(known: &Pipeline, target: &Execution, stage: usize) -> Option<&'static str> {
    let declared = known.definition.stages.get(stage)?;
    let succeeded = target
        .stage(&declared.name)
        .is_some_and(|run| run.status == StageStatus::Succeeded);
    if known.is_parallel() {
        Some("executions of a PARALLEL pipeline cannot be rolled back")
    } else if stage == 0 {
        Some("the source stage cannot be rolled back")
    } else if target.rollback_of.is_some() {
        Some("the target is a rollback itself")
    } else if Some(target.pipeline_version) != known.definition.version {
        Some("the structure of the pipeline has changed since")
    } else if !succeeded {
        Some("the target has not succeeded in this stage")
    } else if known.stages.get(stage)?.held_by.is_some() {
        Some("the stage is in progress")
    } else if room_for_one(known).is_err() {
        Some("the limit of concurrent executions is reached")
    } else {
        None
    }
}
