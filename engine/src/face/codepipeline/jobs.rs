//! Jobs of Lambda and custom actions: polling, acknowledging, reading, reporting.

use std::collections::BTreeMap;

use engine_plan::{
    definition::{ActionTypeId, THIRD_PARTY},
    effect::{ActionTask, ArtifactLocation, JobTask},
    event::{Event, ExecutionDetails, Revision},
    refusal::Refusal,
    state::{Job, JobStatus},
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
    pub(super) job_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Success {
    pub(super) job_id: String,
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
    pub(super) job_id: String,
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
    pub(super) job_id: String,
    nonce: String,
}

/// Which of the two families of operations asks: each sees its own jobs only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum For {
    /// Functions and custom actions.
    Own,
    /// Partners.
    Partner,
}

impl For {
    fn sees(self, job: &Job) -> bool {
        (job.action_type.owner == THIRD_PARTY) == (self == Self::Partner)
    }
}

pub(super) async fn succeeded(ground: &Ground<'_>, request: Success) -> Result<Value, Refusal> {
    check(ground, &request.job_id, For::Own)?;
    ground.submit(success(request)).await?;
    Ok(json!({}))
}

pub(super) async fn failed(ground: &Ground<'_>, request: Failure) -> Result<Value, Refusal> {
    check(ground, &request.job_id, For::Own)?;
    ground.submit(failure(request)).await?;
    Ok(json!({}))
}

pub(super) fn success(request: Success) -> Event {
    Event::JobSucceeded {
        job: request.job_id,
        continuation: request.continuation_token,
        variables: request.output_variables,
        details: ExecutionDetails {
            // the operation has no such member
            external_execution_url: None,
            ..request.execution_details
        },
        revision: request.current_revision.map(|revision| Revision {
            revision_id: revision.revision,
            change_identifier: revision.change_identifier,
            summary: revision.revision_summary,
            url: None,
            created: revision.created.and_then(epoch),
        }),
    }
}

pub(super) fn failure(request: Failure) -> Event {
    Event::JobFailed {
        job: request.job_id,
        kind: request.failure_details.kind,
        message: request.failure_details.message,
        external_id: request.failure_details.external_execution_id,
    }
}

pub(super) fn details(ground: &Ground<'_>, request: &ByJob) -> Result<Value, Refusal> {
    let (_, task, open) = read(ground, &request.job_id, For::Own)?;
    let account = ground.read(|state| Ok(shape::account(state).to_owned()))?;
    let data = data(ground, &task, open, For::Own);
    Ok(json!({"jobDetails": {"id": request.job_id, "data": data, "accountId": account}}))
}

pub(super) async fn poll(ground: &Ground<'_>, request: Poll) -> Result<Value, Refusal> {
    let id = request.action_type_id;
    let queried = ground.read(|state| {
        let mut known = state.action_types.iter().filter(|it| it.is_custom());
        let known = known
            .find(|it| it.is(&id))
            .ok_or_else(|| no_such_type(&id))?;
        let mut properties = known.configuration_properties.iter();
        Ok(properties
            .find(|property| property.queryable)
            .map(|property| property.name.clone()))
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
    let fits = |task: &ActionTask| {
        asked.is_none_or(|(key, value)| task.configuration.get(key) == Some(value))
    };
    let given = hand_out(ground, &id, most, fits).await?;
    let account = ground.read(|state| Ok(shape::account(state).to_owned()))?;
    let jobs: Vec<Value> = given
        .into_iter()
        .map(|(job, task)| {
            let data = data(ground, &task, true, For::Own);
            json!({"id": job.id, "data": data, "nonce": job.nonce, "accountId": account})
        })
        .collect();
    Ok(json!({"jobs": jobs}))
}

/// Up to `most` jobs of a type, which are this worker's to acknowledge from now on.
pub(super) async fn hand_out(
    ground: &Ground<'_>,
    id: &ActionTypeId,
    most: usize,
    fits: impl Fn(&ActionTask) -> bool,
) -> Result<Vec<(JobTask, ActionTask)>, Refusal> {
    loop {
        let now = ground.clock.now();
        let mut found: Vec<(JobTask, ActionTask)> = ground.read(|state| {
            Ok(state
                .offered_jobs(id, now)
                .into_iter()
                .filter_map(|job| Some((JobTask::from(job), state.task_of_job(&job.id)?)))
                .filter(|(_, task)| fits(task))
                .take(most)
                .collect())
        })?;
        if found.is_empty() {
            return Ok(found);
        }
        let jobs = found.iter().map(|(job, _)| job.id.clone()).collect();
        match ground.submit(Event::JobsPolled { jobs }).await? {
            // others were quicker: there may be more jobs
            Answer::Jobs(given) if given.is_empty() => {}
            Answer::Jobs(given) => {
                found.retain(|(job, _)| given.contains(&job.id));
                return Ok(found);
            }
            answer => return Err(unexpected(&answer)),
        }
    }
}

pub(super) async fn acknowledge(
    ground: &Ground<'_>,
    request: Acknowledge,
    who: For,
) -> Result<Value, Refusal> {
    check(ground, &request.job_id, who)?;
    let event = Event::JobAcknowledged {
        job: request.job_id,
        nonce: request.nonce,
    };
    match ground.submit(event).await? {
        Answer::Job(status) => Ok(json!({"status": job_status(status)})),
        answer => Err(unexpected(&answer)),
    }
}

/// Whether there is such a job for these operations.
pub(super) fn check(ground: &Ground<'_>, id: &str, who: For) -> Result<(), Refusal> {
    ground.read(|state| {
        let job = state.jobs.get(id).filter(|it| who.sees(it));
        job.map(|_| ())
            .ok_or_else(|| not_found("JobNotFoundException"))
    })
}

/// A job with its task, and whether a result may still be put for it.
pub(super) fn read(
    ground: &Ground<'_>,
    id: &str,
    who: For,
) -> Result<(JobTask, ActionTask, bool), Refusal> {
    ground.read_all(|state, past| {
        let none = || not_found("JobNotFoundException");
        let job = state
            .jobs
            .get(id)
            .filter(|it| who.sees(it))
            .ok_or_else(none)?;
        let task = match state.task_of_job(id) {
            Some(task) => Some(task),
            // it has ended, and its execution has left memory
            None => past
                .numbered(state, job.place.pipeline(), job.place.execution())?
                .and_then(|execution| state.task_of_ended_job(id, &execution)),
        };
        Ok((JobTask::from(job), task.ok_or_else(none)?, job.is_open()))
    })
}

/// `JobData` with fresh credentials, which an ended job does not get.
pub(super) fn data(ground: &Ground<'_>, task: &ActionTask, open: bool, who: For) -> Value {
    job_data(task, open.then(|| ground.credentials(task)), who)
}

/// `JobData`. It holds the job's credentials: for the worker's reply only, never for a log.
fn job_data(task: &ActionTask, credentials: Option<Value>, who: For) -> Value {
    let key = task
        .encryption_key
        .as_ref()
        .map(|key| json!({"id": key.id, "type": key.kind}));
    let token = task
        .job
        .as_ref()
        .and_then(|job| job.continuation_token.as_deref());
    let own = who == For::Own;
    let context = Object::new()
        .with("pipelineName", task.pipeline.as_str())
        .with("stage", json!({"name": task.stage}))
        .with(
            "action",
            json!({"name": task.action, "actionExecutionId": task.action_execution}),
        )
        .maybe("pipelineArn", own.then_some(task.pipeline_arn.as_str()))
        .maybe(
            "pipelineExecutionId",
            own.then_some(task.execution.as_str()),
        );
    Object::new()
        .with("actionTypeId", shape::action_type_id(&task.action_type))
        .with(
            "actionConfiguration",
            json!({"configuration": task.configuration}),
        )
        .with("pipelineContext", context)
        .with("inputArtifacts", locations(&task.inputs))
        .with("outputArtifacts", locations(&task.outputs))
        .maybe("artifactCredentials", credentials)
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

pub(super) fn not_found(exception: &'static str) -> Refusal {
    Refusal::new(exception, "The specified job was not found")
}

pub(super) fn no_such_type(id: &ActionTypeId) -> Refusal {
    Refusal::new(
        "ActionTypeNotFoundException",
        format!(
            "ActionType (Category: '{}', Provider: '{}', Owner: '{}', Version: '{}') is not available",
            id.category, id.provider, id.owner, id.version
        ),
    )
}

fn invalid(message: String) -> Refusal {
    Refusal::new("ValidationException", message)
}
