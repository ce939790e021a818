//! PutActionRevision and ListDeployActionExecutionTargets.

use std::collections::BTreeMap;

use engine_plan::{
    event::{Event, Trigger},
    refusal::Refusal,
    state::{ActionRun, Execution, Pipeline},
    step::Answer,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Ground, page::position, shape, unexpected};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Put {
    pipeline_name: String,
    stage_name: String,
    action_name: String,
    action_revision: Revision,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Revision {
    revision_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Targets {
    pipeline_name: Option<String>,
    action_execution_id: String,
    next_token: Option<String>,
}

/// A revision the source has not given yet starts an execution; a known one names the execution that took it.
pub(super) async fn put(ground: &Ground<'_>, request: Put) -> Result<Value, Refusal> {
    let taken = ground.read(|state| {
        let pipeline = shape::pipeline(state, &request.pipeline_name)?;
        let stage = declared(pipeline, &request)?;
        let latest = pipeline.latest_run(stage, &request.action_name);
        Ok(latest
            .filter(|(_, run)| has(run, &request.action_revision.revision_id))
            .map(|(execution, _)| execution.id.clone()))
    })?;
    if let Some(id) = taken {
        return Ok(json!({"newRevision": false, "pipelineExecutionId": id}));
    }
    let event = Event::Start {
        pipeline: request.pipeline_name,
        trigger: Trigger {
            trigger_type: "PutActionRevision".to_owned(),
            trigger_detail: ground.caller.to_owned(),
            reference: None,
        },
        variables: BTreeMap::new(),
        source_revisions: Vec::new(),
        client_token: None,
    };
    match ground.submit(event).await? {
        Answer::Execution(id) => Ok(json!({"newRevision": true, "pipelineExecutionId": id})),
        answer => Err(unexpected(&answer)),
    }
}

/// No provider of this engine deploys to single targets: the list of a known action execution is empty.
pub(super) fn targets(ground: &Ground<'_>, request: &Targets) -> Result<Value, Refusal> {
    position::<usize>(request.next_token.as_deref())?;
    ground.read(|state| {
        let known = match &request.pipeline_name {
            Some(name) => runs(shape::pipeline(state, name)?, &request.action_execution_id),
            None => state
                .pipelines
                .values()
                .any(|pipeline| runs(pipeline, &request.action_execution_id)),
        };
        if known {
            Ok(json!({"targets": []}))
        } else {
            Err(Refusal::new(
                "ActionExecutionNotFoundException",
                format!(
                    "The action execution '{}' could not be found",
                    request.action_execution_id
                ),
            ))
        }
    })
}

/// The source action's stage, or what AWS answers when it is not there.
fn declared<'a>(pipeline: &'a Pipeline, request: &Put) -> Result<&'a str, Refusal> {
    let stages = &pipeline.definition.stages;
    let stage = stages
        .iter()
        .find(|it| it.name == request.stage_name)
        .ok_or_else(|| {
            Refusal::new(
                "StageNotFoundException",
                format!(
                    "Stage '{}' could not be found in pipeline '{}'",
                    request.stage_name, request.pipeline_name
                ),
            )
        })?;
    stage
        .action(&request.action_name)
        .filter(|action| action.action_type_id.category == "Source")
        .map(|_| stage.name.as_str())
        .ok_or_else(|| {
            Refusal::new(
                "ActionNotFoundException",
                format!(
                    "Source action '{}' in stage '{}' could not be found in pipeline '{}'",
                    request.action_name, request.stage_name, request.pipeline_name
                ),
            )
        })
}

fn has(run: &ActionRun, revision: &str) -> bool {
    let known = run.revision.as_ref();
    known.is_some_and(|it| it.revision_id == revision)
}

fn runs(pipeline: &Pipeline, id: &str) -> bool {
    let of = |execution: &Execution| {
        let mut actions = execution.stages.iter().flat_map(|stage| &stage.actions);
        actions.any(|run| run.id == id)
    };
    pipeline.executions.iter().rev().any(of)
}
