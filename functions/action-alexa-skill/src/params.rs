//! What the pipeline says about an import, parsed and checked.

use std::time::Duration;

use serde::Deserialize;
use shared::{base_url::BaseUrl, secret::SecretRef};

/// Checked parameters.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Raw")]
pub struct Params {
    /// The skill.
    pub skill: String,
    /// Of the security profile.
    pub client_id: String,
    /// Of the security profile.
    pub client_secret: SecretRef,
    /// For access tokens.
    pub refresh_token: SecretRef,
    /// Whether changes made elsewhere since the last import may be lost.
    pub overwrite: bool,
    /// Whether the skill is submitted for certification.
    pub certify: bool,
    /// How long the import may take, from the start of the action.
    pub patience: Duration,
    /// The API.
    pub base: BaseUrl,
    /// Login with Amazon.
    pub token_url: BaseUrl,
}

/// As written by the pipeline.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Raw {
    skill_id: String,
    client_id: String,
    client_secret: SecretRef,
    refresh_token: SecretRef,
    #[serde(default)]
    overwrite: bool,
    #[serde(default)]
    certify: bool,
    #[serde(default = "default_minutes")]
    timeout_minutes: u64,
    #[serde(default = "default_base")]
    base_url: String,
    #[serde(default = "default_token_url")]
    token_url: String,
}

const fn default_minutes() -> u64 {
    60
}
fn default_base() -> String {
    BASE.to_owned()
}
fn default_token_url() -> String {
    TOKEN_URL.to_owned()
}

/// The vendor's API.
pub const BASE: &str = "https://api.amazonalexa.com";
/// Login with Amazon.
pub const TOKEN_URL: &str = "https://api.amazon.com/auth/o2/token";
/// CodePipeline ends a job's continuations after 24 hours.
pub const LONGEST_MINUTES: u64 = 24 * 60;
const SKILL: &str = "amzn1.ask.skill.";
const LONGEST_ID: usize = 200;

/// Why parameters were refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParamsError {
    /// Not a skill.
    #[error("skillId must be written as amzn1.ask.skill.01234567-…")]
    Skill,
    /// Not a client.
    #[error("clientId must be 1 to 200 letters, digits, dots, dashes or underscores")]
    Client,
    /// Out of range.
    #[error("timeoutMinutes must be from 1 to {LONGEST_MINUTES}")]
    Minutes,
    /// Not an address.
    #[error("{0}: {1}")]
    Address(&'static str, shared::base_url::BaseUrlError),
}

impl TryFrom<Raw> for Params {
    type Error = ParamsError;

    fn try_from(raw: Raw) -> Result<Self, ParamsError> {
        let word = |text: &str| {
            let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
            (1..=LONGEST_ID).contains(&text.len()) && text.chars().all(allowed)
        };
        let rest = raw.skill_id.strip_prefix(SKILL);
        if !rest.is_some_and(word) || raw.skill_id.contains("..") {
            return Err(ParamsError::Skill);
        }
        if !word(&raw.client_id) {
            return Err(ParamsError::Client);
        }
        if !(1..=LONGEST_MINUTES).contains(&raw.timeout_minutes) {
            return Err(ParamsError::Minutes);
        }
        let address = |name: &'static str, text: &str| {
            text.parse().map_err(|why| ParamsError::Address(name, why))
        };
        Ok(Self {
            skill: raw.skill_id,
            client_id: raw.client_id,
            client_secret: raw.client_secret,
            refresh_token: raw.refresh_token,
            overwrite: raw.overwrite,
            certify: raw.certify,
            patience: Duration::from_secs(raw.timeout_minutes * 60),
            base: address("baseUrl", &raw.base_url)?,
            token_url: address("tokenUrl", &raw.token_url)?,
        })
    }
}
