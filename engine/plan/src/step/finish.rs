//! The end of one action, whoever reports it, and progress before it.

use std::collections::BTreeMap;

use super::{Answer, Turn};
use crate::{
    event::{ExecutionDetails, Outcome, Revision},
    limit::{ENDED_JOBS_KEPT, OUTPUT_VARIABLES_BYTES},
    state::{ActionError, ActionRun, ActionStatus, ArtifactState, JobStatus, Place, Wake},
};

/// How an action run ends.
pub(super) enum End {
    Succeeded {
        details: ExecutionDetails,
        variables: BTreeMap<String, String>,
        revision: Option<Revision>,
    },
    Failed(ActionError, ExecutionDetails),
    Abandoned,
}

impl Turn<'_> {
    /// A provider's report.
    pub(super) fn finished(&mut self, action_execution: &str, outcome: &Outcome) -> Answer {
        let Some(place) = self.state.running.get(action_execution).cloned() else {
            self.rule_finished(action_execution, outcome);
            return Answer::Done;
        };
        let end = match outcome {
            Outcome::Succeeded {
                details,
                variables,
                revision,
            } => match too_big(variables) {
                Some(message) => failed("JobFailed", message, details),
                None => End::Succeeded {
                    details: details.clone(),
                    variables: variables.clone(),
                    revision: revision.clone(),
                },
            },
            Outcome::Failed {
                code,
                message,
                details,
            } => failed(code, message.clone(), details),
            Outcome::Stopped => failed(
                "JobFailed",
                "the action was stopped by its provider".to_owned(),
                &ExecutionDetails::default(),
            ),
        };
        self.end_action(&place, end);
        Answer::Done
    }

    /// A provider's or a function's word on how far it is.
    pub(super) fn progress(
        &mut self,
        action_execution: &str,
        details: &ExecutionDetails,
    ) -> Answer {
        if let Some(place) = self.state.running.get(action_execution).cloned() {
            let at = self.at;
            if let Some(run) = self.run_mut(&place) {
                merge(&mut run.details, details);
                run.updated = at;
            }
        } else {
            self.rule_progress(action_execution, details);
        }
        Answer::Done
    }

    /// Ends an action and does what follows in its stage.
    pub(super) fn end_action(&mut self, place: &Place, end: End) {
        self.conclude(place, end);
        self.settle(&place.pipeline, place.execution);
    }

    /// Ends an action without looking at its stage.
    pub(super) fn conclude(&mut self, place: &Place, end: End) {
        self.unschedule(place);
        let at = self.at;
        let Some(run) = self.run_mut(place) else {
            return;
        };
        run.updated = at;
        run.wake = None;
        let job = run.job.take();
        let token = run.approval_token.clone();
        let id = run.id.clone();
        let status = match end {
            End::Succeeded {
                details,
                variables,
                revision,
            } => {
                run.status = ActionStatus::Succeeded;
                merge(&mut run.details, &details);
                run.variables = variables;
                run.revision = revision;
                JobStatus::Succeeded
            }
            End::Failed(error, details) => {
                run.status = ActionStatus::Failed;
                merge(&mut run.details, &details);
                run.error = Some(error);
                JobStatus::Failed
            }
            End::Abandoned => {
                run.status = ActionStatus::Abandoned;
                JobStatus::Failed
            }
        };
        if run.status == ActionStatus::Succeeded {
            self.publish(place);
        }
        self.state.running.remove(&id);
        if let Some(job) = job {
            self.close_job(&job, status);
        }
        if let Some(token) = token {
            self.state.approvals.remove(&token);
        }
        self.emit_action(place);
    }

    /// Makes artifacts and variables of a successful action visible to later ones.
    fn publish(&mut self, place: &Place) {
        let namespace = self.declared_namespace(place);
        let Some(execution) = self.execution_mut(&place.pipeline, place.execution) else {
            return;
        };
        let run: &ActionRun = &execution.stages[place.stage].actions[place.action];
        for output in &run.outputs {
            execution.artifacts.insert(
                output.name.clone(),
                ArtifactState {
                    bucket: output.bucket.clone(),
                    key: output.key.clone(),
                    revision: run.revision.clone(),
                    made_by: run.name.clone(),
                },
            );
        }
        if let Some(namespace) = namespace {
            execution
                .namespaces
                .insert(namespace, run.variables.clone());
        }
    }

    fn declared_namespace(&self, place: &Place) -> Option<String> {
        let known = self.state.pipelines.get(&place.pipeline)?;
        let execution = known.executions.get(place.execution)?;
        let stage = execution.stages.get(place.stage)?;
        let definition = known.definition_of(execution)?;
        definition
            .stages
            .get(definition.stage(&stage.name)?)?
            .action(&stage.actions.get(place.action)?.name)?
            .namespace
            .clone()
    }

    pub(super) fn close_job(&mut self, id: &str, status: JobStatus) {
        self.withdraw(id);
        if let Some(job) = self.state.jobs.get_mut(id) {
            job.status = status;
            self.state.ended_jobs.push_back(id.to_owned());
            if self.state.ended_jobs.len() > ENDED_JOBS_KEPT
                && let Some(oldest) = self.state.ended_jobs.pop_front()
            {
                self.state.jobs.remove(&oldest);
            }
        }
    }

    /// Notes when a running action wants to be woken.
    pub(super) fn schedule(&mut self, place: &Place) {
        if let Some(entry) = self.state.run(place).map(due) {
            self.state.due.insert(entry);
        }
    }

    /// Forgets it; to be called before deadline or wake change.
    pub(super) fn unschedule(&mut self, place: &Place) {
        if let Some(entry) = self.state.run(place).map(due) {
            self.state.due.remove(&entry);
        }
    }
}

/// A failed end.
pub(super) fn failed(code: &str, message: String, details: &ExecutionDetails) -> End {
    End::Failed(
        ActionError {
            code: code.to_owned(),
            message,
        },
        details.clone(),
    )
}

/// Why these output variables are too many.
pub(super) fn too_big(variables: &BTreeMap<String, String>) -> Option<String> {
    let bytes: usize = variables.iter().map(|(k, v)| k.len() + v.len()).sum();
    (bytes > OUTPUT_VARIABLES_BYTES).then(|| {
        format!("the output variables are {bytes} bytes long; {OUTPUT_VARIABLES_BYTES} are allowed")
    })
}

/// Later details win where they say something.
pub(super) fn merge(kept: &mut ExecutionDetails, new: &ExecutionDetails) {
    let take = |kept: &mut Option<String>, new: &Option<String>| {
        if new.is_some() {
            kept.clone_from(new);
        }
    };
    take(&mut kept.summary, &new.summary);
    take(&mut kept.external_execution_id, &new.external_execution_id);
    take(
        &mut kept.external_execution_url,
        &new.external_execution_url,
    );
    kept.percent_complete = new.percent_complete.or(kept.percent_complete);
}

/// The entry of [`crate::state::State::due`] for a running action.
fn due(run: &ActionRun) -> (jiff::Timestamp, String) {
    let at = match &run.wake {
        Some(Wake::Silence(at) | Wake::Continue { at, .. }) => run.deadline.min(*at),
        None => run.deadline,
    };
    (at, run.id.clone())
}
