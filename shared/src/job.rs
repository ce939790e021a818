//! One job as a function sees it, whatever host it came through, and the report that ends it.

use std::collections::BTreeMap;

use crate::{
    id::{ArtifactName, BucketName, ExternalId, JobId, ObjectKey},
    secret::Secret,
};

/// What an action is asked to do, already parsed and checked.
#[derive(Debug, Clone)]
pub struct Job {
    /// CodePipeline's id; each continuation has a new one.
    pub id: JobId,
    /// The same through all continuations of one action run: the ledger's key.
    /// Taken from the action execution id where the host knows it, else carried in the continuation token.
    pub run_key: String,
    /// The action's own parameters (UserParameters, or the configuration of a custom action type), still text.
    pub parameters: RawParameters,
    /// Input artifacts in the order of the action declaration.
    pub inputs: Vec<ArtifactRef>,
    /// Output artifacts: where the function must upload them.
    pub outputs: Vec<ArtifactRef>,
    /// Opens exactly this job's artifacts.
    pub credentials: Option<ArtifactCredentials>,
    /// KMS key id or ARN that uploads must use.
    pub encryption_key: Option<String>,
    /// Progress of an earlier step; `None` on the first.
    pub continuation: Option<String>,
    /// What it is part of.
    pub origin: Origin,
}

/// What a job is part of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Origin {
    /// An action of a pipeline; the event does not say which, CodePipeline can be asked.
    #[default]
    Unsaid,
    /// This action of a pipeline.
    Action(Place),
    /// A state machine's execution, by its ARN, where the task says it.
    Machine(Option<String>),
}

/// Where in a pipeline one run of an action is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The pipeline's name.
    pub pipeline: String,
    /// The pipeline execution's id.
    pub execution: String,
    /// The action execution's id: another one for each retry.
    pub action_execution: String,
}

/// Where an action execution stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActionState {
    /// It waits for a report.
    InProgress,
    /// It ended well.
    Succeeded,
    /// It ended badly, or outran CodePipeline's time.
    Failed,
    /// The execution was stopped without waiting for it.
    Abandoned,
}

impl Job {
    /// The ledger's key of this run of an action.
    pub fn ledger_key(&self, action: &str) -> String {
        format!("{action}/{}", self.run_key)
    }
}

/// Parameters before they are typed.
#[derive(Debug, Clone)]
pub enum RawParameters {
    /// `UserParameters` of a Lambda invoke action; empty when absent.
    Text(String),
    /// `params` of a Step Functions task.
    Json(serde_json::Value),
    /// Configuration of a custom action: every value is a text, whatever it means.
    Flat(BTreeMap<String, String>),
}

/// An artifact and where it lies in S3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArtifactRef {
    /// The artifact's name in the pipeline.
    pub name: ArtifactName,
    /// Bucket of the artifact store.
    pub bucket: BucketName,
    /// Key in that bucket.
    pub key: ObjectKey,
}

/// Temporary credentials that open one job's artifacts.
#[derive(Debug, Clone)]
pub struct ArtifactCredentials {
    /// Access key id.
    pub access_key_id: Secret,
    /// Secret access key.
    pub secret_access_key: Secret,
    /// Session token.
    pub session_token: Secret,
}

/// What a job is told at its end. Exactly one is sent.
#[derive(Debug, Clone, PartialEq)]
pub enum Report {
    /// The action succeeded.
    Success {
        /// What people see.
        details: Details,
        /// Output variables: keys `[A-Za-z0-9@_-]+`, at most 122,880 bytes in all.
        variables: BTreeMap<String, String>,
    },
    /// Ask again later with this token (1 to 2,048 characters).
    Continue {
        /// What people see meanwhile.
        details: Details,
        /// The typed progress, as text.
        token: String,
    },
    /// The action failed.
    Failure {
        /// CodePipeline's failure type.
        kind: FailureKind,
        /// At most 5,000 characters; no internals, no secrets.
        message: String,
        /// The outside run, when there is one.
        external_id: Option<ExternalId>,
    },
}

/// `executionDetails` of a result.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Details {
    /// At most 2,048 characters.
    pub summary: Option<String>,
    /// The outside run.
    pub external_id: Option<ExternalId>,
    /// 0 to 100.
    pub percent: Option<u8>,
    /// Where people see the outside run. CodePipeline's reports have no place of their own for it: it ends the summary.
    pub link: Option<String>,
}

impl Details {
    /// These words.
    pub fn of(summary: impl Into<String>) -> Self {
        Self {
            summary: Some(summary.into()),
            ..Self::default()
        }
    }

    /// The same with this link.
    pub fn at(self, link: impl Into<String>) -> Self {
        Self {
            link: Some(link.into()),
            ..self
        }
    }
}

/// `failureDetails.type` of AWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// The work was done and its result is bad.
    JobFailed,
    /// The action's configuration is wrong.
    ConfigurationError,
    /// Something was refused.
    PermissionError,
    /// The revision is out of step.
    RevisionOutOfSync,
    /// The revision is not there.
    RevisionUnavailable,
    /// An outside system cannot be reached.
    SystemUnavailable,
}
