//! The state machine: one step from an input to a new state, an answer and effects.
//!
//! Requests are checked completely before anything is changed, so a refused input leaves no trace.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::{
    effect::{Archived, Effect},
    event::{Event, Input},
    ids::Ids,
    refusal::Refusal,
    state::State,
};

mod action;
mod action_type;
mod approval;
mod archive;
mod condition;
mod finish;
mod job;
mod notice;
mod overriding;
mod pipeline;
mod retry;
mod rollback;
mod rule_job;
mod stage;
mod start;
mod stop;
mod timer;
mod transition;
mod update;
mod verdict;
mod webhook;

/// What a request is answered with; reads are done on the state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Nothing but success.
    Done,
    /// A pipeline was created or updated: its version.
    Version(u64),
    /// An execution started, retried, stopped: its id.
    Execution(String),
    /// PutApprovalResult: when.
    ApprovedAt(Timestamp),
    /// AcknowledgeJob: the job's status.
    Job(crate::state::JobStatus),
    /// PollForJobs: which of the jobs are this worker's to acknowledge.
    Jobs(Vec<String>),
}

/// Applies one input whose event is about nothing archived ([`State::missing`]). A refused input changes nothing and is
/// not journaled.
///
/// # Errors
/// The modelled exception of the operation that the input stands for.
pub fn step(state: &mut State, input: &Input) -> Result<(Answer, Vec<Effect>), Refusal> {
    step_with(state, input, None)
}

/// Applies one input. `past` is the execution that [`State::missing`] names, as the last [`Effect::Archive`] gave it:
/// it is in memory again unless the input is refused.
///
/// # Errors
/// As [`step`].
pub fn step_with(
    state: &mut State,
    input: &Input,
    past: Option<Archived>,
) -> Result<(Answer, Vec<Effect>), Refusal> {
    let mut turn = Turn {
        state,
        at: input.at,
        ids: Ids::new(input.seed),
        effects: Vec::new(),
        ended: BTreeSet::new(),
    };
    let recalled = past.and_then(|past| turn.recall(past));
    match turn.take(&input.event) {
        Ok(answer) => {
            turn.archive();
            Ok((answer, turn.effects))
        }
        Err(refusal) => {
            if let Some((pipeline, number)) = recalled {
                turn.leave(&pipeline, number);
            }
            Err(refusal)
        }
    }
}

/// One step under way.
struct Turn<'a> {
    state: &'a mut State,
    at: Timestamp,
    ids: Ids,
    effects: Vec<Effect>,
    /// Pipelines of which an execution ended, or came back from the archive.
    ended: BTreeSet<String>,
}

impl Turn<'_> {
    fn take(&mut self, event: &Event) -> Result<Answer, Refusal> {
        match event {
            Event::Configured { settings } => Ok(self.configured(settings)),
            Event::Resumed => Ok(self.resumed()),
            Event::CreatePipeline {
                definition,
                tags,
                start,
            } => self.create_pipeline(definition, tags, *start),
            Event::UpdatePipeline { definition } => self.update_pipeline(definition),
            Event::DeletePipeline { name } => Ok(self.delete_pipeline(name)),
            Event::Tag { pipeline, tags } => self.tag(pipeline, tags),
            Event::Untag { pipeline, keys } => self.untag(pipeline, keys),
            Event::TagResource { resource, tags } => self.tag_resource(resource, tags),
            Event::UntagResource { resource, keys } => self.untag_resource(resource, keys),
            Event::PutWebhook { webhook, tags } => self.put_webhook(webhook, tags),
            Event::DeleteWebhook { name } => Ok(self.delete_webhook(name)),
            Event::WebhookDelivered { webhook, key } => self.webhook_delivered(webhook, key),
            Event::WebhookNoted { webhook, error } => self.webhook_noted(webhook, error.as_ref()),
            Event::CreateCustomActionType { action_type, tags } => {
                self.create_action_type(action_type, tags)
            }
            Event::DeleteCustomActionType {
                category,
                provider,
                version,
            } => Ok(self.delete_action_type(category, provider, version)),
            Event::Start {
                pipeline,
                trigger,
                variables,
                source_revisions,
                client_token,
            } => self.start(
                pipeline,
                start::Wanted {
                    trigger,
                    variables,
                    source_revisions,
                    client_token: client_token.as_ref(),
                },
            ),
            Event::Stop {
                pipeline,
                execution,
                abandon,
                reason,
            } => self.stop(pipeline, execution, *abandon, reason.as_ref()),
            Event::Retry {
                pipeline,
                stage,
                execution,
                mode,
            } => self.retry(pipeline, stage, execution, *mode),
            Event::Rollback {
                pipeline,
                stage,
                target,
                by,
            } => self.rollback(pipeline, stage, target, by),
            Event::Override {
                pipeline,
                stage,
                execution,
                gate,
            } => self.override_condition(pipeline, stage, execution, *gate),
            Event::SetTransition {
                pipeline,
                stage,
                inbound,
                enabled,
                reason,
                by,
            } => {
                let change = transition::Change {
                    inbound: *inbound,
                    enabled: *enabled,
                    reason: reason.as_ref(),
                    by,
                };
                self.set_transition(pipeline, stage, &change)
            }
            Event::Approval {
                pipeline,
                stage,
                action,
                token,
                approved,
                summary,
                by,
            } => {
                let at = approval::Asked {
                    pipeline,
                    stage,
                    action,
                };
                self.approve(&at, token, *approved, summary, by)
            }
            Event::JobsPolled { jobs } => Ok(self.jobs_polled(jobs)),
            Event::JobAcknowledged { job, nonce } => self.job_acknowledged(job, nonce),
            Event::JobSucceeded {
                job,
                continuation,
                variables,
                details,
                revision,
            } => {
                let result = job::Success {
                    continuation: continuation.as_ref(),
                    variables,
                    details,
                    revision: revision.as_ref(),
                };
                self.job_succeeded(job, &result)
            }
            Event::JobFailed {
                job,
                kind,
                message,
                external_id,
            } => self.job_failed(job, kind, message, external_id.as_ref()),
            Event::Progress {
                action_execution,
                details,
            } => Ok(self.progress(action_execution, details)),
            Event::Finished {
                action_execution,
                outcome,
            } => Ok(self.finished(action_execution, outcome)),
            Event::TimePassed => Ok(self.time_passed()),
        }
    }
}
