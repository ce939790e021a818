//! What a state machine gives to a task, and what it gets back.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{ShapeError, from_value};
use crate::{
    id::IdError,
    job::{ArtifactRef, Details, Job, Origin, RawParameters},
    secret::Secret,
};

/// A task's input. Other members are ignored, so that the answer before can be handed back as it is.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskInput {
    /// The action's parameters: an object, or `file:PATH` in an input artifact.
    pub params: Option<Value>,
    /// What the answer before said; absent or null at first.
    pub progress: Option<Value>,
    /// When the action was first asked, where the state machine knows it; else now.
    pub started_at: Option<Timestamp>,
    /// What this run of the action is called, the same whenever the state machine repeats the call, as
    /// `States.Format('{}/{}', $$.Execution.Id, $$.State.Name)`. Only with it a repeated call starts nothing twice.
    pub run: Option<String>,
    /// The state machine's execution, `$$.Execution.Id`: what the run is stopped with.
    pub execution: Option<String>,
    /// Present when the run is not to be stepped but stopped: an object, for what a `Catch` has to say.
    pub stop: Option<Value>,
    /// Present when the state machine waits for a token.
    pub task_token: Option<Secret>,
    /// With a token: when the run is stopped and the task fails, whatever the action's own patience.
    pub deadline: Option<Timestamp>,
    /// Artifacts to read, with the function's own role.
    #[serde(default)]
    pub inputs: Vec<TaskArtifact>,
    /// Artifacts to write, with the function's own role.
    #[serde(default)]
    pub outputs: Vec<TaskArtifact>,
    /// KMS key for writing.
    pub encryption_key: Option<String>,
}

/// An artifact of a task.
#[derive(Debug, Deserialize)]
pub struct TaskArtifact {
    /// What the action calls it.
    pub name: String,
    /// S3 bucket.
    pub bucket: String,
    /// Key in it.
    pub key: String,
}

impl TaskInput {
    /// Reads a task's input.
    ///
    /// # Errors
    /// When a member has another type.
    pub fn read(event: Value) -> Result<Self, ShapeError> {
        from_value(event)
    }
}

impl TryFrom<TaskArtifact> for ArtifactRef {
    type Error = IdError;

    fn try_from(artifact: TaskArtifact) -> Result<Self, IdError> {
        Ok(Self {
            name: artifact.name.try_into()?,
            bucket: artifact.bucket.try_into()?,
            key: artifact.key.try_into()?,
        })
    }
}

/// A task's input with this progress, as it is kept while the task waits with its token: [`TaskInput::read`] reads it.
pub fn kept(job: &Job, progress: Value, deadline: Timestamp) -> Value {
    let params = match &job.parameters {
        RawParameters::Json(value) => value.clone(),
        RawParameters::Text(text) => text.as_str().into(),
        RawParameters::Flat(map) => json!(map),
    };
    let execution = match &job.origin {
        Origin::Machine(execution) => execution.as_deref(),
        _ => None,
    };
    let artifacts = |list: &[ArtifactRef]| -> Vec<Value> {
        let one = |artifact: &ArtifactRef| json!({"name": artifact.name.as_str(), "bucket": artifact.bucket.as_str(), "key": artifact.key.as_str()});
        list.iter().map(one).collect()
    };
    json!({
        "params": params, "progress": progress, "run": job.run_key, "execution": execution, "deadline": deadline,
        "inputs": artifacts(&job.inputs), "outputs": artifacts(&job.outputs), "encryptionKey": job.encryption_key
    })
}

/// `details` of an answer: what there is of summary, external id, percentage and link.
pub fn details(details: &Details) -> Value {
    let external_id = details.external_id.as_ref().map(|id| id.as_str());
    let members = [
        ("summary", details.summary.as_deref().map(Value::from)),
        ("externalId", external_id.map(Value::from)),
        ("percent", details.percent.map(Value::from)),
        ("link", details.link.as_deref().map(Value::from)),
    ];
    members
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect::<Map<_, _>>()
        .into()
}

/// The answer while the action runs: wait, then call again with this `progress`.
pub fn running(
    progress: &Value,
    started_at: Timestamp,
    wait_seconds: u64,
    about: &Details,
) -> Value {
    json!({
        "status": "RUNNING", "progress": progress, "startedAt": started_at, "waitSeconds": wait_seconds,
        "details": details(about)
    })
}

/// The answer to a stop: `run` is the outside run, where one was going on.
pub fn stopped(run: Option<&str>, found: &str) -> Value {
    let details = run.map_or(json!({}), |run| json!({"externalId": run}));
    json!({"status": "STOPPED", "found": found, "details": details})
}

/// The answer at the end.
pub fn succeeded(variables: &std::collections::BTreeMap<String, String>, about: &Details) -> Value {
    json!({"status": "SUCCEEDED", "variables": variables, "details": details(about)})
}
