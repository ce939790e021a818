//! What the pipeline says about API tests, parsed and checked, and the trigger's address out of its secret.

use std::{collections::BTreeMap, time::Duration};

use serde::Deserialize;
use shared::{
    base_url::BaseUrl,
    fault::{Fault, FaultKind},
    provider::pairs,
    secret::{Secret, SecretRef},
};

/// Checked parameters.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Raw")]
pub struct Params {
    /// The trigger's address or id: whoever knows it can start tests.
    pub trigger: SecretRef,
    /// The access token that reads results.
    pub token: SecretRef,
    /// The environment's id.
    pub environment: Option<String>,
    /// Initial variables.
    pub variables: BTreeMap<String, String>,
    /// The test's bucket and id, to find a run again.
    pub place: Option<(String, String)>,
    /// A callback for these runs only; its address is a secret.
    pub notification_url: Option<SecretRef>,
    /// How long the runs may take, from the start of the action.
    pub patience: Duration,
    /// The API.
    pub base: BaseUrl,
}

/// As written by the pipeline.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Raw {
    trigger: SecretRef,
    token: SecretRef,
    environment: Option<String>,
    #[serde(default)]
    variables: BTreeMap<String, String>,
    bucket: Option<String>,
    test: Option<String>,
    notification_url: Option<SecretRef>,
    #[serde(default = "default_minutes")]
    timeout_minutes: u64,
    #[serde(default = "default_base")]
    base_url: String,
}

const fn default_minutes() -> u64 {
    60
}
fn default_base() -> String {
    BASE.to_owned()
}

/// The API, unchanged since it was Runscope's.
pub const BASE: &str = "https://api.runscope.com";
/// CodePipeline ends a job's continuations after 24 hours.
pub const LONGEST_MINUTES: u64 = 24 * 60;
/// The initial variable that carries our own mark, by which runs are found again.
pub const MARK: &str = "cpJobId";
/// Names that begin so are the vendor's.
const RESERVED: &str = "runscope_";
const LONGEST_ID: usize = 64;
const LONGEST_TEXT: usize = 2_000;
const MOST_VARIABLES: usize = 100;

/// Why parameters were refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParamsError {
    /// An id of another shape.
    #[error("{0} must have 1 to 64 letters, digits and dashes")]
    Id(&'static str),
    /// One of the two is missing.
    #[error("give bucket and test together, or neither")]
    Place,
    /// Too many.
    #[error("variables must be at most 100")]
    Variables,
    /// The vendor's, or our own.
    #[error(
        "variables cannot hold {0}: names beginning with runscope_ are the vendor's, and cpJobId marks the run"
    )]
    Reserved(String),
    /// An overlong text, or a name that is none.
    #[error(
        "variables: {0} must have a name of 1 to 2000 characters and a value of at most as many"
    )]
    Text(String),
    /// Out of range.
    #[error("timeoutMinutes must be from 1 to {LONGEST_MINUTES}")]
    Minutes,
    /// Not an address.
    #[error("baseUrl: {0}")]
    Base(#[from] shared::base_url::BaseUrlError),
}

impl TryFrom<Raw> for Params {
    type Error = ParamsError;

    fn try_from(raw: Raw) -> Result<Self, ParamsError> {
        if raw.variables.len() > MOST_VARIABLES {
            return Err(ParamsError::Variables);
        }
        for (name, value) in &raw.variables {
            if name.starts_with(RESERVED) || name == MARK {
                return Err(ParamsError::Reserved(name.clone()));
            }
            let fits = |text: &str| text.chars().count() <= LONGEST_TEXT;
            if name.is_empty() || !fits(name) || !fits(value) {
                return Err(ParamsError::Text(name.chars().take(60).collect()));
            }
        }
        if !(1..=LONGEST_MINUTES).contains(&raw.timeout_minutes) {
            return Err(ParamsError::Minutes);
        }
        Ok(Self {
            trigger: raw.trigger,
            token: raw.token,
            environment: raw
                .environment
                .map(|text| id("environment", text))
                .transpose()?,
            variables: raw.variables,
            place: match (raw.bucket, raw.test) {
                (Some(bucket), Some(test)) => Some((id("bucket", bucket)?, id("test", test)?)),
                (None, None) => None,
                _ => return Err(ParamsError::Place),
            },
            notification_url: raw.notification_url,
            patience: Duration::from_secs(raw.timeout_minutes * 60),
            base: raw.base_url.parse()?,
        })
    }
}

fn id(name: &'static str, text: String) -> Result<String, ParamsError> {
    if is_id(&text) {
        Ok(text)
    } else {
        Err(ParamsError::Id(name))
    }
}

/// Ids are put into addresses and file names.
pub fn is_id(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-';
    (1..=LONGEST_ID).contains(&text.len()) && text.chars().all(allowed)
}

/// The trigger's address without a query, and that query's pairs. The secret holds the address as the vendor shows it
/// (`…/radar/ID/trigger`, `…/radar/bucket/ID/trigger`), or a test's trigger id alone.
///
/// # Errors
/// When it is neither; it is not shown.
pub fn trigger(base: &BaseUrl, secret: &Secret) -> Result<(String, Vec<(String, String)>), Fault> {
    let text = secret.reveal().trim();
    if is_id(text) {
        return Ok((format!("{base}/radar/{text}/trigger"), Vec::new()));
    }
    let (address, query) = text.split_once('?').unwrap_or((text, ""));
    let web = address.starts_with("https://") || address.starts_with("http://");
    let path = address.split_once("/radar/").map(|(_, path)| path);
    let id = path.and_then(|path| path.strip_suffix("/trigger"));
    let good = id.is_some_and(|id| is_id(id.strip_prefix("bucket/").unwrap_or(id)));
    if web && good && address.parse::<BaseUrl>().is_ok() {
        return Ok((address.to_owned(), pairs(query)));
    }
    Err(Fault::new(
        FaultKind::Configuration,
        "the secret that trigger names holds no trigger: put the test's or bucket's trigger URL in it, as \
         https://api.runscope.com/radar/…/trigger, or its id",
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(more: &Value) -> Result<Params, String> {
        let mut all = json!({"trigger": "ssm:/trigger", "token": "ssm:/token"});
        for (name, value) in more.as_object().into_iter().flatten() {
            all[name] = value.clone();
        }
        serde_json::from_value(all).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_wrong_is_named() {
        let params = read(&json!({"bucket": "b1", "test": "t-1"})).unwrap();
        assert_eq!(params.patience, Duration::from_secs(3_600));
        assert_eq!(params.place, Some(("b1".to_owned(), "t-1".to_owned())));
        let many: BTreeMap<String, String> = (0..101)
            .map(|n| (format!("v{n}"), "x".to_owned()))
            .collect();
        for (more, want) in [
            (
                json!({"trigger": "https://api.runscope.com/radar/planted/trigger"}),
                "a reference is needed",
            ),
            (json!({"token": "planted"}), "a reference is needed"),
            (json!({"token": null}), "invalid type"),
            (
                json!({"environment": "a b"}),
                "environment must have 1 to 64",
            ),
            (
                json!({"environment": "x".repeat(65)}),
                "environment must have 1 to 64",
            ),
            (json!({"environment": 7}), "invalid type"),
            (json!({"bucket": "b1"}), "give bucket and test together"),
            (
                json!({"bucket": "..", "test": "t"}),
                "bucket must have 1 to 64",
            ),
            (
                json!({"variables": {"runscope_environment": "e"}}),
                "variables cannot hold runscope_environment",
            ),
            (
                json!({"variables": {"cpJobId": "e"}}),
                "variables cannot hold cpJobId",
            ),
            (
                json!({"variables": {"": "e"}}),
                "must have a name of 1 to 2000",
            ),
            (
                json!({"variables": {"a": "x".repeat(2_001)}}),
                "variables: a must have",
            ),
            (json!({"variables": many}), "variables must be at most 100"),
            (
                json!({"timeoutMinutes": 0}),
                "timeoutMinutes must be from 1 to 1440",
            ),
            (json!({"baseUrl": "x"}), "baseUrl: an address like"),
        ] {
            let error = read(&more).unwrap_err();
            assert!(
                error.contains(want) && !error.contains("planted"),
                "{more}: {error}"
            );
        }
    }

    #[test]
    fn a_trigger_is_an_address_or_an_id() {
        let base: BaseUrl = BASE.parse().unwrap();
        let read = |text: &str| trigger(&base, &Secret::new(text.to_owned()));
        for (text, want) in [
            (
                "9b47981a-98fd",
                "https://api.runscope.com/radar/9b47981a-98fd/trigger",
            ),
            (
                "https://api.runscope.com/radar/9b/trigger\n",
                "https://api.runscope.com/radar/9b/trigger",
            ),
            (
                "https://api.runscope.com/radar/bucket/9b/trigger",
                "https://api.runscope.com/radar/bucket/9b/trigger",
            ),
        ] {
            assert_eq!(read(text).unwrap(), (want.to_owned(), Vec::new()));
        }
        let (_, query) = read("https://a/radar/9b/trigger?runscope_environment=e&a=b+c").unwrap();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(query, [pair("runscope_environment", "e"), pair("a", "b c")]);
        for bad in [
            "",
            "planted planted",
            "https://api.runscope.com/radar/planted",
            "https://api.runscope.com/radar/../trigger",
            "https://u:planted@a/radar/9b/trigger",
            "ftp://a/radar/planted/trigger",
        ] {
            let fault = read(bad).unwrap_err();
            assert!(!fault.public.contains("planted"), "{}", fault.public);
        }
    }
}
