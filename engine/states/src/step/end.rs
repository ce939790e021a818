//! How an execution, or a child execution, ends.

use std::sync::Arc;

use serde_json::Value;

use super::{Turn, fields};
use crate::{
    effect::{Effect, Outcome},
    history::Details,
    machine::{Phase, ROOT, Status},
    results::Ran,
    retry::Failure,
};

impl Turn<'_> {
    pub(super) fn execution_succeeded(&mut self, output: Arc<Value>) {
        let last = self.machine.last_event();
        let details = Details::Output(
            "executionSucceededEventDetails",
            fields([]),
            Arc::clone(&output),
        );
        self.record(ROOT, last, "ExecutionSucceeded", details);
        self.machine.frames.clear();
        self.over(Status::Succeeded, Outcome::Succeeded(output));
    }

    pub(super) fn execution_failed(&mut self, failure: &Failure) {
        let (error, cause) = (failure.error.clone(), failure.cause.clone());
        self.ended(
            "ExecutionFailed",
            "executionFailedEventDetails",
            error.clone(),
            cause.clone(),
        );
        self.over(Status::Failed, Outcome::Failed(error, cause));
    }

    pub(super) fn execution_timed_out(&mut self) {
        let error = Some("States.Timeout".to_owned());
        self.ended(
            "ExecutionTimedOut",
            "executionTimedOutEventDetails",
            error.clone(),
            None,
        );
        self.over(Status::TimedOut, Outcome::TimedOut(error, None));
    }

    pub(super) fn stop(&mut self, error: Option<String>, cause: Option<String>) {
        self.ended(
            "ExecutionAborted",
            "executionAbortedEventDetails",
            error.clone(),
            cause.clone(),
        );
        self.over(Status::Aborted, Outcome::Aborted(error, cause));
    }

    fn ended(
        &mut self,
        kind: &'static str,
        key: &'static str,
        error: Option<String>,
        cause: Option<String>,
    ) {
        let last = self.machine.last_event();
        self.record(
            ROOT,
            last,
            kind,
            Details::Failure(key, fields([]), error, cause),
        );
    }

    /// Nothing of it counts any more. The frames stay, for a redrive.
    fn over(&mut self, status: Status, outcome: Outcome) {
        self.machine.status = status;
        let all: Vec<u32> = self.machine.frames.keys().copied().collect();
        for id in all {
            self.halt(id);
            let frame = self.frame_mut(id);
            if !matches!(frame.phase, Phase::Parallel(_) | Phase::Map(_)) {
                frame.phase = Phase::Stopped;
            }
        }
        self.machine.ready.clear();
        let timers: Vec<u64> = self.machine.timers.keys().copied().collect();
        for timer in timers {
            self.clear(Some(timer));
        }
        self.effects.push(Effect::Finished(outcome));
    }

    /// Whether a frame is a child execution of a distributed Map, not a part of one.
    pub(super) fn is_child(&self, id: u32) -> bool {
        let frame = self.frame(id);
        frame.stream != ROOT
            && frame.parent.is_some_and(|(parent, _)| {
                self.machine
                    .frames
                    .get(&parent)
                    .is_some_and(|p| p.stream != frame.stream)
            })
    }

    /// A child execution is over; how it went.
    pub(super) fn child_ended(&mut self, stream: u32, last: u64, outcome: Outcome) -> Option<Ran> {
        let (kind, details) = match &outcome {
            Outcome::Succeeded(output) => (
                "ExecutionSucceeded",
                Details::Output(
                    "executionSucceededEventDetails",
                    fields([]),
                    Arc::clone(output),
                ),
            ),
            Outcome::Failed(error, cause) => (
                "ExecutionFailed",
                Details::Failure(
                    "executionFailedEventDetails",
                    fields([]),
                    error.clone(),
                    cause.clone(),
                ),
            ),
            Outcome::TimedOut(error, cause) | Outcome::Aborted(error, cause) => (
                "ExecutionAborted",
                Details::Failure(
                    "executionAbortedEventDetails",
                    fields([]),
                    error.clone(),
                    cause.clone(),
                ),
            ),
        };
        self.record(stream, last, kind, details);
        let child = self.machine.streams.remove(&stream);
        let ran = child.map(|child| {
            let mut ran = Ran {
                arn: child.arn,
                input: child.input,
                started: child.started,
                stopped: self.now,
                output: None,
                error: None,
                cause: None,
                aborted: false,
            };
            ran.ended(&outcome);
            ran
        });
        self.effects.push(Effect::ChildFinished { stream, outcome });
        ran
    }

    pub(super) fn child_aborted(&mut self, id: u32, slot: u32, stream: u32) {
        if let Some(last) = self.machine.streams.get(&stream).map(|s| s.last) {
            let ran = self.child_ended(stream, last, Outcome::Aborted(None, None));
            self.keep_end(id, slot, ran);
        }
    }

    /// Keeps how a child execution went, where that is told.
    pub(super) fn keep_end(&mut self, id: u32, slot: u32, ran: Option<Ran>) {
        if let Some(ends) = self.mapping(id).and_then(|m| m.ends.as_mut()) {
            ends[slot as usize] = ran;
        }
    }
}
