//! Starting, stopping, retrying, reading and listing executions.

use std::collections::BTreeSet;

use engine_plan::{
    event::{Event, RetryMode, SourceRevisionOverride, Trigger},
    refusal::Refusal,
    state::{Execution, Pipeline},
    step::Answer,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Ground,
    page::{MOST, page_of, position},
    shape::{self, Object},
    unexpected,
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Start {
    name: String,
    #[serde(default)]
    variables: Vec<Variable>,
    client_request_token: Option<String>,
    #[serde(default)]
    source_revisions: Vec<SourceRevisionOverride>,
}

#[derive(Deserialize)]
struct Variable {
    name: String,
    value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Stop {
    pipeline_name: String,
    pipeline_execution_id: String,
    #[serde(default)]
    abandon: bool,
    reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Retry {
    pipeline_name: String,
    stage_name: String,
    pipeline_execution_id: String,
    retry_mode: RetryMode,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Rollback {
    pipeline_name: String,
    stage_name: String,
    target_pipeline_execution_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Get {
    pipeline_name: String,
    pipeline_execution_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct List {
    pipeline_name: String,
    max_results: Option<usize>,
    #[serde(default)]
    filter: ExecutionFilter,
    next_token: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ExecutionFilter {
    succeeded_in_stage: Option<SucceededInStage>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SucceededInStage {
    stage_name: Option<String>,
}

pub(super) async fn start(ground: &Ground<'_>, request: Start) -> Result<Value, Refusal> {
    let event = Event::Start {
        pipeline: request.name,
        trigger: Trigger {
            trigger_type: "StartPipelineExecution".to_owned(),
            trigger_detail: ground.caller.to_owned(),
            reference: None,
        },
        variables: request
            .variables
            .into_iter()
            .map(|variable| (variable.name, variable.value))
            .collect(),
        source_revisions: request.source_revisions,
        client_token: request.client_request_token,
    };
    execution_id(ground.submit(event).await?)
}

pub(super) async fn stop(ground: &Ground<'_>, request: Stop) -> Result<Value, Refusal> {
    let id = request.pipeline_execution_id.clone();
    let event = Event::Stop {
        pipeline: request.pipeline_name,
        execution: request.pipeline_execution_id,
        abandon: request.abandon,
        reason: request.reason,
    };
    ground.submit(event).await?;
    Ok(json!({"pipelineExecutionId": id}))
}

pub(super) async fn retry(ground: &Ground<'_>, request: Retry) -> Result<Value, Refusal> {
    let id = request.pipeline_execution_id.clone();
    let event = Event::Retry {
        pipeline: request.pipeline_name,
        stage: request.stage_name,
        execution: request.pipeline_execution_id,
        mode: request.retry_mode,
    };
    ground.submit(event).await?;
    Ok(json!({"pipelineExecutionId": id}))
}

pub(super) async fn rollback(ground: &Ground<'_>, request: Rollback) -> Result<Value, Refusal> {
    let event = Event::Rollback {
        pipeline: request.pipeline_name,
        stage: request.stage_name,
        target: request.target_pipeline_execution_id,
        by: ground.caller.to_owned(),
    };
    execution_id(ground.submit(event).await?)
}

pub(super) fn get(ground: &Ground<'_>, request: Get) -> Result<Value, Refusal> {
    ground.read_all(|state, past| {
        let pipeline = shape::pipeline(state, &request.pipeline_name)?;
        let (_, execution) = shape::execution(pipeline, past, &request.pipeline_execution_id)?;
        let execution = execution.as_ref();
        let revisions: Vec<Value> = execution
            .artifacts
            .iter()
            .filter_map(|(name, artifact)| {
                Some(shape::artifact_revision(name, artifact.revision.as_ref()?))
            })
            .collect();
        let variables: Vec<Value> = execution
            .variables
            .iter()
            .map(|(name, value)| json!({"name": name, "resolvedValue": value}))
            .collect();
        let shown = Object::new()
            .with("pipelineName", request.pipeline_name.as_str())
            .with("pipelineVersion", execution.pipeline_version)
            .with("pipelineExecutionId", execution.id.as_str())
            .with("status", shape::execution_status(execution.status))
            .maybe("statusSummary", execution.status_summary.as_deref())
            .with("artifactRevisions", revisions)
            .maybe("variables", (!variables.is_empty()).then_some(variables))
            .with("trigger", shape::trigger(&execution.trigger))
            .with("executionMode", mode(pipeline, execution))
            .with("executionType", shape::execution_type(execution))
            .maybe("rollbackMetadata", shape::rollback(execution));
        Ok(json!({"pipelineExecution": Value::from(shown)}))
    })
}

pub(super) fn list(ground: &Ground<'_>, request: List) -> Result<Value, Refusal> {
    let before: Option<usize> = position(request.next_token.as_deref())?;
    let succeeded_in = request
        .filter
        .succeeded_in_stage
        .and_then(|stage| stage.stage_name);
    ground.read_all(|state, past| {
        let pipeline = shape::pipeline(state, &request.pipeline_name)?;
        let end = before.map(|at| at.saturating_add(1));
        let expected = request.max_results.unwrap_or(MOST) + 1;
        let executions = past.history(pipeline, end, succeeded_in.as_deref(), expected);
        let items = |at, execution: &Execution| vec![(at, summary(pipeline, execution))];
        let list = "pipelineExecutionSummaries";
        page_of(list, executions, None, items, request.max_results)
    })
}

fn summary(pipeline: &Pipeline, execution: &Execution) -> Value {
    let mut seen = BTreeSet::new();
    let revisions: Vec<Value> = execution
        .artifacts
        .values()
        .filter(|artifact| seen.insert(&artifact.made_by))
        .filter_map(|artifact| {
            let revision = artifact.revision.as_ref()?;
            let item = Object::new()
                .with("actionName", artifact.made_by.as_str())
                .with("revisionId", revision.revision_id.as_str())
                .maybe("revisionSummary", revision.summary.as_deref())
                .maybe("revisionUrl", revision.url.as_deref());
            Some(item.into())
        })
        .collect();
    let stopped = execution
        .stop_reason
        .as_ref()
        .map(|reason| json!({"reason": reason}));
    Object::new()
        .with("pipelineExecutionId", execution.id.as_str())
        .with("status", shape::execution_status(execution.status))
        .maybe("statusSummary", execution.status_summary.as_deref())
        .with("startTime", shape::time(execution.started))
        .with("lastUpdateTime", shape::time(execution.updated))
        .with("sourceRevisions", revisions)
        .with("trigger", shape::trigger(&execution.trigger))
        .maybe("stopTrigger", stopped)
        .with("executionMode", mode(pipeline, execution))
        .with("executionType", shape::execution_type(execution))
        .maybe("rollbackMetadata", shape::rollback(execution))
        .into()
}

fn mode(pipeline: &Pipeline, execution: &Execution) -> Value {
    let definition = pipeline
        .definition_of(execution)
        .unwrap_or(&pipeline.definition);
    json!(definition.mode())
}

fn execution_id(answer: Answer) -> Result<Value, Refusal> {
    match answer {
        Answer::Execution(id) => Ok(json!({"pipelineExecutionId": id})),
        answer => Err(unexpected(&answer)),
    }
}
