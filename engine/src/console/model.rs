//! What the console's pages show, made from the planner's state. Pure.

use engine_plan::{
    definition::ActionDeclaration,
    state::{ActionRun, ActionStatus, Execution, ExecutionStatus, Pipeline, StageStatus, State},
};
use jiff::Timestamp;

use crate::cli::elapsed;

/// A status as words and as a style class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// Nothing ran yet.
    Idle,
    /// Something runs.
    Running,
    /// A person must answer.
    Waiting,
    /// It went well.
    Succeeded,
    /// It went wrong.
    Failed,
    /// It ended without a result: stopped, superseded, abandoned, cancelled, skipped.
    Other(&'static str),
}

impl Look {
    /// For people.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Idle => "Didn't run",
            Self::Running => "In progress",
            Self::Waiting => "Waiting",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
            Self::Other(word) => word,
        }
    }

    /// For the style sheet.
    pub const fn class(&self) -> &'static str {
        match self {
            Self::Idle | Self::Other(_) => "idle",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
        }
    }
}

impl From<ExecutionStatus> for Look {
    fn from(status: ExecutionStatus) -> Self {
        match status {
            ExecutionStatus::InProgress => Self::Running,
            ExecutionStatus::Stopping => Self::Other("Stopping"),
            ExecutionStatus::Stopped => Self::Other("Stopped"),
            ExecutionStatus::Succeeded => Self::Succeeded,
            ExecutionStatus::Superseded => Self::Other("Superseded"),
            ExecutionStatus::Failed => Self::Failed,
            ExecutionStatus::Cancelled => Self::Other("Cancelled"),
        }
    }
}

impl From<StageStatus> for Look {
    fn from(status: StageStatus) -> Self {
        match status {
            StageStatus::InProgress => Self::Running,
            StageStatus::Stopping => Self::Other("Stopping"),
            StageStatus::Stopped => Self::Other("Stopped"),
            StageStatus::Succeeded => Self::Succeeded,
            StageStatus::Failed => Self::Failed,
            StageStatus::Cancelled => Self::Other("Cancelled"),
            StageStatus::Skipped => Self::Other("Skipped"),
        }
    }
}

/// One pipeline of the list.
#[derive(Debug)]
pub struct Summary {
    pub name: String,
    pub version: u64,
    pub status: Look,
    pub stages: Vec<Look>,
    pub executions: usize,
    pub last: Option<String>,
}

/// One stage of the picture.
#[derive(Debug)]
pub struct StageBox {
    pub name: String,
    pub status: Look,
    /// Whether the inbound transition is enabled.
    pub open: bool,
    /// Actions by run order.
    pub groups: Vec<Vec<ActionBox>>,
}

/// One action of the picture.
#[derive(Debug)]
pub struct ActionBox {
    pub name: String,
    pub provider: String,
    pub status: Look,
    pub waiting: bool,
    pub took: Option<String>,
    pub text: Option<String>,
    pub percent: Option<u8>,
    pub url: Option<String>,
    /// Path of its log page.
    pub log: Option<String>,
}

/// One execution of the history.
#[derive(Debug)]
pub struct Past {
    pub id: String,
    pub status: Look,
    pub trigger: String,
    pub started: String,
}

/// Seconds are enough for people.
pub fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// All pipelines, by name.
pub fn summaries(state: &State) -> Vec<Summary> {
    state
        .pipelines
        .iter()
        .map(|(name, pipeline)| {
            let last = pipeline.executions.last();
            Summary {
                name: name.clone(),
                version: pipeline.definition.version.unwrap_or(1),
                status: last.map_or(Look::Idle, |e| e.status.into()),
                stages: stages(pipeline, last, Timestamp::UNIX_EPOCH)
                    .iter()
                    .map(|s| s.status)
                    .collect(),
                executions: pipeline.executions.len(),
                last: last.map(|e| time(e.updated)),
            }
        })
        .collect()
}

/// The picture of one execution on its own version of the definition.
pub fn stages(pipeline: &Pipeline, execution: Option<&Execution>, now: Timestamp) -> Vec<StageBox> {
    let definition = execution
        .and_then(|e| pipeline.definition_of(e))
        .unwrap_or(&pipeline.definition);
    definition
        .stages
        .iter()
        .map(|stage| {
            let run = execution.and_then(|e| e.stage(&stage.name));
            let mut orders: Vec<u32> = stage.actions.iter().map(|a| a.run_order).collect();
            orders.sort_unstable();
            orders.dedup();
            let action = |declared: &ActionDeclaration| {
                let last =
                    run.and_then(|r| r.actions.iter().rev().find(|a| a.name == declared.name));
                action_box(&pipeline.definition.name, execution, declared, last, now)
            };
            StageBox {
                name: stage.name.clone(),
                status: run.map_or(Look::Idle, |r| r.status.into()),
                open: pipeline
                    .stage(&stage.name)
                    .is_none_or(|s| s.inbound.enabled),
                groups: orders
                    .iter()
                    .map(|order| {
                        stage
                            .actions
                            .iter()
                            .filter(|a| a.run_order == *order)
                            .map(action)
                            .collect()
                    })
                    .collect(),
            }
        })
        .collect()
}

fn action_box(
    pipeline: &str,
    execution: Option<&Execution>,
    declared: &ActionDeclaration,
    run: Option<&ActionRun>,
    now: Timestamp,
) -> ActionBox {
    let approval = declared.action_type_id.category == "Approval";
    let running = run.is_some_and(|r| r.status == ActionStatus::InProgress);
    let provider = match declared.configuration.get("FunctionName") {
        Some(function) => format!("{} {function}", declared.action_type_id.provider),
        None => declared.action_type_id.provider.clone(),
    };
    ActionBox {
        name: declared.name.clone(),
        provider,
        status: match run.map(|r| r.status) {
            None => Look::Idle,
            Some(ActionStatus::InProgress) if approval => Look::Waiting,
            Some(ActionStatus::InProgress) => Look::Running,
            Some(ActionStatus::Succeeded) => Look::Succeeded,
            Some(ActionStatus::Failed) => Look::Failed,
            Some(ActionStatus::Abandoned) => Look::Other("Abandoned"),
        },
        waiting: approval && running,
        took: run.map(|r| elapsed(r.started, if running { now } else { r.updated })),
        text: run.and_then(|r| {
            let error = r.error.as_ref().map(|e| e.message.clone());
            error
                .or_else(|| r.details.summary.clone())
                .or_else(|| r.revision.as_ref().and_then(|v| v.summary.clone()))
        }),
        percent: run
            .filter(|_| running)
            .and_then(|r| r.details.percent_complete),
        url: run
            .and_then(|r| r.details.external_execution_url.clone())
            .filter(|u| is_web(u)),
        log: run
            .zip(execution)
            .map(|(r, e)| format!("/_stagewright/pipeline/{pipeline}/{}/log/{}", e.id, r.id)),
    }
}

/// Only links a browser may follow safely become links.
fn is_web(url: &str) -> bool {
    url.starts_with("https://") || url.starts_with("http://")
}

/// The newest executions first.
pub fn history(pipeline: &Pipeline, most: usize) -> Vec<Past> {
    pipeline
        .executions
        .iter()
        .rev()
        .take(most)
        .map(|e| Past {
            id: e.id.clone(),
            status: e.status.into(),
            trigger: e.trigger.trigger_type.clone(),
            started: time(e.started),
        })
        .collect()
}

/// Output variables as people write them: `namespace.key`.
pub fn variables(execution: &Execution) -> Vec<(String, String)> {
    let own = execution
        .variables
        .iter()
        .map(|(k, v)| (format!("variables.{k}"), v.clone()));
    let produced = execution.namespaces.iter().flat_map(|(ns, map)| {
        map.iter()
            .map(move |(k, v)| (format!("{ns}.{k}"), v.clone()))
    });
    own.chain(produced).collect()
}
