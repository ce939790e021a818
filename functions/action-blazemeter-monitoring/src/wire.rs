//! JSON as BlazeMeter API Monitoring, once Runscope, sends it.

use serde::Deserialize;
use serde_json::{Map, Value};

/// What wraps every answer.
#[derive(Deserialize)]
pub struct Envelope<V> {
    /// What was asked for.
    pub data: V,
}

/// Answer of a trigger. The variables it also holds may be secrets and are not read.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Triggered {
    /// One for each test, environment and region.
    pub runs: Vec<Begun>,
    /// Runs that could not be started.
    #[serde(default)]
    pub runs_failed: u64,
}

/// A run that was started.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Begun {
    /// The bucket.
    pub bucket_key: String,
    /// The test.
    pub test_id: String,
    /// The run.
    pub test_run_id: String,
}

/// One run's result.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub struct TestResult {
    /// `queued`, `working`, `pass`, `fail`, `canceled`.
    #[serde(default)]
    pub result: Option<String>,
    /// The run.
    #[serde(default)]
    pub test_run_id: Option<String>,
    /// Unix seconds.
    #[serde(default)]
    pub started_at: Option<f64>,
    /// Unix seconds.
    #[serde(default)]
    pub finished_at: Option<f64>,
    /// How many.
    #[serde(default)]
    pub assertions_defined: Option<u64>,
    /// How many.
    #[serde(default)]
    pub assertions_failed: Option<u64>,
    /// How many.
    #[serde(default)]
    pub assertions_passed: Option<u64>,
    /// How many.
    #[serde(default)]
    pub requests_executed: Option<u64>,
    /// Where it ran.
    #[serde(default)]
    pub region: Option<String>,
    /// What it was given. Documented for callbacks; looked for here as well.
    #[serde(default)]
    pub initial_variables: Option<Map<String, Value>>,
}
