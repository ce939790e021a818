//! ListActionExecutions.

use std::collections::BTreeMap;

use engine_plan::{
    definition::ActionDeclaration,
    refusal::Refusal,
    state::{ActionRun, Execution, Pipeline, State},
};
use serde_json::{Value, json};

use super::{
    Ground,
    held::List,
    shape::{self, Object},
};

pub(super) fn list(ground: &Ground<'_>, request: List) -> Result<Value, Refusal> {
    request.page(ground, "actionExecutionDetails", |scene, at, execution| {
        let mut items = Vec::new();
        for (stage_at, stage) in execution.stages.iter().enumerate().rev() {
            for (action_at, run) in stage.actions.iter().enumerate().rev() {
                let latest = || stage.latest(&run.name).map(|latest| &latest.id);
                if !scene.only_latest || latest() == Some(&run.id) {
                    let shown = action(scene.state, scene.pipeline, execution, &stage.name, run);
                    items.push(([at, stage_at, action_at], shown));
                }
            }
        }
        items
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
        .maybe("externalExecutionUrl", shape::execution_url(state, run))
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
