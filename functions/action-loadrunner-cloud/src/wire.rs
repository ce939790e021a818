//! JSON as LoadRunner Cloud sends it. Numbers may come as texts, and as `N/A`.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// Answer of a login.
#[derive(Deserialize)]
pub struct Token {
    /// A bearer token, or the value of the cookie.
    pub token: String,
}

/// Answer of a start.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Begun {
    /// An integer.
    pub run_id: u64,
}

/// Answer of asking for a report.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    /// An integer.
    pub report_id: u64,
}

/// A message in place of what was asked for, as `In progress` of a report.
#[derive(Deserialize)]
pub struct Message {
    /// The text.
    #[serde(default)]
    pub message: String,
}

/// A run.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TestRun {
    /// As `RUNNING`.
    #[serde(default, alias = "detailedStatus")]
    pub ui_status: Option<String>,
    /// Whether it is over, results and all.
    #[serde(default)]
    pub is_terminated: bool,
    /// Whether reports can be made.
    #[serde(default)]
    pub has_report: bool,
}

/// How a run goes.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pace {
    /// Virtual users.
    #[serde(default, deserialize_with = "number")]
    pub running_vusers: Option<f64>,
    /// Transactions.
    #[serde(default, deserialize_with = "number")]
    pub passed_trx: Option<f64>,
    /// Transactions.
    #[serde(default, deserialize_with = "number")]
    pub failed_trx: Option<f64>,
}

/// A run's results.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Results {
    /// `HH:MM:SS`.
    #[serde(default)]
    pub duration: Option<String>,
    /// Transactions.
    #[serde(default, deserialize_with = "number")]
    pub total_transactions_passed: Option<f64>,
    /// Transactions.
    #[serde(default, deserialize_with = "number")]
    pub total_transactions_failed: Option<f64>,
    /// Errors of scripts.
    #[serde(default, deserialize_with = "number")]
    pub script_errors: Option<f64>,
    /// Which percentile is counted, as 90.
    #[serde(default, deserialize_with = "number")]
    pub percentile_value: Option<f64>,
    /// Virtual users.
    #[serde(default, deserialize_with = "number")]
    pub total_vusers: Option<f64>,
}

/// One transaction's results.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub struct Transaction {
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// Its response time at the percentile, in seconds: the vendor's plugin prints it as such.
    #[serde(default, rename = "percentileTRT", deserialize_with = "number")]
    pub percentile: Option<f64>,
}

/// A run that goes on.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ActiveRun {
    /// The run.
    pub run_id: u64,
    /// Its test.
    pub test_id: u64,
    /// Milliseconds.
    #[serde(default, deserialize_with = "number")]
    pub start_time: Option<f64>,
}

/// A number, or a text that is one; anything else is none.
fn number<'de, D: Deserializer<'de>>(from: D) -> Result<Option<f64>, D::Error> {
    Ok(match Value::deserialize(from)? {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
    .filter(|number| number.is_finite()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn results_of_the_vendors_plugin_are_read() {
        let results: Results = serde_json::from_value(json!({
            "dateTime": "06/22/2022 12:54 GMT", "status": "PASSED", "duration": "00:06:31", "delayDuration": null,
            "percentileValue": 90, "totalVusers": "2", "averageThroughput": "N/A/s", "totalHits": null,
            "totalTransactionsPassed": 5, "totalTransactionsFailed": "N/A", "scriptErrors": 0
        }))
        .unwrap();
        assert_eq!(results.total_transactions_passed, Some(5.0));
        assert_eq!(results.total_transactions_failed, None);
        assert_eq!(results.total_vusers, Some(2.0));
        let transaction: Transaction = serde_json::from_value(
            json!({"name": "Login", "slaThreshold": null, "percentileTRT": 10.037338018417358}),
        )
        .unwrap();
        assert_eq!(transaction.percentile, Some(10.037_338_018_417_358));
    }
}
