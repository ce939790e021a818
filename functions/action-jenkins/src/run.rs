//! The names a run has: what the ledger keeps and people see as external id. Pure.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Where a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Its place.
    pub at: At,
    /// Jenkins merged our start into an equal one that somebody else had queued: it is not ours to stop.
    pub shared: bool,
}

/// A run's place at Jenkins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum At {
    /// An item of the queue, or one that was.
    Queue(u64),
    /// A build of the job.
    Build(u64),
}

/// A text that names no run.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the run's id is none of a Jenkins run")]
pub struct RunError;

impl Run {
    /// Our own run there.
    pub const fn own(at: At) -> Self {
        Self { at, shared: false }
    }

    /// The same run, now a build.
    pub const fn build(self, number: u64) -> Self {
        Self {
            at: At::Build(number),
            ..self
        }
    }
}

/// `queue/17`, `shared/17` (an item that is not ours alone), `12` or `shared/build/12`: a build's number, as in its
/// address.
impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.shared, self.at) {
            (false, At::Queue(id)) => write!(f, "queue/{id}"),
            (true, At::Queue(id)) => write!(f, "shared/{id}"),
            (false, At::Build(number)) => write!(f, "{number}"),
            (true, At::Build(number)) => write!(f, "shared/build/{number}"),
        }
    }
}

impl FromStr for Run {
    type Err = RunError;

    fn from_str(text: &str) -> Result<Self, RunError> {
        let number = |text: &str| text.parse::<u64>().map_err(|_| RunError);
        let (shared, at) = if let Some(rest) = text.strip_prefix("queue/") {
            (false, At::Queue(number(rest)?))
        } else if let Some(rest) = text.strip_prefix("shared/build/") {
            (true, At::Build(number(rest)?))
        } else if let Some(rest) = text.strip_prefix("shared/") {
            (true, At::Queue(number(rest)?))
        } else {
            (false, At::Build(number(text)?))
        };
        Ok(Self { at, shared })
    }
}

/// The number of a queue item's address. Host and scheme are those of Jenkins' own settings, often wrong behind a
/// proxy, and are not looked at.
pub fn queue_item(location: &str) -> Option<u64> {
    let (_, rest) = location.rsplit_once("/queue/item/")?;
    rest.trim_end_matches('/').parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_read_as_they_are_written() {
        for text in ["queue/17", "shared/17", "12", "shared/build/12"] {
            assert_eq!(text.parse::<Run>().unwrap().to_string(), text);
        }
        for bad in ["", "queue/", "queue/x", "#12", "-1", "shared/build/"] {
            assert_eq!(bad.parse::<Run>(), Err(RunError), "{bad}");
        }
    }

    #[test]
    fn only_the_number_of_a_location_counts() {
        for (location, number) in [
            ("http://jenkins.internal:8080/queue/item/17/", Some(17)),
            ("/queue/item/17", Some(17)),
            ("https://ci.example.com/jenkins/queue/item/9/", Some(9)),
            ("https://ci.example.com/job/a/", None),
            ("/queue/item/x/", None),
            ("", None),
        ] {
            assert_eq!(queue_item(location), number, "{location}");
        }
    }
}
