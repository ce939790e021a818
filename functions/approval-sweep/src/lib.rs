//! Looks after approvals while nobody does: finishes, reminds, escalates, expires, records, alerts.
//!
//! **Trigger:** a schedule, once a minute; CodePipeline's events of approval actions and executions; CloudTrail's events
//! of `PutApprovalResult` and `OverrideStageCondition`. All through EventBridge.
//! **Effects:** takes over decisions whose sender is gone (the same decision), decides what was approved ahead once its
//! time has come, closes what was answered elsewhere, stopped or is too late (and tells a state machine so), asks more people and has mails sent,
//! chains what happened into the audit, anchors it in S3, and alerts of what passed the rules by.
//! **Permissions:** `dynamodb:GetItem`, `PutItem`, `DeleteItem`, `Query` on the table; `codepipeline:GetPipelineState`,
//! `ListActionExecutions`; `sts:AssumeRole` and `SetSourceIdentity` of the approver role, which may send results;
//! `lambda:InvokeFunction` of approval-notify and of gates; `sns:Publish` to the alert topic; `s3:PutObject` and
//! `PutObjectRetention` in the audit bucket; `states:SendTaskSuccess`, `SendTaskFailure`, `SendTaskHeartbeat`, `GetExecutionHistory` where state machines ask; `ssm:GetCalendarState` and `cloudwatch:DescribeAlarms` where rules ask for it.
//! **Failure:** one request's failure does not keep the others waiting; the event then fails and Lambda repeats it. Every
//! step may be repeated, and what is not done this minute is done in the next.

mod chain;
pub mod event;
mod outside;
mod tend;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use shared::{
    approval::{
        audit::port::{AuditStore, Witness},
        id::{ApprovalId, DecisionId, RecipientId},
        port::{ApprovalStore, Conditions, Entropy, PipelineReader, Postman, ResultSender},
        settings::SweepSettings,
        sweep::Fresh,
    },
    port::{Clock, PortError, Topic},
    wire::eventbridge::EventError,
};

use crate::{chain::End, event::Woken};

/// No further request is begun when less time is left.
const RESERVE: SignedDuration = SignedDuration::from_secs(10);

/// The function and what it works with.
#[derive(Debug)]
pub struct Sweep<S, P, O, M, T, W, C, E> {
    /// Keeps requests and the audit chain.
    pub store: S,
    /// Reads pipelines and tells them results.
    pub pipelines: P,
    /// What machines say.
    pub conditions: O,
    /// Has mails sent.
    pub postman: M,
    /// Publishes alerts.
    pub alerts: T,
    /// Keeps anchors.
    pub witness: Option<W>,
    /// Time.
    pub clock: C,
    /// Ids, keys, the place to begin at.
    pub entropy: E,
    /// What the environment says.
    pub settings: SweepSettings,
}

/// Why an event fails, to be repeated by Lambda.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// What woke the function.
    #[error("the event is not one of CodePipeline's")]
    Event(#[source] EventError),
    /// The list of requests.
    #[error("the unfinished approvals could not be listed")]
    List(#[source] PortError),
    /// Some of the requests.
    #[error("{failed} of {all} approvals could not be looked after")]
    Some {
        /// How many.
        failed: usize,
        /// Of how many.
        all: usize,
        /// The first failure.
        #[source]
        source: PortError,
    },
    /// The audit chain.
    #[error("the audit chain could not be written on")]
    Audit(#[source] PortError),
    /// The alert.
    #[error("nobody could be alerted")]
    Alert(#[source] PortError),
}

struct FreshOf<'a, E>(&'a E);

impl<E: Entropy> Fresh for FreshOf<'_, E> {
    fn decision(&mut self) -> DecisionId {
        DecisionId::from_random(self.0.bytes())
    }
    fn recipient(&mut self) -> (RecipientId, [u8; 32]) {
        (RecipientId::from_random(self.0.bytes()), self.0.bytes())
    }
}

impl<S, P, O, M, T, W, C, E> Sweep<S, P, O, M, T, W, C, E>
where
    S: ApprovalStore + AuditStore,
    P: PipelineReader + ResultSender,
    O: Conditions,
    M: Postman,
    T: Topic,
    W: Witness,
    C: Clock,
    E: Entropy,
{
    /// Handles an event as Lambda gives it.
    ///
    /// # Errors
    /// Also when CodePipeline's event cannot be read.
    pub async fn take(&self, event: Value, deadline: Timestamp) -> Result<(), SweepError> {
        let woken = Woken::try_from(event).map_err(SweepError::Event)?;
        self.handle(woken, deadline).await
    }

    /// Handles one event; begins nothing new shortly before `deadline`.
    ///
    /// # Errors
    /// When something could not be done now.
    pub async fn handle(&self, woken: Woken, deadline: Timestamp) -> Result<(), SweepError> {
        let done = match woken {
            Woken::Other => return Ok(()),
            Woken::Minute => self.round(deadline).await,
            Woken::Change {
                id,
                pipeline,
                execution,
                ended,
                attempt,
            } => {
                let found = self.store.of_execution(&execution).await;
                let ids = found.map_err(SweepError::List)?;
                let tended = self.tend_all(&ids, deadline).await;
                if let (Some(state), false) = (ended, ids.is_empty()) {
                    let end = End {
                        event: &id,
                        pipeline: &pipeline,
                        execution: &execution,
                        state,
                        attempt,
                    };
                    self.tell_end(&end, &ids).await?;
                }
                tended
            }
            Woken::Call(call) => self.told_of(&call, deadline).await,
        };
        let anchored = self.anchor().await.map_err(SweepError::Audit);
        let mailed = self.mail_head().await.map_err(SweepError::Audit);
        done.and(anchored).and(mailed)
    }

    /// Begins at a random request, so that none is always the last.
    async fn round(&self, deadline: Timestamp) -> Result<(), SweepError> {
        let begin = ApprovalId::from_random(self.entropy.bytes());
        let after = self.store.unfinished(Some(&begin)).await;
        let mut ids = after.map_err(SweepError::List)?;
        let all = self
            .store
            .unfinished(None)
            .await
            .map_err(SweepError::List)?;
        ids.extend(all.into_iter().filter(|id| *id <= begin));
        self.tend_all(&ids, deadline).await
    }

    async fn tend_all(&self, ids: &[ApprovalId], deadline: Timestamp) -> Result<(), SweepError> {
        let (mut failed, mut first) = (0, None);
        for (at, id) in ids.iter().enumerate() {
            if deadline.duration_since(self.clock.now()) < RESERVE {
                tracing::warn!(
                    left = ids.len() - at,
                    "the time is over; the rest is for the next minute"
                );
                break;
            }
            if let Err(error) = self.tend(id).await {
                failed += 1;
                tracing::error!(approval = %id, error = %chain_of(&error), "an approval could not be looked after");
                first.get_or_insert(error);
            }
        }
        match first {
            None => Ok(()),
            Some(source) => Err(SweepError::Some {
                failed,
                all: ids.len(),
                source,
            }),
        }
    }
}

/// The error and what is behind it, for the log.
fn chain_of(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text.push_str(&format!(": {source}"));
        next = source.source();
    }
    text
}

#[cfg(test)]
mod tests;
