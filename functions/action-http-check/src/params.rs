//! What the pipeline says about a check, parsed and checked.

use std::time::Duration;

use serde::Deserialize;
use shared::page_url::{PageUrl, PageUrlError};

/// Checked parameters.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Raw")]
pub struct Params {
    /// The page.
    pub url: PageUrl,
    /// The status that counts as good.
    pub expect_status: u16,
    /// A text the page must hold.
    pub expect_text: Option<String>,
    /// A file of the input artifact that the page must equal, byte for byte.
    pub match_artifact_file: Option<String>,
    /// How long the site may take to come up, counted from the action's start.
    pub patience: Duration,
    /// How long one answer may take.
    pub attempt: Duration,
}

/// As written in `UserParameters`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Raw {
    url: String,
    #[serde(default = "default_status")]
    expect_status: u16,
    expect_text: Option<String>,
    match_artifact_file: Option<String>,
    #[serde(default = "default_patience")]
    timeout_seconds: u64,
    #[serde(default = "default_attempt")]
    attempt_timeout_seconds: u64,
}

const fn default_status() -> u16 {
    200
}
const fn default_patience() -> u64 {
    600
}
const fn default_attempt() -> u64 {
    10
}

/// CodePipeline ends a job's continuations after 24 hours.
pub const LONGEST_PATIENCE: u64 = 24 * 60 * 60;
/// One attempt must leave a step time to report.
pub const LONGEST_ATTEMPT: u64 = 60;

/// Why parameters were refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParamsError {
    /// The address.
    #[error("url {0}")]
    Url(&'static str),
    /// A number out of its range.
    #[error("{name} must be from {from} to {to}")]
    Range {
        /// Which.
        name: &'static str,
        /// Smallest.
        from: u64,
        /// Largest.
        to: u64,
    },
    /// A text that says nothing.
    #[error("{0} is empty: leave it out, or say what to look for")]
    Empty(&'static str),
}

impl TryFrom<Raw> for Params {
    type Error = ParamsError;

    fn try_from(raw: Raw) -> Result<Self, ParamsError> {
        within("expectStatus", raw.expect_status.into(), 100, 599)?;
        within("timeoutSeconds", raw.timeout_seconds, 0, LONGEST_PATIENCE)?;
        within(
            "attemptTimeoutSeconds",
            raw.attempt_timeout_seconds,
            1,
            LONGEST_ATTEMPT,
        )?;
        Ok(Self {
            url: raw
                .url
                .parse()
                .map_err(|PageUrlError(problem)| ParamsError::Url(problem))?,
            expect_status: raw.expect_status,
            expect_text: filled("expectText", raw.expect_text)?,
            match_artifact_file: filled("matchArtifactFile", raw.match_artifact_file)?,
            patience: Duration::from_secs(raw.timeout_seconds),
            attempt: Duration::from_secs(raw.attempt_timeout_seconds),
        })
    }
}

fn within(name: &'static str, value: u64, from: u64, to: u64) -> Result<(), ParamsError> {
    if (from..=to).contains(&value) {
        Ok(())
    } else {
        Err(ParamsError::Range { name, from, to })
    }
}

fn filled(name: &'static str, text: Option<String>) -> Result<Option<String>, ParamsError> {
    match text {
        Some(text) if text.is_empty() => Err(ParamsError::Empty(name)),
        text => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Params, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn defaults_are_filled_in() {
        let params = parse(r#"{"url":"https://example.com/a?token=planted"}"#).unwrap();
        assert_eq!(params.expect_status, 200);
        assert_eq!(params.patience, Duration::from_secs(600));
        assert_eq!(params.attempt, Duration::from_secs(10));
        assert_eq!(params.url.as_str(), "https://example.com/a?token=planted");
        assert!(!format!("{params:?}").contains("planted"));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, want) in [
            (r#"{}"#, "missing field `url`"),
            (r#"{"url":"http://a/","ur":1}"#, "unknown field `ur`"),
            (
                r#"{"url":"ftp://a/"}"#,
                "url must start with http:// or https://",
            ),
            (r#"{"url":"http:///a"}"#, "url names no host"),
            (
                r#"{"url":"http://u:p@a/"}"#,
                "url holds a user name or password",
            ),
            (r#"{"url":"http://a b/"}"#, "url holds a space"),
            (
                r#"{"url":"http://a/","expectStatus":20}"#,
                "expectStatus must be from 100 to 599",
            ),
            (
                r#"{"url":"http://a/","attemptTimeoutSeconds":0}"#,
                "attemptTimeoutSeconds must be from 1 to 60",
            ),
            (
                r#"{"url":"http://a/","expectText":""}"#,
                "expectText is empty",
            ),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(want), "{text}: {error}");
        }
    }
}
