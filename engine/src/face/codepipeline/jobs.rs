//! Jobs of Lambda and custom actions: polling, acknowledging, reading, reporting.

use std::collections::BTreeMap;

use engine_plan::{
    definition::ActionTypeId,
    effect::{ActionTask, ArtifactLocation},
    event::{Event, ExecutionDetails, Revision},
    refusal::Refusal,
    state::JobStatus,
    step::Answer,
};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Ground,
    shape::{self, Object},
    unexpected,
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ByJob {
    job_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Success {
    job_id: String,
    current_revision: Option<CurrentRevision>,
    continuation_token: Option<String>,
    #[serde(default)]
    execution_details: ExecutionDetails,
    #[serde(default)]
    output_variables: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CurrentRevision {
    revision: String,
    change_identifier: Option<String>,
    created: Option<f64>,
    revision_summary: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Failure {
    job_id: String,
    failure_details: FailureDetails,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FailureDetails {
    #[serde(rename = "type")]
    kind: String,
    message: String,
    external_execution_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Poll {
    action_type_id: ActionTypeId,
    max_batch_size: Option<usize>,
    #[serde(default)]
    query_param: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Acknowledge {
    job_id: String,
    nonce: String,
}

pub(super) async fn succeeded(ground: &Ground<'_>, request: Success) -> Result<Value, Refusal> {
    let event = Event::JobSucceeded {
        job: request.job_id,
        continuation: request.continuation_token,
        variables: request.output_variables,
        details: request.execution_details,
        revision: request.current_revision.map(|revision| Revision {
            revision_id: revision.revision,
            change_identifier: revision.change_identifier,
            summary: revision.revision_summary,
            url: None,
            created: revision.created.and_then(epoch),
        }),
    };
    ground.submit(event).await?;
    Ok(json!({}))
}

pub(super) async fn failed(ground: &Ground<'_>, request: Failure) -> Result<Value, Refusal> {
    let event = Event::JobFailed {
        job: request.job_id,
        kind: request.failure_details.kind,
        message: request.failure_details.message,
        external_id: request.failure_details.external_execution_id,
    };
    ground.submit(event).await?;
    Ok(json!({}))
}

pub(super) fn details(ground: &Ground<'_>, request: ByJob) -> Result<Value, Refusal> {
    let (task, account) = ground.read_all(|state, past| {
        let job = state.jobs.get(&request.job_id).ok_or_else(job_not_found)?;
        let task = match state.task_of_job(&job.id) {
            Some(task) => Some(task),
            // it has ended, and its execution has left memory
            None => past
                .numbered(state, job.place.pipeline(), job.place.execution())?
                .and_then(|execution| state.task_of_ended_job(&job.id, &execution)),
        };
        let task = task.ok_or_else(job_not_found)?;
        Ok((task, shape::account(state).to_owned()))
    })?;
    let data = job_data(&task, ground.credentials(&task));
    Ok(json!({"jobDetails": {"id": request.job_id, "data": data, "accountId": account}}))
}

pub(super) async fn poll(ground: &Ground<'_>, request: Poll) -> Result<Value, Refusal> {
    let id = request.action_type_id;
    let queried = ground.read(|state| {
        let known = state.action_types.iter().find(|custom| custom.is(&id));
        let known = known.ok_or_else(|| {
            Refusal::new(
                "ActionTypeNotFoundException",
                format!(
                    "ActionType (Category: '{}', Provider: '{}', Owner: '{}', Version: '{}') is not available",
                    id.category, id.provider, id.owner, id.version
                ),
            )
        })?;
        let mut properties = known.configuration_properties.iter();
        Ok(properties.find(|property| property.queryable).map(|property| property.name.clone()))
    })?;
    let asked = request.query_param.iter().next();
    match (&queried, asked) {
        (None, None) => {}
        (Some(name), Some((key, _))) if name == key => {}
        (Some(name), _) => {
            return Err(invalid(format!(
                "queryParam must hold the queryable property '{name}'"
            )));
        }
        (None, Some(_)) => {
            return Err(invalid(
                "queryParam must be empty: the action type has no queryable property".to_owned(),
            ));
        }
    }
    let most = request.max_batch_size.unwrap_or(1);
    let (jobs, account) = ground.read(|state| {
        let jobs: Vec<(String, String, ActionTask)> = state
            .queued_jobs(&id)
            .filter_map(|job| {
                Some((
                    job.id.clone(),
                    job.nonce.clone(),
                    state.task_of_job(&job.id)?,
                ))
            })
            .filter(|(_, _, task)| {
                asked.is_none_or(|(key, value)| task.configuration.get(key) == Some(value))
            })
            .take(most)
            .collect();
        Ok((jobs, shape::account(state).to_owned()))
    })?;
    if !jobs.is_empty() {
        let ids = jobs.iter().map(|(id, ..)| id.clone()).collect();
        ground.submit(Event::JobsPolled { jobs: ids }).await?;
    }
    let jobs: Vec<Value> = jobs
        .into_iter()
        .map(|(id, nonce, task)| {
            let data = job_data(&task, ground.credentials(&task));
            json!({"id": id, "data": data, "nonce": nonce, "accountId": account})
        })
        .collect();
    Ok(json!({"jobs": jobs}))
}

pub(super) async fn acknowledge(
    ground: &Ground<'_>,
    request: Acknowledge,
) -> Result<Value, Refusal> {
    let event = Event::JobAcknowledged {
        job: request.job_id,
        nonce: request.nonce,
    };
    match ground.submit(event).await? {
        Answer::Job(status) => Ok(json!({"status": job_status(status)})),
        answer => Err(unexpected(&answer)),
    }
}

/// `JobData`. It holds the job's credentials: for the worker's reply only, never for a log.
fn job_data(task: &ActionTask, credentials: Value) -> Value {
    let key = task
        .encryption_key
        .as_ref()
        .map(|key| json!({"id": key.id, "type": key.kind}));
    let token = task
        .job
        .as_ref()
        .and_then(|job| job.continuation_token.as_deref());
    Object::new()
        .with("actionTypeId", shape::action_type_id(&task.action_type))
        .with(
            "actionConfiguration",
            json!({"configuration": task.configuration}),
        )
        .with(
            "pipelineContext",
            json!({
                "pipelineName": task.pipeline,
                "stage": {"name": task.stage},
                "action": {"name": task.action, "actionExecutionId": task.action_execution},
                "pipelineArn": task.pipeline_arn,
                "pipelineExecutionId": task.execution,
            }),
        )
        .with("inputArtifacts", locations(&task.inputs))
        .with("outputArtifacts", locations(&task.outputs))
        .with("artifactCredentials", credentials)
        .maybe("continuationToken", token)
        .maybe("encryptionKey", key)
        .into()
}

fn locations(artifacts: &[ArtifactLocation]) -> Value {
    artifacts
        .iter()
        .map(|artifact| {
            json!({
                "name": artifact.name,
                "revision": null,
                "location": {
                    "type": "S3",
                    "s3Location": {"bucketName": artifact.bucket, "objectKey": artifact.key},
                },
            })
        })
        .collect()
}

fn job_status(status: JobStatus) -> &'static str {
    match status {
        JobStatus::Created => "Created",
        JobStatus::Queued => "Queued",
        JobStatus::Dispatched => "Dispatched",
        JobStatus::InProgress => "InProgress",
        JobStatus::TimedOut => "TimedOut",
        JobStatus::Succeeded => "Succeeded",
        JobStatus::Failed => "Failed",
    }
}

fn epoch(seconds: f64) -> Option<Timestamp> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "out of range is refused by the timestamp"
    )]
    Timestamp::from_millisecond((seconds * 1000.0).round() as i64).ok()
}

fn job_not_found() -> Refusal {
    Refusal::new("JobNotFoundException", "The specified job was not found")
}

fn invalid(message: String) -> Refusal {
    Refusal::new("ValidationException", message)
}
