//! The closed list of failures, and the one place that turns a fault into what the pipeline is told.

use crate::{id::ExternalId, job::FailureKind, port::PortError};

/// Why a step failed. `public` reaches the pipeline's history; `source` only the log.
#[derive(Debug, thiserror::Error)]
#[error("{public}")]
pub struct Fault {
    /// What kind of failure it is.
    pub kind: FaultKind,
    /// One sentence a person can act on: what happened, where, what to do. No secrets, no internals.
    pub public: String,
    /// The outside run that failed, when there is one.
    pub external_id: Option<ExternalId>,
    /// The chain behind it.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// The closed list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// The work's own result is bad: a test failed, a page answered wrongly.
    Failed,
    /// Parameters or configuration are wrong; trying again changes nothing.
    Configuration,
    /// Something was refused: credentials, policy.
    Permission,
    /// An outside system did not answer or is overloaded; may pass.
    Unavailable,
    /// The artifact or revision is missing or broken.
    Artifact,
    /// The time given ran out.
    TimedOut,
    /// A fault of ours.
    Internal,
}

impl FaultKind {
    /// The name a state machine's `Catch` sees.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Failed => "Failed",
            Self::Configuration => "Configuration",
            Self::Permission => "Permission",
            Self::Unavailable => "Unavailable",
            Self::Artifact => "Artifact",
            Self::TimedOut => "TimedOut",
            Self::Internal => "Internal",
        }
    }
}

impl Fault {
    /// A fault without a cause behind it.
    pub fn new(kind: FaultKind, public: impl Into<String>) -> Self {
        Self {
            kind,
            public: public.into(),
            external_id: None,
            source: None,
        }
    }

    /// The work's own result is bad.
    pub fn failed(public: impl Into<String>) -> Self {
        Self::new(FaultKind::Failed, public)
    }

    /// The same with the outside run it speaks of.
    pub fn of_run(mut self, run: ExternalId) -> Self {
        self.external_id = Some(run);
        self
    }

    /// The same with the error that caused it.
    pub fn because(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }
}

impl From<PortError> for Fault {
    /// For calls where the port's own sentence says enough; where a missing thing means a broken artifact,
    /// build the fault by hand.
    fn from(error: PortError) -> Self {
        let kind = match &error {
            PortError::NotFound { .. } | PortError::Invalid { .. } => FaultKind::Configuration,
            PortError::Denied { .. } => FaultKind::Permission,
            PortError::Conflict { .. } => FaultKind::Internal,
            PortError::Unavailable { .. } => FaultKind::Unavailable,
        };
        Self::new(kind, error.to_string()).because(error)
    }
}

impl From<FaultKind> for FailureKind {
    fn from(kind: FaultKind) -> Self {
        match kind {
            FaultKind::Failed | FaultKind::TimedOut | FaultKind::Internal => Self::JobFailed,
            FaultKind::Configuration => Self::ConfigurationError,
            FaultKind::Permission => Self::PermissionError,
            FaultKind::Artifact => Self::RevisionUnavailable,
            FaultKind::Unavailable => Self::SystemUnavailable,
        }
    }
}
