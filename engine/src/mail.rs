//! The mail sink: what SES and SNS e-mail deliver lands here.

use std::{io, path::Path};

use axum::Router;

use crate::{app::App, clock::Clock};

/// Clones share it.
#[derive(Clone, Default)]
pub struct MailSink;

/// One mail to deliver.
#[derive(Debug, Clone, Default)]
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

impl MailSink {
    /// Opens the folder of mails; `smtp` is `host:port` of a server they also go to.
    ///
    /// # Errors
    /// When the folder cannot be made or read.
    pub fn open(_folder: &Path, _smtp: Option<String>, _clock: Clock) -> io::Result<Self> {
        Ok(Self)
    }

    /// Stores a mail and answers its id.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn deliver(&self, _mail: Mail) -> io::Result<String> {
        Err(io::Error::other("the mail sink is not there yet"))
    }
}

/// `/_stagewright/mail…`; mount with `Router::merge`.
pub fn routes() -> Router<App> {
    Router::new()
}
