//! ListActionExecutions.

use std::{collections::BTreeMap, iter};

use engine_plan::{
    definition::ActionDeclaration,
    refusal::Refusal,
    state::{ActionRun, Execution, Pipeline, State},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Ground,
    page::{page_of, position},
    shape::{self, Object},
};

/// Executions read at once for a page of what they hold.
pub(super) const EXECUTIONS: usize = 16;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct List {
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

pub(super) fn list(ground: &Ground<'_>, request: List) -> Result<Value, Refusal> {
    type At = (usize, usize, usize);
    let from: Option<At> = position(request.next_token.as_deref())?;
    let latest = request.filter.latest_in_pipeline_execution;
    let only_latest = latest
        .as_ref()
        .is_some_and(|latest| latest.start_time_range == "Latest");
    let id = latest
        .map(|latest| latest.pipeline_execution_id)
        .or(request.filter.pipeline_execution_id);
    ground.read_all(|state, past| {
        let pipeline = shape::pipeline(state, &request.pipeline_name)?;
        let items = |at, execution: &Execution| {
            let mut items = Vec::new();
            for (stage_at, stage) in execution.stages.iter().enumerate().rev() {
                for (action_at, run) in stage.actions.iter().enumerate().rev() {
                    let latest = || stage.latest(&run.name).map(|latest| &latest.id);
                    if !only_latest || latest() == Some(&run.id) {
                        let shown = action(state, pipeline, execution, &stage.name, run);
                        items.push(((at, stage_at, action_at), shown));
                    }
                }
            }
            items
        };
        let (list, size) = ("actionExecutionDetails", request.max_results);
        match &id {
            Some(id) => {
                let only = shape::execution(pipeline, past, id)?;
                page_of(list, iter::once(Ok(only)), from.as_ref(), items, size)
            }
            None => {
                let end = from.map(|from: At| from.0.saturating_add(1));
                let executions = past.history(pipeline, end, None, EXECUTIONS);
                page_of(list, executions, from.as_ref(), items, size)
            }
        }
    })
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
