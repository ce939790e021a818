//! UpdatePipeline, and what becomes of the executions under it.

use std::sync::Arc;

use super::{
    Answer, Turn,
    pipeline::{filled, new_stage},
};
use crate::{
    definition::{ExecutionMode, PipelineDeclaration},
    refusal::Refusal,
    state::{ExecutionStatus, Position},
};

impl Turn<'_> {
    pub(super) fn update_pipeline(
        &mut self,
        definition: &PipelineDeclaration,
    ) -> Result<Answer, Refusal> {
        self.checked(definition)?;
        let name = &definition.name;
        // The model lists no PipelineNotFoundException here; this is what moto answers.
        let Some(known) = self.state.pipelines.get(name) else {
            return Err(Refusal::new(
                "ResourceNotFoundException",
                format!(
                    "The account with id '{}' does not include a pipeline with the name '{name}'",
                    self.state.account()
                ),
            ));
        };
        let version = known.definition.version.unwrap_or(1) + 1;
        let mut updated = filled(definition, version);
        self.keep_secrets(&known.definition, &mut updated);
        let updated = Arc::new(updated);
        let active: Vec<usize> = known.active.iter().copied().collect();
        if let Some(known) = self.state.pipelines.get_mut(name) {
            let mut old = std::mem::take(&mut known.stages);
            known.stages = updated
                .stages
                .iter()
                .map(|stage| {
                    let kept = old.iter().position(|it| it.name == stage.name);
                    kept.map_or_else(|| new_stage(stage), |at| old.swap_remove(at))
                })
                .collect();
            known.versions.insert(version, Arc::clone(&updated));
            known.definition = updated;
            known.updated = self.at;
        }
        for execution in &active {
            self.outdate(name, *execution);
        }
        self.regroup(name, &active);
        Ok(Answer::Version(version))
    }

    /// Executions keep their places in a changed structure: who is in a stage holds it even if it was away in between;
    /// who waited in front of a stage that is gone, or behind another gate, enters when nothing holds it any more.
    fn regroup(&mut self, pipeline: &str, active: &[usize]) {
        for execution in active {
            let Some(definition) = self.definition(pipeline, *execution) else {
                continue;
            };
            let Some(known) = self.state.pipelines.get_mut(pipeline) else {
                continue;
            };
            let run = &known.executions[*execution];
            let (id, position) = (run.id.clone(), run.position);
            let named = |at: usize| &definition.stages[at].name;
            match position {
                Position::In(at) if definition.mode() != ExecutionMode::Parallel => {
                    if let Some(state) = known.stages.iter_mut().find(|it| it.name == *named(at)) {
                        state.held_by = Some(id);
                    }
                }
                Position::Before(at) if known.stage(named(at)).is_none() => {
                    self.enter(pipeline, *execution, at);
                }
                Position::In(_) | Position::Before(_) | Position::Ended => {}
            }
        }
        let stages = self.state.pipelines.get(pipeline).map(|it| &it.stages);
        let names: Vec<String> = stages
            .into_iter()
            .flatten()
            .map(|it| it.name.clone())
            .collect();
        for name in names {
            self.admit(pipeline, &name);
        }
    }

    /// The definition changed under an execution: it ends once nothing is in progress (not in PARALLEL mode).
    fn outdate(&mut self, pipeline: &str, execution: usize) {
        let parallel = self
            .definition(pipeline, execution)
            .is_none_or(|definition| definition.mode() == ExecutionMode::Parallel);
        if parallel {
            return;
        }
        let Some(run) = self.execution_mut(pipeline, execution) else {
            return;
        };
        run.outdated = true;
        if matches!(run.position, Position::Before(_)) {
            self.leave_queue(pipeline, execution);
            self.end_execution(pipeline, execution, ExecutionStatus::Cancelled);
        }
    }
}
