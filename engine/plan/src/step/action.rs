//! Starting one action: variables, artifacts, token or job, deadline.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::{Turn, finish::End};
use crate::{
    action_type::{self, Host},
    definition::{ActionDeclaration, EnvironmentVariable, ExecutionMode, PipelineDeclaration},
    effect::Effect,
    event::ExecutionDetails,
    limit::{LAMBDA_SILENCE_MINUTES, RESOLVED_CONFIGURATION_BYTES},
    state::{
        ActionRun, ActionStatus, ArtifactPlace, Execution, Job, JobPlace, JobStatus, Place,
        Position, Wake,
    },
    timeout,
    variable::{Scope, Unresolved},
};

/// What an action gets, with all references replaced.
#[derive(Default)]
struct Resolved {
    configuration: BTreeMap<String, String>,
    commands: Vec<String>,
    environment: Vec<EnvironmentVariable>,
    inputs: Vec<ArtifactPlace>,
}

impl Turn<'_> {
    /// Starts an action in the stage its execution is in; `false` if it failed at once.
    pub(super) fn start_action(
        &mut self,
        pipeline: &str,
        execution: usize,
        definition: &PipelineDeclaration,
        declared: &ActionDeclaration,
    ) -> bool {
        let Some(run) = self.execution(pipeline, execution) else {
            return true;
        };
        let Some(stage) = run.stages.len().checked_sub(1) else {
            return true;
        };
        let prepared = resolve(run, declared);
        let place = Place {
            pipeline: pipeline.to_owned(),
            execution,
            stage,
            action: run.stages[stage].actions.len(),
        };
        let (resolved, problem) = match prepared {
            Ok(resolved) => (resolved, None),
            Err(problem) => (Resolved::default(), Some(problem)),
        };
        let outputs = self.places(definition, declared);
        let host = action_type::host(&declared.action_type_id);
        let minutes = timeout::of_action(
            &declared.action_type_id,
            &resolved.configuration,
            declared.timeout_in_minutes,
        );
        let deadline = later(self.at, i64::from(minutes));
        let mut details = ExecutionDetails::default();
        let token = (host == Host::Person).then(|| self.ids.uuid());
        if definition.mode() == ExecutionMode::Parallel {
            details.external_execution_id.clone_from(&token);
        }
        let id = self.ids.uuid();
        if let Some(token) = &token {
            self.state
                .approvals
                .insert(token.clone().into(), id.clone());
        }
        let action = ActionRun {
            id: id.clone(),
            name: declared.name.clone(),
            action_type: declared.action_type_id.clone(),
            status: ActionStatus::InProgress,
            started: self.at,
            updated: self.at,
            updated_by: None,
            resolved_configuration: resolved.configuration,
            resolved_commands: resolved.commands,
            resolved_environment: resolved.environment,
            inputs: resolved.inputs,
            outputs,
            details,
            error: None,
            variables: BTreeMap::new(),
            revision: None,
            approval_token: token.map(Into::into),
            job: None,
            deadline,
            wake: None,
        };
        self.keep(&place, action);
        if matches!(host, Host::Lambda | Host::Worker) {
            self.open_job(&place, None);
        }
        self.schedule(&place);
        self.emit_action(&place);
        match problem {
            Some(problem) => {
                self.conclude(&place, End::Failed(problem, ExecutionDetails::default()));
                false
            }
            None => {
                self.perform(&place);
                true
            }
        }
    }

    fn keep(&mut self, place: &Place, action: ActionRun) {
        let Some(known) = self.state.pipelines.get_mut(&place.pipeline) else {
            return;
        };
        let run = &mut known.executions[place.execution];
        run.updated = action.started;
        let stage = &mut run.stages[place.stage];
        self.state.running.insert(action.id.clone(), place.clone());
        if let Some(state) = known.stages.iter_mut().find(|it| it.name == stage.name) {
            let latest = (place.execution, place.stage, place.action);
            match state.actions.get_mut(&action.name) {
                Some(kept) => *kept = latest,
                None => {
                    state.actions.insert(action.name.clone(), latest);
                }
            }
        }
        stage.again.remove(&action.name);
        stage.actions.push(action);
    }

    /// A new job for a running action, with the token of the one before. Lambda's silence limit starts again.
    pub(super) fn open_job(&mut self, place: &Place, token: Option<String>) {
        let (id, nonce) = (self.ids.uuid(), self.ids.letters(24));
        let at = self.at;
        let Some(run) = self.run_mut(place) else {
            return;
        };
        let polled = action_type::host(&run.action_type) == Host::Worker;
        run.job = Some(id.clone());
        run.wake = (!polled).then(|| Wake::Silence(later(at, LAMBDA_SILENCE_MINUTES)));
        let job = Job {
            id: id.clone(),
            nonce,
            place: JobPlace::Action(place.clone()),
            action_execution: run.id.clone(),
            action_type: run.action_type.clone(),
            status: if polled {
                JobStatus::Queued
            } else {
                JobStatus::InProgress
            },
            continuation_token: token,
            created: at,
            dispatched: None,
        };
        if polled {
            self.state.queued_jobs.insert(id.clone());
        }
        self.state.jobs.insert(id, job);
    }

    pub(super) fn perform(&mut self, place: &Place) {
        if let Some(task) = self.state.task_at(place) {
            self.effects.push(Effect::Perform(Box::new(task)));
        }
    }

    pub(super) fn run_mut(&mut self, place: &Place) -> Option<&mut ActionRun> {
        self.execution_mut(&place.pipeline, place.execution)?
            .stages
            .get_mut(place.stage)?
            .actions
            .get_mut(place.action)
    }

    /// Where a new run's outputs go: `<pipeline[..20]>/<artifact[..10]>/<7 letters>` in the region's store.
    fn places(
        &mut self,
        definition: &PipelineDeclaration,
        declared: &ActionDeclaration,
    ) -> Vec<ArtifactPlace> {
        let region = declared.region.as_deref().unwrap_or(self.state.region());
        let bucket = definition
            .store(region)
            .map(|store| store.location.clone())
            .unwrap_or_default();
        let outputs = &declared.output_artifacts;
        outputs
            .iter()
            .map(|output| ArtifactPlace {
                name: output.name.clone(),
                bucket: bucket.clone(),
                key: format!(
                    "{:.20}/{:.10}/{}",
                    definition.name,
                    output.name,
                    self.ids.letters(7)
                ),
            })
            .collect()
    }
}

/// `minutes` after a time; the end of time if that is beyond it.
pub(super) fn later(at: Timestamp, minutes: i64) -> Timestamp {
    at.checked_add(SignedDuration::from_mins(minutes))
        .unwrap_or(Timestamp::MAX)
}

/// Why a resolved configuration is too long.
pub(super) fn too_long(configuration: &BTreeMap<String, String>) -> Option<String> {
    let lengths = configuration
        .iter()
        .map(|(key, value)| key.len() + value.len());
    let bytes: usize = lengths.sum();
    (bytes > RESOLVED_CONFIGURATION_BYTES).then(|| {
        format!(
            "the resolved configuration is {bytes} bytes long; {RESOLVED_CONFIGURATION_BYTES} are allowed"
        )
    })
}

fn resolve(
    execution: &Execution,
    declared: &ActionDeclaration,
) -> Result<Resolved, crate::state::ActionError> {
    let failed = |message: String| crate::state::ActionError {
        code: "ConfigurationError".to_owned(),
        message,
    };
    debug_assert!(matches!(execution.position, Position::In(_)));
    let scope = Scope {
        execution: &execution.id,
        variables: &execution.variables,
        namespaces: &execution.namespaces,
    };
    let texts = || -> Result<_, Unresolved> {
        Ok(Resolved {
            configuration: declared
                .configuration
                .iter()
                .map(|(key, value)| Ok((key.clone(), scope.resolve(value)?)))
                .collect::<Result<_, Unresolved>>()?,
            commands: declared
                .commands
                .iter()
                .flatten()
                .map(|command| scope.resolve(command))
                .collect::<Result<_, _>>()?,
            environment: declared
                .environment_variables
                .iter()
                .flatten()
                .map(|variable| {
                    Ok(EnvironmentVariable {
                        value: scope.resolve(&variable.value)?,
                        ..variable.clone()
                    })
                })
                .collect::<Result<_, Unresolved>>()?,
            inputs: Vec::new(),
        })
    };
    let mut resolved = texts().map_err(|unresolved| failed(unresolved.to_string()))?;
    if let Some(message) = too_long(&resolved.configuration) {
        return Err(failed(message));
    }
    for input in &declared.input_artifacts {
        let artifact = execution.artifacts.get(&input.name).ok_or_else(|| {
            failed(format!(
                "the input artifact '{}' was not produced",
                input.name
            ))
        })?;
        resolved.inputs.push(ArtifactPlace {
            name: input.name.clone(),
            bucket: artifact.bucket.clone(),
            key: artifact.key.clone(),
        });
    }
    Ok(resolved)
}
