//! Which errors a `Retry` or `Catch` is for, and how long a retry waits.

use crate::{chance::Chance, definition::Retrier, trouble::Trouble};

/// A failed state: its error and cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub error: Option<String>,
    pub cause: Option<String>,
    /// Neither retried nor caught.
    pub terminal: bool,
}

impl Failure {
    pub fn new(error: impl Into<String>, cause: Option<String>) -> Self {
        Self {
            error: Some(error.into()),
            cause,
            terminal: false,
        }
    }

    /// A state could not be evaluated.
    pub fn of(trouble: &Trouble, state: &str, event: u64) -> Self {
        let mut failure = Self::new(trouble.error(), Some(trouble.cause(state, event)));
        failure.terminal = matches!(trouble, Trouble::Runtime(_) | Trouble::DataLimit(_));
        failure
    }

    /// The first of several lists of names that is for this error.
    pub fn handler<'a>(&self, mut lists: impl Iterator<Item = &'a [String]>) -> Option<usize> {
        lists.position(|names| self.is_one_of(names))
    }

    /// Whether one of the names is for this error.
    fn is_one_of(&self, names: &[String]) -> bool {
        let error = self.error.as_deref().unwrap_or_default();
        let timeout = matches!(error, "States.Timeout" | "States.HeartbeatTimeout");
        !self.terminal
            && names.iter().any(|name| match name.as_str() {
                "States.ALL" => true,
                "States.TaskFailed" => !timeout,
                "States.Timeout" => timeout,
                name => name == error,
            })
    }
}

/// Seconds before the retry after `done` others.
pub fn delay(retrier: &Retrier, done: u64, chance: &mut Chance) -> f64 {
    let power = i32::try_from(done).unwrap_or(i32::MAX);
    let mut seconds = retrier.interval * retrier.backoff.powi(power);
    // A year: what Step Functions lets an execution last.
    seconds = seconds.min(retrier.most.unwrap_or(31_622_400.0));
    if retrier.jitter {
        seconds * chance.unit()
    } else {
        seconds
    }
}
