//! StartPipelineExecution and the execution CreatePipeline starts.

use std::collections::BTreeMap;

use super::{Answer, Turn};
use crate::{
    definition::{ExecutionMode, PipelineDeclaration},
    event::{SourceRevisionOverride, Trigger},
    limit::{CLIENT_TOKENS_KEPT, CONCURRENT_EXECUTIONS},
    refusal::Refusal,
    state::{Execution, ExecutionStatus, Pipeline, Position},
};

/// What an execution is started with.
pub(super) struct Wanted<'a> {
    pub trigger: &'a Trigger,
    pub variables: &'a BTreeMap<String, String>,
    pub source_revisions: &'a [SourceRevisionOverride],
    pub client_token: Option<&'a String>,
}

impl Turn<'_> {
    pub(super) fn start(&mut self, pipeline: &str, wanted: Wanted<'_>) -> Result<Answer, Refusal> {
        let known = self.pipeline(pipeline)?;
        let earlier = wanted
            .client_token
            .and_then(|token| known.client_tokens.get(token));
        if let Some(earlier) = earlier {
            return Ok(Answer::Execution(earlier.clone()));
        }
        room_for_one(known)?;
        checked_variables(&known.definition, wanted.variables)?;
        checked_revisions(&known.definition, wanted.source_revisions)?;
        if let Err(missing) = variables(&known.definition, wanted.variables) {
            return Err(Refusal::new("ValidationException", missing));
        }
        Ok(Answer::Execution(self.begin(pipeline, &wanted)))
    }

    /// Starts an execution that may start. One whose variables have no values fails at once, as AWS says.
    pub(super) fn begin(&mut self, pipeline: &str, wanted: &Wanted<'_>) -> String {
        let id = self.ids.uuid();
        let at = self.at;
        let Some(known) = self.state.pipelines.get_mut(pipeline) else {
            return id;
        };
        let (variables, problem) = match variables(&known.definition, wanted.variables) {
            Ok(variables) => (variables, None),
            Err(problem) => (wanted.variables.clone(), Some(problem)),
        };
        let run = Execution {
            id: id.clone(),
            pipeline_version: known.definition.version.unwrap_or(1),
            status: ExecutionStatus::InProgress,
            status_summary: problem.clone(),
            trigger: wanted.trigger.clone(),
            started: at,
            updated: at,
            stop_reason: None,
            variables,
            source_revisions: wanted.source_revisions.to_vec(),
            client_token: wanted.client_token.cloned(),
            namespaces: BTreeMap::new(),
            artifacts: BTreeMap::new(),
            stages: Vec::with_capacity(known.definition.stages.len()),
            position: Position::Before(0),
            attempt: 1,
            outdated: false,
            rollback_of: None,
        };
        let index = add(known, run);
        self.emit_pipeline(pipeline, index, "STARTED");
        if problem.is_some() {
            self.end_execution(pipeline, index, ExecutionStatus::Failed);
        } else {
            self.arrive(pipeline, index, 0);
        }
        id
    }
}

/// Keeps a new execution; its number.
pub(super) fn add(known: &mut Pipeline, run: Execution) -> usize {
    let (id, token) = (run.id.clone(), run.client_token.clone());
    let number = known.executions.push(run);
    if let Some(token) = token {
        known.client_tokens.insert(token.clone(), id.clone());
        known.token_order.insert(number, token);
    }
    known.execution_index.insert(id, number);
    known.active.insert(number);
    let forgotten = number
        .checked_sub(CLIENT_TOKENS_KEPT)
        .and_then(|old| known.token_order.remove(&old));
    if let Some(token) = forgotten {
        known.client_tokens.remove(&token);
    }
    number
}

/// QUEUED and PARALLEL pipelines run 50 executions at most.
pub(super) fn room_for_one(known: &Pipeline) -> Result<(), Refusal> {
    if known.definition.mode() != ExecutionMode::Superseded
        && known.active.len() >= CONCURRENT_EXECUTIONS
    {
        return Err(Refusal::new(
            "ConcurrentPipelineExecutionsLimitExceededException",
            format!(
                "The pipeline '{}' has reached the limit of {CONCURRENT_EXECUTIONS} concurrent executions",
                known.definition.name
            ),
        ));
    }
    Ok(())
}

/// The values an execution runs with, or which mandatory ones are missing.
fn variables(
    definition: &PipelineDeclaration,
    given: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, String> {
    let mut values = BTreeMap::new();
    let mut missing = Vec::new();
    for declared in definition.variables.iter().flatten() {
        match given
            .get(&declared.name)
            .or(declared.default_value.as_ref())
        {
            Some(value) => {
                values.insert(declared.name.clone(), value.clone());
            }
            None => missing.push(declared.name.as_str()),
        }
    }
    if missing.is_empty() {
        Ok(values)
    } else {
        // unconfirmed
        Err(format!(
            "The following pipeline variables have no default value and must be given: {}",
            missing.join(", ")
        ))
    }
}

// The texts below are unconfirmed.
fn checked_variables(
    definition: &PipelineDeclaration,
    given: &BTreeMap<String, String>,
) -> Result<(), Refusal> {
    let invalid = |message: String| Err(Refusal::new("ValidationException", message));
    for (name, value) in given {
        let declared = definition.variables.iter().flatten();
        if !declared.into_iter().any(|it| it.name == *name) {
            return invalid(format!(
                "The pipeline '{}' does not declare the variable '{name}'",
                definition.name
            ));
        }
        let length = value.chars().count();
        if length == 0 || length > 1000 {
            let (word, bound) = if length == 0 {
                ("greater", 1)
            } else {
                ("less", 1000)
            };
            return invalid(format!(
                "1 validation error detected: Value at 'variables.{name}.member.value' failed to satisfy constraint: Member must have length {word} than or equal to {bound}"
            ));
        }
    }
    Ok(())
}

const REVISION_TYPES: [&str; 4] = [
    "COMMIT_ID",
    "IMAGE_DIGEST",
    "S3_OBJECT_KEY",
    "S3_OBJECT_VERSION_ID",
];

fn checked_revisions(
    definition: &PipelineDeclaration,
    given: &[SourceRevisionOverride],
) -> Result<(), Refusal> {
    let invalid = |message: String| Err(Refusal::new("ValidationException", message));
    for revision in given {
        if !REVISION_TYPES.contains(&revision.revision_type.as_str()) {
            return invalid(format!(
                "1 validation error detected: Value '{}' at 'sourceRevisions.revisionType' failed to satisfy constraint: Member must satisfy enum value set: [{}]",
                revision.revision_type,
                REVISION_TYPES.join(", ")
            ));
        }
        let known = definition
            .stages
            .first()
            .and_then(|stage| stage.action(&revision.action_name));
        if known.is_none() {
            return invalid(format!(
                "The source revision override names the action '{}', which is not a source action of the pipeline '{}'",
                revision.action_name, definition.name
            ));
        }
    }
    Ok(())
}
