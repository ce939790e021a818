//! The `CodePipeline.job` event of a Lambda invoke action. Absent and null members mean the same; unknown ones are
//! ignored, for AWS may add some.

use serde::Deserialize;
use serde_json::Value;

use super::{ShapeError, from_value};
use crate::{
    id::{IdError, JobId},
    job::{ArtifactCredentials, ArtifactRef, Job, Origin, RawParameters},
    secret::Secret,
};

/// The event.
#[derive(Debug, Deserialize)]
pub struct JobEvent {
    /// The job; everything is in it.
    #[serde(rename = "CodePipeline.job")]
    pub job: JobBody,
}

/// What is under `CodePipeline.job`.
#[derive(Debug, Deserialize)]
pub struct JobBody {
    /// The job's id.
    pub id: String,
    /// What is to be done.
    pub data: Option<Data>,
}

/// `data` of a job.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Data {
    /// Holds `FunctionName` and `UserParameters`.
    pub action_configuration: Option<ActionConfiguration>,
    /// In the order of the action declaration.
    pub input_artifacts: Option<Vec<Artifact>>,
    /// In the order of the action declaration.
    pub output_artifacts: Option<Vec<Artifact>>,
    /// Opens this job's artifacts.
    pub artifact_credentials: Option<Credentials>,
    /// Present on a continuation only.
    pub continuation_token: Option<String>,
    /// Present when the artifact store has one.
    pub encryption_key: Option<EncryptionKey>,
}

/// `actionConfiguration`.
#[derive(Debug, Deserialize)]
pub struct ActionConfiguration {
    /// The map.
    pub configuration: Option<Configuration>,
}

/// `actionConfiguration.configuration`.
#[derive(Debug, Deserialize)]
pub struct Configuration {
    /// Any text, at most 1,000 characters.
    #[serde(rename = "UserParameters")]
    pub user_parameters: Option<String>,
}

/// One artifact. Its `revision` is null in every sample and not read.
#[derive(Debug, Deserialize)]
pub struct Artifact {
    /// Its name in the pipeline.
    pub name: String,
    /// Where it lies.
    pub location: Option<Location>,
}

/// `location` of an artifact.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Location {
    /// Always `S3`.
    pub r#type: Option<String>,
    /// Bucket and key.
    pub s3_location: Option<S3Location>,
}

/// `s3Location`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct S3Location {
    /// The artifact store's bucket.
    pub bucket_name: String,
    /// The object's key.
    pub object_key: String,
}

/// `artifactCredentials`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Credentials {
    /// Access key id.
    pub access_key_id: Secret,
    /// Secret access key.
    pub secret_access_key: Secret,
    /// Session token.
    pub session_token: Secret,
}

/// `encryptionKey`.
#[derive(Debug, Deserialize)]
pub struct EncryptionKey {
    /// Key id or ARN.
    pub id: String,
}

/// Why an event is no job.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JobEventError {
    /// The JSON is not what CodePipeline sends.
    #[error("the job event has an unexpected shape")]
    Shape(#[source] ShapeError),
    /// A name or id in it cannot be one.
    #[error("{place} of the job event is not usable")]
    Id {
        /// Which member.
        place: &'static str,
        /// What is wrong.
        #[source]
        source: IdError,
    },
    /// An artifact that does not lie in S3.
    #[error("the artifact {name:?} of the job event has no S3 location")]
    NoLocation {
        /// Which artifact.
        name: String,
    },
}

/// The job's id alone, so that a job whose event is otherwise unreadable can still be told that it failed.
pub fn job_id(event: &Value) -> Result<JobId, JobEventError> {
    let text = event
        .get("CodePipeline.job")
        .and_then(|job| job.get("id"))
        .and_then(Value::as_str);
    let Some(text) = text else {
        return Err(JobEventError::Shape(ShapeError {
            at: "CodePipeline.job.id".to_owned(),
            problem: "expected a string".to_owned(),
        }));
    };
    parsed("the id", text.parse())
}

impl TryFrom<Value> for JobEvent {
    type Error = JobEventError;

    fn try_from(event: Value) -> Result<Self, JobEventError> {
        from_value(event).map_err(JobEventError::Shape)
    }
}

impl TryFrom<JobEvent> for Job {
    type Error = JobEventError;

    /// `run_key` is the job's own id, right for a first job; a continuation's is in its token.
    fn try_from(event: JobEvent) -> Result<Self, JobEventError> {
        let id: JobId = parsed("the id", event.job.id.parse())?;
        let data = event.job.data.unwrap_or_default();
        let parameters = data
            .action_configuration
            .and_then(|action| action.configuration)
            .and_then(|configuration| configuration.user_parameters)
            .unwrap_or_default();
        Ok(Self {
            run_key: id.as_str().to_owned(),
            id,
            parameters: RawParameters::Text(parameters),
            inputs: artifacts(data.input_artifacts)?,
            outputs: artifacts(data.output_artifacts)?,
            credentials: data.artifact_credentials.map(ArtifactCredentials::from),
            encryption_key: data.encryption_key.map(|key| key.id),
            continuation: data.continuation_token,
            origin: Origin::Unsaid,
        })
    }
}

impl From<Credentials> for ArtifactCredentials {
    fn from(credentials: Credentials) -> Self {
        Self {
            access_key_id: credentials.access_key_id,
            secret_access_key: credentials.secret_access_key,
            session_token: credentials.session_token,
        }
    }
}

impl TryFrom<Artifact> for ArtifactRef {
    type Error = JobEventError;

    fn try_from(artifact: Artifact) -> Result<Self, JobEventError> {
        let location = artifact
            .location
            .filter(|location| location.r#type.as_deref().is_none_or(|kind| kind == "S3"))
            .and_then(|location| location.s3_location);
        let Some(location) = location else {
            return Err(JobEventError::NoLocation {
                name: artifact.name,
            });
        };
        Ok(Self {
            name: parsed("an artifact's name", artifact.name.try_into())?,
            bucket: parsed("an artifact's bucket", location.bucket_name.try_into())?,
            key: parsed("an artifact's key", location.object_key.try_into())?,
        })
    }
}

fn artifacts(wire: Option<Vec<Artifact>>) -> Result<Vec<ArtifactRef>, JobEventError> {
    wire.unwrap_or_default()
        .into_iter()
        .map(ArtifactRef::try_from)
        .collect()
}

fn parsed<I>(place: &'static str, id: Result<I, IdError>) -> Result<I, JobEventError> {
    id.map_err(|source| JobEventError::Id { place, source })
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use serde_json::json;

    use super::*;

    fn job(event: Value) -> Result<Job, JobEventError> {
        Job::try_from(JobEvent::try_from(event)?)
    }

    fn data(data: Value) -> Value {
        json!({"CodePipeline.job": {"id": "11111111-abcd-1111-abcd-111111abcdef", "accountId": "111111111111", "data": data}})
    }

    #[test]
    fn a_full_event_becomes_a_job() {
        let job = job(data(json!({
            "actionConfiguration": {"configuration": {"FunctionName": "F", "UserParameters": "any string"}},
            "inputArtifacts": [{"location": {"s3Location": {"bucketName": "b", "objectKey": "k"}, "type": "S3"}, "revision": null, "name": "In"}],
            "outputArtifacts": [{"location": {"s3Location": {"bucketName": "b", "objectKey": "k2"}, "type": "S3"}, "revision": null, "name": "Out"}],
            "artifactCredentials": {"secretAccessKey": "planted-s", "sessionToken": "planted-t", "accessKeyId": "planted-a"},
            "continuationToken": "token",
            "encryptionKey": {"id": "arn:aws:kms:us-west-2:111122223333:key/uuid", "type": "KMS"}
        })))
        .expect("a job");
        assert_eq!(job.id.as_str(), "11111111-abcd-1111-abcd-111111abcdef");
        assert!(matches!(&job.parameters, RawParameters::Text(text) if text == "any string"));
        assert_eq!(job.inputs[0].key.as_str(), "k");
        assert_eq!(job.outputs[0].name.as_str(), "Out");
        assert_eq!(job.continuation.as_deref(), Some("token"));
        assert!(
            job.encryption_key
                .as_deref()
                .is_some_and(|key| key.ends_with("key/uuid"))
        );
        let credentials = job.credentials.clone().expect("credentials");
        assert_eq!(credentials.session_token.reveal(), "planted-t");
        assert!(!format!("{job:?}").contains("planted"));
    }

    #[test]
    fn absent_null_and_unknown_members_are_taken() {
        let cases = [
            json!({}),
            Value::Null,
            json!({"inputArtifacts": null, "outputArtifacts": null, "artifactCredentials": null,
                   "continuationToken": null, "encryptionKey": null, "actionConfiguration": {"configuration": null}}),
            json!({"actionConfiguration": {"configuration": {"FunctionName": "F", "UserParameters": null}}, "new": {"x": 1}}),
        ];
        for case in cases {
            let job = job(data(case.clone())).expect("a job");
            assert!(
                matches!(&job.parameters, RawParameters::Text(text) if text.is_empty()),
                "{case}"
            );
            assert!(
                job.inputs.is_empty() && job.continuation.is_none() && job.credentials.is_none()
            );
        }
    }

    #[test]
    fn a_bad_event_is_refused_by_place_without_its_values() {
        let cases = [
            (
                json!({"inputArtifacts": "planted"}),
                "at CodePipeline.job.data.inputArtifacts: expected a sequence",
            ),
            (
                json!({"artifactCredentials": {"secretAccessKey": 5, "sessionToken": "planted", "accessKeyId": "planted"}}),
                "at CodePipeline.job.data.artifactCredentials.secretAccessKey: expected a string",
            ),
            (
                json!({"artifactCredentials": "planted"}),
                "at CodePipeline.job.data.artifactCredentials: expected struct Credentials",
            ),
            (
                json!({"inputArtifacts": [{"name": "In"}]}),
                "the artifact \"In\" of the job event has no S3 location",
            ),
            (
                json!({"inputArtifacts": [{"name": "In", "location": {"type": "Git", "s3Location": {"bucketName": "b", "objectKey": "k"}}}]}),
                "the artifact \"In\" of the job event has no S3 location",
            ),
            (
                json!({"inputArtifacts": [{"name": "a b", "location": {"s3Location": {"bucketName": "b", "objectKey": "k"}}}]}),
                "artifact name has a character at position 1 that is not allowed",
            ),
        ];
        for (case, expected) in cases {
            let error = job(data(case.clone())).expect_err("a refusal");
            let last = error
                .source()
                .map_or(error.to_string(), |source| source.to_string());
            assert_eq!(last, expected, "{case}");
        }
    }

    #[test]
    fn the_id_alone_is_found_in_a_broken_event() {
        let event = json!({"CodePipeline.job": {"id": "1-a", "data": 5}});
        assert_eq!(
            job_id(&event).map(|id| id.to_string()),
            Ok("1-a".to_owned())
        );
        for broken in [
            json!({"CodePipeline.job": {"id": 5}}),
            json!({"CodePipeline.job": {"id": "../x"}}),
            json!({}),
        ] {
            assert!(job_id(&broken).is_err(), "{broken}");
        }
    }
}
