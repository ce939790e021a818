//! Webhooks as the planner keeps them (`codepipeline.md` 8.4): who may call, what the call must say.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{action_type, definition::CustomActionType, hidden::Hidden};

/// `WebhookDefinition`, after the checks that need nothing but itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WebhookDefinition {
    pub name: String,
    pub target_pipeline: String,
    /// A source action.
    pub target_action: String,
    pub filters: Vec<WebhookFilter>,
    pub authentication: Authentication,
}

/// `WebhookFilterRule`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WebhookFilter {
    pub json_path: String,
    /// The value that the path must select, with `{ConfigKey}` placeholders; without it the path must select anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub match_equals: Option<String>,
}

/// `authentication` with what its kind needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all_fields = "camelCase")]
pub enum Authentication {
    /// GITHUB_HMAC: the body is signed with this secret.
    GithubHmac { secret_token: Hidden },
    /// IP: the caller's address is in this range (CIDR).
    Ip { allowed_ip_range: String },
    /// UNAUTHENTICATED: whoever knows the URL.
    Unauthenticated,
}

/// One webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Webhook {
    pub definition: WebhookDefinition,
    pub tags: BTreeMap<String, String>,
    /// The part of its URL that nobody can guess; made anew when a deleted webhook is created again.
    pub key: Hidden,
    /// The last delivery that started its pipeline.
    pub last_triggered: Option<Timestamp>,
    /// What keeps it from working, until a delivery succeeds.
    pub error: Option<WebhookError>,
}

/// `errorCode` and `errorMessage` of a webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WebhookError {
    /// A number, as an HTTP status.
    pub code: String,
    pub message: String,
}

/// A placeholder that stands for nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlaceholderError {
    /// No such key.
    #[error("the target action has no configuration key '{0}'")]
    Unknown(String),
    /// A caller could find out the secret by trying.
    #[error("the configuration key '{0}' of the target action is secret")]
    Secret(String),
}

/// Checks the placeholders of a `matchEquals` value against the target action.
///
/// # Errors
/// The first placeholder whose key is unknown or secret.
pub fn check_placeholders(
    text: &str,
    configuration: &BTreeMap<String, String>,
    custom: Option<&CustomActionType>,
) -> Result<(), PlaceholderError> {
    for part in parts(text) {
        if let Part::Key(key) = part {
            if !configuration.contains_key(key) {
                return Err(PlaceholderError::Unknown(key.to_owned()));
            }
            if action_type::is_secret(custom, key) {
                return Err(PlaceholderError::Secret(key.to_owned()));
            }
        }
    }
    Ok(())
}

/// The value that is expected, with the target action's configuration in place of the placeholders.
///
/// # Errors
/// A placeholder's key is gone from the configuration.
pub fn expected(
    text: &str,
    configuration: &BTreeMap<String, String>,
) -> Result<String, PlaceholderError> {
    parts(text)
        .map(|part| match part {
            Part::Text(text) => Ok(text),
            Part::Key(key) => configuration
                .get(key)
                .map(String::as_str)
                .ok_or_else(|| PlaceholderError::Unknown(key.to_owned())),
        })
        .collect()
}

enum Part<'a> {
    Text(&'a str),
    Key(&'a str),
}

/// `a{Key}b` in parts. Braces around anything but letters and digits are text, so that JSON may be expected.
fn parts(text: &str) -> impl Iterator<Item = Part<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        if let Some(key) = key_at_start(rest) {
            rest = &rest[key.len() + 2..];
            return Some(Part::Key(key));
        }
        let end = rest
            .char_indices()
            .skip(1)
            .find(|(at, _)| key_at_start(&rest[*at..]).is_some())
            .map_or(rest.len(), |(at, _)| at);
        let (text, after) = rest.split_at(end);
        rest = after;
        Some(Part::Text(text))
    })
}

fn key_at_start(text: &str) -> Option<&str> {
    let (key, _) = text.strip_prefix('{')?.split_once('}')?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
    (!key.is_empty() && key.chars().all(plain)).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_replaced_and_checked() {
        let configuration = BTreeMap::from([
            ("Branch".to_owned(), "main".to_owned()),
            ("OAuthToken".to_owned(), "PLANTED".to_owned()),
        ]);
        for (text, value) in [
            ("refs/heads/{Branch}", Ok("refs/heads/main")),
            ("{Branch}{Branch}", Ok("mainmain")),
            ("{\"a\":1} {} {Branch", Ok("{\"a\":1} {} {Branch")),
            ("ü{Branch}ü", Ok("ümainü")),
            ("{Brnch}", Err("Brnch")),
        ] {
            let value = value
                .map(str::to_owned)
                .map_err(|key| PlaceholderError::Unknown(key.to_owned()));
            assert_eq!(expected(text, &configuration), value, "{text}");
            let checked = check_placeholders(text, &configuration, None);
            assert_eq!(checked, value.map(drop), "{text}");
        }
        let secret = check_placeholders("{OAuthToken}", &configuration, None);
        assert_eq!(
            secret,
            Err(PlaceholderError::Secret("OAuthToken".to_owned()))
        );
    }
}
