//! How mails leave: through SES, which wants a sender, or through a topic, which has its own.

use super::{Address, chat, optionally};
use crate::config::{self, ConfigError, Source, Variable};

/// `From` of the mails.
pub(super) const SENDER: Variable = optionally(
    "STAGEWRIGHT_APPROVAL_SENDER",
    "mail address that approval mails come from, verified in SES; needed unless STAGEWRIGHT_APPROVAL_MAIL_TOPIC is set",
    super::NOTIFY,
);

/// How mails leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mailing {
    /// Through SES.
    Ses {
        /// `From`.
        from: Address,
    },
    /// Through this SNS topic.
    Topic(String),
}

impl Mailing {
    pub(super) fn read(source: &impl Source) -> Result<Self, ConfigError> {
        match chat::mail_topic(source)? {
            Some(topic) => Ok(Self::Topic(topic)),
            None => Ok(Self::Ses {
                from: config::parsed_required(source, &SENDER)?,
            }),
        }
    }

    /// `From`; a topic writes its own.
    pub fn from(&self) -> String {
        match self {
            Self::Ses { from } => from.to_string(),
            Self::Topic(_) => String::new(),
        }
    }

    /// The topic that mails go to in place of SES.
    pub fn topic(&self) -> Option<&str> {
        match self {
            Self::Ses { .. } => None,
            Self::Topic(arn) => Some(arn),
        }
    }
}
