//! What stays in memory: who runs, the newest that ended, and what a stage still shows. The rest is archived.

use std::collections::BTreeSet;

use super::Turn;
use crate::{
    effect::{Archived, Effect},
    event::Event,
    limit::{ENDED_EXECUTIONS_AT_MOST, ENDED_EXECUTIONS_KEPT},
    state::{Execution, Pipeline, State},
};

impl State {
    /// Pipeline and id of the execution that an event is about and that is not in memory: look for it in the archive.
    pub fn missing<'a>(&self, event: &'a Event) -> Option<(&'a str, &'a str)> {
        let (pipeline, id) = event.about()?;
        let known = self.pipelines.get(pipeline)?;
        (!known.execution_index.contains_key(id)).then_some((pipeline, id))
    }
}

impl Turn<'_> {
    /// Puts an archived execution back; its place, if it was not there.
    pub(super) fn recall(&mut self, past: Archived) -> Option<(String, usize)> {
        let known = self.state.pipelines.get_mut(&past.pipeline)?;
        let id = past.execution.id.clone();
        if past.number >= known.executions.started() || known.execution_index.contains_key(&id) {
            return None;
        }
        known.execution_index.insert(id, past.number);
        known.executions.restore(past.number, past.execution);
        self.ended.insert(past.pipeline.clone());
        Some((past.pipeline, past.number))
    }

    /// Takes an execution out of memory.
    pub(super) fn leave(&mut self, pipeline: &str, number: usize) -> Option<Execution> {
        let known = self.state.pipelines.get_mut(pipeline)?;
        let run = known.executions.take(number)?;
        known.execution_index.remove(&run.id);
        Some(run)
    }

    /// Archives what need not stay, of the pipelines that this step touched.
    pub(super) fn archive(&mut self) {
        for pipeline in std::mem::take(&mut self.ended) {
            let leaving = self.state.pipelines.get(&pipeline).map(leaving);
            for number in leaving.into_iter().flatten() {
                if let Some(execution) = self.leave(&pipeline, number) {
                    self.effects.push(Effect::Archive(Box::new(Archived {
                        pipeline: pipeline.clone(),
                        number,
                        execution,
                    })));
                }
            }
        }
    }
}

/// Numbers of the executions that leave, once too many have gathered.
fn leaving(known: &Pipeline) -> Vec<usize> {
    let ended = known.executions.len() - known.active.len();
    if ended <= ENDED_EXECUTIONS_AT_MOST {
        return Vec::new();
    }
    let shown = shown(known);
    let ended = known.executions.numbered().map(|(number, _)| number);
    let mut older: Vec<usize> = ended
        .filter(|number| !known.active.contains(number))
        .rev()
        .skip(ENDED_EXECUTIONS_KEPT)
        .filter(|number| !shown.contains(number))
        .collect();
    older.reverse();
    older
}

/// What GetPipelineState shows, a retry may go on with, or an automatic rollback goes back to.
fn shown(known: &Pipeline) -> BTreeSet<usize> {
    let mut shown = BTreeSet::new();
    for stage in &known.stages {
        let latest = stage.latest.as_ref();
        shown.extend(latest.and_then(|id| known.execution_index.get(id)));
        shown.extend(stage.succeeded);
        shown.extend(stage.actions.values().map(|(execution, ..)| *execution));
    }
    shown
}
