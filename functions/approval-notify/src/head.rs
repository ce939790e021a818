//! The weekly mail to auditors: where the audit chain stands.

use askama::Template;
use shared::{
    approval::{
        audit::weekly::WeeklyHead,
        port::{ApprovalStore, Chat, Entropy, LinkSigner, Mail, Mailer, PipelineReader},
    },
    port::{Clock, PortError},
    secret::Secret,
};

use crate::{Notify, NotifyError};

#[derive(Template)]
#[template(path = "head.txt")]
struct Text<'a> {
    head: &'a WeeklyHead,
}

#[derive(Template)]
#[template(path = "head.html")]
struct Html<'a> {
    head: &'a WeeklyHead,
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
    /// Mails it to everybody in `STAGEWRIGHT_AUDIT_MAIL`.
    ///
    /// # Errors
    /// When somebody could not be mailed, the others were; or nobody is to be.
    pub async fn mail_head(&self, head: &WeeklyHead) -> Result<(), NotifyError> {
        let to = &self.settings.audit_mail;
        if to.is_empty() {
            return Err(NotifyError::NoAuditor);
        }
        let (mut failed, mut first) = (0, None);
        for address in to {
            let sent = match self.letter(head, address.as_str()) {
                Ok(mail) => self.mailer.send(&mail).await,
                Err(error) => Err(error),
            };
            if let Err(error) = sent {
                failed += 1;
                first.get_or_insert(error);
            }
        }
        match first {
            Some(source) => Err(NotifyError::Head {
                failed,
                all: to.len(),
                source,
            }),
            None => Ok(()),
        }
    }

    fn letter(&self, head: &WeeklyHead, to: &str) -> Result<Mail, PortError> {
        let unwritten = |error: askama::Error| PortError::Invalid {
            what: "the mail about the audit chain".to_owned(),
            message: error.to_string(),
        };
        Ok(Mail {
            from: self.settings.mailing.from(),
            to: to.to_owned(),
            subject: format!("Audit chain of {}, {}", head.install, head.week),
            text: Secret::new(Text { head }.render().map_err(unwritten)?),
            html: Secret::new(Html { head }.render().map_err(unwritten)?),
            headers: vec![
                ("Auto-Submitted", "auto-generated".to_owned()),
                ("X-Auto-Response-Suppress", "All".to_owned()),
            ],
        })
    }
}
