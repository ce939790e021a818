//! SNS topics: subscriptions, filter policies, delivery.

use std::{collections::BTreeMap, io, path::Path, sync::Arc};

use crate::{clock::Clock, config::Config, lambda::LambdaHost, mail::MailSink};

/// Clones share it.
#[derive(Clone, Default)]
pub struct Topics;

/// What deliveries need.
#[derive(Clone)]
pub struct TopicSettings {
    /// Account, region and configured topics.
    pub config: Arc<Config>,
    /// Timestamps and retry delays.
    pub clock: Clock,
    /// Lambda subscriptions.
    pub lambda: LambdaHost,
    /// E-mail subscriptions.
    pub mail: MailSink,
    /// Base of SubscribeURL and UnsubscribeURL.
    pub base_url: Arc<str>,
}

/// One message attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageAttribute {
    /// `String`, `Number`, `String.Array`, `Binary`.
    pub data_type: String,
    /// Its value (base64 for `Binary`).
    pub value: String,
}

/// One message to publish.
#[derive(Debug, Clone, Default)]
pub struct Message {
    /// At most 100 characters.
    pub subject: Option<String>,
    /// At most 256 KB.
    pub body: String,
    /// For filter policies and receivers.
    pub attributes: BTreeMap<String, MessageAttribute>,
}

/// A refused SNS request, with SNS's own code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct TopicError {
    /// `NotFound`, `InvalidParameter`, ….
    pub code: &'static str,
    /// SNS's sentence.
    pub message: String,
}

impl Topics {
    /// Opens the topics kept in `folder` and adds the configured ones.
    ///
    /// # Errors
    /// When the file of topics cannot be read or written.
    pub fn open(_folder: &Path, _settings: TopicSettings) -> io::Result<Self> {
        Ok(Self)
    }

    /// Publishes to every subscription of the topic and answers the message id; deliveries go on by themselves.
    ///
    /// # Errors
    /// `NotFound` for an unknown topic, `InvalidParameter` for a message outside SNS's limits.
    pub fn publish(&self, _topic_arn: &str, _message: Message) -> Result<String, TopicError> {
        Err(TopicError {
            code: "NotFound",
            message: "Topic does not exist".to_owned(),
        })
    }
}
