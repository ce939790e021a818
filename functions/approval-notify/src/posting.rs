//! Hands over the mails that are due of a request: each of them once, whoever asks and however often.

use jiff::{SignedDuration, Timestamp};
use shared::{
    approval::{
        chat,
        code::Code,
        decide,
        id::{LinkId, RecipientId},
        level::Level,
        link::{Claims, Purpose},
        port::{ApprovalStore, Chat, Entropy, LinkSigner, Mail, Mailer, PipelineReader},
        post::{self, Due},
        request::{IssuedLink, Made, Recipient, Record},
    },
    port::{Clock, PortError},
    secret::Secret,
};

use crate::{
    Notify, NotifyError,
    error::port,
    letter::{self, Occasion},
    news,
};

/// So long after its time a review may still be closed by the link of its last mail.
const REVIEW_LINK: SignedDuration = SignedDuration::from_hours(24 * 30);
/// How often a write is tried again after somebody else's.
const WRITES: usize = 8;

/// What is made for one mail that asks.
struct Question {
    link: LinkId,
    code: Code,
    issued: IssuedLink,
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
    /// Mails everybody to whom something is due.
    pub(crate) async fn mail_all(&self, record: Record) -> Result<(), NotifyError> {
        let mut record = record;
        // A state machine must be told first: the sweep does.
        let ends_by_itself = record.request.asker.machine().is_none();
        let expired = decide::expire(&record, self.clock.now());
        if let Some(next) = expired.filter(|_| ends_by_itself) {
            let failed = port(&record.request.target);
            self.store.replace(&next).await.map_err(failed("closed"))?;
            record = next;
        }
        let asked = record.recipients.len();
        let ids: Vec<RecipientId> = record.recipients.iter().map(|r| r.id.clone()).collect();
        let (mut busy, mut failed, mut first) = (0, 0, None);
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
        self.tell_rooms(&mut record).await;
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
        let mut question: Option<Question> = None;
        for _ in 0..WRITES {
            let now = self.clock.now();
            let Some(due) = record
                .recipient(id)
                .and_then(|who| post::due(record, who, now))
            else {
                return Ok(true);
            };
            if due.asks() && question.is_none() {
                question = Some(self.question());
            }
            let asked = question.as_ref().filter(|_| due.asks());
            let issued = asked.map(|q| q.issued.clone());
            let Some((next, due)) = post::issue(record, id, issued, now) else {
                return Ok(false);
            };
            match self.store.replace(&next).await {
                Ok(()) => {
                    *record = next;
                    return self.send(record, id, due, asked).await.map(|()| true);
                }
                Err(PortError::Conflict { .. }) => {
                    self.reload(record).await?;
                    let ours = |r: &Recipient| {
                        asked.is_some_and(|q| r.links.iter().any(|l| l.id == q.link))
                    };
                    if record.recipient(id).is_some_and(ours) {
                        // Our write held; only its answer was lost.
                        return self.send(record, id, due, asked).await.map(|()| true);
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }

    fn question(&self) -> Question {
        let code = Code::from_random(self.entropy.bytes());
        let link = LinkId::from_random(self.entropy.bytes());
        let hash = code.hash(&link, self.entropy.bytes());
        let issued = IssuedLink {
            id: link.clone(),
            code: hash,
            made: Some(Made::now(self.clock.now(), self.settings.kid.clone())),
        };
        Question { link, code, issued }
    }

    async fn send(
        &self,
        record: &mut Record,
        id: &RecipientId,
        due: Due,
        question: Option<&Question>,
    ) -> Result<(), PortError> {
        let Some(recipient) = record.recipient(id).cloned() else {
            return Ok(());
        };
        let (mail, page) = match question {
            Some(question) if matches!(due, Due::Review { .. }) => {
                let mail = self.ask_for_review(record, &recipient, question).await?;
                (mail, None)
            }
            Some(question) => self.ask(record, &recipient, due, question).await?,
            None => {
                let settings = &self.settings;
                let mail = match due {
                    Due::Locked => {
                        news::compose_locked(record, &recipient, settings, self.clock.now())?
                    }
                    _ => news::compose(record, &recipient, settings, None)?,
                };
                (mail, None)
            }
        };
        self.mailer.send(&mail).await?;
        if let (Due::Outcome, Some(place)) = (due, &recipient.chat) {
            // Said again it stands there once: before it is recorded.
            let zone = &self.settings.zone.0;
            if let Err(error) = self.mailer.rewrite(place, record, zone).await {
                untold(record, &error);
            }
        }
        tracing::info!(approval = %record.request.id, recipient = %id, ?due, "an approver was mailed");
        self.write(record, |record, now| post::mailed(record, id, due, now))
            .await?;
        if let (Due::Invitation | Due::Reminder { .. }, Some(question)) = (due, question) {
            // Said again it would stand there twice: after it is recorded.
            self.ask_in_chat(record, &recipient, due, question, page.as_ref())
                .await?;
        }
        Ok(())
    }

    /// Beside the mail, which is there whatever becomes of this.
    async fn ask_in_chat(
        &self,
        record: &mut Record,
        recipient: &Recipient,
        due: Due,
        question: &Question,
        page: Option<&Secret>,
    ) -> Result<(), PortError> {
        let asked = self
            .mailer
            .ask(&chat::Question {
                record,
                recipient,
                again: matches!(due, Due::Reminder { .. }),
                link: &question.link,
                page,
                zone: &self.settings.zone.0,
                now: self.clock.now(),
            })
            .await;
        if let Some(error) = &asked.failed {
            untold(record, error);
        }
        if asked.place.is_none() || asked.place == recipient.chat {
            return Ok(());
        }
        let id = &recipient.id;
        let placed = |record: &Record, _| post::in_chat(record, id, asked.place.as_ref());
        self.write(record, placed).await
    }

    /// Writes what becomes of the record, of its newest version.
    pub(crate) async fn write(
        &self,
        record: &mut Record,
        change: impl Fn(&Record, Timestamp) -> Record + Send + Sync,
    ) -> Result<(), PortError> {
        for _ in 0..WRITES {
            let next = change(record, self.clock.now());
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
            what: format!("the record of what was sent for {}", record.request.id),
        })
    }

    /// The question, with a link and a code of its own; and the link's address, where it only opens the page.
    async fn ask(
        &self,
        record: &Record,
        recipient: &Recipient,
        due: Due,
        question: &Question,
    ) -> Result<(Mail, Option<Secret>), PortError> {
        let base = &self.settings.base;
        let until = record.request.expires_at;
        let links = self.links(record, recipient, question, until).await?;
        let occasion = match due {
            Due::Reminder { .. } => Occasion::Reminder,
            _ if recipient.renewals > 0 => Occasion::Renewed,
            _ if !record.asked_first(recipient) => Occasion::Escalated,
            _ => Occasion::First,
        };
        let mail = letter::compose(
            record,
            recipient,
            &self.settings,
            &links,
            &question.code,
            occasion,
            self.clock.now(),
        )?;
        let page = links
            .iter()
            .find(|(purpose, _)| *purpose == Purpose::Review);
        let page = page.map(|(_, token)| Secret::new(format!("{base}/a/{}", token.reveal())));
        Ok((mail, page))
    }

    /// The links of one mail, each for one purpose of the level.
    async fn links(
        &self,
        record: &Record,
        recipient: &Recipient,
        question: &Question,
        until: Timestamp,
    ) -> Result<Vec<(Purpose, Secret)>, PortError> {
        let claims = |purpose| Claims {
            purpose,
            approval: record.request.id.clone(),
            digest: record.request.link_digest(),
            recipient: recipient.id.clone(),
            link: question.link.clone(),
            issued_at: self.clock.now(),
            expires_at: until,
        };
        let mut links = Vec::new();
        for purpose in record.rule.level.purposes() {
            let unsigned = claims(*purpose).unsigned(&self.settings.kid, &self.settings.base);
            let signature = self.signer.sign(unsigned.to_sign()).await?;
            links.push((*purpose, unsigned.with_signature(&signature)));
        }
        Ok(links)
    }

    /// The mail to somebody who looks at a decision made alone.
    async fn ask_for_review(
        &self,
        record: &Record,
        recipient: &Recipient,
        question: &Question,
    ) -> Result<Mail, PortError> {
        let due = record.review.as_ref().map(|review| review.due_at);
        let due = due.unwrap_or(record.request.expires_at);
        let until = due.saturating_add(REVIEW_LINK).unwrap_or(Timestamp::MAX);
        let links = self.links(record, recipient, question, until).await?;
        let ask = links.first().map(|(_, token)| news::Ask {
            url: format!("{}/a/{}", self.settings.base, token.reveal()),
            code: (record.rule.level == Level::Code).then(|| question.code.reveal().to_owned()),
        });
        news::compose(record, recipient, &self.settings, ask.as_ref())
    }

    pub(crate) async fn reload(&self, record: &mut Record) -> Result<(), PortError> {
        let id = record.request.id.clone();
        let read = self.store.load(&id).await?;
        *record = read.ok_or_else(|| PortError::NotFound {
            what: format!("the approval {id}"),
        })?;
        Ok(())
    }
}

fn untold(record: &Record, error: &PortError) {
    let cause = std::error::Error::source(error).map(ToString::to_string);
    tracing::warn!(approval = %record.request.id, error = %error, cause, "an approver's chat was not told");
}
