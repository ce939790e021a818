//! Jobs: handed out, acknowledged, reported on (`codepipeline.md` 2.2, 4 and 5.2).

use std::collections::BTreeMap;

use jiff::SignedDuration;

use super::{
    Answer, Turn,
    finish::{End, failed, merge, too_big},
};
use crate::{
    action_type::{self, Host},
    event::{ExecutionDetails, Revision},
    refusal::Refusal,
    state::{Job, JobPlace, JobStatus, Place, Wake},
    variable::name_char,
};

/// PutJobSuccessResult without the job's id.
pub(super) struct Success<'a> {
    pub continuation: Option<&'a String>,
    pub variables: &'a BTreeMap<String, String>,
    pub details: &'a ExecutionDetails,
    pub revision: Option<&'a Revision>,
}

impl Turn<'_> {
    /// Marks jobs as handed out; those that another worker has got meanwhile are passed over.
    pub(super) fn jobs_polled(&mut self, jobs: &[String]) -> Answer {
        let mut given = Vec::new();
        for id in jobs {
            let at = self.at;
            let Some(job) = self.state.jobs.get_mut(id).filter(|it| it.is_offered(at)) else {
                continue;
            };
            job.status = JobStatus::Dispatched;
            if let Some(before) = job.dispatched.replace(at) {
                self.state.dispatched_jobs.remove(&(before, id.clone()));
            }
            self.state.queued_jobs.remove(id);
            self.state.dispatched_jobs.insert((at, id.clone()));
            given.push(id.clone());
        }
        Answer::Jobs(given)
    }

    /// The job is no longer to be handed out.
    pub(super) fn withdraw(&mut self, id: &str) {
        self.state.queued_jobs.remove(id);
        let before = self
            .state
            .jobs
            .get_mut(id)
            .and_then(|it| it.dispatched.take());
        if let Some(before) = before {
            self.state.dispatched_jobs.remove(&(before, id.to_owned()));
        }
    }

    pub(super) fn job_acknowledged(&mut self, id: &str, nonce: &str) -> Result<Answer, Refusal> {
        let job = self.job(id)?;
        // a nonce is good for one worker
        if job.nonce != nonce || job.status == JobStatus::InProgress {
            return Err(Refusal::new(
                "InvalidNonceException",
                format!("The nonce for job '{id}' is not valid or was already used"),
            ));
        }
        let waits = matches!(job.status, JobStatus::Queued | JobStatus::Dispatched);
        let status = if waits {
            JobStatus::InProgress
        } else {
            job.status
        };
        if let Some(job) = self.state.jobs.get_mut(id) {
            job.status = status;
        }
        self.withdraw(id);
        Ok(Answer::Job(status))
    }

    pub(super) fn job_succeeded(
        &mut self,
        id: &str,
        result: &Success<'_>,
    ) -> Result<Answer, Refusal> {
        let place = self.open(id)?.place.clone();
        if let Some(message) = too_big(result.variables) {
            return Err(Refusal::new(
                "OutputVariablesSizeExceededException",
                message,
            ));
        }
        if let Some(key) = result
            .variables
            .keys()
            .find(|key| key.is_empty() || !key.chars().all(name_char))
        {
            return Err(Refusal::new(
                "ValidationException",
                format!(
                    "1 validation error detected: Value '{key}' at 'outputVariables' failed to satisfy constraint: Map keys must satisfy constraint: [Member must satisfy regular expression pattern: [A-Za-z0-9@\\-_]+]"
                ),
            ));
        }
        let Some(token) = result.continuation else {
            match &place {
                JobPlace::Action(place) => {
                    let end = End::Succeeded {
                        details: result.details.clone(),
                        variables: result.variables.clone(),
                        revision: result.revision.cloned(),
                    };
                    self.end_action(place, end);
                }
                // a rule has no variables
                JobPlace::Rule(place) => self.rule_job_ended(place, result.details, Ok(())),
            }
            return Ok(Answer::Done);
        };
        if !result.variables.is_empty() {
            // unconfirmed: AWS refuses it, the class is not known
            return Err(Refusal::new(
                "ValidationException",
                "Output variables cannot be specified together with a continuation token",
            ));
        }
        match &place {
            JobPlace::Action(place) => self.continue_job(id, place, token, result.details),
            JobPlace::Rule(place) => self.continue_rule_job(id, place, token, result.details),
        }
        Ok(Answer::Done)
    }

    /// Closes a job; the next one is sent after the engine's pause (functions) or waits at once (workers).
    fn continue_job(&mut self, id: &str, place: &Place, token: &str, details: &ExecutionDetails) {
        self.close_job(id, JobStatus::Succeeded);
        self.unschedule(place);
        let wake = self.next_job(token);
        let at = self.at;
        let Some(run) = self.run_mut(place) else {
            return;
        };
        merge(&mut run.details, details);
        run.updated = at;
        run.job = None;
        if action_type::host(&run.action_type) == Host::Lambda {
            run.wake = Some(wake);
        } else {
            self.open_job(place, Some(token.to_owned()));
            self.perform(place);
        }
        self.schedule(place);
    }

    /// When a function gets the next job, after the engine's pause.
    pub(super) fn next_job(&self, token: &str) -> Wake {
        let pause = self
            .state
            .settings
            .as_ref()
            .map_or(30, |settings| settings.continuation_seconds);
        Wake::Continue {
            at: self
                .at
                .checked_add(SignedDuration::from_secs(i64::from(pause)))
                .unwrap_or(self.at),
            token: token.to_owned(),
        }
    }

    pub(super) fn job_failed(
        &mut self,
        id: &str,
        kind: &str,
        message: &str,
        external_id: Option<&String>,
    ) -> Result<Answer, Refusal> {
        let place = self.open(id)?.place.clone();
        let details = ExecutionDetails {
            external_execution_id: external_id.cloned(),
            ..ExecutionDetails::default()
        };
        match &place {
            JobPlace::Action(place) => {
                self.end_action(place, failed(kind, message.to_owned(), &details));
            }
            JobPlace::Rule(place) => {
                self.rule_job_ended(place, &details, Err((kind, message.to_owned())));
            }
        }
        Ok(Answer::Done)
    }

    fn job(&self, id: &str) -> Result<&Job, Refusal> {
        self.state.jobs.get(id).ok_or_else(|| {
            Refusal::new(
                "JobNotFoundException",
                format!("Could not find job with id '{id}'"),
            )
        })
    }

    /// The job if a result may be put for it.
    fn open(&self, id: &str) -> Result<&Job, Refusal> {
        let job = self.job(id)?;
        if job.status == JobStatus::InProgress {
            Ok(job)
        } else {
            Err(Refusal::new(
                "InvalidJobStateException",
                format!(
                    "Job '{id}' cannot be updated: its status is '{:?}', not 'InProgress'",
                    job.status
                ),
            ))
        }
    }
}
