//! A worker's jobs: polled, taken and read, with the function's own role.

use std::collections::BTreeMap;

use aws_sdk_codepipeline::{
    config::Config,
    types::{
        ActionCategory, ActionOwner, ActionTypeId, Artifact, AwsSessionCredentials, JobData,
        JobStatus,
    },
};
use aws_smithy_types::retry::RetryConfig;
use shared::{
    fault::{Fault, FaultKind},
    id::{IdError, JobId},
    job::{ArtifactCredentials, ArtifactRef, Job, RawParameters},
    port::{CustomType, JobSource, Polled, PortError},
};

use crate::{codepipeline::CodePipeline, error::unavailable};

impl JobSource for CodePipeline {
    async fn poll(
        &self,
        kind: &CustomType,
        query: Option<(&str, &str)>,
        most: usize,
    ) -> Result<Vec<Polled>, PortError> {
        let what = format!("asking for jobs of {kind}");
        let id = ActionTypeId::builder()
            .owner(ActionOwner::Custom)
            .category(ActionCategory::from(kind.category.as_str()))
            .provider(&kind.provider)
            .version(&kind.version)
            .build()
            .map_err(|error| PortError::Invalid {
                what: what.clone(),
                message: error.to_string(),
            })?;
        let mut request = self
            .client()
            .poll_for_jobs()
            .action_type_id(id)
            .max_batch_size(i32::try_from(most).unwrap_or(i32::MAX));
        if let Some((name, value)) = query {
            request = request.query_param(name, value);
        }
        let answer = self.aws.call(&what, request.send()).await?;
        let polled = answer.jobs().iter().map(|job| {
            let id = job.id().and_then(|id| id.parse().ok());
            let (Some(id), Some(nonce)) = (id, job.nonce()) else {
                return Err(unavailable(&what, "a job came without id or nonce"));
            };
            Ok(Polled {
                id,
                nonce: nonce.to_owned(),
            })
        });
        polled.collect()
    }

    async fn acknowledge(&self, job: &JobId, nonce: &str) -> Result<bool, PortError> {
        // A repeat would find the nonce used by its own first call.
        let once = Config::builder().retry_config(RetryConfig::disabled());
        let request = self
            .client()
            .acknowledge_job()
            .job_id(job.as_str())
            .nonce(nonce)
            .customize()
            .config_override(once);
        let answer = self.aws.call("AcknowledgeJob", request.send()).await?;
        Ok(answer.status() == Some(&JobStatus::InProgress))
    }

    async fn details(&self, job: &JobId) -> Result<Result<Job, Fault>, PortError> {
        let what = format!("reading the job {job}");
        let request = self.client().get_job_details().job_id(job.as_str());
        let answer = self.aws.call(&what, request.send()).await?;
        let data = answer.job_details.and_then(|details| details.data);
        let data = data.ok_or_else(|| unavailable(&what, "it came without data"))?;
        Ok(read(job, data).map_err(|text| Fault::new(FaultKind::Internal, text)))
    }
}

/// A worker's job. Its run is the action execution's.
fn read(id: &JobId, data: JobData) -> Result<Job, String> {
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
        parameters: RawParameters::Flat(BTreeMap::from_iter(configuration)),
        inputs: artifacts(data.input_artifacts)?,
        outputs: artifacts(data.output_artifacts)?,
        credentials: data.artifact_credentials.map(credentials),
        encryption_key: data.encryption_key.map(|key| key.id),
        continuation: data.continuation_token,
    })
}

fn artifacts(list: Option<Vec<Artifact>>) -> Result<Vec<ArtifactRef>, String> {
    list.unwrap_or_default().into_iter().map(artifact).collect()
}

fn artifact(artifact: Artifact) -> Result<ArtifactRef, String> {
    let name = artifact.name.unwrap_or_default();
    let location = artifact.location.and_then(|location| location.s3_location);
    let Some(location) = location else {
        return Err(format!(
            "the artifact {name:?} of the job has no S3 location"
        ));
    };
    let unusable = |error: IdError| format!("an artifact of the job is not usable: {error}");
    Ok(ArtifactRef {
        name: name.try_into().map_err(unusable)?,
        bucket: location.bucket_name.try_into().map_err(unusable)?,
        key: location.object_key.try_into().map_err(unusable)?,
    })
}

fn credentials(from: AwsSessionCredentials) -> ArtifactCredentials {
    ArtifactCredentials {
        access_key_id: from.access_key_id.into(),
        secret_access_key: from.secret_access_key.into(),
        session_token: from.session_token.into(),
    }
}
