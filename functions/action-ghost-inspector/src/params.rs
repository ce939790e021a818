//! What the pipeline says about a run, parsed and checked.

use std::{collections::BTreeMap, time::Duration};

use serde::Deserialize;
use shared::{base_url::BaseUrl, secret::SecretRef};

/// Checked parameters.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Raw")]
pub struct Params {
    /// What is run.
    pub target: Target,
    /// The organisation's API key.
    pub api_key: SecretRef,
    /// What goes with the start, by the vendor's names; neither key nor mark.
    pub settings: Vec<(String, String)>,
    /// A callback for this execution; its address is a secret.
    pub webhook: Option<SecretRef>,
    /// Whether a screenshot that differs fails the action.
    pub screenshots_count: bool,
    /// How long the run may take, from the start of the action.
    pub patience: Duration,
    /// The API.
    pub base: BaseUrl,
}

/// What is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// All tests of a suite.
    Suite(String),
    /// One test.
    Test(String),
}

/// As written by the pipeline.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Raw {
    suite: Option<String>,
    test: Option<String>,
    api_key: SecretRef,
    start_url: Option<String>,
    browser: Option<String>,
    region: Option<String>,
    viewport: Option<String>,
    #[serde(default)]
    settings: BTreeMap<String, String>,
    #[serde(default)]
    fail_on_screenshots: bool,
    webhook: Option<SecretRef>,
    #[serde(default = "default_minutes")]
    timeout_minutes: u64,
    #[serde(default = "default_base")]
    base_url: String,
}

const fn default_minutes() -> u64 {
    30
}
fn default_base() -> String {
    BASE.to_owned()
}

/// The vendor's API.
pub const BASE: &str = "https://api.ghostinspector.com/v1";
/// CodePipeline ends a job's continuations after 24 hours.
pub const LONGEST_MINUTES: u64 = 24 * 60;
/// The variable that carries our own mark, by which a run is found again.
pub const MARK: &str = "cpJobId";
/// Settings that this action sends itself, or that would hide a secret in the pipeline's definition.
const OWN: [&str; 10] = [
    "apiKey",
    "immediate",
    MARK,
    "startUrl",
    "browser",
    "region",
    "viewport",
    "webhook",
    "dataFile",
    "httpAuthPassword",
];
const LONGEST_ID: usize = 64;
const LONGEST_TEXT: usize = 2_000;
const MOST_SETTINGS: usize = 100;

/// Why parameters were refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParamsError {
    /// Both or neither.
    #[error("give either suite or test, the id of what is to be run")]
    Target,
    /// An id of another shape.
    #[error("{0} must be an id of Ghost Inspector: 1 to 64 letters and digits")]
    Id(&'static str),
    /// An empty or overlong text.
    #[error("{0} must have 1 to 2000 characters")]
    Text(String),
    /// Not an address.
    #[error("startUrl must start with http:// or https://")]
    StartUrl,
    /// Not a size.
    #[error("viewport must be written as 1024x768")]
    Viewport,
    /// Too many.
    #[error("settings must be at most 100")]
    Settings,
    /// Sent by the action itself, or a secret.
    #[error(
        "settings cannot hold {0}: it is a parameter of its own, or nothing for a pipeline's definition"
    )]
    Own(String),
    /// A suite takes no callback.
    #[error(
        "webhook can be given with test only: a suite's webhooks are in its settings at Ghost Inspector"
    )]
    Webhook,
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
        let target = match (raw.suite, raw.test) {
            (Some(suite), None) => Target::Suite(id("suite", suite)?),
            (None, Some(test)) => Target::Test(id("test", test)?),
            _ => return Err(ParamsError::Target),
        };
        if raw.webhook.is_some() && matches!(target, Target::Suite(_)) {
            return Err(ParamsError::Webhook);
        }
        if let Some(url) = &raw.start_url
            && !url.starts_with("https://")
            && !url.starts_with("http://")
        {
            return Err(ParamsError::StartUrl);
        }
        if raw.viewport.as_deref().is_some_and(|text| !is_size(text)) {
            return Err(ParamsError::Viewport);
        }
        if raw.settings.len() > MOST_SETTINGS {
            return Err(ParamsError::Settings);
        }
        if let Some(own) = raw
            .settings
            .keys()
            .find(|name| OWN.contains(&name.as_str()))
        {
            return Err(ParamsError::Own(own.clone()));
        }
        if !(1..=LONGEST_MINUTES).contains(&raw.timeout_minutes) {
            return Err(ParamsError::Minutes);
        }
        let own = [
            ("startUrl", raw.start_url),
            ("browser", raw.browser),
            ("region", raw.region),
            ("viewport", raw.viewport),
        ];
        let own = own
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?)));
        Ok(Self {
            target,
            api_key: raw.api_key,
            settings: own
                .chain(raw.settings)
                .map(text)
                .collect::<Result<_, _>>()?,
            webhook: raw.webhook,
            screenshots_count: raw.fail_on_screenshots,
            patience: Duration::from_secs(raw.timeout_minutes * 60),
            base: raw.base_url.parse()?,
        })
    }
}

fn id(name: &'static str, text: String) -> Result<String, ParamsError> {
    let good =
        (1..=LONGEST_ID).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric());
    if good {
        Ok(text)
    } else {
        Err(ParamsError::Id(name))
    }
}

fn text((name, value): (String, String)) -> Result<(String, String), ParamsError> {
    let fits = |text: &str| (1..=LONGEST_TEXT).contains(&text.chars().count());
    match (fits(&name), fits(&value)) {
        (true, true) => Ok((name, value)),
        (false, _) => Err(ParamsError::Text("a name in settings".to_owned())),
        (true, false) => Err(ParamsError::Text(name)),
    }
}

fn is_size(text: &str) -> bool {
    let side =
        |side: &str| (2..=5).contains(&side.len()) && side.chars().all(|c| c.is_ascii_digit());
    text.split_once('x')
        .is_some_and(|(width, height)| side(width) && side(height))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(more: &Value) -> Result<Params, String> {
        let mut all = json!({"suite": "5f", "apiKey": "ssm:/gi"});
        for (name, value) in more.as_object().into_iter().flatten() {
            all[name] = value.clone();
        }
        serde_json::from_value(all).map_err(|error| error.to_string())
    }

    #[test]
    fn defaults_are_filled_in() {
        let params =
            read(&json!({"browser": "chrome", "settings": {"greeting": "hello"}})).unwrap();
        assert_eq!(params.target, Target::Suite("5f".to_owned()));
        assert_eq!(params.patience, Duration::from_secs(1_800));
        assert_eq!(params.base.as_str(), BASE);
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            params.settings,
            [pair("browser", "chrome"), pair("greeting", "hello")]
        );
    }

    #[test]
    fn what_is_wrong_is_named() {
        let long = "x".repeat(2_001);
        let many: BTreeMap<String, String> = (0..101)
            .map(|n| (format!("v{n}"), "x".to_owned()))
            .collect();
        for (more, want) in [
            (json!({"test": "6a"}), "give either suite or test"),
            (json!({"suite": null}), "give either suite or test"),
            (json!({"suite": "a/b"}), "suite must be an id"),
            (json!({"suite": "x".repeat(65)}), "suite must be an id"),
            (json!({"suite": 5}), "invalid type"),
            (json!({"apiKey": "planted"}), "a reference is needed"),
            (
                json!({"startUrl": "example.com"}),
                "startUrl must start with",
            ),
            (
                json!({"startUrl": format!("https://{long}")}),
                "startUrl must have 1 to 2000",
            ),
            (json!({"browser": ""}), "browser must have 1 to 2000"),
            (json!({"viewport": "big"}), "viewport must be written as"),
            (
                json!({"settings": {"apiKey": "planted"}}),
                "settings cannot hold apiKey",
            ),
            (
                json!({"settings": {"immediate": "0"}}),
                "settings cannot hold immediate",
            ),
            (json!({"settings": {"a": long}}), "a must have 1 to 2000"),
            (json!({"settings": many}), "settings must be at most 100"),
            (
                json!({"webhook": "ssm:/hook"}),
                "webhook can be given with test only",
            ),
            (
                json!({"timeoutMinutes": 0}),
                "timeoutMinutes must be from 1 to 1440",
            ),
            (json!({"baseUrl": "api"}), "baseUrl: an address like"),
            (json!({"failOnScreenshots": "maybe"}), "invalid type"),
        ] {
            let error = read(&more).unwrap_err();
            assert!(
                error.contains(want) && !error.contains("planted"),
                "{more}: {error}"
            );
        }
    }
}
