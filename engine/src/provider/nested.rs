//! Invoke/AWS/CodePipeline/1: starts another pipeline and waits for its execution.

use std::collections::BTreeMap;

use engine_plan::{
    effect::ActionTask,
    event::{Event, ExecutionDetails, Outcome, SourceRevisionOverride, Trigger},
    state::ExecutionStatus,
    step::Answer,
};
use futures_util::future::BoxFuture;
use serde::{Deserialize, de::DeserializeOwned};

use super::{Context, Provider, Trouble, required};

/// Whether the action lasts as long as the execution it started, and fails with it. No source says so; an action that
/// ended at once could not be retried or stopped with what it began.
const WAITS: bool = true;

/// The provider. Performed again after a restart it finds the execution that it started, by its token.
#[derive(Debug, Clone, Copy, Default)]
pub struct NestedPipeline;

impl Provider for NestedPipeline {
    fn perform(&self, task: ActionTask, context: Context) -> BoxFuture<'static, Option<Outcome>> {
        Box::pin(async move {
            let invoked = invoke(&task, &context).await;
            Some(invoked.unwrap_or_else(|(trouble, details)| trouble.outcome(details)))
        })
    }
}

/// `Variables` of the configuration.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Variable {
    name: String,
    value: String,
}

type Failed = (Trouble, ExecutionDetails);

fn early(trouble: Trouble) -> Failed {
    (trouble, ExecutionDetails::default())
}

async fn invoke(task: &ActionTask, context: &Context) -> Result<Outcome, Failed> {
    let name = required(task, "PipelineName").map_err(early)?;
    let execution = start(task, &name, context).await.map_err(early)?;
    let base = context.app.base_url.trim_end_matches('/');
    let details = |summary: String| ExecutionDetails {
        summary: Some(summary),
        external_execution_id: Some(execution.clone()),
        external_execution_url: Some(format!(
            "{base}/_stagewright/?region={}#/view/{name}",
            task.region
        )),
        ..ExecutionDetails::default()
    };
    let started = details(format!("Pipeline {name} runs"));
    context.progress.tell(started.clone()).await;
    let ended = if WAITS {
        let waiting = context.held.rest(async {
            tokio::select! {
                ended = end(&name, &execution, context) => Some(ended),
                () = context.stop.cancelled() => None,
            }
        });
        let Some(ended) = waiting.await else {
            return Ok(Outcome::Stopped);
        };
        ended.map_err(|trouble| (trouble, started))?
    } else {
        ExecutionStatus::Succeeded
    };
    if ended == ExecutionStatus::Succeeded {
        return Ok(Outcome::Succeeded {
            details: details(format!("Pipeline {name} succeeded")),
            variables: BTreeMap::new(),
            revision: None,
        });
    }
    let text = format!("the execution {execution} of pipeline {name} ended {ended:?}");
    let summary = details(format!("Pipeline {name} ended {ended:?}"));
    Err((Trouble::job(text), summary))
}

async fn start(task: &ActionTask, name: &str, context: &Context) -> Result<String, Trouble> {
    let variables: Vec<Variable> = list(task, "Variables")?;
    let source_revisions: Vec<SourceRevisionOverride> = list(task, "SourceRevisions")?;
    let event = Event::Start {
        pipeline: name.to_owned(),
        trigger: Trigger {
            trigger_type: "StartPipelineExecution".to_owned(),
            // unconfirmed: the caller is the role of the action
            trigger_detail: task
                .role_arn
                .clone()
                .unwrap_or_else(|| task.pipeline_arn.clone()),
            reference: None,
        },
        variables: variables
            .into_iter()
            .map(|it| (it.name, it.value))
            .collect(),
        source_revisions,
        client_token: Some(task.action_execution.clone()),
    };
    match context.app.desk.submit(event).await {
        Ok(Answer::Execution(id)) => Ok(id),
        Ok(_) => Err(Trouble::job(format!(
            "pipeline {name} answered without an execution"
        ))),
        Err(refusal) => Err(Trouble::configuration(format!(
            "action {}: pipeline {name} was not started: {}: {}",
            task.action, refusal.exception, refusal.message
        ))),
    }
}

/// A JSON list that a setting holds as text.
fn list<T: DeserializeOwned>(task: &ActionTask, name: &str) -> Result<Vec<T>, Trouble> {
    let Some(text) = task.configuration.get(name).filter(|it| !it.is_empty()) else {
        return Ok(Vec::new());
    };
    serde_json::from_str(text).map_err(|error| {
        Trouble::configuration(format!(
            "action {}: the setting {name} is not the JSON list it must be: {error}",
            task.action
        ))
    })
}

/// How the execution ended; its memory may have gone meanwhile.
async fn end(name: &str, execution: &str, context: &Context) -> Result<ExecutionStatus, Trouble> {
    let desk = &context.app.desk;
    let seen = desk.wait_until(|state| {
        let Some(run) = state.pipelines.get(name).map(|it| it.execution(execution)) else {
            return Some(Err(Trouble::job(format!("pipeline {name} was deleted"))));
        };
        match run {
            None => Some(Ok(None)),
            Some(run) if run.has_ended() => Some(Ok(Some(run.status))),
            Some(_) => None,
        }
    });
    let gone = || {
        Trouble::job(format!(
            "the execution {execution} of pipeline {name} is gone"
        ))
    };
    match seen.await {
        Some(seen) => match seen? {
            Some(status) => Ok(status),
            None => desk
                .read_all(|state, past| {
                    let pipeline = state.pipelines.get(name)?;
                    let (_, run) = past.find(pipeline, execution).ok()??;
                    Some(run.status)
                })
                .ok_or_else(gone),
        },
        None => Err(gone()),
    }
}
