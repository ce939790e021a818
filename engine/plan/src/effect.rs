//! What the engine must do after a step. Performing an effect twice must be harmless.

use std::{collections::BTreeMap, fmt};

use crate::{
    definition::{ActionTypeId, EncryptionKey, EnvironmentVariable},
    event::SourceRevisionOverride,
    hidden::Hidden,
    state::Execution,
};

/// The closed list of effects.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Start this action at its provider (again, after a restart: with the same ids).
    Perform(Box<ActionTask>),
    /// Stop it; its provider may answer `Stopped`, nobody waits for it.
    Cancel { action_execution: String },
    /// An ended execution has left memory: keep it where it can be found again. A later one replaces it.
    Archive(Box<Archived>),
    /// A pipeline was deleted: nothing archived of it may be found again.
    Forget { pipeline: String },
    /// An EventBridge event, ready but for `id`: `{version, detail-type, source, account, time, region, resources, detail}`.
    Emit(Box<serde_json::Value>),
}

/// An ended execution that is not in memory.
#[derive(Debug, Clone, PartialEq)]
pub struct Archived {
    pub pipeline: String,
    /// Its number in [`crate::state::Pipeline::executions`].
    pub number: usize,
    pub execution: Execution,
}

/// Everything a provider needs; all variables are resolved.
#[derive(Clone, PartialEq)]
pub struct ActionTask {
    pub pipeline: String,
    pub pipeline_arn: String,
    pub pipeline_version: u64,
    pub execution: String,
    pub stage: String,
    pub action: String,
    pub action_execution: String,
    pub action_type: ActionTypeId,
    pub region: String,
    pub role_arn: Option<String>,
    pub namespace: Option<String>,
    /// Resolved configuration.
    pub configuration: BTreeMap<String, String>,
    /// Resolved commands (Commands action).
    pub commands: Vec<String>,
    pub environment: Vec<EnvironmentVariable>,
    /// Names to export (Commands action).
    pub output_variables: Vec<String>,
    pub inputs: Vec<ArtifactLocation>,
    pub outputs: Vec<ArtifactLocation>,
    pub encryption_key: Option<EncryptionKey>,
    /// For source actions of an execution started with an override.
    pub source_revision: Option<SourceRevisionOverride>,
    /// Lambda, custom and third-party actions: the open job.
    pub job: Option<JobTask>,
    /// Manual approvals: the token and the time it expires.
    pub approval: Option<ApprovalTask>,
}

impl fmt::Debug for ActionTask {
    /// Only names and ids: configuration and tokens may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ActionTask")
            .field("pipeline", &self.pipeline)
            .field("execution", &self.execution)
            .field("stage", &self.stage)
            .field("action", &self.action)
            .field("action_execution", &self.action_execution)
            .field("action_type", &self.action_type)
            .finish_non_exhaustive()
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArtifactLocation {
    pub name: String,
    pub bucket: String,
    pub key: String,
    /// `files` of an output artifact (Commands action).
    pub files: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobTask {
    pub id: String,
    pub nonce: String,
    pub continuation_token: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalTask {
    pub token: Hidden,
    pub expires: jiff::Timestamp,
}
