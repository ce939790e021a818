//! Why a call of a vendor brought nothing, and the sentence a person reads about it.

use std::{error::Error, fmt, time::Duration};

use crate::{
    fault::{Fault, FaultKind},
    start::StartError,
};

/// Why a call brought nothing.
#[derive(Debug)]
pub struct ProviderError {
    /// Whose call, as `Jenkins`.
    pub provider: &'static str,
    /// Which call, as `the queue item`.
    pub what: &'static str,
    /// What happened.
    pub trouble: Trouble,
    pub(super) source: Option<Box<dyn Error + Send + Sync>>,
}

/// What happened, in the words a decision needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// The vendor says that the request is wrong.
    Refused {
        /// HTTP status.
        status: u16,
        /// What the vendor says; may be empty.
        words: String,
    },
    /// The credentials are not accepted (401), or not for this (403).
    Denied {
        /// HTTP status.
        status: u16,
    },
    /// There is no such thing, or the credentials may not see it.
    NotFound,
    /// Throttled or broken for now.
    Busy {
        /// HTTP status.
        status: u16,
        /// As `Retry-After` says.
        again_in: Option<Duration>,
        /// Certainly nothing happened.
        certain: bool,
    },
    /// The answer was lost: the request may have been carried out.
    Lost,
    /// No connection: certainly nothing happened.
    NotReached,
    /// An answer that makes no sense here.
    Garbled {
        /// What it was.
        why: String,
    },
    /// The request cannot be sent: the address or a header is unusable.
    Unusable,
}

impl ProviderError {
    /// Whether waiting may help: keep asking until the action's own deadline, then give [`ProviderError::fault`].
    pub fn is_passing(&self) -> bool {
        matches!(
            self.trouble,
            Trouble::Busy { .. } | Trouble::Lost | Trouble::NotReached
        )
    }

    /// Whether there is no such thing.
    pub fn is_not_found(&self) -> bool {
        self.trouble == Trouble::NotFound
    }

    /// The vendor's status, when there was an answer.
    pub fn status(&self) -> Option<u16> {
        match self.trouble {
            Trouble::Refused { status, .. }
            | Trouble::Denied { status }
            | Trouble::Busy { status, .. } => Some(status),
            Trouble::NotFound => Some(404),
            _ => None,
        }
    }

    /// When to ask again, if the vendor said so.
    pub fn again_in(&self) -> Option<Duration> {
        match self.trouble {
            Trouble::Busy { again_in, .. } => again_in,
            _ => None,
        }
    }

    /// What the pipeline is told.
    pub fn fault(self) -> Fault {
        let kind = match &self.trouble {
            Trouble::Refused { .. } | Trouble::NotFound | Trouble::Unusable => {
                FaultKind::Configuration
            }
            Trouble::Denied { .. } => FaultKind::Permission,
            Trouble::Busy { .. } | Trouble::Lost | Trouble::NotReached => FaultKind::Unavailable,
            Trouble::Garbled { .. } => FaultKind::Failed,
        };
        let text = self.to_string();
        match self.source {
            Some(source) => Fault::new(kind, text).because(source),
            None => Fault::new(kind, text),
        }
    }

    /// What it means for the start of a run.
    pub fn start_error(self) -> StartError {
        let unknown = match self.trouble {
            Trouble::Busy { certain, .. } => !certain,
            Trouble::Lost | Trouble::Garbled { .. } => true,
            _ => false,
        };
        let fault = self.fault();
        match unknown {
            true => StartError::Unknown(fault),
            false => StartError::NotStarted(fault),
        }
    }
}

impl fmt::Display for ProviderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (provider, what) = (self.provider, self.what);
        match &self.trouble {
            Trouble::Refused { status, words } if words.is_empty() => {
                write!(
                    f,
                    "{provider} refused {what} with status {status}: check the action's parameters"
                )
            }
            Trouble::Refused { status, words } => {
                write!(f, "{provider} refused {what} with status {status}: {words}")
            }
            Trouble::Denied { status: 401 } => write!(
                f,
                "{provider} did not accept the credentials for {what} (status 401): renew the secret that the action names"
            ),
            Trouble::Denied { status } => write!(
                f,
                "{provider} does not allow {what} to the user of these credentials (status {status}): give that user the permission"
            ),
            Trouble::NotFound => write!(
                f,
                "{provider} knows nothing of {what}: check the address and the names, and that the user of these credentials may see it"
            ),
            Trouble::Busy {
                status: status @ (403 | 429),
                ..
            } => {
                write!(
                    f,
                    "{provider} throttled {what} (status {status}): try again later"
                )
            }
            Trouble::Busy { status, .. } => write!(
                f,
                "{provider} is not well: {what} was answered with status {status}; try again later"
            ),
            Trouble::Lost => {
                write!(
                    f,
                    "{provider} gave no whole answer to {what}: it may be overloaded; try again later"
                )
            }
            Trouble::NotReached => write!(
                f,
                "{provider} could not be reached for {what}: check the address, and that the function's network leads there"
            ),
            Trouble::Garbled { why } => write!(
                f,
                "{provider} answered {what} with {why}: check that the address is that of its API and not of a proxy or a login page"
            ),
            Trouble::Unusable => {
                write!(
                    f,
                    "{provider} cannot be asked for {what}: the address or a credential cannot be sent over HTTP"
                )
            }
        }
    }
}

impl Error for ProviderError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
