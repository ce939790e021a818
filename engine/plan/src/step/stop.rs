//! StopPipelineExecution: stop and wait, stop and abandon.

use super::{Answer, Turn, finish::End};
use crate::{
    effect::Effect,
    refusal::Refusal,
    state::{ActionStatus, ConditionStatus, ExecutionStatus, Place, Position, StageStatus},
};

impl Turn<'_> {
    pub(super) fn stop(
        &mut self,
        pipeline: &str,
        id: &str,
        abandon: bool,
        reason: Option<&String>,
    ) -> Result<Answer, Refusal> {
        let known = self.pipeline(pipeline)?;
        let execution = known
            .execution_index
            .get(id)
            .and_then(|index| Some((*index, known.executions.get(*index)?)));
        let Some((index, run)) = execution else {
            // the model lists no PipelineExecutionNotFoundException here
            return Err(not_stoppable(format!(
                "The pipeline execution '{id}' could not be found in pipeline '{pipeline}'"
            )));
        };
        match run.status {
            ExecutionStatus::InProgress => {}
            ExecutionStatus::Stopping if abandon => {}
            ExecutionStatus::Stopping => {
                return Err(Refusal::new(
                    "DuplicatedStopRequestException",
                    format!("The pipeline execution '{id}' is already being stopped"),
                ));
            }
            ended => {
                return Err(not_stoppable(format!(
                    "The pipeline execution '{id}' cannot be stopped: its status is '{ended:?}'"
                )));
            }
        }
        let first = run.status == ExecutionStatus::InProgress;
        self.note_stop(pipeline, index, reason);
        if first {
            self.emit_pipeline(pipeline, index, "STOPPING");
        }
        match self.execution(pipeline, index).map(|run| run.position) {
            Some(Position::In(_)) => {
                if first {
                    self.emit_stage(pipeline, index, "STOPPING");
                }
                if abandon {
                    self.abandon(pipeline, index);
                }
                self.settle(pipeline, index);
            }
            _ => {
                self.leave_queue(pipeline, index);
                self.end_execution(pipeline, index, ExecutionStatus::Stopped);
            }
        }
        Ok(Answer::Execution(id.to_owned()))
    }

    fn note_stop(&mut self, pipeline: &str, execution: usize, reason: Option<&String>) {
        let at = self.at;
        if let Some(run) = self.execution_mut(pipeline, execution) {
            run.status = ExecutionStatus::Stopping;
            run.updated = at;
            if reason.is_some() {
                run.stop_reason = reason.cloned();
            }
            if matches!(run.position, Position::In(_))
                && let Some(stage) = run.stages.last_mut()
            {
                stage.status = StageStatus::Stopping;
            }
        }
    }

    fn abandon(&mut self, pipeline: &str, execution: usize) {
        self.abandon_condition(pipeline, execution, ConditionStatus::Abandoned);
        let Some(run) = self.execution(pipeline, execution) else {
            return;
        };
        let Some((stage, stage_run)) = run.stages.iter().enumerate().next_back() else {
            return;
        };
        let open: Vec<(Place, String)> = stage_run
            .actions
            .iter()
            .enumerate()
            .filter(|(_, action)| action.status == ActionStatus::InProgress)
            .map(|(at, action)| {
                let place = Place {
                    pipeline: pipeline.to_owned(),
                    execution,
                    stage,
                    action: at,
                };
                (place, action.id.clone())
            })
            .collect();
        for (place, id) in open {
            self.effects.push(Effect::Cancel {
                action_execution: id,
            });
            self.conclude(&place, End::Abandoned);
        }
    }
}

fn not_stoppable(message: String) -> Refusal {
    Refusal::new("PipelineExecutionNotStoppableException", message)
}
