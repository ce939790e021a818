//! Out of a state.

use std::sync::Arc;

use serde_json::Value;

use super::Turn;
use crate::{
    definition::{Kind, Next, ResultPath, Select},
    history::Details,
    limit,
    machine::Phase,
    payload,
    trouble::Trouble,
};

/// `…StateExited` of each type.
const fn exited(kind: &Kind) -> &'static str {
    match kind {
        Kind::Pass { .. } => "PassStateExited",
        Kind::Task(_) => "TaskStateExited",
        Kind::Choice(_) => "ChoiceStateExited",
        Kind::Wait(_) => "WaitStateExited",
        Kind::Succeed => "SucceedStateExited",
        Kind::Fail { .. } => "FailStateExited",
        Kind::Parallel { .. } => "ParallelStateExited",
        Kind::Map(_) => "MapStateExited",
    }
}

impl Turn<'_> {
    /// From a state's result to its output, and out.
    pub(super) fn complete(&mut self, id: u32, result: Arc<Value>) -> Result<(), Trouble> {
        let state = self.state(id);
        let io = &state.io;
        let plain = io.result_selector.is_none()
            && io.assign.is_none()
            && io.output.is_none()
            && matches!(io.result_path, ResultPath::Whole)
            && matches!(io.output_path, Select::Whole);
        if plain {
            return self.exit(id, result, None, state.next);
        }
        let (output, assigned) =
            self.with_env(id, None, |env| state.leave(env, &result, &mut |_, _| {}))?;
        self.exit(id, Arc::new(output), assigned, state.next)
    }

    /// Leaves the state with its output.
    pub(super) fn exit(
        &mut self,
        id: u32,
        output: Arc<Value>,
        assigned: Option<Value>,
        next: Next,
    ) -> Result<(), Trouble> {
        let state = self.state(id);
        payload::check(&output, &state.name)?;
        let assigned = assigned.map(Arc::new);
        if let Some(assigned) = &assigned {
            if payload::bytes(assigned) > limit::VARIABLE_BYTES {
                return Err(Trouble::Runtime(format!(
                    "The variables assigned exceed {} bytes.",
                    limit::VARIABLE_BYTES
                )));
            }
            let frame = self.frame_mut(id);
            let variables = Arc::make_mut(&mut frame.variables);
            for (name, value) in assigned.as_object().into_iter().flatten() {
                variables.insert(name.clone(), Arc::new(value.clone()));
            }
        }
        let details = Details::Exited {
            name: Arc::clone(&state.name),
            output: Arc::clone(&output),
            assigned,
        };
        self.note(id, exited(&state.kind), details);
        let frame = self.frame_mut(id);
        frame.retries.clear();
        frame.retry_count = 0;
        frame.token = None;
        match next {
            Next::To(next) => {
                frame.state = next;
                frame.input = output;
                frame.phase = Phase::Enter { again: false };
                self.machine.ready.push_back(id);
            }
            Next::End => self.flow_ended(id, output),
        }
        Ok(())
    }
}
