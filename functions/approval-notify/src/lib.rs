//! Stores an approval request and mails each approver a signed link.
//!
//! **Trigger:** SNS topics that approval actions name (`NotificationArn`), subscribed as Lambda; state machines that wait
//! with a token (`lambda:invoke.waitForTaskToken`); `approval-sweep`, which asks for the mails that are due of a request:
//! reminders, and how it ended.
//! **Effects:** one request in the table for each approval that waits; one mail for each approver, reminder and outcome,
//! and a message beside it for whoever has a chat and for the channels of the groups.
//! **Permissions:** `codepipeline:GetPipelineState`, `GetPipelineExecution`, `ListActionExecutions` on the pipelines;
//! `kms:Sign` with the link key; `ses:SendEmail`; `sns:Publish` to the topic of mails, and `secretsmanager:GetSecretValue`,
//! `ssm:GetParameter`, `kms:Decrypt` of the tokens of chats, where there are any (`docs/chats.md`);
//! `dynamodb:GetItem`, `PutItem` on the table. It cannot decide anything.
//! **Failure:** a state machine's task fails, where the request could not be stored; another event fails and Lambda
//! repeats it (twice, then the dead-letter queue). Repeats are harmless: who was mailed is recorded. Only where the
//! function dies between SES's answer and that record is a mail sent again, with another code; both mails work.

mod entry;
mod error;
mod head;
pub mod letter;
pub mod news;
mod posting;
mod rooms;
mod task;

use std::error::Error as _;

use shared::{
    approval::{
        asker::Asker,
        facts::{self, SourceOutput, Waiting},
        history::{self, Past},
        id::{ApprovalId, RecipientId},
        key::MessageKey,
        made,
        port::{ApprovalStore, Chat, Entropy, LinkSigner, Mailer, PipelineReader},
        request::{Facts, Record, Request, Target},
        rules::Rule,
        settings::NotifySettings,
    },
    port::{Clock, PortError},
    secret::Secret,
    wire::{approval_message::ApprovalMessage, sns::SnsDelivery},
};

pub use crate::error::NotifyError;
use crate::error::port;

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
    M: Mailer + Chat,
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

    /// Sends the mails that are due of one request. A request that is not there (any more) has none.
    ///
    /// # Errors
    /// When one could not be sent; the others were.
    pub async fn send_due(&self, id: &ApprovalId) -> Result<(), NotifyError> {
        let read = self.store.load(id).await;
        match read.map_err(|source| NotifyError::Read { source })? {
            Some(record) => self.mail_all(record).await,
            None => Ok(()),
        }
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
        let rule = self.settings.rules.select(target)?.clone();
        let run = self.tie(target, &message.token).await?;
        let facts = self.facts(target, &run).await?;
        let request = Request {
            id: ApprovalId::from_random(self.entropy.bytes()),
            asker: Asker::Pipeline,
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
        self.create(key, self.opened(request, rule)).await
    }

    fn opened(&self, request: Request, rule: Rule) -> Record {
        Record::opened(request, rule, || {
            (
                RecipientId::from_random(self.entropy.bytes()),
                self.entropy.bytes(),
            )
        })
    }

    /// Stores a new request, or finds the one that another delivery stored first.
    async fn create(&self, key: &MessageKey, record: Record) -> Result<Record, NotifyError> {
        let target = &record.request.target;
        let failed = port(target);
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
        let past = match self.pipelines.past(pipeline, &target.stage).await {
            Err(error @ PortError::Unavailable { .. }) => return Err(failed("described")(error)),
            Err(error) => {
                tracing::warn!(error = %error, "the mail will lack what came before");
                Past::default()
            }
            Ok(past) => past,
        };
        Ok(Facts {
            history: history::tell(target, &run.execution, &past),
            attempt: made::attempt(target, &run.execution, &past),
            artifacts: made::artifacts(&run.execution, &past),
            ..facts::gather(&execution, &outputs)
        })
    }

    async fn load(&self, target: &Target, id: &ApprovalId) -> Result<Record, NotifyError> {
        let failed = port(target);
        let missing = || PortError::NotFound {
            what: format!("the approval {id}"),
        };
        let record = self.store.load(id).await.map_err(failed("read"))?;
        record.ok_or_else(|| failed("read")(missing()))
    }
}

#[cfg(test)]
mod tests;
