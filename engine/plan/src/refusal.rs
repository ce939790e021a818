//! Requests the planner refuses, as the exception AWS answers with.

/// A modelled exception: name and message of the reply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{exception}: {message}")]
pub struct Refusal {
    /// `PipelineNotFoundException`, …: the full name as on the wire.
    pub exception: &'static str,
    /// AWS's text where it is known.
    pub message: String,
}

const INTERNAL: &str = "InternalFailure";

impl Refusal {
    /// A refusal with its exception name and message.
    pub fn new(exception: &'static str, message: impl Into<String>) -> Self {
        Self {
            exception,
            message: message.into(),
        }
    }

    /// The engine's own failure, in AWS's word for its own: the request may be right.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(INTERNAL, message)
    }

    /// Whether the engine failed, not the request.
    pub fn is_internal(&self) -> bool {
        self.exception == INTERNAL
    }
}
