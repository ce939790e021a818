//! Jenkins' answers, as far as they are looked at. Everything may be absent.

use serde::{Deserialize, Deserializer};

/// `…/job/X/api/json`.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct About {
    #[serde(rename = "_class", default, deserialize_with = "nullable")]
    pub class: String,
    /// Absent of folders and multibranch projects.
    pub buildable: Option<bool>,
    #[serde(default, deserialize_with = "nullable")]
    pub property: Vec<Property>,
    #[serde(default, deserialize_with = "nullable")]
    pub builds: Vec<Build>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub struct Property {
    #[serde(rename = "parameterDefinitions")]
    pub definitions: Option<Vec<Named>>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub struct Named {
    #[serde(default, deserialize_with = "nullable")]
    pub name: String,
}

/// `/queue/api/json`.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Queue {
    #[serde(default, deserialize_with = "nullable")]
    pub items: Vec<Item>,
}

/// `/queue/item/N/api/json`.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Item {
    pub id: u64,
    pub why: Option<String>,
    pub cancelled: Option<bool>,
    pub executable: Option<Executable>,
    #[serde(rename = "_class", default, deserialize_with = "nullable")]
    pub class: String,
    #[serde(default, deserialize_with = "nullable")]
    pub actions: Vec<Action>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Executable {
    pub number: Option<u64>,
}

/// `…/N/api/json`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Build {
    #[serde(rename = "_class", default, deserialize_with = "nullable")]
    pub class: String,
    pub number: u64,
    pub queue_id: Option<u64>,
    pub building: Option<bool>,
    pub in_progress: Option<bool>,
    pub result: Option<String>,
    /// Milliseconds; 0 while it runs.
    pub duration: Option<i64>,
    /// Milliseconds; -1 when unknown.
    pub estimated_duration: Option<i64>,
    /// When it started, in milliseconds.
    pub timestamp: Option<i64>,
    #[serde(default, deserialize_with = "nullable")]
    pub artifacts: Vec<Artifact>,
    #[serde(default, deserialize_with = "nullable")]
    pub actions: Vec<Action>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Artifact {
    pub relative_path: String,
}

/// One of many kinds; most are empty objects here.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Action {
    #[serde(default, deserialize_with = "nullable")]
    pub parameters: Vec<Parameter>,
    pub fail_count: Option<u64>,
    pub skip_count: Option<u64>,
    pub total_count: Option<u64>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Parameter {
    pub name: Option<String>,
    /// A text, a number, a boolean, or absent of sensitive ones.
    pub value: Option<serde_json::Value>,
}

/// `…/testReport/api/json`.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Report {
    #[serde(default, deserialize_with = "nullable")]
    pub suites: Vec<Suite>,
    /// Of Maven and aggregated jobs, which have no suites of their own.
    #[serde(rename = "childReports", default, deserialize_with = "nullable")]
    pub children: Vec<Child>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub struct Child {
    #[serde(default, deserialize_with = "nullable")]
    pub result: Report,
}

/// One of `…/N/wfapi/pendingInputActions`. Who may answer it, is not said.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Asks {
    #[serde(default, deserialize_with = "nullable")]
    pub message: String,
    pub proceed_text: Option<String>,
    /// What the answer must give.
    #[serde(default, deserialize_with = "nullable")]
    pub inputs: Vec<Named>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub struct Suite {
    #[serde(default, deserialize_with = "nullable")]
    pub name: String,
    /// Seconds.
    pub duration: Option<f64>,
    #[serde(default, deserialize_with = "nullable")]
    pub cases: Vec<Case>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Case {
    #[serde(default, deserialize_with = "nullable")]
    pub class_name: String,
    #[serde(default, deserialize_with = "nullable")]
    pub name: String,
    #[serde(default, deserialize_with = "nullable")]
    pub status: String,
    /// Seconds.
    pub duration: Option<f64>,
    pub error_details: Option<String>,
    pub error_stack_trace: Option<String>,
    pub skipped_message: Option<String>,
}

/// `/crumbIssuer/api/json`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Crumb {
    pub crumb: String,
    pub crumb_request_field: String,
}

/// Null counts as absent.
fn nullable<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    from: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}
