//! Stage conditions in replies: ListRuleExecutions, ListRuleTypes, OverrideStageCondition, condition states.

use std::ptr;

use engine_plan::{
    event::{Event, ExecutionDetails},
    gate::{GateKind, Rule, RuleTypeId},
    refusal::Refusal,
    rule_type::{self, KnownRule},
    state::{
        ActionError, ConditionRun, ConditionStatus, Execution, Pipeline, RuleRun, StageRun, State,
    },
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Ground,
    held::List,
    shape::{self, Object},
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Override {
    pipeline_name: String,
    stage_name: String,
    pipeline_execution_id: String,
    condition_type: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Types {
    region_filter: Option<String>,
}

pub(super) async fn override_condition(
    ground: &Ground<'_>,
    request: Override,
) -> Result<Value, Refusal> {
    let event = Event::Override {
        pipeline: request.pipeline_name,
        stage: request.stage_name,
        execution: request.pipeline_execution_id,
        gate: match request.condition_type.as_str() {
            "ON_SUCCESS" => GateKind::OnSuccess,
            _ => GateKind::BeforeEntry,
        },
    };
    ground.submit(event).await?;
    Ok(json!({}))
}

pub(super) fn executions(ground: &Ground<'_>, request: List) -> Result<Value, Refusal> {
    request.page(ground, "ruleExecutionDetails", |scene, at, execution| {
        let mut items = Vec::new();
        for (stage_at, stage) in execution.stages.iter().enumerate().rev() {
            for (number, condition) in stage.conditions.iter().enumerate().rev() {
                let latest = stage.condition(condition.gate);
                if scene.only_latest && !latest.is_some_and(|latest| ptr::eq(latest, condition)) {
                    continue;
                }
                for (rule, run) in condition.rules.iter().enumerate().rev() {
                    let declared = declared(scene.pipeline, execution, stage, condition, rule);
                    let shown = detail(scene.state, execution, &stage.name, declared, run);
                    items.push(([at, stage_at, number, rule], shown));
                }
            }
        }
        items
    })
}

pub(super) fn types(ground: &Ground<'_>, request: &Types) -> Result<Value, Refusal> {
    ground.read(|state| {
        let filter = request.region_filter.as_deref();
        let here = filter.is_none_or(|region| region == shape::region(state));
        let known = rule_type::KNOWN.iter().filter(|_| here);
        Ok(json!({"ruleTypes": known.map(known_type).collect::<Vec<_>>()}))
    })
}

/// `StageConditionState` of the evaluation that counts, if there was one.
pub(super) fn state(run: &StageRun, gate: GateKind) -> Option<Value> {
    let condition = run.condition(gate)?;
    let status = condition_status(condition.status);
    let summary = summary(condition);
    let latest = Object::new()
        .with("status", status)
        .maybe("summary", summary.as_deref());
    let timed = Object::new()
        .with("status", status)
        .maybe("summary", summary.as_deref())
        .with("lastStatusChange", shape::time(condition.updated));
    let rules: Vec<Value> = condition.rules.iter().map(rule_state).collect();
    let states = Object::new()
        .with("latestExecution", timed)
        .with("ruleStates", rules);
    let shown = Object::new()
        .with("latestExecution", latest)
        .with("conditionStates", vec![Value::from(states)]);
    Some(shown.into())
}

fn known_type(kind: &KnownRule) -> Value {
    let property = |required: bool| move |name: &&str| json!({"name": name, "required": required, "key": required, "secret": false, "queryable": false});
    let required = kind.required.iter().map(property(true));
    let properties: Vec<Value> = required
        .chain(kind.optional.iter().map(property(false)))
        .collect();
    json!({
        "id": {"category": "Rule", "owner": "AWS", "provider": kind.provider, "version": "1"},
        "ruleConfigurationProperties": properties,
        "inputArtifactDetails": {"minimumCount": 0, "maximumCount": kind.inputs},
    })
}

fn declared<'a>(
    pipeline: &'a Pipeline,
    execution: &Execution,
    stage: &StageRun,
    condition: &ConditionRun,
    number: usize,
) -> Option<&'a Rule> {
    let definition = pipeline.definition_of(execution)?;
    let stage = definition.stages.get(definition.stage(&stage.name)?)?;
    stage.condition(condition.gate)?.rules.get(number)
}

/// `RuleExecutionDetail`.
fn detail(
    state: &State,
    execution: &Execution,
    stage: &str,
    declared: Option<&Rule>,
    run: &RuleRun,
) -> Value {
    let region = declared
        .and_then(|rule| rule.region.as_deref())
        .unwrap_or_else(|| shape::region(state));
    let input = Object::new()
        .with("ruleTypeId", rule_type_id(&run.rule_type))
        .with("configuration", json!(declared.map(|it| &it.configuration)))
        .with("resolvedConfiguration", json!(run.resolved_configuration))
        .maybe("roleArn", declared.and_then(|it| it.role_arn.as_deref()))
        .with("region", region)
        .with("inputArtifacts", shape::artifacts(&run.inputs));
    let ExecutionDetails {
        summary,
        external_execution_id,
        external_execution_url,
        ..
    } = &run.details;
    let result = Object::new()
        .maybe("externalExecutionId", external_execution_id.as_deref())
        .maybe("externalExecutionSummary", summary.as_deref())
        .maybe("externalExecutionUrl", external_execution_url.as_deref())
        .maybe("errorDetails", run.error.as_ref().map(error));
    let output = Object::new().maybe("executionResult", (!result.is_empty()).then_some(result));
    Object::new()
        .with("pipelineExecutionId", execution.id.as_str())
        .with("ruleExecutionId", run.id.as_str())
        .with("pipelineVersion", execution.pipeline_version)
        .with("stageName", stage)
        .with("ruleName", run.name.as_str())
        .with("startTime", shape::time(run.started))
        .with("lastUpdateTime", shape::time(run.updated))
        .with("status", shape::action_status(run.status))
        .with("input", input)
        .with("output", output)
        .into()
}

/// `RuleState`.
fn rule_state(run: &RuleRun) -> Value {
    let details = &run.details;
    let latest = Object::new()
        .with("ruleExecutionId", run.id.as_str())
        .with("status", shape::action_status(run.status))
        .maybe("summary", details.summary.as_deref())
        .with("lastStatusChange", shape::time(run.updated))
        .maybe(
            "externalExecutionId",
            details.external_execution_id.as_deref(),
        )
        .maybe(
            "externalExecutionUrl",
            details.external_execution_url.as_deref(),
        )
        .maybe("errorDetails", run.error.as_ref().map(error));
    Object::new()
        .with("ruleName", run.name.as_str())
        .with("latestExecution", latest)
        .into()
}

/// Which rules stand in the way, in our words.
fn summary(condition: &ConditionRun) -> Option<String> {
    let failed: Vec<String> = condition
        .rules
        .iter()
        .filter_map(|rule| Some(format!("{}: {}", rule.name, rule.error.as_ref()?.message)))
        .collect();
    (!failed.is_empty()).then(|| failed.join("; "))
}

fn error(error: &ActionError) -> Value {
    json!({"code": error.code, "message": error.message})
}

fn rule_type_id(id: &RuleTypeId) -> Value {
    json!({"category": "Rule", "owner": "AWS", "provider": id.provider, "version": id.version.as_deref().unwrap_or("1")})
}

fn condition_status(status: ConditionStatus) -> &'static str {
    match status {
        ConditionStatus::InProgress => "InProgress",
        ConditionStatus::Succeeded => "Succeeded",
        ConditionStatus::Failed => "Failed",
        ConditionStatus::Errored => "Errored",
        ConditionStatus::Abandoned => "Abandoned",
        ConditionStatus::Overridden => "Overridden",
    }
}
