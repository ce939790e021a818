//! The mail sink: what SES and SNS e-mail deliver lands here, one file per mail, and optionally goes on to an SMTP server.

mod compose;
mod page;
mod parse;
mod smtp;

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

pub use self::page::routes;
use crate::{clock::Clock, vault::write_private};

/// All mails; clones share them.
#[derive(Clone)]
pub struct MailSink {
    inner: Arc<Inner>,
}

struct Inner {
    folder: PathBuf,
    smtp: Option<String>,
    clock: Clock,
    kept: Mutex<Vec<Arc<StoredMail>>>,
    count: watch::Sender<usize>,
}

/// One mail to deliver.
#[derive(Clone, Default)]
pub struct Mail {
    /// `From`.
    pub from: String,
    /// All recipients.
    pub to: Vec<String>,
    /// `Subject`.
    pub subject: String,
    /// `text/plain` body.
    pub text: Option<String>,
    /// `text/html` body.
    pub html: Option<String>,
}

/// One mail as it was kept. Bodies may hold links and codes: it has no `Debug` text of them.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredMail {
    /// Counts from 1; six digits.
    pub id: String,
    /// When it came.
    pub received: Timestamp,
    /// `From`.
    pub from: String,
    /// All recipients.
    pub to: Vec<String>,
    /// `Subject`.
    pub subject: String,
    /// `text/plain` body.
    pub text: Option<String>,
    /// `text/html` body.
    pub html: Option<String>,
}

impl MailSink {
    /// Opens the folder of mails; `smtp` is `host:port` of a server they also go to.
    ///
    /// # Errors
    /// When the folder cannot be made or read, or a file in it is not a mail.
    pub fn open(folder: &Path, smtp: Option<String>, clock: Clock) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let mut kept = Vec::new();
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.extension().is_none_or(|e| e != "json") {
                continue;
            }
            let mail: StoredMail = serde_json::from_slice(&fs::read(&path)?).map_err(|error| {
                let text = format!("{} is not a mail: {error}", path.display());
                io::Error::new(io::ErrorKind::InvalidData, text)
            })?;
            kept.push(Arc::new(mail));
        }
        kept.sort_by(|a, b| a.id.cmp(&b.id));
        let (count, _) = watch::channel(kept.len());
        Ok(Self {
            inner: Arc::new(Inner {
                folder: folder.to_owned(),
                smtp,
                clock,
                kept: Mutex::new(kept),
                count,
            }),
        })
    }

    /// Stores a mail and answers its id.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn deliver(&self, mail: Mail) -> io::Result<String> {
        let boundary = uuid::Uuid::new_v4().simple().to_string();
        self.store(mail, |mail| compose::compose(mail, &boundary).into_bytes())
    }

    /// Stores a mail that was composed elsewhere; sender and recipients of the envelope win over its headers.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn deliver_raw(
        &self,
        from: Option<String>,
        to: Vec<String>,
        raw: &[u8],
    ) -> io::Result<String> {
        let parsed = parse::parse(raw);
        let mail = Mail {
            from: from.unwrap_or(parsed.from),
            to: if to.is_empty() { parsed.to } else { to },
            subject: parsed.subject,
            text: parsed.text,
            html: parsed.html,
        };
        self.store(mail, |_| raw.to_vec())
    }

    /// All mails, newest first.
    pub fn list(&self) -> Vec<Arc<StoredMail>> {
        self.lock().iter().rev().cloned().collect()
    }

    /// One mail.
    pub fn get(&self, id: &str) -> Option<Arc<StoredMail>> {
        self.lock().iter().find(|mail| mail.id == id).cloned()
    }

    /// The mail as it went over the wire (RFC 5322).
    ///
    /// # Errors
    /// `NotFound`, and what reading the file says.
    pub fn raw(&self, id: &str) -> io::Result<Vec<u8>> {
        let mail = self.get(id).ok_or(io::ErrorKind::NotFound)?;
        fs::read(self.inner.folder.join(format!("{}.eml", mail.id)))
    }

    /// How many mails there are, and a signal when one comes.
    pub fn count(&self) -> watch::Receiver<usize> {
        self.inner.count.subscribe()
    }

    fn store(&self, mail: Mail, raw: impl FnOnce(&StoredMail) -> Vec<u8>) -> io::Result<String> {
        let mut kept = self.lock();
        let last = kept.last().and_then(|m| m.id.parse().ok()).unwrap_or(0_u32);
        let stored = StoredMail {
            id: format!("{:06}", last + 1),
            received: self.inner.clock.now(),
            from: compose::one_line(&mail.from),
            to: mail.to.iter().map(|to| compose::one_line(to)).collect(),
            subject: compose::one_line(&mail.subject),
            text: mail.text,
            html: mail.html,
        };
        let raw = raw(&stored);
        let file = |ending: &str| self.inner.folder.join(format!("{}.{ending}", stored.id));
        // A mail is there once its JSON is.
        write_private(&file("eml"), &raw)?;
        let json = serde_json::to_vec(&stored).map_err(io::Error::other)?;
        write_private(&file("json"), &json)?;
        let id = stored.id.clone();
        if let Some(server) = &self.inner.smtp {
            smtp::forward(server.clone(), &stored, raw);
        }
        kept.push(Arc::new(stored));
        let count = kept.len();
        drop(kept);
        self.inner.count.send_replace(count);
        Ok(id)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<StoredMail>>> {
        let kept = &self.inner.kept;
        kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for MailSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MailSink").finish_non_exhaustive()
    }
}

impl fmt::Debug for StoredMail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredMail")
            .field("id", &self.id)
            .field("to", &self.to)
            .field("subject", &self.subject)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mails_are_kept_in_order_and_survive_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let open = || MailSink::open(folder.path(), None, Clock::real()).unwrap();
        let sink = open();
        let mail = Mail {
            from: "pipelines@example.com".to_owned(),
            to: vec!["dana@example.com".to_owned()],
            subject: "Über\r\nBcc: x@example.com".to_owned(),
            text: Some("See https://example.com/ä\n.\nEnd".to_owned()),
            html: Some("<p>See</p>".to_owned()),
        };
        assert_eq!(sink.deliver(mail.clone()).unwrap(), "000001");
        let raw = sink.raw("000001").unwrap();
        assert!(
            !String::from_utf8(raw.clone()).unwrap().contains("\nBcc"),
            "no header is smuggled in"
        );
        assert_eq!(sink.deliver_raw(None, Vec::new(), &raw).unwrap(), "000002");
        let sink = open();
        let list = sink.list();
        assert_eq!(list.len(), 2);
        assert_eq!(list[0].id, "000002");
        assert_eq!(list[1].subject, "Über Bcc: x@example.com");
        let (sent, parsed) = (&list[1], &list[0]);
        assert_eq!(
            (&parsed.from, &parsed.to, &parsed.subject),
            (&sent.from, &sent.to, &sent.subject)
        );
        assert_eq!(
            parsed.text.as_ref().unwrap().replace("\r\n", "\n"),
            mail.text.unwrap()
        );
        assert_eq!(parsed.html, mail.html);
        assert_eq!(*sink.count().borrow(), 2);
        assert!(sink.raw("../000001").is_err());
    }
}
