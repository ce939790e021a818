//! What can happen. Each accepted input is one journal record; replaying them gives the same state.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    definition::{CustomActionType, PipelineDeclaration},
    gate::GateKind,
    hidden::Hidden,
    webhook::{WebhookDefinition, WebhookError},
};

/// One happening with the time and the randomness it may use.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Input {
    /// Now, by the engine's clock.
    pub at: Timestamp,
    /// New ids (executions, action executions, jobs, tokens, artifact keys) are derived from it.
    pub seed: u128,
    /// What happened.
    pub event: Event,
}

/// The closed list of happenings. Requests may be refused; reports about what is no longer running are ignored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all_fields = "camelCase")]
pub enum Event {
    /// The engine started with these settings (first record of each run of the engine).
    Configured {
        settings: Settings,
    },
    /// The engine was started again while actions ran: its functions get their silence limit anew, because they could
    /// not report while it was down.
    Resumed,
    /// CreatePipeline; AWS starts an execution at once, `run` of the CLI asks for its own start instead.
    CreatePipeline {
        definition: PipelineDeclaration,
        tags: BTreeMap<String, String>,
        start: bool,
    },
    UpdatePipeline {
        definition: PipelineDeclaration,
    },
    DeletePipeline {
        name: String,
    },
    /// TagResource of a pipeline.
    Tag {
        pipeline: String,
        tags: BTreeMap<String, String>,
    },
    /// UntagResource of a pipeline.
    Untag {
        pipeline: String,
        keys: Vec<String>,
    },
    /// TagResource of anything else.
    TagResource {
        resource: Resource,
        tags: BTreeMap<String, String>,
    },
    /// UntagResource of anything else.
    UntagResource {
        resource: Resource,
        keys: Vec<String>,
    },
    /// PutWebhook; makes it, or changes it in place.
    PutWebhook {
        webhook: WebhookDefinition,
        tags: BTreeMap<String, String>,
    },
    DeleteWebhook {
        name: String,
    },
    /// A call of a webhook's URL passed its authentication and its filters.
    WebhookDelivered {
        webhook: String,
        /// The key of the URL that was called.
        key: Hidden,
    },
    /// What ListWebhooks is to show as a webhook's error from now on.
    WebhookNoted {
        webhook: String,
        error: Option<WebhookError>,
    },
    CreateCustomActionType {
        action_type: CustomActionType,
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        tags: BTreeMap<String, String>,
    },
    DeleteCustomActionType {
        category: String,
        provider: String,
        version: String,
    },
    Start {
        pipeline: String,
        trigger: Trigger,
        variables: BTreeMap<String, String>,
        source_revisions: Vec<SourceRevisionOverride>,
        client_token: Option<String>,
    },
    Stop {
        pipeline: String,
        execution: String,
        abandon: bool,
        reason: Option<String>,
    },
    Retry {
        pipeline: String,
        stage: String,
        execution: String,
        mode: RetryMode,
    },
    /// RollbackStage.
    Rollback {
        pipeline: String,
        stage: String,
        /// The execution whose state comes back.
        target: String,
        by: String,
    },
    /// OverrideStageCondition.
    Override {
        pipeline: String,
        stage: String,
        execution: String,
        gate: GateKind,
    },
    SetTransition {
        pipeline: String,
        stage: String,
        inbound: bool,
        enabled: bool,
        reason: Option<String>,
        by: String,
    },
    /// PutApprovalResult.
    Approval {
        pipeline: String,
        stage: String,
        action: String,
        token: Hidden,
        approved: bool,
        summary: String,
        by: String,
    },
    /// PollForJobs handed these out (custom action types).
    JobsPolled {
        jobs: Vec<String>,
    },
    /// AcknowledgeJob.
    JobAcknowledged {
        job: String,
        nonce: String,
    },
    /// PutJobSuccessResult.
    JobSucceeded {
        job: String,
        continuation: Option<String>,
        variables: BTreeMap<String, String>,
        details: ExecutionDetails,
        revision: Option<Revision>,
    },
    /// PutJobFailureResult.
    JobFailed {
        job: String,
        kind: String,
        message: String,
        external_id: Option<String>,
    },
    /// A provider says how far it is.
    Progress {
        action_execution: String,
        details: ExecutionDetails,
    },
    /// A provider ended.
    Finished {
        action_execution: String,
        outcome: Outcome,
    },
    /// The clock reached what [`crate::state::State::next_due`] named.
    TimePassed,
}

impl Event {
    /// Pipeline and id of the execution that a request is about, which may have left memory.
    pub fn about(&self) -> Option<(&str, &str)> {
        match self {
            Self::Stop {
                pipeline,
                execution,
                ..
            }
            | Self::Retry {
                pipeline,
                execution,
                ..
            }
            | Self::Override {
                pipeline,
                execution,
                ..
            }
            | Self::Rollback {
                pipeline,
                target: execution,
                ..
            } => Some((pipeline, execution)),
            _ => None,
        }
    }
}

/// Choices of one engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    /// 12 digits, appears in ARNs.
    pub account: String,
    /// Region of pipelines.
    pub region: String,
    /// Seconds between a continuation token and the next invocation (AWS: about 30, stated for partner actions only).
    pub continuation_seconds: u32,
    /// Partners' action types beside the built-in ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub third_party: Vec<CustomActionType>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            account: "123456789012".to_owned(),
            region: "us-east-1".to_owned(),
            continuation_seconds: 30,
            third_party: Vec::new(),
        }
    }
}

/// What carries tags beside pipelines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "resource")]
pub enum Resource {
    Webhook {
        name: String,
    },
    /// A custom action type.
    ActionType {
        /// `Custom/Category/Provider/Version`.
        name: String,
    },
}

/// Why an execution started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Trigger {
    /// `CreatePipeline`, `StartPipelineExecution`, `PollForSourceChanges`, `Webhook`, `CloudWatchEvent`, …
    pub trigger_type: String,
    /// Caller ARN, webhook ARN, ….
    pub trigger_detail: String,
    /// What was pushed, where a connection says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Reference>,
}

/// What was pushed to a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Reference {
    /// A branch; of a pull request the one it is to be merged into.
    Branch(String),
    /// A tag.
    Tag(String),
}

/// `sourceRevisions` of StartPipelineExecution.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SourceRevisionOverride {
    pub action_name: String,
    pub revision_type: String,
    pub revision_value: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RetryMode {
    FailedActions,
    AllActions,
}

/// What people see of a running or ended action.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ExecutionDetails {
    pub summary: Option<String>,
    pub external_execution_id: Option<String>,
    pub external_execution_url: Option<String>,
    pub percent_complete: Option<u8>,
}

/// `ArtifactRevision` / `currentRevision`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Revision {
    pub revision_id: String,
    pub change_identifier: Option<String>,
    pub summary: Option<String>,
    pub url: Option<String>,
    pub created: Option<Timestamp>,
}

/// How an action ended, as its provider tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all_fields = "camelCase")]
pub enum Outcome {
    Succeeded {
        details: ExecutionDetails,
        variables: BTreeMap<String, String>,
        /// For source actions: what was taken.
        revision: Option<Revision>,
    },
    Failed {
        /// `errorDetails.code`: `JobFailed`, `ConfigurationError`, `PermissionError`, …
        code: String,
        message: String,
        details: ExecutionDetails,
    },
    /// The provider ended because it was told to stop.
    Stopped,
}
