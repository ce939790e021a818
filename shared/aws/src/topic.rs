//! Messages to SNS topics.

use std::sync::OnceLock;

use aws_sdk_sns::{Client, types::MessageAttributeValue};
use shared::port::{PortError, Topic};

use crate::sdk::Aws;

/// Publishes with the function's own role.
#[derive(Debug)]
pub struct Sns {
    aws: Aws,
    client: OnceLock<Client>,
}

/// SNS refuses longer subjects.
const LONGEST_SUBJECT: usize = 100;

impl Sns {
    /// Makes no client yet.
    pub fn new(aws: &Aws) -> Self {
        Self {
            aws: aws.clone(),
            client: OnceLock::new(),
        }
    }
}

impl Sns {
    /// Publishes to the subscriptions whose filter policies want this attribute, a string.
    pub(crate) async fn publish_to(
        &self,
        topic_arn: &str,
        subject: &str,
        message: &str,
        (name, value): (&str, &str),
    ) -> Result<(), PortError> {
        let what = format!("publishing to {topic_arn}");
        let attribute = MessageAttributeValue::builder()
            .data_type("String")
            .string_value(value)
            .build()
            .map_err(|error| PortError::Invalid {
                what: what.clone(),
                message: error.to_string(),
            })?;
        let request = self
            .client()
            .publish()
            .topic_arn(topic_arn)
            .subject(subject.trim())
            .message(message)
            .message_attributes(name, attribute);
        self.aws.call(&what, request.send()).await.map(drop)
    }

    fn client(&self) -> &Client {
        self.client
            .get_or_init(|| Client::new(&self.aws.config("SNS")))
    }
}

impl Topic for Sns {
    async fn publish(
        &self,
        topic_arn: &str,
        subject: &str,
        message: &str,
    ) -> Result<(), PortError> {
        let subject: String = subject.chars().take(LONGEST_SUBJECT).collect();
        let request = self
            .client()
            .publish()
            .topic_arn(topic_arn)
            .set_subject(Some(subject).filter(|text| !text.is_empty()))
            .message(message);
        let what = format!("publishing to {topic_arn}");
        self.aws.call(&what, request.send()).await.map(drop)
    }
}
