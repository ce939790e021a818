//! State changes of a pipeline as CodePipeline tells them to EventBridge.

use jiff::Timestamp;

use crate::id::{ActionName, ExecutionId, PipelineName, StageName};

/// One state change. They come at least once and in any order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateChange {
    /// EventBridge's id; the same on a repeated delivery.
    pub id: String,
    /// When it happened; whole seconds.
    pub time: Timestamp,
    /// Account of the pipeline.
    pub account: String,
    /// Region of the pipeline.
    pub region: String,
    /// The pipeline.
    pub pipeline: PipelineName,
    /// Its structure's version.
    pub pipeline_version: Option<u64>,
    /// The execution.
    pub execution: ExecutionId,
    /// 1, and one more for each retry.
    pub attempt: Option<u64>,
    /// What changed.
    pub subject: Subject,
    /// Into which state.
    pub state: State,
}

/// What changed its state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// The execution itself.
    Execution {
        /// What started it, where AWS says so.
        trigger: Option<Trigger>,
        /// The words of whoever stopped it.
        stop_comments: Option<String>,
    },
    /// One stage of it.
    Stage {
        /// Which.
        stage: StageName,
    },
    /// One action of a stage.
    Action(Box<ActionChange>),
}

/// What started an execution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trigger {
    /// As `StartPipelineExecution` or `Webhook`.
    pub kind: String,
    /// As an ARN; empty when AWS gives none.
    pub detail: String,
}

/// The action of an action event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionChange {
    /// Its stage.
    pub stage: StageName,
    /// Its name.
    pub action: ActionName,
    /// The action execution, where AWS says so.
    pub action_execution: Option<String>,
    /// Where the action runs.
    pub region: Option<String>,
    /// Its action type.
    pub kind: ActionType,
    /// Summary, link and id of the outside run; on the last event of an action.
    pub result: Option<ActionResult>,
}

/// An action type's four words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionType {
    /// `AWS`, `ThirdParty` or `Custom`.
    pub owner: String,
    /// As `Manual`.
    pub provider: String,
    /// As `Approval`.
    pub category: String,
    /// As `1`.
    pub version: String,
}

/// `execution-result` of an action event.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ActionResult {
    /// Link to the outside run.
    pub url: Option<String>,
    /// What people see.
    pub summary: Option<String>,
    /// The outside run.
    pub external_id: Option<String>,
    /// As `JobFailed`.
    pub error_code: Option<String>,
}

/// The states of all three kinds of event; which of them may have which is AWS's table, not checked here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Began.
    Started,
    /// Began again by a retry.
    Resumed,
    /// Ended well.
    Succeeded,
    /// Ended badly.
    Failed,
    /// Somebody asked it to stop.
    Stopping,
    /// Stopped.
    Stopped,
    /// A newer execution took its place.
    Superseded,
    /// Ended because something around it did.
    Canceled,
    /// Stopped without waiting for it.
    Abandoned,
}
