//! Requests to Device Farm, and what is read of its answers.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shared::port::Service;

use crate::params::{Devices, Params, Part};

/// Device Farm, which is in one region only.
pub const DEVICE_FARM: Service = Service {
    region: Some("us-west-2"),
    ..Service::json11("DEVICE_FARM", "devicefarm", "DeviceFarm_20150623")
};
/// What uploads are sent as; it is part of their address's signature.
pub const CONTENT_TYPE: &str = "application/octet-stream";

/// Answer of `CreateUpload` and `GetUpload`.
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct Uploads {
    /// The upload.
    pub upload: Upload,
}

/// An upload. Its address is a secret: it carries a signature.
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct Upload {
    /// Its ARN.
    pub arn: String,
    /// `INITIALIZED`, `PROCESSING`, `SUCCEEDED`, `FAILED`.
    #[serde(default)]
    pub status: String,
    /// Where the bytes go.
    #[serde(default)]
    pub url: Option<String>,
    /// Why it failed.
    #[serde(default)]
    pub message: Option<String>,
    /// Why it failed, as JSON text with `errorMessage`.
    #[serde(default)]
    pub metadata: Option<String>,
}

/// Answer of `ScheduleRun` and `GetRun`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Runs {
    /// The run.
    pub run: Run,
}

/// Answer of `ListRuns`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Listed {
    /// Of one page.
    #[serde(default)]
    pub runs: Vec<Run>,
    /// Of the next.
    #[serde(default)]
    pub next_token: Option<String>,
}

/// A run, as far as it matters here.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Run {
    /// Its ARN.
    pub arn: String,
    /// Our mark, of our own.
    pub name: String,
    /// `COMPLETED` is the only end.
    pub status: String,
    /// `PENDING` until then.
    pub result: String,
    /// Why it was skipped.
    pub result_code: Option<String>,
    /// In words.
    pub message: Option<String>,
    /// Of tests.
    pub counters: Option<Counters>,
    /// Devices.
    pub total_jobs: Option<u64>,
    /// Devices that are ready.
    pub completed_jobs: Option<u64>,
    /// What is paid for.
    pub device_minutes: Option<Minutes>,
    /// The run's page in the console.
    pub web_url: Option<String>,
}

/// Tests by result.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
#[expect(missing_docs, reason = "results' own names")]
pub struct Counters {
    pub total: u64,
    pub passed: u64,
    pub failed: u64,
    pub warned: u64,
    pub errored: u64,
    pub stopped: u64,
    pub skipped: u64,
}

/// Minutes on devices.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct Minutes {
    /// In all.
    pub total: f64,
}

/// Answer of `ListArtifacts`.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Artifacts {
    /// Of one page.
    #[serde(default)]
    pub artifacts: Vec<Artifact>,
    /// Of the next.
    #[serde(default)]
    pub next_token: Option<String>,
}

/// A file that a run left; its address opens it for a time.
#[derive(Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
#[derive(Default)]
pub struct Artifact {
    /// Its name.
    pub name: String,
    /// As `VIDEO`.
    #[serde(rename = "type")]
    pub kind: String,
    /// As `mp4`.
    pub extension: String,
    /// Where it is, for a time.
    pub url: String,
}

/// The request that starts a run; `part` answers an upload's ARN.
pub fn schedule(params: &Params, name: &str, part: impl Fn(Part) -> Option<String>) -> Value {
    let mut test = json!({ "type": params.test_type });
    let mut body = json!({
        "projectArn": params.project, "name": name, "executionConfiguration": params.execution
    });
    match &params.devices {
        Devices::Pool(pool) => body["devicePoolArn"] = pool.as_str().into(),
        Devices::Selection(chosen) => body["deviceSelectionConfiguration"] = chosen.clone(),
    }
    if let Some(arn) = part(Part::App) {
        body["appArn"] = arn.into();
    }
    if let Some(arn) = part(Part::TestPackage) {
        test["testPackageArn"] = arn.into();
    }
    if let Some(arn) = part(Part::TestSpec) {
        test["testSpecArn"] = arn.into();
    }
    if let Some(filter) = &params.filter {
        test["filter"] = filter.as_str().into();
    }
    if !params.test_parameters.is_empty() {
        test["parameters"] = json!(params.test_parameters);
    }
    body["test"] = test;
    let mut configuration = params.configuration.clone();
    if let Some(arn) = part(Part::ExtraData) {
        configuration["extraDataPackageArn"] = arn.into();
    }
    if configuration.as_object().is_some_and(|map| !map.is_empty()) {
        body["configuration"] = configuration;
    }
    body
}

/// The run's page in the console, by its ARN: `…:run:PROJECT/RUN`.
pub fn link(run: &str) -> Option<String> {
    let (_, rest) = run.split_once(":run:")?;
    let (project, run) = rest.split_once('/')?;
    Some(format!(
        "https://us-west-2.console.aws.amazon.com/devicefarm/home?region=us-west-2#/mobile/projects/{project}/runs/{run}"
    ))
}
