//! Stores an approval request and mails each approver a signed link.
//!
//! **Trigger:** SNS topics that approval actions name (`NotificationArn`), subscribed as Lambda.
//! **Effects:** one request in the table for each approval that waits; one mail for each approver.
//! **Permissions:** `codepipeline:GetPipelineState`, `GetPipelineExecution`, `ListActionExecutions` on the pipelines;
//! `kms:Sign` with the link key; `ses:SendEmail`; `dynamodb:GetItem`, `PutItem` on the table. It cannot decide anything.
//! **Failure:** the event fails and Lambda repeats it (twice, then the dead-letter queue). Repeats are harmless: who was
//! mailed is recorded. Only where the function dies between SES's answer and that record is a mail sent again, with
//! another code; both mails work.

mod error;
mod letter;

use std::error::Error as _;

use shared::{
    approval::{
        code::Code,
        decide,
        facts::{self, SourceOutput, Waiting},
        id::{ApprovalId, LinkId, RecipientId},
        key::MessageKey,
        link::Claims,
        port::{ApprovalStore, Entropy, LinkSigner, Mailer, PipelineReader},
        request::{Facts, IssuedLink, Record, Request, State, Target},
        settings::NotifySettings,
    },
    port::{Clock, PortError},
    secret::Secret,
    wire::{approval_message::ApprovalMessage, sns::SnsDelivery},
};

pub use crate::error::NotifyError;
use crate::error::port;

/// How often a write is tried again after somebody else's.
const WRITES: usize = 8;

/// The function and what it works with.
#[derive(Debug)]
pub struct Notify<S, P, K, M, C, E> {
    /// Keeps requests.
    pub store: S,
    /// Reads pipelines.
    pub pipelines: P,
    /// Signs links.
    pub signer: K,
    /// Sends mail.
    pub mailer: M,
    /// Time.
    pub clock: C,
    /// Ids, codes, keys.
    pub entropy: E,
    /// What the environment says.
    pub settings: NotifySettings,
}

impl<S, P, K, M, C, E> Notify<S, P, K, M, C, E>
where
    S: ApprovalStore,
    P: PipelineReader,
    K: LinkSigner,
    M: Mailer,
    C: Clock,
    E: Entropy,
{
    /// Handles all messages of an event.
    ///
    /// # Errors
    /// The first failure; the messages after it are still handled.
    pub async fn handle(&self, deliveries: &[SnsDelivery]) -> Result<(), NotifyError> {
        let mut outcome = Ok(());
        for delivery in deliveries {
            if let Err(error) = self.one(delivery).await {
                if outcome.is_err() {
                    let chain = error.source().map(ToString::to_string);
                    tracing::error!(error = %error, cause = chain, "a further message failed");
                } else {
                    outcome = Err(error);
                }
            }
        }
        outcome
    }

    async fn one(&self, delivery: &SnsDelivery) -> Result<(), NotifyError> {
        let message = self.believe(delivery)?;
        let key = MessageKey::new(&message.target, &message.token);
        let failed = port(&message.target);
        let known = self.store.find(&key).await.map_err(failed("looked up"))?;
        let record = match known {
            Some(id) => self.load(&message.target, &id).await?,
            None if message.expires_at <= self.clock.now() => {
                tracing::warn!(pipeline = %message.target.pipeline, "the approval expired before it was announced; nobody is mailed");
                return Ok(());
            }
            None => self.open(delivery, &message, &key).await?,
        };
        self.mail_all(record).await
    }

    fn believe(&self, delivery: &SnsDelivery) -> Result<ApprovalMessage, NotifyError> {
        let topic = || delivery.topic_arn.clone();
        if !self.settings.topics.contains(&delivery.topic_arn) {
            return Err(NotifyError::UnknownTopic { topic: topic() });
        }
        let message = ApprovalMessage::parse(delivery.message.reveal()).map_err(|source| {
            NotifyError::Message {
                topic: topic(),
                source,
            }
        })?;
        if delivery.region() != Some(message.region.as_str()) {
            return Err(NotifyError::OtherRegion { topic: topic() });
        }
        Ok(message)
    }

    /// Ties the message to its execution, gathers the facts, stores the request.
    async fn open(
        &self,
        delivery: &SnsDelivery,
        message: &ApprovalMessage,
        key: &MessageKey,
    ) -> Result<Record, NotifyError> {
        let target = &message.target;
        let failed = port(target);
        let rule = self.settings.rules.select(target)?.clone();
        let run = self.tie(target, &message.token).await?;
        let facts = self.facts(target, &run).await?;
        let request = Request {
            id: ApprovalId::from_random(self.entropy.bytes()),
            target: target.clone(),
            execution: run.execution,
            action_execution: run.action_execution,
            token: message.token.clone(),
            asked_at: self.clock.now(),
            expires_at: message.expires_at,
            region: message.region.clone(),
            account: delivery.account().unwrap_or_default().to_owned(),
            custom_data: message.custom_data.clone(),
            external_link: message.external_link.clone(),
            facts,
        };
        let record = Record::opened(request, rule, || {
            (
                RecipientId::from_random(self.entropy.bytes()),
                self.entropy.bytes(),
            )
        });
        match self.store.create(key, &record).await {
            Ok(()) => {
                tracing::info!(pipeline = %target.pipeline, approval = %record.request.id, "an approval was opened");
                Ok(record)
            }
            Err(source @ PortError::Conflict { .. }) => {
                // Another delivery was first; its request is the one.
                let first = self.store.find(key).await.map_err(failed("looked up"))?;
                match first {
                    Some(id) => self.load(target, &id).await,
                    None => Err(failed("stored")(source)),
                }
            }
            Err(source) => Err(failed("stored")(source)),
        }
    }

    async fn tie(&self, target: &Target, token: &Secret) -> Result<Waiting, NotifyError> {
        let failed = port(target);
        let pipeline = &target.pipeline;
        let state = self.pipelines.waiting_in_state(pipeline).await;
        if let Some(run) = facts::tie(target, token, &state.map_err(failed("tied"))?) {
            return Ok(run.clone());
        }
        // PARALLEL mode: GetPipelineState shows no token.
        let history = self.pipelines.waiting_in_history(pipeline).await;
        match facts::tie(target, token, &history.map_err(failed("tied"))?) {
            Some(run) => Ok(run.clone()),
            None => Err(NotifyError::Untied {
                pipeline: pipeline.to_string(),
                stage: target.stage.to_string(),
                action: target.action.to_string(),
            }),
        }
    }

    /// What cannot be read for lack of permission is left out and logged; what may pass is tried again by Lambda.
    async fn facts(&self, target: &Target, run: &Waiting) -> Result<Facts, NotifyError> {
        let pipeline = &target.pipeline;
        let failed = port(target);
        let execution = match self.pipelines.execution(pipeline, &run.execution).await {
            Err(error @ PortError::Unavailable { .. }) => return Err(failed("described")(error)),
            Err(error) => {
                tracing::warn!(error = %error, "the mail will lack the revisions");
                facts::ExecutionFacts::default()
            }
            Ok(execution) => execution,
        };
        let outputs = match self
            .pipelines
            .source_outputs(pipeline, &run.execution)
            .await
        {
            Err(error @ PortError::Unavailable { .. }) => return Err(failed("described")(error)),
            Err(error) => {
                tracing::warn!(error = %error, "the mail will lack the author");
                Vec::<SourceOutput>::new()
            }
            Ok(outputs) => outputs,
        };
        Ok(facts::gather(&execution, &outputs))
    }

    async fn load(&self, target: &Target, id: &ApprovalId) -> Result<Record, NotifyError> {
        let failed = port(target);
        let missing = || PortError::NotFound {
            what: format!("the approval {id}"),
        };
        let record = self.store.load(id).await.map_err(failed("read"))?;
        record.ok_or_else(|| failed("read")(missing()))
    }

    /// Mails every approver who was not mailed yet, as long as the request is open.
    async fn mail_all(&self, record: Record) -> Result<(), NotifyError> {
        if record.state == State::Open && self.clock.now() >= record.request.expires_at {
            if let Some(next) = decide::expire(&record, self.clock.now()) {
                let failed = port(&record.request.target);
                self.store.replace(&next).await.map_err(failed("closed"))?;
            }
            return Ok(());
        }
        let asked = record.recipients.len();
        let ids: Vec<RecipientId> = record.recipients.iter().map(|r| r.id.clone()).collect();
        let (mut busy, mut failed, mut first) = (0, 0, None);
        let mut record = record;
        for id in &ids {
            match self.mail_one(&mut record, id).await {
                Ok(true) => {}
                Ok(false) => busy += 1,
                Err(error) => {
                    failed += 1;
                    first.get_or_insert(error);
                }
            }
        }
        match first {
            Some(source) => Err(NotifyError::Mail {
                failed,
                asked,
                source,
            }),
            None if busy > 0 => Err(NotifyError::Busy { count: busy }),
            None => Ok(()),
        }
    }

    /// `false`: another delivery is at it. `record` is kept at the newest version seen.
    async fn mail_one(&self, record: &mut Record, id: &RecipientId) -> Result<bool, PortError> {
        let code = Code::from_random(self.entropy.bytes());
        let link = LinkId::from_random(self.entropy.bytes());
        let hash = code.hash(&link, self.entropy.bytes());
        let issued = IssuedLink {
            id: link.clone(),
            code: hash,
        };
        for _ in 0..WRITES {
            let Some(next) = decide::issue(record, id, issued.clone(), self.clock.now()) else {
                return Ok(settled_for(record, id));
            };
            match self.store.replace(&next).await {
                Ok(()) => {
                    *record = next;
                    return self.send(record, id, &link, &code).await.map(|()| true);
                }
                Err(PortError::Conflict { .. }) => {
                    self.reload(record).await?;
                    let ours = |r: &shared::approval::request::Recipient| {
                        r.links.iter().any(|l| l.id == link)
                    };
                    if record.recipient(id).is_some_and(ours) {
                        // Our write held; only its answer was lost.
                        return self.send(record, id, &link, &code).await.map(|()| true);
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }

    async fn send(
        &self,
        record: &mut Record,
        id: &RecipientId,
        link: &LinkId,
        code: &Code,
    ) -> Result<(), PortError> {
        let Some(recipient) = record.recipient(id).cloned() else {
            return Ok(());
        };
        let base = &self.settings.base;
        let unsigned = Claims {
            approval: record.request.id.clone(),
            digest: record.request.link_digest(),
            recipient: id.clone(),
            link: link.clone(),
            issued_at: self.clock.now(),
            expires_at: record.request.expires_at,
        }
        .unsigned(&self.settings.kid, base);
        let signature = self.signer.sign(unsigned.to_sign()).await?;
        let token = unsigned.with_signature(&signature);
        let mail = letter::compose(record, &recipient, &self.settings, &token, code)?;
        self.mailer.send(&mail).await?;
        tracing::info!(approval = %record.request.id, recipient = %id, "an approver was mailed");
        for _ in 0..WRITES {
            let next = decide::mailed(record, id, self.clock.now());
            match self.store.replace(&next).await {
                Ok(()) => {
                    *record = next;
                    return Ok(());
                }
                Err(PortError::Conflict { .. }) => self.reload(record).await?,
                Err(error) => return Err(error),
            }
        }
        Err(PortError::Conflict {
            what: format!("the record of a mail for {}", record.request.id),
        })
    }

    async fn reload(&self, record: &mut Record) -> Result<(), PortError> {
        let id = record.request.id.clone();
        let read = self.store.load(&id).await?;
        *record = read.ok_or_else(|| PortError::NotFound {
            what: format!("the approval {id}"),
        })?;
        Ok(())
    }
}

/// Nothing is left to do for this recipient: mailed, or the request is no longer open.
fn settled_for(record: &Record, id: &RecipientId) -> bool {
    record.state != State::Open || record.recipient(id).is_none_or(|r| r.mailed_at.is_some())
}

#[cfg(test)]
mod tests;
