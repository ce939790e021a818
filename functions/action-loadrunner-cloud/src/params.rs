//! What the pipeline says about a load test, parsed and checked.

use std::time::Duration;

use serde::Deserialize;
use shared::{base_url::BaseUrl, secret::SecretRef};

/// Checked parameters.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Raw")]
pub struct Params {
    /// The tenant, in every call.
    pub tenant: String,
    /// The project's number.
    pub project: u64,
    /// The load test's number.
    pub test: u64,
    /// An API client's id, or the name of a user of an older tenant.
    pub client: String,
    /// The client's secret, or the user's password.
    pub secret: SecretRef,
    /// Whether the vendor mails its report.
    pub send_email: bool,
    /// Reports for the output artifact.
    pub reports: Vec<Report>,
    /// Our own threshold: of all transactions.
    pub max_failed_percent: Option<u64>,
    /// Our own threshold: of any transaction's percentile.
    pub max_percentile: Option<Duration>,
    /// How long the run may take, from the start of the action.
    pub patience: Duration,
    /// The service.
    pub base: BaseUrl,
}

/// Reports that the vendor makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Report {
    /// For people.
    Pdf,
    /// For people who edit.
    Docx,
    /// Transactions.
    Csv,
    /// Errors.
    ErrorCsv,
    /// Everything, as a zip.
    RawTransactions,
}

impl Report {
    /// As the vendor writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pdf => "pdf",
            Self::Docx => "docx",
            Self::Csv => "csv",
            Self::ErrorCsv => "error-csv",
            Self::RawTransactions => "raw-transactions",
        }
    }

    /// The file's ending in the artifact, as the vendor's runner has it.
    pub const fn ending(self) -> &'static str {
        match self {
            Self::ErrorCsv => "error.csv",
            Self::RawTransactions => "raw.zip",
            report => report.name(),
        }
    }
}

/// As written by the pipeline.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Raw {
    tenant: String,
    project: u64,
    test: u64,
    client_id: String,
    client_secret: SecretRef,
    #[serde(default)]
    send_email: bool,
    #[serde(default = "default_reports")]
    reports: Vec<Report>,
    max_failed_percent: Option<u64>,
    max_percentile_ms: Option<u64>,
    #[serde(default = "default_minutes")]
    timeout_minutes: u64,
    #[serde(default = "default_base")]
    base_url: String,
}

fn default_reports() -> Vec<Report> {
    vec![Report::Csv]
}
const fn default_minutes() -> u64 {
    240
}
fn default_base() -> String {
    BASE.to_owned()
}

/// The default of the vendor's tools; other data centres have other hosts.
pub const BASE: &str = "https://loadrunner-cloud.saas.microfocus.com";
/// CodePipeline ends a job's continuations after 24 hours.
pub const LONGEST_MINUTES: u64 = 24 * 60;
/// Ids are integers; a larger one is none.
pub const LARGEST_ID: u64 = i32::MAX as u64;
/// An hour: no transaction takes longer.
pub const LONGEST_PERCENTILE: u64 = 3_600_000;
const LONGEST_TEXT: usize = 200;

/// Why parameters were refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParamsError {
    /// An empty, overlong or unprintable text.
    #[error("{0} must have 1 to 200 characters, without control characters")]
    Text(&'static str),
    /// Out of range.
    #[error("{name} must be from {from} to {to}")]
    Range {
        /// Which.
        name: &'static str,
        /// Smallest.
        from: u64,
        /// Largest.
        to: u64,
    },
    /// Twice the same.
    #[error("reports names one twice")]
    Twice,
    /// Not an address.
    #[error("baseUrl: {0}")]
    Base(#[from] shared::base_url::BaseUrlError),
}

impl Params {
    /// Whether an API client logs in. Its id looks as the vendor's own tools take it: anything else is a user.
    pub fn is_client(&self) -> bool {
        self.client.starts_with("oauth2-")
    }
}

impl TryFrom<Raw> for Params {
    type Error = ParamsError;

    fn try_from(raw: Raw) -> Result<Self, ParamsError> {
        within("project", raw.project, 1, LARGEST_ID)?;
        within("test", raw.test, 1, LARGEST_ID)?;
        within(
            "maxFailedPercent",
            raw.max_failed_percent.unwrap_or(0),
            0,
            100,
        )?;
        within(
            "maxPercentileMs",
            raw.max_percentile_ms.unwrap_or(1),
            1,
            LONGEST_PERCENTILE,
        )?;
        within("timeoutMinutes", raw.timeout_minutes, 1, LONGEST_MINUTES)?;
        let mut reports = raw.reports.iter().enumerate();
        if reports.any(|(at, one)| raw.reports[..at].contains(one)) {
            return Err(ParamsError::Twice);
        }
        Ok(Self {
            tenant: text("tenant", raw.tenant)?,
            project: raw.project,
            test: raw.test,
            client: text("clientId", raw.client_id)?,
            secret: raw.client_secret,
            send_email: raw.send_email,
            reports: raw.reports,
            max_failed_percent: raw.max_failed_percent,
            max_percentile: raw.max_percentile_ms.map(Duration::from_millis),
            patience: Duration::from_secs(raw.timeout_minutes * 60),
            base: raw.base_url.parse()?,
        })
    }
}

fn text(name: &'static str, text: String) -> Result<String, ParamsError> {
    let good =
        (1..=LONGEST_TEXT).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    if good {
        Ok(text)
    } else {
        Err(ParamsError::Text(name))
    }
}

fn within(name: &'static str, value: u64, from: u64, to: u64) -> Result<(), ParamsError> {
    if (from..=to).contains(&value) {
        Ok(())
    } else {
        Err(ParamsError::Range { name, from, to })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(more: &Value) -> Result<Params, String> {
        let mut all = json!({"tenant": "652", "project": 1, "test": 17, "clientId": "oauth2-x@microfocus.com", "clientSecret": "ssm:/lrc"});
        for (name, value) in more.as_object().into_iter().flatten() {
            all[name] = value.clone();
        }
        serde_json::from_value(all).map_err(|error| error.to_string())
    }

    #[test]
    fn defaults_are_filled_in() {
        let params = read(&json!({})).unwrap();
        assert_eq!(params.reports, [Report::Csv]);
        assert_eq!(params.patience, Duration::from_secs(4 * 3_600));
        assert_eq!(params.base.as_str(), BASE);
        assert!(params.is_client());
        assert!(
            !read(&json!({"clientId": "old@example.com"}))
                .unwrap()
                .is_client()
        );
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (more, want) in [
            (json!({"clientSecret": null}), "invalid type"),
            (json!({"clientSecret": "planted"}), "a reference is needed"),
            (json!({"tenant": ""}), "tenant must have 1 to 200"),
            (
                json!({"tenant": "x".repeat(201)}),
                "tenant must have 1 to 200",
            ),
            (json!({"clientId": "a\nb"}), "clientId must have 1 to 200"),
            (json!({"tenant": 652}), "invalid type"),
            (
                json!({"project": 0}),
                "project must be from 1 to 2147483647",
            ),
            (
                json!({"test": 4_294_967_296_u64}),
                "test must be from 1 to 2147483647",
            ),
            (json!({"test": "17"}), "invalid type"),
            (
                json!({"maxFailedPercent": 101}),
                "maxFailedPercent must be from 0 to 100",
            ),
            (
                json!({"maxPercentileMs": 0}),
                "maxPercentileMs must be from 1",
            ),
            (json!({"reports": ["xls"]}), "unknown variant `xls`"),
            (
                json!({"reports": ["csv", "csv"]}),
                "reports names one twice",
            ),
            (
                json!({"timeoutMinutes": 1_441}),
                "timeoutMinutes must be from 1 to 1440",
            ),
            (
                json!({"baseUrl": "https://u:planted@a"}),
                "baseUrl: an address like",
            ),
        ] {
            let error = read(&more).unwrap_err();
            assert!(
                error.contains(want) && !error.contains("planted"),
                "{more}: {error}"
            );
        }
    }
}
