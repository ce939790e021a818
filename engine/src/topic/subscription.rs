//! A message and who wants it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::filter;

/// One message attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageAttribute {
    /// `String`, `Number`, `String.Array`, `Binary`.
    pub data_type: String,
    /// Its value (base64 for `Binary`).
    pub value: String,
}

/// One message to publish. Bodies may hold approval tokens: it has no `Debug` text of them.
#[derive(Clone, Default)]
pub struct Message {
    /// At most 100 characters.
    pub subject: Option<String>,
    /// At most 256 KB.
    pub body: String,
    /// Other bodies by protocol (`MessageStructure: json`).
    pub by_protocol: BTreeMap<String, String>,
    /// For filter policies and receivers.
    pub attributes: BTreeMap<String, MessageAttribute>,
}

/// One subscription.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    /// `TOPIC-ARN:UUID`.
    pub arn: String,
    /// The topic's ARN.
    pub topic: String,
    /// `lambda`, `http`, `https`, `email`, `email-json`.
    pub protocol: String,
    /// Function name or ARN, URL, address.
    pub endpoint: String,
    /// `RawMessageDelivery`, `FilterPolicy`, `FilterPolicyScope`.
    pub attributes: BTreeMap<String, String>,
    /// Set until the receiver has confirmed.
    pub(super) token: Option<String>,
    /// Comes from `stagewright.toml` and goes with it.
    pub(super) configured: bool,
}

impl Subscription {
    /// A confirmed one without attributes.
    pub(super) fn new(topic: &str, protocol: &str, endpoint: &str) -> Self {
        Self {
            arn: format!("{topic}:{}", uuid::Uuid::new_v4()),
            topic: topic.to_owned(),
            protocol: protocol.to_owned(),
            endpoint: endpoint.to_owned(),
            attributes: BTreeMap::new(),
            token: None,
            configured: false,
        }
    }

    /// Whether the receiver has not confirmed yet.
    pub const fn is_pending(&self) -> bool {
        self.token.is_some()
    }

    fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).map(String::as_str)
    }

    pub(super) fn is_raw(&self) -> bool {
        self.attribute("RawMessageDelivery") == Some("true")
    }

    /// Whether its filter policy lets a message through.
    pub fn wants(&self, message: &Message) -> bool {
        let Some(policy) = self.attribute("FilterPolicy") else {
            return true;
        };
        let by_body = self.attribute("FilterPolicyScope") == Some("MessageBody");
        filter::compile(policy, by_body).is_ok_and(|filter| {
            if by_body {
                filter.wants_body(&message.body)
            } else {
                filter.wants_attributes(&message.attributes)
            }
        })
    }
}
