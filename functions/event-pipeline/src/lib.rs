//! Resumes the state machine that started a pipeline when the pipeline ends.
//!
//! **Trigger:** CodePipeline's state changes of executions, stages and actions, through EventBridge.
//! **Effects:** the task that waits for the execution succeeds, or fails with `PipelineFailed`, `PipelineStopped`,
//! `PipelineSuperseded` or `PipelineCancelled`; while the pipeline goes on, each change is a heartbeat.
//! **Permissions:** `dynamodb:GetItem`, `DeleteItem` on the table; `states:SendTaskSuccess`, `SendTaskFailure`,
//! `SendTaskHeartbeat`.
//! **Failure:** Lambda repeats the event. A token takes one answer; one that is closed is forgotten.

use serde_json::Value;
use shared::{
    event::{StateChange, Subject},
    port::PortError,
    resume::{End, Tasks, Waiters, tell},
    wire::eventbridge::{Event, EventError},
};

/// The function and what it works with.
#[derive(Debug)]
pub struct Resume<W, T> {
    /// Keeps tokens.
    pub waiters: W,
    /// Answers tasks.
    pub tasks: T,
}

/// Why an event fails, to be repeated by Lambda.
#[derive(Debug, thiserror::Error)]
pub enum ResumeError {
    /// What woke the function.
    #[error("the event is not one of CodePipeline's")]
    Event(#[source] EventError),
    /// The table or Step Functions.
    #[error("the task that waits for the pipeline could not be told")]
    Tell(#[source] PortError),
}

impl<W: Waiters, T: Tasks> Resume<W, T> {
    /// Handles an event as Lambda gives it.
    ///
    /// # Errors
    /// When it cannot be read, and when nobody could be told now.
    pub async fn take(&self, event: Value) -> Result<Value, ResumeError> {
        let event = Event::try_from(event).and_then(StateChange::try_from);
        let change = event.map_err(ResumeError::Event)?;
        let end = match change.subject {
            Subject::Execution { .. } => End::of_event(change.state),
            Subject::Stage { .. } | Subject::Action(_) => None,
        };
        let of = (&change.pipeline, &change.execution);
        let told = tell(&self.waiters, &self.tasks, of, end).await;
        told.map(|()| Value::Null).map_err(ResumeError::Tell)
    }
}

#[cfg(test)]
mod tests;
