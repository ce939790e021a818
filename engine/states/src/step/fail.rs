//! Errors: retried, caught, or passed on to what the state runs in.

use std::sync::Arc;

use super::{Turn, fields};
use crate::{
    definition::{Catcher, Kind, Next},
    history::Details,
    machine::{Phase, Timer},
    retry::{Failure, delay},
    trouble::Trouble,
};

impl<'a> Turn<'a> {
    /// A state could not be evaluated.
    pub(super) fn trouble(&mut self, id: u32, trouble: &Trouble) {
        let name = Arc::clone(&self.state(id).name);
        let failure = Failure::of(trouble, &name, self.frame(id).entered);
        if let Trouble::Query { field, .. } = trouble {
            let more = fields([
                ("location", field.as_str().into()),
                ("state", (&*name).into()),
            ]);
            let details = Details::Failure(
                "evaluationFailedEventDetails",
                more,
                failure.error.clone(),
                failure.cause.clone(),
            );
            self.note(id, "EvaluationFailed", details);
        }
        self.failed(id, failure);
    }

    /// A state failed: retried, caught, or the end of its flow.
    pub(super) fn failed(&mut self, id: u32, failure: Failure) {
        if self.retried(id, &failure) {
            return;
        }
        self.container_failed(id, &failure);
        match self.catcher(id, &failure) {
            Some(catcher) => self.catch(id, catcher, &failure),
            None => self.flow_failed(id, failure),
        }
    }

    /// `ParallelStateFailed`, `MapStateFailed`: the state itself is over.
    fn container_failed(&mut self, id: u32, failure: &Failure) {
        if failure.terminal {
            return;
        }
        let (kind, key) = match self.state(id).kind {
            Kind::Parallel { .. } => ("ParallelStateFailed", "parallelStateFailedEventDetails"),
            Kind::Map(_) => ("MapStateFailed", "mapStateFailedEventDetails"),
            _ => return,
        };
        let details = Details::Failure(
            key,
            fields([]),
            failure.error.clone(),
            failure.cause.clone(),
        );
        self.note(id, kind, details);
    }

    /// The first retrier for this error, if it has attempts left.
    fn retrier(&self, id: u32, failure: &Failure) -> Option<usize> {
        let retry = &self.state(id).retry;
        let at = failure.handler(retry.iter().map(|r| r.errors.as_slice()))?;
        let done = self.frame(id).retries.get(at).copied().unwrap_or(0);
        (done < self.state(id).retry[at].attempts).then_some(at)
    }

    fn retried(&mut self, id: u32, failure: &Failure) -> bool {
        let Some(at) = self.retrier(id, failure) else {
            return false;
        };
        let retrier = &self.state(id).retry[at];
        let frame = self.frame_mut(id);
        if frame.retries.len() <= at {
            frame.retries.resize(at + 1, 0);
        }
        let done = frame.retries[at];
        frame.retries[at] += 1;
        frame.retry_count += 1;
        frame.token = None;
        let seconds = delay(retrier, done, &mut self.chance.borrow_mut());
        let timer = self.timer(id, Timer::Retry, seconds);
        self.frame_mut(id).phase = Phase::Backoff { timer };
        true
    }

    fn catcher(&self, id: u32, failure: &Failure) -> Option<&'a Catcher> {
        let catch = &self.state(id).catch;
        let at = failure.handler(catch.iter().map(|c| c.errors.as_slice()))?;
        Some(&catch[at])
    }

    fn catch(&mut self, id: u32, catcher: &'a Catcher, failure: &Failure) {
        let language = self.state(id).language;
        let left = self.with_env(id, None, |env| catcher.leave(language, failure, env));
        let left = left.and_then(|(output, assigned)| {
            self.exit(id, Arc::new(output), assigned, Next::To(catcher.next))
        });
        if let Err(trouble) = left {
            // An error in a Catch is not caught by it again.
            let name = Arc::clone(&self.state(id).name);
            let mut failure = Failure::of(&trouble, &name, self.frame(id).entered);
            failure.terminal = true;
            self.flow_failed(id, failure);
        }
    }

    /// A flow ended with an error nobody in it handles.
    fn flow_failed(&mut self, id: u32, failure: Failure) {
        if self.is_child(id) {
            self.child_failed(id, &failure);
            return;
        }
        let Some((parent, slot)) = self.frame(id).parent else {
            self.execution_failed(&failure);
            return;
        };
        if let Phase::Map(mapping) = &self.frame(parent).phase
            && mapping.run.is_none()
        {
            let name = Arc::clone(&self.state(parent).name);
            let more = fields([("name", (&*name).into()), ("index", slot.into())]);
            let last = self.frame(id).last;
            self.frame_mut(parent).last = last;
            self.note(
                parent,
                "MapIterationFailed",
                Details::Other("mapIterationFailedEventDetails", more),
            );
        } else {
            let last = self.frame(id).last;
            self.frame_mut(parent).last = last;
        }
        if self.is_handled(parent, &failure) {
            self.close_children(parent, Some(id));
            self.failed(parent, failure);
        } else {
            // Nobody handles it: what runs beside it stays as it is, for a redrive.
            self.container_failed(parent, &failure);
            self.flow_failed(parent, failure);
        }
    }

    /// Whether a state around the failed one retries or catches the error, or a distributed Map counts it.
    fn is_handled(&self, id: u32, failure: &Failure) -> bool {
        if self.retrier(id, failure).is_some()
            || self.catcher(id, failure).is_some()
            || self.is_child(id)
        {
            return true;
        }
        self.frame(id)
            .parent
            .is_some_and(|(parent, _)| self.is_handled(parent, failure))
    }
}
