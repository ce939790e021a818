//! GetPipelineState, stage transitions and approvals.

use engine_plan::{
    definition::ActionDeclaration,
    event::Event,
    gate::GateKind,
    hidden::Hidden,
    refusal::Refusal,
    state::{ActionRun, ActionStatus, Pipeline, RetryTrigger, StageState, State},
    step::Answer,
    url_template::{self, Link},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Ground, conditions,
    pipelines::ByName,
    shape::{self, Object},
    unexpected,
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Transition {
    pipeline_name: String,
    stage_name: String,
    transition_type: String,
    reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Approval {
    pipeline_name: String,
    stage_name: String,
    action_name: String,
    result: ApprovalResult,
    token: Hidden,
}

#[derive(Deserialize)]
struct ApprovalResult {
    summary: String,
    status: String,
}

pub(super) fn get(ground: &Ground<'_>, request: ByName) -> Result<Value, Refusal> {
    ground.read(|state| {
        let pipeline = shape::pipeline(state, &request.name)?;
        let stages: Vec<Value> = pipeline
            .stages
            .iter()
            .map(|stage| stage_state(state, pipeline, stage))
            .collect();
        Ok(Object::new()
            .with("pipelineName", request.name.as_str())
            .maybe("pipelineVersion", pipeline.definition.version)
            .with("stageStates", stages)
            .with("created", shape::time(pipeline.created))
            .with("updated", shape::time(pipeline.updated))
            .into())
    })
}

pub(super) async fn set(
    ground: &Ground<'_>,
    request: Transition,
    enabled: bool,
) -> Result<Value, Refusal> {
    let event = Event::SetTransition {
        pipeline: request.pipeline_name,
        stage: request.stage_name,
        inbound: request.transition_type == "Inbound",
        enabled,
        reason: request.reason,
        by: ground.caller.to_owned(),
    };
    ground.submit(event).await?;
    Ok(json!({}))
}

pub(super) async fn approve(ground: &Ground<'_>, request: Approval) -> Result<Value, Refusal> {
    let event = Event::Approval {
        pipeline: request.pipeline_name,
        stage: request.stage_name,
        action: request.action_name,
        token: request.token,
        approved: request.result.status == "Approved",
        summary: request.result.summary,
        by: ground.caller.to_owned(),
    };
    match ground.submit(event).await? {
        Answer::ApprovedAt(at) => Ok(json!({"approvedAt": shape::time(at)})),
        answer => Err(unexpected(&answer)),
    }
}

fn stage_state(state: &State, pipeline: &Pipeline, stage: &StageState) -> Value {
    let waiting: Vec<Value> = stage
        .waiting
        .iter()
        .map(|id| {
            let execution = pipeline.execution(id);
            let status = execution.map_or("InProgress", |it| shape::execution_status(it.status));
            let kind = execution.map_or("STANDARD", shape::execution_type);
            json!({"pipelineExecutionId": id, "status": status, "type": kind})
        })
        .collect();
    let inbound = &stage.inbound;
    let transition = Object::new()
        .with("enabled", inbound.enabled)
        .maybe("lastChangedBy", inbound.changed_by.as_deref())
        .maybe("lastChangedAt", inbound.changed_at.map(shape::time))
        .maybe("disabledReason", inbound.reason.as_deref());
    let declared = pipeline
        .definition
        .stages
        .iter()
        .find(|s| s.name == stage.name);
    let actions: Vec<Value> = declared
        .into_iter()
        .flat_map(|declared| &declared.actions)
        .map(|action| {
            let run = pipeline
                .latest_run(&stage.name, &action.name)
                .map(|(_, run)| run);
            action_state(state, action, run)
        })
        .collect();
    let latest = pipeline.latest_stage_run(&stage.name);
    let latest_execution = latest.map(|(execution, run)| {
        json!({
            "pipelineExecutionId": execution.id,
            "status": shape::stage_status(run.status),
            "type": shape::execution_type(execution),
        })
    });
    let retry = latest.and_then(|(_, run)| {
        let trigger = match run.latest_retry? {
            RetryTrigger::AutomatedStageRetry => "AutomatedStageRetry",
            RetryTrigger::ManualStageRetry => "ManualStageRetry",
        };
        let some = |n: u32| (n > 0).then_some(n);
        let shown = Object::new()
            .maybe("autoStageRetryAttempt", some(run.automatic_retries))
            .maybe("manualStageRetryAttempt", some(run.manual_retries))
            .with("latestRetryTrigger", trigger);
        Some(Value::from(shown))
    });
    let gates = latest.map(|(_, run)| run);
    let gate = |gate: GateKind| gates.and_then(|run| conditions::state(run, gate));
    Object::new()
        .with("stageName", stage.name.as_str())
        .maybe("inboundExecution", waiting.last().cloned())
        .maybe(
            "inboundExecutions",
            (!waiting.is_empty()).then_some(waiting),
        )
        .with("inboundTransitionState", transition)
        .with("actionStates", actions)
        .maybe("latestExecution", latest_execution)
        .maybe("beforeEntryConditionState", gate(GateKind::BeforeEntry))
        .maybe("onSuccessConditionState", gate(GateKind::OnSuccess))
        .maybe("onFailureConditionState", gate(GateKind::OnFailure))
        .maybe("retryStageMetadata", retry)
        .into()
}

fn action_state(state: &State, declared: &ActionDeclaration, run: Option<&ActionRun>) -> Value {
    let revision = run.and_then(|run| run.revision.as_ref());
    let current = run.zip(revision).map(|(run, revision)| {
        // The model requires all three; a source that knows no more gets its id and its time.
        let change = revision
            .change_identifier
            .as_ref()
            .unwrap_or(&revision.revision_id);
        json!({
            "revisionId": revision.revision_id,
            "revisionChangeId": change,
            "created": shape::time(revision.created.unwrap_or(run.updated)),
        })
    });
    let link = |kind: Link| match run {
        Some(run) => shape::link(state, run, kind),
        None => {
            let made = state.custom_type(&declared.action_type_id)?;
            url_template::link(made, kind, &declared.configuration, None)
        }
    };
    let revision_url = revision.and_then(|revision| revision.url.clone());
    Object::new()
        .with("actionName", declared.name.as_str())
        .maybe("currentRevision", current)
        .maybe(
            "latestExecution",
            run.map(|run| action_execution(state, run)),
        )
        .maybe("entityUrl", link(Link::Entity))
        .maybe("revisionUrl", revision_url.or_else(|| link(Link::Revision)))
        .into()
}

/// `ActionExecution`.
fn action_execution(state: &State, run: &ActionRun) -> Value {
    let open = run.status == ActionStatus::InProgress;
    let token = run.approval_token.as_ref().filter(|_| open);
    let error = run
        .error
        .as_ref()
        .map(|error| json!({"code": error.code, "message": error.message}));
    let details = &run.details;
    Object::new()
        .with("actionExecutionId", run.id.as_str())
        .with("status", shape::action_status(run.status))
        .maybe("summary", details.summary.as_deref())
        .with("lastStatusChange", shape::time(run.updated))
        .maybe("token", token.map(|token| token.reveal()))
        .maybe("lastUpdatedBy", run.updated_by.as_deref())
        .maybe(
            "externalExecutionId",
            details.external_execution_id.as_deref(),
        )
        .maybe("externalExecutionUrl", shape::execution_url(state, run))
        .maybe("percentComplete", details.percent_complete)
        .maybe("errorDetails", error)
        .into()
}
