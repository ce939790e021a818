//! Reply shapes shared by the operations; absent members are left out, not null.

use std::{borrow::Cow, collections::BTreeMap};

use engine_plan::{
    action_type,
    definition::{ActionTypeId, PipelineDeclaration},
    event::{Revision, Trigger},
    refusal::Refusal,
    state::{
        ActionRun, ActionStatus, ArtifactPlace, Execution, ExecutionStatus, Pipeline, StageStatus,
        State,
    },
    url_template::{self, Link},
};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::desk::Past;

/// What a secret reads back as.
pub(super) const MASK: &str = "****";

/// An object built member by member.
#[derive(Debug, Default)]
pub(super) struct Object(Map<String, Value>);

impl Object {
    pub(super) fn new() -> Self {
        Self::default()
    }

    pub(super) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    pub(super) fn maybe(self, name: &str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<Object> for Value {
    fn from(object: Object) -> Self {
        Self::Object(object.0)
    }
}

/// Epoch seconds with milliseconds.
pub(super) fn time(at: Timestamp) -> Value {
    let milliseconds = at.as_millisecond();
    if milliseconds % 1000 == 0 {
        Value::from(milliseconds / 1000)
    } else {
        #[expect(
            clippy::cast_precision_loss,
            reason = "milliseconds of this age fit 53 bits"
        )]
        Value::from(milliseconds as f64 / 1000.0)
    }
}

/// The pipeline, or AWS's refusal.
pub(super) fn pipeline<'a>(state: &'a State, name: &str) -> Result<&'a Pipeline, Refusal> {
    state.pipelines.get(name).ok_or_else(|| {
        Refusal::new(
            "PipelineNotFoundException",
            format!(
                "Account '{}' does not have a pipeline with name '{name}'",
                account(state)
            ),
        )
    })
}

/// The execution and its number, or AWS's refusal.
pub(super) fn execution<'a>(
    pipeline: &'a Pipeline,
    past: &Past<'_>,
    id: &str,
) -> Result<(usize, Cow<'a, Execution>), Refusal> {
    past.find(pipeline, id)?.ok_or_else(|| {
        Refusal::new(
            "PipelineExecutionNotFoundException",
            format!(
                "The pipeline {} does not have an execution with id {id}",
                pipeline.definition.name
            ),
        )
    })
}

pub(super) fn account(state: &State) -> &str {
    state
        .settings
        .as_ref()
        .map_or("", |settings| &settings.account)
}

pub(super) fn region(state: &State) -> &str {
    state
        .settings
        .as_ref()
        .map_or("", |settings| &settings.region)
}

pub(super) fn execution_status(status: ExecutionStatus) -> &'static str {
    match status {
        ExecutionStatus::InProgress => "InProgress",
        ExecutionStatus::Stopping => "Stopping",
        ExecutionStatus::Stopped => "Stopped",
        ExecutionStatus::Succeeded => "Succeeded",
        ExecutionStatus::Superseded => "Superseded",
        ExecutionStatus::Failed => "Failed",
        ExecutionStatus::Cancelled => "Cancelled",
    }
}

pub(super) fn stage_status(status: StageStatus) -> &'static str {
    match status {
        StageStatus::InProgress => "InProgress",
        StageStatus::Stopping => "Stopping",
        StageStatus::Stopped => "Stopped",
        StageStatus::Succeeded => "Succeeded",
        StageStatus::Failed => "Failed",
        StageStatus::Cancelled => "Cancelled",
        StageStatus::Skipped => "Skipped",
    }
}

pub(super) fn action_status(status: ActionStatus) -> &'static str {
    match status {
        ActionStatus::InProgress => "InProgress",
        ActionStatus::Succeeded => "Succeeded",
        ActionStatus::Failed => "Failed",
        ActionStatus::Abandoned => "Abandoned",
    }
}

/// STANDARD or ROLLBACK.
pub(super) fn execution_type(execution: &Execution) -> &'static str {
    match execution.rollback_of {
        None => "STANDARD",
        Some(_) => "ROLLBACK",
    }
}

/// `rollbackMetadata`.
pub(super) fn rollback(execution: &Execution) -> Option<Value> {
    let target = execution.rollback_of.as_ref()?;
    Some(json!({"rollbackTargetPipelineExecutionId": target}))
}

pub(super) fn trigger(trigger: &Trigger) -> Value {
    json!({"triggerType": trigger.trigger_type, "triggerDetail": trigger.trigger_detail})
}

pub(super) fn action_type_id(id: &ActionTypeId) -> Value {
    json!({"category": id.category, "owner": id.owner, "provider": id.provider, "version": id.version})
}

/// `[{name, s3location}]` of ListActionExecutions.
pub(super) fn artifacts(places: &[ArtifactPlace]) -> Value {
    places
        .iter()
        .map(|place| {
            json!({"name": place.name, "s3location": {"bucket": place.bucket, "key": place.key}})
        })
        .collect()
}

/// `ArtifactRevision`.
pub(super) fn artifact_revision(name: &str, revision: &Revision) -> Value {
    Object::new()
        .with("name", name)
        .with("revisionId", revision.revision_id.as_str())
        .maybe(
            "revisionChangeIdentifier",
            revision.change_identifier.as_deref(),
        )
        .maybe("revisionSummary", revision.summary.as_deref())
        .maybe("created", revision.created.map(time))
        .maybe("revisionUrl", revision.url.as_deref())
        .into()
}

/// A link that the action's type describes by a template.
pub(super) fn link(state: &State, run: &ActionRun, link: Link) -> Option<String> {
    let made = state.custom_type(&run.action_type)?;
    let external_id = run.details.external_execution_id.as_deref();
    url_template::link(made, link, &run.resolved_configuration, external_id)
}

/// `externalExecutionUrl`: what the provider said, or the type's template.
pub(super) fn execution_url(state: &State, run: &ActionRun) -> Option<String> {
    let said = run.details.external_execution_url.clone();
    said.or_else(|| link(state, run, Link::Execution))
}

/// Configuration with the values that the action type calls secret masked.
pub(super) fn masked(
    state: &State,
    id: &ActionTypeId,
    configuration: &BTreeMap<String, String>,
) -> Value {
    configuration
        .iter()
        .map(|(key, value)| {
            let shown = if is_secret(state, id, key) {
                MASK
            } else {
                value
            };
            (key.clone(), Value::from(shown))
        })
        .collect::<Map<_, _>>()
        .into()
}

/// A definition with secrets masked, as GetPipeline answers it.
pub(super) fn definition(state: &State, definition: &PipelineDeclaration) -> Value {
    let mut shown = definition.clone();
    for action in shown.stages.iter_mut().flat_map(|stage| &mut stage.actions) {
        for (key, value) in &mut action.configuration {
            if is_secret(state, &action.action_type_id, key) {
                MASK.clone_into(value);
            }
        }
    }
    serde_json::to_value(shown).unwrap_or_default()
}

fn is_secret(state: &State, id: &ActionTypeId, key: &str) -> bool {
    action_type::is_secret(state.custom_type(id), key)
}
