//! Into a state.

use std::sync::Arc;

use serde_json::Value;

use super::Turn;
use crate::{
    definition::{Choice, Kind, Next, State, Type},
    evaluate,
    history::Details,
    limit,
    machine::{Phase, ROOT},
    retry::Failure,
    template::Template,
    trouble::Trouble,
};

/// `…StateEntered` of each type.
const fn entered(kind: &Kind) -> &'static str {
    match kind {
        Kind::Pass { .. } => "PassStateEntered",
        Kind::Task(_) => "TaskStateEntered",
        Kind::Choice(_) => "ChoiceStateEntered",
        Kind::Wait(_) => "WaitStateEntered",
        Kind::Succeed => "SucceedStateEntered",
        Kind::Fail { .. } => "FailStateEntered",
        Kind::Parallel { .. } => "ParallelStateEntered",
        Kind::Map(_) => "MapStateEntered",
    }
}

impl<'a> Turn<'a> {
    pub(super) fn enter(&mut self, id: u32) {
        let Some(frame) = self.machine.frames.get(&id) else {
            return;
        };
        let Phase::Enter { again } = frame.phase else {
            return;
        };
        if self.too_long(id) {
            return;
        }
        let state = self.state(id);
        if !again {
            let name = Arc::clone(&state.name);
            let input = Arc::clone(&self.frame(id).input);
            let event = self.note(id, entered(&state.kind), Details::Entered { name, input });
            let now = self.now;
            let frame = self.frame_mut(id);
            frame.entered = event;
            frame.entered_at = now;
        }
        let done = match &state.kind {
            Kind::Pass { result } => self.pass(id, state, result.as_ref()),
            Kind::Task(task) => self.task(id, state, task),
            Kind::Choice(choice) => self.choose(id, state, choice),
            Kind::Wait(wait) => self.wait(id, wait),
            Kind::Succeed => self.pass_through(id),
            Kind::Fail { error, cause } => self.fail_state(id, error.as_ref(), cause.as_ref()),
            Kind::Parallel { branches } => self.parallel(id, state, branches),
            Kind::Map(map) => self.map(id, state, map),
        };
        if let Err(trouble) = done {
            self.trouble(id, &trouble);
        }
    }

    /// Whether the history is full; the execution then ends.
    fn too_long(&mut self, id: u32) -> bool {
        let full = self.machine.kind == Type::Standard
            && self.frame(id).stream == ROOT
            && self.machine.last_event() >= limit::HISTORY_EVENTS - 1;
        if full {
            let cause = format!(
                "The execution reached the maximum number of history events ({}).",
                limit::HISTORY_EVENTS
            );
            let failure = Failure::new("States.Runtime", Some(cause));
            self.execution_failed(&failure);
        }
        full
    }

    /// The effective input and, from it, `Parameters`; or `Arguments`.
    pub(super) fn arguments(
        &self,
        id: u32,
        state: &State,
    ) -> Result<(Value, Option<Value>), Trouble> {
        self.with_env(id, None, |env| state.effective(env))
    }

    fn pass(&mut self, id: u32, state: &'a State, result: Option<&Value>) -> Result<(), Trouble> {
        if state.io.arguments.is_none()
            && result.is_none()
            && matches!(state.io.input_path, crate::definition::Select::Whole)
        {
            let input = Arc::clone(&self.frame(id).input);
            return self.complete(id, input);
        }
        let (input, arguments) = self.arguments(id, state)?;
        let result = result.cloned().or(arguments).unwrap_or(input);
        self.complete(id, Arc::new(result))
    }

    /// Wait and Succeed: the effective input is the result.
    pub(super) fn pass_through(&mut self, id: u32) -> Result<(), Trouble> {
        let (input, _) = self.arguments(id, self.state(id))?;
        self.complete(id, Arc::new(input))
    }

    fn choose(&mut self, id: u32, state: &'a State, choice: &'a Choice) -> Result<(), Trouble> {
        let (next, (output, assigned)) = self.with_env(id, None, |env| choice.take(state, env))?;
        self.exit(id, Arc::new(output), assigned, Next::To(next))
    }

    fn fail_state(
        &mut self,
        id: u32,
        error: Option<&Template>,
        cause: Option<&Template>,
    ) -> Result<(), Trouble> {
        let failure = self.with_env(id, None, |env| evaluate::failure(error, cause, env))?;
        self.failed(id, failure);
        Ok(())
    }
}
