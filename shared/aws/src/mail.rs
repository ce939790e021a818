//! Mail through SES, or through an SNS topic with a filtered subscription for each approver.

use std::sync::OnceLock;

use aws_sdk_sesv2::{
    Client,
    error::BuildError,
    types::{
        Body, ConfigurationOverrides, Content, Destination, EmailContent, FeatureStatus, Message,
        MessageHeader, TrackingConfigurationOverrides,
    },
};
use shared::{
    approval::port::{Mail, Mailer},
    port::PortError,
};

use crate::{sdk::Aws, topic::Sns};

/// `ses:SendEmail` with structured content: SES builds the message, so that no text of ours can add a header.
#[derive(Debug)]
pub struct SesMailer {
    aws: Aws,
    client: OnceLock<Client>,
}

impl SesMailer {
    /// Makes no client yet.
    pub fn new(aws: &Aws) -> Self {
        Self {
            aws: aws.clone(),
            client: OnceLock::new(),
        }
    }
}

impl Mailer for SesMailer {
    async fn send(&self, mail: &Mail) -> Result<(), PortError> {
        let what = "sending an approval mail";
        let client = self
            .client
            .get_or_init(|| Client::new(&self.aws.config("SESV2")));
        let content = content(mail).map_err(|error| PortError::Invalid {
            what: what.to_owned(),
            message: error.to_string(),
        })?;
        let request = client
            .send_email()
            .from_email_address(&mail.from)
            .destination(Destination::builder().to_addresses(&mail.to).build())
            .content(content)
            .configuration_overrides(untracked());
        self.aws.call(what, request.send()).await.map(drop)
    }
}

fn content(mail: &Mail) -> Result<EmailContent, BuildError> {
    let part = |text: &str| Content::builder().data(text).charset("UTF-8").build();
    let body = Body::builder()
        .text(part(mail.text.reveal())?)
        .html(part(mail.html.reveal())?)
        .build();
    let headers = mail
        .headers
        .iter()
        .map(|(name, value)| MessageHeader::builder().name(*name).value(value).build())
        .collect::<Result<Vec<_>, _>>()?;
    let message = Message::builder()
        .subject(part(&mail.subject)?)
        .body(body)
        .set_headers(Some(headers))
        .build();
    Ok(EmailContent::builder().simple(message).build())
}

/// Click tracking would rewrite the link and keep it elsewhere.
fn untracked() -> ConfigurationOverrides {
    let tracking = TrackingConfigurationOverrides::builder()
        .open_tracking_enabled(FeatureStatus::Disabled)
        .click_tracking_enabled(FeatureStatus::Disabled)
        .build();
    ConfigurationOverrides::builder().tracking(tracking).build()
}

/// SNS takes subjects of at most 99 ASCII characters.
const LONGEST_SUBJECT: usize = 99;

/// The way mails go.
#[derive(Debug)]
pub enum Mails {
    /// SES.
    Ses(SesMailer),
    /// `sns:Publish`: text alone, to the subscription whose filter policy wants this `recipient`.
    Sns {
        /// SNS.
        sns: Sns,
        /// The topic.
        topic: String,
    },
}

impl Mails {
    /// Through this topic, or else SES. Makes no client yet.
    pub fn new(aws: &Aws, topic: Option<&str>) -> Self {
        match topic {
            Some(topic) => Self::Sns {
                sns: Sns::new(aws),
                topic: topic.to_owned(),
            },
            None => Self::Ses(SesMailer::new(aws)),
        }
    }
}

impl Mailer for Mails {
    async fn send(&self, mail: &Mail) -> Result<(), PortError> {
        match self {
            Self::Ses(ses) => ses.send(mail).await,
            Self::Sns { sns, topic } => {
                let plain = |c: char| if c.is_ascii_graphic() { c } else { ' ' };
                let subject = mail.subject.chars().map(plain);
                let subject: String = subject.take(LONGEST_SUBJECT).collect();
                let recipient = ("recipient", mail.to.as_str());
                let text = mail.text.reveal();
                sns.publish_to(topic, &subject, text, recipient).await
            }
        }
    }
}
