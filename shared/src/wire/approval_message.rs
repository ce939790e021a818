//! What CodePipeline publishes when a manual approval action waits, inside an SNS message.

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use serde::Deserialize;

use super::{ShapeError, from_text};
use crate::{approval::request::Target, id::IdError, secret::Secret};

/// The message, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalMessage {
    /// Region of the pipeline.
    pub region: String,
    /// The action that waits.
    pub target: Target,
    /// What PutApprovalResult wants.
    pub token: Secret,
    /// When CodePipeline gives up.
    pub expires_at: Timestamp,
    /// `ExternalEntityLink` of the action.
    pub external_link: Option<String>,
    /// `CustomData` of the action.
    pub custom_data: Option<String>,
}

/// Why a message is not an approval message. Holds none of its values.
#[derive(Debug, thiserror::Error)]
pub enum MessageError {
    /// Not the JSON of AWS's documentation.
    #[error("the SNS message is not the JSON of an approval")]
    Json(#[source] ShapeError),
    /// A name is not one.
    #[error("the approval message has a bad name")]
    Name(#[from] IdError),
    /// `expires` is no time.
    #[error("the approval message has an `expires` that is not a UTC time")]
    Expires(#[source] jiff::Error),
    /// The token is not a UUID.
    #[error("the approval message has a token that is not a UUID")]
    Token,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    region: String,
    approval: WireApproval,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireApproval {
    pipeline_name: String,
    stage_name: String,
    action_name: String,
    token: Secret,
    expires: String,
    #[serde(default)]
    external_entity_link: Option<String>,
    #[serde(default)]
    custom_data: Option<String>,
}

impl ApprovalMessage {
    /// Parses the `Message` text of the SNS record.
    ///
    /// # Errors
    /// When it is not what CodePipeline publishes.
    pub fn parse(text: &str) -> Result<Self, MessageError> {
        let wire: Wire = from_text(text).map_err(MessageError::Json)?;
        let approval = wire.approval;
        let token = approval.token.reveal();
        if token.len() != 36 || !token.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-') {
            return Err(MessageError::Token);
        }
        Ok(Self {
            region: wire.region,
            target: Target {
                pipeline: approval.pipeline_name.parse()?,
                stage: approval.stage_name.parse()?,
                action: approval.action_name.parse()?,
            },
            token: approval.token,
            expires_at: utc(&approval.expires).map_err(MessageError::Expires)?,
            external_link: filled(approval.external_entity_link),
            custom_data: filled(approval.custom_data),
        })
    }
}

fn filled(text: Option<String>) -> Option<String> {
    text.filter(|t| !t.trim().is_empty())
}

/// `2016-07-07T20:22Z`: AWS leaves the seconds out, and RFC 3339 parsers refuse that.
fn utc(text: &str) -> Result<Timestamp, jiff::Error> {
    match text.parse::<Timestamp>() {
        Ok(at) => Ok(at),
        Err(error) => match text.strip_suffix('Z').map(str::parse::<DateTime>) {
            Some(Ok(civil)) => Ok(civil.to_zoned(TimeZone::UTC)?.timestamp()),
            _ => Err(error),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GUIDE: &str = include_str!("../../events/approval-message.json");

    #[test]
    fn the_guides_example_is_read() {
        let message = ApprovalMessage::parse(GUIDE).unwrap();
        assert_eq!(message.target.pipeline.as_str(), "MyFirstPipeline");
        assert_eq!(message.expires_at.to_string(), "2016-07-07T20:22:00Z");
        assert_eq!(message.external_link.as_deref(), Some("http://example.com"));
        assert!(!format!("{message:?}").contains("1a2b3c4d"));
    }

    #[test]
    fn variants_and_refusals() {
        let parse = |from: &str, to: &str| {
            assert!(GUIDE.contains(from), "{from}");
            ApprovalMessage::parse(&GUIDE.replace(from, to))
        };
        let seconds = parse("20:22Z", "20:22:30Z").unwrap();
        assert_eq!(seconds.expires_at.to_string(), "2016-07-07T20:22:30Z");
        assert_eq!(
            parse("\"http://example.com\"", "null")
                .unwrap()
                .external_link,
            None
        );
        assert!(matches!(
            parse("20:22Z", "soon"),
            Err(MessageError::Expires(_))
        ));
        assert!(matches!(
            parse("\"MyFirstPipeline\",", "\"a b\","),
            Err(MessageError::Name(_))
        ));
        assert!(matches!(
            parse("\"token\": \"1a2b", "\"token\": \"zzzz"),
            Err(MessageError::Token)
        ));
        assert!(matches!(
            ApprovalMessage::parse("hello"),
            Err(MessageError::Json(_))
        ));
    }
}
