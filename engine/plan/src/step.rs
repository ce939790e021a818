//! The state machine: one step from an input to a new state, an answer and effects.

use crate::{effect::Effect, event::Input, refusal::Refusal, state::State};

/// What a request is answered with; reads are done on the state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Nothing but success.
    Done,
    /// A pipeline was created or updated: its version.
    Version(u64),
    /// An execution started, retried, stopped: its id.
    Execution(String),
    /// PutApprovalResult: when.
    ApprovedAt(jiff::Timestamp),
    /// AcknowledgeJob: the job's status.
    Job(crate::state::JobStatus),
}

/// Applies one input. A refused input changes nothing and is not journaled.
///
/// # Errors
/// The modelled exception of the operation that the input stands for.
pub fn step(_state: &mut State, _input: &Input) -> Result<(Answer, Vec<Effect>), Refusal> {
    Err(Refusal::new(
        "InternalFailure",
        "the planner is not there yet",
    ))
}
