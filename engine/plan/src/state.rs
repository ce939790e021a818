//! Everything the engine remembers, as plain data. Only [`crate::step::step`] changes it; reading is in [`crate::view`].

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    fmt,
    sync::Arc,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    definition::{ActionTypeId, CustomActionType, EnvironmentVariable, PipelineDeclaration},
    event::{ExecutionDetails, Revision, Settings, SourceRevisionOverride, Trigger},
    executions::Executions,
    gate::{GateKind, RuleTypeId},
    hidden::Hidden,
    webhook::Webhook,
};

mod job;

pub use job::{Job, JobPlace, JobStatus};

/// Version of what the state looks like in a snapshot: raise it when a snapshot of before would be read as something
/// else. One that cannot be read at all is noticed.
pub const SHAPE: u32 = 1;

/// The whole state.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// `None` before the first [`crate::event::Event::Configured`].
    pub settings: Option<Settings>,
    pub pipelines: BTreeMap<String, Pipeline>,
    /// Custom action types, by order of creation, and the partners' types of the configuration.
    pub action_types: Vec<CustomActionType>,
    /// Deleted ones: they can be restored, and what they called secret stays secret.
    pub deleted_action_types: Vec<CustomActionType>,
    /// Tags of custom action types, by `Custom/Category/Provider/Version`.
    pub action_type_tags: BTreeMap<String, BTreeMap<String, String>>,
    /// By name.
    pub webhooks: BTreeMap<String, Webhook>,
    /// Open jobs and the last ended ones ([`crate::limit::ENDED_JOBS_KEPT`]), by id.
    pub jobs: HashMap<String, Job>,
    /// Ended jobs, oldest first.
    pub ended_jobs: VecDeque<String>,
    /// Jobs that PollForJobs may hand out.
    pub queued_jobs: BTreeSet<String>,
    /// Jobs that were handed out and not acknowledged, by when; after [`crate::limit::LEASE_SECONDS`] they are offered again.
    pub dispatched_jobs: BTreeSet<(Timestamp, String)>,
    /// Where each action that runs now is, by action execution id.
    pub running: BTreeMap<String, Place>,
    /// Where each rule that runs now is, by rule execution id.
    pub running_rules: BTreeMap<String, RulePlace>,
    /// Open approvals: token -> action execution id.
    pub approvals: HashMap<Hidden, String>,
    /// When running actions and rules (by execution id) want [`crate::event::Event::TimePassed`].
    pub due: BTreeSet<(Timestamp, String)>,
}

/// The position of one action run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    pub pipeline: String,
    /// Its number in [`Pipeline::executions`].
    pub execution: usize,
    /// Index in [`Execution::stages`].
    pub stage: usize,
    /// Index in [`StageRun::actions`].
    pub action: usize,
}

/// The position of one rule run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RulePlace {
    pub pipeline: String,
    /// Its number in [`Pipeline::executions`].
    pub execution: usize,
    /// Index in [`Execution::stages`].
    pub stage: usize,
    /// Index in [`StageRun::conditions`].
    pub condition: usize,
    /// Index in [`ConditionRun::rules`].
    pub rule: usize,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pipeline {
    /// The newest definition, with its version set.
    pub definition: Arc<PipelineDeclaration>,
    /// All versions by number.
    pub versions: BTreeMap<u64, Arc<PipelineDeclaration>>,
    pub created: Timestamp,
    pub updated: Timestamp,
    pub tags: BTreeMap<String, String>,
    /// In the order of the definition.
    pub stages: Vec<StageState>,
    /// Executions in memory, by number in order of start.
    pub executions: Executions,
    /// Execution id -> number, for those in memory.
    pub execution_index: HashMap<String, usize>,
    /// Numbers of executions that have not ended.
    pub active: BTreeSet<usize>,
    /// clientRequestToken -> execution id, for the last [`crate::limit::CLIENT_TOKENS_KEPT`] executions.
    pub client_tokens: HashMap<String, String>,
    /// The tokens of those, by number of execution.
    pub token_order: BTreeMap<usize, String>,
}

/// What a stage is between executions: its lock, its waiters, its transition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StageState {
    pub name: String,
    /// The execution that holds the stage (SUPERSEDED, QUEUED).
    pub held_by: Option<String>,
    /// Executions waiting to enter, in order of arrival (at most one in SUPERSEDED).
    pub waiting: VecDeque<String>,
    /// The last execution that entered.
    pub latest: Option<String>,
    /// Number of the STANDARD execution that succeeded here last: where an automatic rollback goes.
    pub succeeded: Option<usize>,
    /// The last run of each action, whichever execution it belongs to: number of the execution, indexes of
    /// stage run and action run.
    pub actions: BTreeMap<String, (usize, usize, usize)>,
    pub inbound: Transition,
    /// AWS keeps it and never shows it.
    pub outbound: Transition,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transition {
    pub enabled: bool,
    pub changed_at: Option<Timestamp>,
    pub changed_by: Option<String>,
    pub reason: Option<String>,
}

impl Default for Transition {
    fn default() -> Self {
        Self {
            enabled: true,
            changed_at: None,
            changed_by: None,
            reason: None,
        }
    }
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
    pub client_token: Option<String>,
    /// Output variables by namespace.
    pub namespaces: BTreeMap<String, BTreeMap<String, String>>,
    /// Artifact name -> where it lies and which revision it is.
    pub artifacts: BTreeMap<String, ArtifactState>,
    /// One entry per stage entered, in order of the definition.
    pub stages: Vec<StageRun>,
    /// Where it is now.
    pub position: Position,
    /// 1 for the first try, +1 per retry.
    pub attempt: u32,
    /// The definition was updated under it: it ends Cancelled once nothing is in progress.
    pub outdated: bool,
    /// Of a ROLLBACK execution: the execution whose state comes back.
    pub rollback_of: Option<String>,
}

/// Where an execution is; stages by index in its own version of the definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Position {
    /// Waits in front of a stage.
    Before(usize),
    /// Is in a stage.
    In(usize),
    /// Has ended (a retry may bring it back).
    Ended,
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
    /// RetryStageExecution calls so far.
    pub manual_retries: u32,
    /// Automatic retries so far: one at most ([`crate::limit::AUTOMATIC_RETRIES`]).
    pub automatic_retries: u32,
    pub latest_retry: Option<RetryTrigger>,
    /// Failed actions that a retry starts again as soon as it may.
    pub again: BTreeSet<String>,
    /// All evaluations of its conditions, oldest first.
    pub conditions: Vec<ConditionRun>,
    /// Runs before this index were made void by ALL_ACTIONS retries.
    pub first: usize,
    /// All runs of all attempts, oldest first; the last one of a name counts.
    pub actions: Vec<ActionRun>,
}

/// Who asked for a retry of a stage; the names are the wire's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RetryTrigger {
    AutomatedStageRetry,
    ManualStageRetry,
}

/// `ConditionExecutionStatus`; a condition ends Cancelled only on AWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConditionStatus {
    InProgress,
    Succeeded,
    Failed,
    /// A rule could not be evaluated.
    Errored,
    Abandoned,
    Overridden,
}

/// One evaluation of a stage's condition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConditionRun {
    pub gate: GateKind,
    pub status: ConditionStatus,
    pub updated: Timestamp,
    /// A retry made it void: the gate is evaluated again.
    pub void: bool,
    pub rules: Vec<RuleRun>,
}

/// One evaluation of a rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RuleRun {
    pub id: String,
    pub name: String,
    pub rule_type: RuleTypeId,
    pub status: ActionStatus,
    pub started: Timestamp,
    pub updated: Timestamp,
    pub resolved_configuration: BTreeMap<String, String>,
    pub resolved_commands: Vec<String>,
    pub inputs: Vec<ArtifactPlace>,
    pub details: ExecutionDetails,
    pub error: Option<ActionError>,
    /// When it times out.
    pub deadline: Timestamp,
    /// LambdaInvoke: the open job.
    #[serde(default)]
    pub job: Option<String>,
    /// LambdaInvoke: silence limit, or the time of the next continuation.
    #[serde(default)]
    pub wake: Option<Wake>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ActionStatus {
    InProgress,
    Succeeded,
    Failed,
    Abandoned,
}

#[derive(Clone, PartialEq, Serialize, Deserialize)]
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
    pub resolved_environment: Vec<EnvironmentVariable>,
    pub inputs: Vec<ArtifactPlace>,
    pub outputs: Vec<ArtifactPlace>,
    pub details: ExecutionDetails,
    pub error: Option<ActionError>,
    pub variables: BTreeMap<String, String>,
    pub revision: Option<Revision>,
    /// Manual approval: the open (or last) token.
    pub approval_token: Option<Hidden>,
    /// The open job, if the provider works by jobs.
    pub job: Option<String>,
    /// When it times out.
    pub deadline: Timestamp,
    /// Lambda: silence limit, or the time of the next continuation.
    pub wake: Option<Wake>,
}

impl fmt::Debug for ActionRun {
    /// Without resolved values: they may hold an OAuth token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ActionRun")
            .field("id", &self.id)
            .field("name", &self.name)
            .field("action_type", &self.action_type)
            .field("status", &self.status)
            .field("started", &self.started)
            .field("updated", &self.updated)
            .field("error", &self.error)
            .field("job", &self.job)
            .field("deadline", &self.deadline)
            .field("wake", &self.wake)
            .finish_non_exhaustive()
    }
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
