//! Messages to SNS topics.

use std::sync::OnceLock;

use aws_sdk_sns::Client;
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

impl Topic for Sns {
    async fn publish(
        &self,
        topic_arn: &str,
        subject: &str,
        message: &str,
    ) -> Result<(), PortError> {
        let client = self
            .client
            .get_or_init(|| Client::new(&self.aws.config("SNS")));
        let subject: String = subject.chars().take(LONGEST_SUBJECT).collect();
        let request = client
            .publish()
            .topic_arn(topic_arn)
            .set_subject(Some(subject).filter(|text| !text.is_empty()))
            .message(message);
        let what = format!("publishing to {topic_arn}");
        self.aws.call(&what, request.send()).await.map(drop)
    }
}
