//! Events at the door: who asks, and what a failure is called.

use serde_json::Value;
use shared::{
    approval::port::{ApprovalStore, Chat, Entropy, LinkSigner, Mailer, PipelineReader},
    port::Clock,
    wire::{
        approval_mail::{due, head_of},
        approval_task::asked,
    },
};
use shared_aws::{bootstrap::HandlerError, sns_entry::deliveries};

use crate::Notify;

impl<S, P, K, M, C, E> Notify<S, P, K, M, C, E>
where
    S: ApprovalStore,
    P: PipelineReader,
    K: LinkSigner,
    M: Mailer + Chat,
    C: Clock,
    E: Entropy,
{
    /// Handles an event as Lambda gives it: of a state machine, of the sweep, or of SNS.
    ///
    /// # Errors
    /// Also when it is none of these; under a name where a state machine asks, for its `Catch`.
    pub async fn take(&self, event: Value) -> Result<Value, HandlerError> {
        let wrong = |error| HandlerError::of("ApprovalInput", &error);
        if let Some(task) = asked(&event).map_err(wrong)? {
            let answer = self.ask_for(task).await;
            return answer.map_err(|error| HandlerError::of(error.name(), &error));
        }
        if let Some(head) = head_of(&event) {
            self.mail_head(&head).await?;
            return Ok(Value::Null);
        }
        match due(&event)? {
            Some(approval) => self.send_due(&approval).await?,
            None => self.handle(&deliveries(event)?).await?,
        }
        Ok(Value::Null)
    }
}
