//! Starting, stopping, retrying and listing executions and their actions.

use std::collections::{BTreeMap, BTreeSet};

use engine_plan::{
    definition::ActionDeclaration,
    event::{Event, RetryMode, SourceRevisionOverride, Trigger},
    refusal::Refusal,
    state::{ActionRun, Execution, Pipeline, StageStatus, State},
    step::Answer,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Ground,
    page::{page, position},
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

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListActions {
    pipeline_name: String,
    max_results: Option<usize>,
    #[serde(default)]
    filter: ActionFilter,
    next_token: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ActionFilter {
    pipeline_execution_id: Option<String>,
    latest_in_pipeline_execution: Option<LatestIn>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LatestIn {
    pipeline_execution_id: String,
    start_time_range: String,
}

pub(super) async fn start(ground: &Ground<'_>, request: Start) -> Result<Value, Refusal> {
    let event = Event::Start {
        pipeline: request.name,
        trigger: Trigger {
            trigger_type: "StartPipelineExecution".to_owned(),
            trigger_detail: ground.caller.to_owned(),
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

pub(super) fn get(ground: &Ground<'_>, request: Get) -> Result<Value, Refusal> {
    ground.read(|state| {
        let pipeline = shape::pipeline(state, &request.pipeline_name)?;
        let execution = shape::execution(pipeline, &request.pipeline_execution_id)?;
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
            .with("executionType", "STANDARD");
        Ok(json!({"pipelineExecution": Value::from(shown)}))
    })
}

pub(super) fn list(ground: &Ground<'_>, request: List) -> Result<Value, Refusal> {
    let before: Option<usize> = position(request.next_token.as_deref())?;
    let succeeded_in = request
        .filter
        .succeeded_in_stage
        .and_then(|stage| stage.stage_name);
    ground.read(|state| {
        let pipeline = shape::pipeline(state, &request.pipeline_name)?;
        let items = newest_first(pipeline, before.map(|at| at + 1))
            .filter(|(_, execution)| {
                succeeded_in.as_deref().is_none_or(|stage| {
                    execution
                        .stage(stage)
                        .is_some_and(|run| run.status == StageStatus::Succeeded)
                })
            })
            .map(|(at, execution)| (at, summary(pipeline, execution)));
        Ok(page(
            "pipelineExecutionSummaries",
            items,
            request.max_results,
            100,
        ))
    })
}

pub(super) fn actions(ground: &Ground<'_>, request: ListActions) -> Result<Value, Refusal> {
    type At = (usize, usize, usize);
    let from: Option<At> = position(request.next_token.as_deref())?;
    let latest = request.filter.latest_in_pipeline_execution;
    let only_latest = latest
        .as_ref()
        .is_some_and(|latest| latest.start_time_range == "Latest");
    let id = latest
        .map(|latest| latest.pipeline_execution_id)
        .or(request.filter.pipeline_execution_id);
    ground.read(|state| {
        let pipeline = shape::pipeline(state, &request.pipeline_name)?;
        let only = match &id {
            None => None,
            Some(id) => {
                shape::execution(pipeline, id)?;
                pipeline.execution_index.get(id).copied()
            }
        };
        let end = only.or(from.map(|from| from.0)).map(|at| at + 1);
        let items = newest_first(pipeline, end)
            .take(if only.is_some() { 1 } else { usize::MAX })
            .flat_map(|(at, execution)| {
                execution
                    .stages
                    .iter()
                    .enumerate()
                    .rev()
                    .flat_map(move |(stage_at, stage)| {
                        stage
                            .actions
                            .iter()
                            .enumerate()
                            .rev()
                            .map(move |(action_at, run)| {
                                ((at, stage_at, action_at), execution, stage, run)
                            })
                    })
            })
            .filter(|(_, _, stage, run)| {
                !only_latest
                    || stage
                        .latest(&run.name)
                        .is_some_and(|latest| latest.id == run.id)
            })
            .skip_while(|(at, ..)| from.is_some_and(|from| *at > from))
            .map(|(at, execution, stage, run)| {
                (at, action(state, pipeline, execution, &stage.name, run))
            });
        Ok(page(
            "actionExecutionDetails",
            items,
            request.max_results,
            100,
        ))
    })
}

/// Executions before this index, newest first.
fn newest_first(
    pipeline: &Pipeline,
    end: Option<usize>,
) -> impl Iterator<Item = (usize, &Execution)> {
    let all = pipeline.executions.len();
    let end = end.unwrap_or(all).min(all);
    pipeline.executions.iter().enumerate().take(end).rev()
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
        .with("executionType", "STANDARD")
        .into()
}

/// `ActionExecutionDetail`.
fn action(
    state: &State,
    pipeline: &Pipeline,
    execution: &Execution,
    stage: &str,
    run: &ActionRun,
) -> Value {
    let declared: Option<&ActionDeclaration> =
        pipeline.definition_of(execution).and_then(|definition| {
            definition
                .stages
                .iter()
                .find(|s| s.name == stage)?
                .action(&run.name)
        });
    let empty = BTreeMap::new();
    let configuration = declared.map_or(&empty, |declared| &declared.configuration);
    let region = declared
        .and_then(|declared| declared.region.as_deref())
        .unwrap_or_else(|| shape::region(state));
    let input = Object::new()
        .with("actionTypeId", shape::action_type_id(&run.action_type))
        .with(
            "configuration",
            shape::masked(state, &run.action_type, configuration),
        )
        .with(
            "resolvedConfiguration",
            shape::masked(state, &run.action_type, &run.resolved_configuration),
        )
        .maybe(
            "roleArn",
            declared.and_then(|declared| declared.role_arn.as_deref()),
        )
        .with("region", region)
        .with("inputArtifacts", shape::artifacts(&run.inputs))
        .maybe(
            "namespace",
            declared.and_then(|declared| declared.namespace.as_deref()),
        );
    let error = run
        .error
        .as_ref()
        .map(|error| json!({"code": error.code, "message": error.message}));
    let result = Object::new()
        .maybe("externalExecutionId", external_id(run))
        .maybe("externalExecutionSummary", run.details.summary.as_deref())
        .maybe(
            "externalExecutionUrl",
            run.details.external_execution_url.as_deref(),
        )
        .maybe("errorDetails", error);
    let output = Object::new()
        .with("outputArtifacts", shape::artifacts(&run.outputs))
        .maybe("executionResult", (!result.is_empty()).then_some(result))
        .with("outputVariables", json!(run.variables));
    Object::new()
        .with("pipelineExecutionId", execution.id.as_str())
        .with("actionExecutionId", run.id.as_str())
        .with("pipelineVersion", execution.pipeline_version)
        .with("stageName", stage)
        .with("actionName", run.name.as_str())
        .with("startTime", shape::time(run.started))
        .with("lastUpdateTime", shape::time(run.updated))
        .maybe("updatedBy", run.updated_by.as_deref())
        .with("status", shape::action_status(run.status))
        .with("input", input)
        .with("output", output)
        .into()
}

/// The outside run's id; for an approval of a PARALLEL pipeline its token, where workers must look for it.
fn external_id(run: &ActionRun) -> Option<&str> {
    let token = run.approval_token.as_ref().map(|token| token.reveal());
    run.details.external_execution_id.as_deref().or(token)
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
