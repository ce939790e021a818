//! A decision that a state machine asks for and waits for with a token.

use serde_json::{Value, json};
use shared::{
    approval::{
        asker::{Asker, MachineTask},
        id::ApprovalId,
        key::MessageKey,
        port::{ApprovalStore, Chat, Entropy, LinkSigner, Mailer, PipelineReader},
        request::{Facts, Record, Request},
        rules::evaluate::Actor,
    },
    port::Clock,
    wire::approval_task::ApprovalTask,
};

use crate::{Notify, NotifyError, error::port};

impl<S, P, K, M, C, E> Notify<S, P, K, M, C, E>
where
    S: ApprovalStore,
    P: PipelineReader,
    K: LinkSigner,
    M: Mailer + Chat,
    C: Clock,
    E: Entropy,
{
    /// Stores what a task asks and mails its approvers. The answer is for the log: the machine waits for its token.
    ///
    /// # Errors
    /// When nothing is stored: nobody will decide. What could not be mailed, the sweep has sent later.
    pub async fn ask_for(&self, task: ApprovalTask) -> Result<Value, NotifyError> {
        let key = MessageKey::new(&task.target, &task.token);
        let failed = port(&task.target);
        let known = self.store.find(&key).await.map_err(failed("looked up"))?;
        let record = match known {
            Some(id) => self.load(&task.target, &id).await?,
            None => self.open_task(task, &key).await?,
        };
        let id = record.request.id.clone();
        if let Err(error) = self.mail_all(record).await {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            tracing::error!(approval = %id, error = %error, cause, "the sweep has the other mails sent");
        }
        Ok(json!({"approval": id.as_str(), "outcome": "WAITING"}))
    }

    async fn open_task(&self, task: ApprovalTask, key: &MessageKey) -> Result<Record, NotifyError> {
        let rule = self.settings.rules.select(&task.target)?.clone();
        let now = self.clock.now();
        let expires_at = task.wait.ends(now).ok_or(NotifyError::Deadline)?;
        let facts = facts(&task);
        let request = Request {
            id: ApprovalId::from_random(self.entropy.bytes()),
            execution: task.execution.id()?,
            action_execution: task.execution.task_id(&task.token)?,
            region: task.execution.region().to_owned(),
            account: task.execution.account().to_owned(),
            asker: Asker::Machine(MachineTask {
                execution: task.execution,
                subject: task.subject,
            }),
            target: task.target,
            token: task.token,
            asked_at: now,
            expires_at,
            custom_data: task.note,
            external_link: task.link,
            facts,
        };
        self.create(key, self.opened(request, rule)).await
    }
}

/// Four-eyes compares the names that the machine gives; without any it is not known who did it.
fn facts(task: &ApprovalTask) -> Facts {
    let named = |name: &String| Actor::Named(vec![name.clone()]);
    let unsaid = task.authors.is_empty();
    let written = task
        .revisions
        .iter()
        .filter(|r| unsaid || r.author.is_some());
    let written = written.map(|r| r.author.as_ref().map_or(Actor::Unknown, named));
    let authors = task.authors.iter().map(named).chain(written).collect();
    Facts {
        started_by: task.started_by.clone(),
        revisions: task.revisions.clone(),
        trigger: task.started_by.as_ref().map_or(Actor::Unknown, named),
        authors,
        ..Facts::default()
    }
}
