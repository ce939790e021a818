//! A worker's jobs: polled, taken and read, with the function's own role.
//!
//! Spoken over [`crate::rpc`]: the SDK's code for these three operations would weigh on every function that reports
//! results.

use std::collections::BTreeMap;

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use shared::{
    fault::{Fault, FaultKind},
    id::JobId,
    job::{ActionState, ArtifactCredentials, ArtifactRef, Job, Origin, Place, RawParameters},
    port::{CustomType, JobSource, Polled, PortError, Service},
    wire::{
        from_value,
        job_event::{Artifact, Credentials, EncryptionKey},
    },
};

use crate::{codepipeline::CodePipeline, error::unavailable};

pub(crate) const CODEPIPELINE: Service = Service::json11(
    CodePipeline::SERVICE,
    "codepipeline",
    "CodePipeline_20150709",
);

impl JobSource for CodePipeline {
    async fn poll(
        &self,
        kind: &CustomType,
        query: Option<(&str, &str)>,
        most: usize,
    ) -> Result<Vec<Polled>, PortError> {
        let what = format!("asking for jobs of {kind}");
        let mut request = json!({
            "actionTypeId": {
                "category": kind.category,
                "owner": "Custom",
                "provider": kind.provider,
                "version": kind.version,
            },
            "maxBatchSize": most,
        });
        if let Some((name, value)) = query {
            request["queryParam"] = json!({ name: value });
        }
        let answer = self.rpc.call("PollForJobs", &what, &request).await?;
        let answer: Jobs = shaped(&what, answer)?;
        let polled = answer.jobs.into_iter().map(|job| {
            let id = job.id.and_then(|id| id.parse().ok());
            let (Some(id), Some(nonce)) = (id, job.nonce) else {
                return Err(unavailable(&what, "a job came without id or nonce"));
            };
            Ok(Polled { id, nonce })
        });
        polled.collect()
    }

    async fn acknowledge(&self, job: &JobId, nonce: &str) -> Result<bool, PortError> {
        let what = "AcknowledgeJob";
        let request = json!({"jobId": job.as_str(), "nonce": nonce});
        // A repeat would find the nonce used by its own first call.
        let answer = self.rpc.call_once(what, what, &request).await?;
        Ok(answer["status"] == "InProgress")
    }

    async fn details(&self, job: &JobId) -> Result<Result<Job, Fault>, PortError> {
        let data = self.data(job).await?;
        Ok(read(job, data).map_err(|text| Fault::new(FaultKind::Internal, text)))
    }

    async fn place(&self, job: &JobId) -> Result<Option<Place>, PortError> {
        let mut data = self.data(job).await?;
        let context = data["pipelineContext"].take();
        let context: Option<PipelineContext> = shaped("the job's place", context)?;
        Ok(context.and_then(PipelineContext::place))
    }

    async fn state(&self, place: &Place) -> Result<Option<ActionState>, PortError> {
        let what = format!("the state of the action in {}", place.pipeline);
        let mut request = json!({
            "pipelineName": place.pipeline, "filter": {"pipelineExecutionId": place.execution},
            "maxResults": 100
        });
        for _ in 0..PAGES {
            let page = self
                .rpc
                .call("ListActionExecutions", &what, &request)
                .await?;
            let page: Actions = shaped(&what, page)?;
            let mut actions = page.action_execution_details.into_iter();
            let ours = |action: &ListedAction| {
                action.action_execution_id.as_deref() == Some(place.action_execution.as_str())
            };
            if let Some(action) = actions.find(ours) {
                return Ok(state(action.status.as_deref().unwrap_or_default()));
            }
            match page.next_token {
                Some(next) => request["nextToken"] = next.into(),
                None => return Ok(None),
            }
        }
        Ok(None)
    }
}

/// Pages of one execution's actions read at most: 1,000 runs.
const PAGES: usize = 10;

fn state(word: &str) -> Option<ActionState> {
    match word {
        "InProgress" => Some(ActionState::InProgress),
        "Succeeded" => Some(ActionState::Succeeded),
        "Failed" => Some(ActionState::Failed),
        "Abandoned" => Some(ActionState::Abandoned),
        _ => None,
    }
}

impl CodePipeline {
    /// `data` of a job's details.
    async fn data(&self, job: &JobId) -> Result<Value, PortError> {
        let what = format!("reading the job {job}");
        let request = json!({"jobId": job.as_str()});
        let answer = self.rpc.call("GetJobDetails", &what, &request).await?;
        let answer: Details = shaped(&what, answer)?;
        let data = answer.job_details.and_then(|details| details.data);
        data.ok_or_else(|| unavailable(&what, "it came without data"))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Actions {
    #[serde(default)]
    action_execution_details: Vec<ListedAction>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListedAction {
    action_execution_id: Option<String>,
    status: Option<String>,
}

#[derive(Deserialize)]
struct Jobs {
    #[serde(default)]
    jobs: Vec<PolledJob>,
}

#[derive(Deserialize)]
struct PolledJob {
    id: Option<String>,
    nonce: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Details {
    job_details: Option<JobDetails>,
}

#[derive(Deserialize)]
struct JobDetails {
    data: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    pipeline_context: Option<PipelineContext>,
    action_configuration: Option<ActionConfiguration>,
    input_artifacts: Option<Vec<Artifact>>,
    output_artifacts: Option<Vec<Artifact>>,
    artifact_credentials: Option<Credentials>,
    continuation_token: Option<String>,
    encryption_key: Option<EncryptionKey>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PipelineContext {
    pipeline_name: Option<String>,
    pipeline_execution_id: Option<String>,
    action: Option<ActionContext>,
}

impl PipelineContext {
    fn place(self) -> Option<Place> {
        Some(Place {
            pipeline: self.pipeline_name?,
            execution: self.pipeline_execution_id?,
            action_execution: self.action?.action_execution_id?,
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ActionContext {
    action_execution_id: Option<String>,
}

#[derive(Deserialize)]
struct ActionConfiguration {
    configuration: Option<BTreeMap<String, String>>,
}

fn shaped<V: DeserializeOwned>(what: &str, answer: Value) -> Result<V, PortError> {
    from_value(answer).map_err(|error| unavailable(what, error.to_string()))
}

/// A worker's job. Its run is the action execution's.
fn read(id: &JobId, data: Value) -> Result<Job, String> {
    let data: Data =
        from_value(data).map_err(|error| format!("the details of the job are unusual: {error}"))?;
    let context = data.pipeline_context;
    let action = context.as_ref().and_then(|context| context.action.as_ref());
    let execution = action.and_then(|action| action.action_execution_id.clone());
    let place = context.and_then(PipelineContext::place);
    let configuration = data
        .action_configuration
        .and_then(|action| action.configuration)
        .unwrap_or_default();
    Ok(Job {
        id: id.clone(),
        run_key: execution.unwrap_or_else(|| id.to_string()),
        parameters: RawParameters::Flat(configuration),
        inputs: artifacts(data.input_artifacts)?,
        outputs: artifacts(data.output_artifacts)?,
        credentials: data.artifact_credentials.map(ArtifactCredentials::from),
        encryption_key: data.encryption_key.map(|key| key.id),
        continuation: data.continuation_token,
        origin: place.map_or(Origin::Unsaid, Origin::Action),
    })
}

fn artifacts(list: Option<Vec<Artifact>>) -> Result<Vec<ArtifactRef>, String> {
    let list = list.unwrap_or_default();
    list.into_iter()
        .map(|artifact| ArtifactRef::try_from(artifact).map_err(|error| error.to_string()))
        .collect()
}
