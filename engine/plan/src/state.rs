//! Everything the engine remembers, as plain data. Only [`crate::step::step`] changes it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    definition::{ActionTypeId, PipelineDeclaration},
    effect::{ActionTask, Effect},
    event::{ExecutionDetails, Revision, Settings, SourceRevisionOverride, Trigger},
};

/// The whole state.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    pub settings: Option<Settings>,
    pub pipelines: BTreeMap<String, Pipeline>,
    /// Open and recently ended jobs by id.
    pub jobs: BTreeMap<String, Job>,
    /// Where an action execution id belongs: (pipeline, execution id).
    pub action_index: BTreeMap<String, (String, String)>,
}

impl State {
    /// The next time at which [`crate::event::Event::TimePassed`] would change anything.
    pub fn next_due(&self) -> Option<Timestamp> {
        None
    }

    /// What was started and has not ended: to be performed again after a restart, with the same ids.
    pub fn outstanding(&self) -> Vec<Effect> {
        Vec::new()
    }

    /// The task of a running action, as it was given to its provider; for GetJobDetails and PollForJobs too.
    pub fn task(&self, _action_execution: &str) -> Option<ActionTask> {
        None
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pipeline {
    /// The newest definition, with its version set.
    pub definition: PipelineDeclaration,
    /// All versions by number.
    pub versions: BTreeMap<u64, PipelineDeclaration>,
    pub created: Timestamp,
    pub updated: Timestamp,
    pub tags: BTreeMap<String, String>,
    /// By stage name, in the order of the definition.
    pub stages: Vec<StageState>,
    /// Executions in order of start.
    pub executions: Vec<Execution>,
    /// clientRequestToken -> execution id.
    pub client_tokens: BTreeMap<String, String>,
}

/// What a stage is between executions: its lock, its waiters, its transition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StageState {
    pub name: String,
    /// The execution that holds the stage (SUPERSEDED, QUEUED).
    pub held_by: Option<String>,
    /// Executions waiting to enter, in order of arrival (at most one in SUPERSEDED).
    pub waiting: Vec<String>,
    /// The last execution that entered.
    pub latest: Option<String>,
    pub inbound: Transition,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transition {
    pub enabled: bool,
    pub changed_at: Option<Timestamp>,
    pub changed_by: Option<String>,
    pub reason: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExecutionStatus {
    InProgress,
    Stopping,
    Stopped,
    Succeeded,
    Superseded,
    Failed,
    Cancelled,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Execution {
    pub id: String,
    pub pipeline_version: u64,
    pub status: ExecutionStatus,
    pub status_summary: Option<String>,
    pub trigger: Trigger,
    pub started: Timestamp,
    pub updated: Timestamp,
    pub stop_reason: Option<String>,
    /// Pipeline variables as resolved at start.
    pub variables: BTreeMap<String, String>,
    pub source_revisions: Vec<SourceRevisionOverride>,
    /// Output variables by namespace.
    pub namespaces: BTreeMap<String, BTreeMap<String, String>>,
    /// Artifact name -> where it lies and which revision it is.
    pub artifacts: BTreeMap<String, ArtifactState>,
    /// One entry per stage entered, in order of the definition.
    pub stages: Vec<StageRun>,
    /// 1 for the first try, +1 per retry.
    pub attempt: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ArtifactState {
    pub bucket: String,
    pub key: String,
    pub revision: Option<Revision>,
    /// The action that made it.
    pub made_by: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum StageStatus {
    InProgress,
    Stopping,
    Stopped,
    Succeeded,
    Failed,
    Cancelled,
    Skipped,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StageRun {
    pub name: String,
    pub status: StageStatus,
    pub entered: Timestamp,
    /// All runs of all attempts, oldest first; the last one of a name counts.
    pub actions: Vec<ActionRun>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ActionStatus {
    InProgress,
    Succeeded,
    Failed,
    Abandoned,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ActionRun {
    pub id: String,
    pub name: String,
    pub action_type: ActionTypeId,
    pub status: ActionStatus,
    pub started: Timestamp,
    pub updated: Timestamp,
    pub updated_by: Option<String>,
    pub resolved_configuration: BTreeMap<String, String>,
    pub resolved_commands: Vec<String>,
    pub inputs: Vec<ArtifactPlace>,
    pub outputs: Vec<ArtifactPlace>,
    pub details: ExecutionDetails,
    pub error: Option<ActionError>,
    pub variables: BTreeMap<String, String>,
    pub revision: Option<Revision>,
    /// Manual approval: the open (or last) token.
    pub approval_token: Option<String>,
    /// The open job, if the provider works by jobs.
    pub job: Option<String>,
    /// When it times out.
    pub deadline: Timestamp,
    /// Lambda: silence limit, or the time of the next continuation.
    pub wake: Option<Wake>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Wake {
    /// No report by then: the action fails.
    Silence(Timestamp),
    /// Send the next job then.
    Continue { at: Timestamp, token: String },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArtifactPlace {
    pub name: String,
    pub bucket: String,
    pub key: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionError {
    pub code: String,
    pub message: String,
}

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

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    pub id: String,
    pub nonce: String,
    pub pipeline: String,
    pub execution: String,
    pub action_execution: String,
    pub status: JobStatus,
    pub continuation_token: Option<String>,
    pub created: Timestamp,
}
