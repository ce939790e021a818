//! Jobs: what functions and workers are asked to do.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Place, RulePlace};
use crate::definition::ActionTypeId;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum JobStatus {
    Created,
    Queued,
    Dispatched,
    InProgress,
    TimedOut,
    Succeeded,
    Failed,
}

/// Whose job it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum JobPlace {
    Action(Place),
    Rule(RulePlace),
}

impl JobPlace {
    /// The pipeline it belongs to.
    pub fn pipeline(&self) -> &str {
        match self {
            Self::Action(place) => &place.pipeline,
            Self::Rule(place) => &place.pipeline,
        }
    }

    /// The number of the execution it belongs to.
    pub const fn execution(&self) -> usize {
        match self {
            Self::Action(place) => place.execution,
            Self::Rule(place) => place.execution,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    pub id: String,
    pub nonce: String,
    pub place: JobPlace,
    /// Of the action or the rule.
    pub action_execution: String,
    pub action_type: ActionTypeId,
    pub status: JobStatus,
    pub continuation_token: Option<String>,
    pub created: Timestamp,
    /// When it was handed out last, until it is acknowledged.
    #[serde(default)]
    pub dispatched: Option<Timestamp>,
}
