//! What the hosts of an action need: jobs of a custom action type, a waiting state machine, files of artifacts, secrets.

use std::{fmt, future::Future, str::FromStr};

use serde_json::Value;

use super::PortError;
use crate::{
    fault::{Fault, FaultKind},
    id::JobId,
    job::{ActionState, ArtifactCredentials, ArtifactRef, Job, Place},
    secret::{Secret, SecretRef},
};

/// A custom action type, written `Category/Provider/Version`; its owner is always `Custom`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomType {
    /// As `Test`.
    pub category: String,
    /// 1 to 35 characters.
    pub provider: String,
    /// 1 to 9 characters.
    pub version: String,
}

/// A text that names no custom action type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected Category/Provider/Version, as Test/HttpCheck/1")]
pub struct CustomTypeError;

impl FromStr for CustomType {
    type Err = CustomTypeError;

    fn from_str(text: &str) -> Result<Self, CustomTypeError> {
        let parts: Vec<&str> = text.split('/').collect();
        let [category, provider, version] = parts[..] else {
            return Err(CustomTypeError);
        };
        let word = |text: &str, most: usize| {
            let allowed = |c: char| c.is_ascii_alphanumeric() || "-_ .".contains(c);
            (1..=most).contains(&text.len()) && text.chars().all(allowed)
        };
        if !word(category, 20) || !word(provider, 35) || !word(version, 9) {
            return Err(CustomTypeError);
        }
        Ok(Self {
            category: category.to_owned(),
            provider: provider.to_owned(),
            version: version.to_owned(),
        })
    }
}

impl fmt::Display for CustomType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.category, self.provider, self.version)
    }
}

/// A job offered to a worker. It is the worker's only once it is acknowledged.
#[derive(Debug, Clone)]
pub struct Polled {
    /// The job.
    pub id: JobId,
    /// Good for one acknowledgement.
    pub nonce: String,
}

/// CodePipeline's jobs of a custom action type.
pub trait JobSource: Send + Sync {
    /// Offers of jobs, at most `most`. `query` is name and value of the type's queryable property, when it has one.
    fn poll(
        &self,
        kind: &CustomType,
        query: Option<(&str, &str)>,
        most: usize,
    ) -> impl Future<Output = Result<Vec<Polled>, PortError>> + Send;
    /// Takes a job: whether it is now in progress. `Conflict` means that the nonce was used already.
    /// One call: it must not be repeated behind the caller's back.
    fn acknowledge(
        &self,
        job: &JobId,
        nonce: &str,
    ) -> impl Future<Output = Result<bool, PortError>> + Send;
    /// The job with fresh credentials. A job that cannot be read is a fault to report, not a failed call.
    fn details(
        &self,
        job: &JobId,
    ) -> impl Future<Output = Result<Result<Job, Fault>, PortError>> + Send;
    /// Which action a job belongs to, also a job of an invoke action; `None` when CodePipeline does not say.
    fn place(&self, job: &JobId) -> impl Future<Output = Result<Option<Place>, PortError>> + Send;
    /// Where an action execution stands; `None` when it is not listed (any more).
    fn state(
        &self,
        place: &Place,
    ) -> impl Future<Output = Result<Option<ActionState>, PortError>> + Send;
}

/// What a waiting state machine is told. Exactly one is taken.
#[derive(Debug, Clone, PartialEq)]
pub enum TaskOutcome {
    /// The task's output.
    Success(Value),
    /// The task failed.
    Failure {
        /// The error's name for `Catch`.
        kind: FaultKind,
        /// At most 32,768 characters; no internals, no secrets.
        cause: String,
    },
}

/// A state machine's task that waits for a token. `Conflict` means that it waits no more.
pub trait TaskCallback: Send + Sync {
    /// Ends the task.
    fn finish(
        &self,
        token: &Secret,
        outcome: &TaskOutcome,
    ) -> impl Future<Output = Result<(), PortError>> + Send;
    /// Says that the task is still worked on.
    fn heartbeat(&self, token: &Secret) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// Reads single files of artifacts (zip, tar, tar.gz) without unpacking the rest.
pub trait ArtifactFiles: Send + Sync {
    /// The file's bytes; refuses more than `limit`. `NotFound` when the artifact or the file in it is not there,
    /// `Invalid` when the artifact is no archive.
    fn read(
        &self,
        credentials: Option<&ArtifactCredentials>,
        artifact: &ArtifactRef,
        path: &str,
        limit: u64,
    ) -> impl Future<Output = Result<Vec<u8>, PortError>> + Send;
}

/// Reads secrets that parameters refer to.
pub trait SecretStore: Send + Sync {
    /// The value; `NotFound` when there is none, or no such field in it.
    fn read(&self, secret: &SecretRef) -> impl Future<Output = Result<Secret, PortError>> + Send;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_custom_type_is_three_words() {
        let good: CustomType = "Test/HttpCheck/1".parse().unwrap();
        assert_eq!(good.to_string(), "Test/HttpCheck/1");
        for bad in [
            "",
            "Test",
            "Test/HttpCheck",
            "Test//1",
            "a/b/c/d",
            "Test/Http:Check/1",
        ] {
            assert_eq!(bad.parse::<CustomType>(), Err(CustomTypeError), "{bad}");
        }
    }
}
