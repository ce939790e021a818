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
    job::{ArtifactCredentials, ArtifactRef, Job, RawParameters},
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
        let what = format!("reading the job {job}");
        let request = json!({"jobId": job.as_str()});
        let answer = self.rpc.call("GetJobDetails", &what, &request).await?;
        let answer: Details = shaped(&what, answer)?;
        let data = answer.job_details.and_then(|details| details.data);
        let data = data.ok_or_else(|| unavailable(&what, "it came without data"))?;
        Ok(read(job, data).map_err(|text| Fault::new(FaultKind::Internal, text)))
    }
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
struct PipelineContext {
    action: Option<ActionContext>,
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
    let execution = data
        .pipeline_context
        .and_then(|context| context.action)
        .and_then(|action| action.action_execution_id);
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
    })
}

fn artifacts(list: Option<Vec<Artifact>>) -> Result<Vec<ArtifactRef>, String> {
    let list = list.unwrap_or_default();
    list.into_iter()
        .map(|artifact| ArtifactRef::try_from(artifact).map_err(|error| error.to_string()))
        .collect()
}
