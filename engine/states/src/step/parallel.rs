//! Parallel, and the end of a flow inside another.

use std::{collections::BTreeSet, sync::Arc};

use serde_json::Value;

use super::{Turn, fields};
use crate::{
    definition::State,
    effect::Effect,
    history::Details,
    machine::{self, Phase},
    trouble::Trouble,
};

impl<'a> Turn<'a> {
    pub(super) fn parallel(
        &mut self,
        id: u32,
        state: &'a State,
        branches: &[u32],
    ) -> Result<(), Trouble> {
        let (input, arguments) = self.arguments(id, state)?;
        let input = Arc::new(arguments.unwrap_or(input));
        let last = self.note(id, "ParallelStateStarted", Details::None);
        if branches.is_empty() {
            return self.complete(id, Arc::new(Value::Array(Vec::new())));
        }
        let (stream, variables, item) = {
            let frame = self.frame(id);
            (
                frame.stream,
                Arc::clone(&frame.variables),
                frame.item.clone(),
            )
        };
        let mut children = BTreeSet::new();
        for (slot, flow) in (0_u32..).zip(branches) {
            children.insert(self.open(
                Some((id, slot)),
                stream,
                *flow,
                Arc::clone(&input),
                Arc::clone(&variables),
                item.clone(),
                last,
            ));
        }
        self.frame_mut(id).phase = Phase::Parallel(machine::Parallel {
            children,
            outputs: vec![None; branches.len()],
        });
        Ok(())
    }

    /// A flow gave its output.
    pub(super) fn flow_ended(&mut self, id: u32, output: Arc<Value>) {
        let Some((parent, slot)) = self.frame(id).parent else {
            self.execution_succeeded(output);
            return;
        };
        let last = self.frame(id).last;
        let child_stream = self.frame(id).stream;
        let is_child = self.is_child(id);
        self.machine.frames.remove(&id);
        if is_child {
            self.child_succeeded(parent, slot, id, child_stream, last, output);
            return;
        }
        self.frame_mut(parent).last = last;
        let mut all = None;
        if let Phase::Parallel(parallel) = &mut self.frame_mut(parent).phase {
            parallel.children.remove(&id);
            parallel.outputs[slot as usize] = Some(output);
            if parallel.children.is_empty() {
                all = Some(std::mem::take(&mut parallel.outputs));
            }
        } else {
            self.iteration_succeeded(parent, slot, id, output);
            return;
        }
        if let Some(outputs) = all {
            let result = join(outputs);
            // What the branches gave is only in the state's exit: AWS writes no event of its own for it.
            if let Err(trouble) = self.complete(parent, Arc::new(result)) {
                self.trouble(parent, &trouble);
            }
        }
    }

    /// Ends everything that runs inside a state, `failed` excepted, which is over already.
    pub(super) fn close_children(&mut self, id: u32, failed: Option<u32>) {
        let children: Vec<u32> = match &self.frame(id).phase {
            Phase::Parallel(parallel) => parallel.children.iter().copied().collect(),
            Phase::Map(mapping) => mapping.running.iter().copied().collect(),
            _ => Vec::new(),
        };
        for child in children {
            if !self.machine.frames.contains_key(&child) {
                continue;
            }
            self.close_children(child, None);
            self.halt(child);
            if failed != Some(child) && !self.is_child(child) {
                self.note_abort(id, child);
            }
            let gone = self.machine.frames.remove(&child);
            if let Some(frame) = gone
                && let Some((parent, slot)) = frame.parent
                && frame.stream != self.frame(id).stream
            {
                self.child_aborted(parent, slot, frame.stream);
            }
        }
        self.machine
            .ready
            .retain(|f| self.machine.frames.contains_key(f));
    }

    fn note_abort(&mut self, parent: u32, child: u32) {
        let kind = match &self.frame(child).phase {
            Phase::Task(_) => Some("TaskStateAborted"),
            Phase::Waiting { .. } => Some("WaitStateAborted"),
            Phase::Parallel(_) => Some("ParallelStateAborted"),
            Phase::Map(_) | Phase::Reading { .. } | Phase::Writing { .. } => {
                Some("MapStateAborted")
            }
            Phase::Enter { .. } | Phase::Backoff { .. } | Phase::Stopped => None,
        };
        if let Some(kind) = kind {
            self.note(child, kind, Details::None);
        }
        if let (Phase::Map(_), Some((_, slot))) =
            (&self.frame(parent).phase, self.frame(child).parent)
        {
            let name = Arc::clone(&self.state(parent).name);
            let more = fields([("name", (&*name).into()), ("index", slot.into())]);
            self.note(
                child,
                "MapIterationAborted",
                Details::Other("mapIterationAbortedEventDetails", more),
            );
        }
    }

    /// What a frame waits for no longer counts.
    pub(super) fn halt(&mut self, id: u32) {
        match self.frame(id).phase.clone() {
            Phase::Task(running) => {
                self.machine.tasks.remove(&running.task);
                self.effects.push(Effect::Cancel { task: running.task });
                self.clear(running.timeout);
                self.clear(running.heartbeat);
            }
            Phase::Waiting { timer } | Phase::Backoff { timer } => self.clear(Some(timer)),
            Phase::Reading { task } | Phase::Writing { task, .. } => {
                self.machine.tasks.remove(&task);
                self.effects.push(Effect::Cancel { task });
            }
            Phase::Enter { .. } | Phase::Parallel(_) | Phase::Map(_) | Phase::Stopped => {}
        }
    }
}

/// The outputs in order; every place has one.
pub(super) fn join(outputs: Vec<Option<Arc<Value>>>) -> Value {
    outputs
        .into_iter()
        .flatten()
        .map(|output| Arc::try_unwrap(output).unwrap_or_else(|shared| Value::clone(&shared)))
        .collect()
}
