//! Source/AWS/S3/1: an object of a versioned bucket, as it is.

use std::collections::BTreeMap;

use engine_plan::{
    effect::{ActionTask, ArtifactLocation},
    event::{ExecutionDetails, Outcome, Revision},
};
use futures_util::future::BoxFuture;

use super::{
    Context, Provider, Trouble, artifact, chain, failed, local, required, workshop::Workshop,
};
use crate::store::objects::{StoreError, Versioning};

/// Metadata key whose value is the revision's summary.
const SUMMARY: &str = "codepipeline-artifact-revision-summary";

/// The provider.
#[derive(Debug, Clone, Copy, Default)]
pub struct S3Source;

impl Provider for S3Source {
    fn perform(&self, task: ActionTask, context: Context) -> BoxFuture<'static, Option<Outcome>> {
        Box::pin(async move {
            let workshop = match Workshop::open(&task, &context) {
                Ok(workshop) => workshop,
                Err(error) => return Some(failed("JobFailed", error.to_string())),
            };
            Some(perform(&task, &workshop).await)
        })
    }
}

async fn perform(task: &ActionTask, workshop: &Workshop) -> Outcome {
    match take(task, workshop).await {
        Ok(outcome) => outcome,
        Err(trouble) => {
            workshop.log(&trouble.message);
            trouble.outcome(ExecutionDetails::default())
        }
    }
}

/// Which object and which version of it.
#[derive(Debug, PartialEq, Eq)]
struct Wanted {
    bucket: String,
    key: String,
    version: Option<String>,
}

/// What was taken.
struct Taken {
    etag: String,
    version: String,
    summary: Option<String>,
    modified: jiff::Timestamp,
}

async fn take(task: &ActionTask, workshop: &Workshop) -> Result<Outcome, Trouble> {
    let wanted = wanted(task)?;
    let [output] = task.outputs.as_slice() else {
        return Err(Trouble::configuration(
            "a source action has exactly one output artifact",
        ));
    };
    let taken = match workshop.config.sources.get(&task.action) {
        Some(path) => {
            let local = local::look(&task.action, path)?;
            let stored = local::store(&local, task, workshop, output).await?;
            Taken {
                etag: stored.hash.chars().take(32).collect(),
                version: stored.hash,
                summary: Some(stored.summary),
                modified: workshop.clock.now(),
            }
        }
        None => take_object(&wanted, task, workshop, output).await?,
    };
    let variables = [
        ("BucketName", &wanted.bucket),
        ("ObjectKey", &wanted.key),
        ("ETag", &taken.etag),
        ("VersionId", &taken.version),
    ];
    let variables: BTreeMap<String, String> = variables
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.clone()))
        .collect();
    Ok(Outcome::Succeeded {
        details: ExecutionDetails {
            external_execution_id: Some(taken.version.clone()),
            ..ExecutionDetails::default()
        },
        variables,
        revision: Some(Revision {
            revision_id: taken.version,
            change_identifier: wanted.version,
            summary: taken.summary,
            url: None,
            created: Some(taken.modified),
        }),
    })
}

async fn take_object(
    wanted: &Wanted,
    task: &ActionTask,
    workshop: &Workshop,
    output: &ArtifactLocation,
) -> Result<Taken, Trouble> {
    let Wanted {
        bucket,
        key,
        version,
    } = wanted;
    let objects = &workshop.objects;
    let missing = |error: StoreError| match error {
        StoreError::NoSuchBucket { .. } => Trouble::configuration(format!(
            "the source bucket {bucket} does not exist: create it, or add [bucket.{bucket}] versioned = true to stagewright.toml"
        )),
        error => Trouble::job(chain(&error)),
    };
    let about = objects.bucket(bucket).await.map_err(missing)?;
    if about.versioning != Versioning::Enabled {
        return Err(Trouble::configuration(format!(
            "the source bucket {bucket} is not versioned: an S3 source needs versioning, set [bucket.{bucket}] versioned = true or use PutBucketVersioning"
        )));
    }
    let (object, file) = objects
        .get(bucket, key, version.as_deref())
        .await
        .map_err(missing)?;
    workshop.log(&format!(
        "Taking s3://{bucket}/{key}, {} bytes",
        object.size
    ));
    artifact::store(objects, output, task.encryption_key.as_ref(), &file).await?;
    Ok(Taken {
        etag: object.etag,
        version: object.version_id.unwrap_or_default(),
        summary: object.headers.metadata.get(SUMMARY).cloned(),
        modified: object.last_modified,
    })
}

fn wanted(task: &ActionTask) -> Result<Wanted, Trouble> {
    let mut wanted = Wanted {
        bucket: required(task, "S3Bucket")?,
        key: required(task, "S3ObjectKey")?,
        version: None,
    };
    let Some(revision) = &task.source_revision else {
        return Ok(wanted);
    };
    let allowed = task
        .configuration
        .get("AllowOverrideForS3ObjectKey")
        .is_some_and(|value| value == "true");
    match revision.revision_type.as_str() {
        "S3_OBJECT_VERSION_ID" => wanted.version = Some(revision.revision_value.clone()),
        "S3_OBJECT_KEY" if allowed => wanted.key.clone_from(&revision.revision_value),
        "S3_OBJECT_KEY" => {
            return Err(Trouble::configuration(format!(
                "action {}: S3_OBJECT_KEY needs AllowOverrideForS3ObjectKey = true",
                task.action
            )));
        }
        other => {
            return Err(Trouble::configuration(format!(
                "action {}: an S3 source takes a revision of type S3_OBJECT_VERSION_ID or S3_OBJECT_KEY, not {other}",
                task.action
            )));
        }
    }
    Ok(wanted)
}

#[cfg(test)]
mod tests {
    use engine_plan::event::SourceRevisionOverride;

    use super::*;
    use crate::{
        provider::workshop::tests::{Bench, task},
        store::objects::{Body, BucketSettings, ObjectHeaders, PutOptions},
    };

    const SETTINGS: [(&str, &str); 2] = [("S3Bucket", "incoming"), ("S3ObjectKey", "site.zip")];

    async fn put(bench: &Bench, text: &'static str) -> String {
        let headers = ObjectHeaders {
            metadata: BTreeMap::from([(SUMMARY.to_owned(), format!("about {text}"))]),
            ..ObjectHeaders::default()
        };
        let options = PutOptions {
            headers,
            ..PutOptions::default()
        };
        let put = bench
            .objects
            .put("incoming", "site.zip", options, Body::Bytes(text.into()));
        put.await.unwrap().version_id.unwrap()
    }

    async fn run(
        bench: &Bench,
        task: &ActionTask,
    ) -> Result<(BTreeMap<String, String>, Revision), String> {
        match perform(task, &bench.workshop(task)).await {
            Outcome::Succeeded {
                variables,
                revision,
                ..
            } => Ok((variables, revision.unwrap())),
            Outcome::Failed { message, .. } => Err(message),
            Outcome::Stopped => Err("stopped".to_owned()),
        }
    }

    #[tokio::test]
    async fn the_newest_or_the_named_version_is_taken_as_it_is() {
        let bench = Bench::new().await;
        let versioned = BucketSettings {
            versioned: true,
            website: false,
        };
        bench
            .objects
            .create_bucket("incoming", versioned)
            .await
            .unwrap();
        let first = put(&bench, "one").await;
        let second = put(&bench, "two").await;
        let mut one = task("Take", &SETTINGS, &[], &["Code"]);
        for (chosen, version, text) in
            [(None, &second, "two"), (Some(first.clone()), &first, "one")]
        {
            one.source_revision = chosen.map(|version| SourceRevisionOverride {
                action_name: "Take".to_owned(),
                revision_type: "S3_OBJECT_VERSION_ID".to_owned(),
                revision_value: version,
            });
            let (variables, revision) = run(&bench, &one).await.unwrap();
            assert_eq!(&variables["VersionId"], version);
            assert_eq!(variables["BucketName"], "incoming");
            assert_eq!(variables["ObjectKey"], "site.zip");
            assert_eq!(variables["ETag"].len(), 32);
            assert_eq!(revision.summary, Some(format!("about {text}")));
            let (_, path) = bench
                .objects
                .get("artifacts", "P/Code/abc", None)
                .await
                .unwrap();
            assert_eq!(std::fs::read_to_string(path).unwrap(), text);
        }
    }

    #[tokio::test]
    async fn what_is_missing_is_named() {
        let bench = Bench::new().await;
        let mut one = task("Take", &SETTINGS, &[], &["Code"]);
        let message = run(&bench, &one).await.unwrap_err();
        assert!(
            message.starts_with("the source bucket incoming does not exist"),
            "{message}"
        );
        bench
            .objects
            .create_bucket("incoming", BucketSettings::default())
            .await
            .unwrap();
        let message = run(&bench, &one).await.unwrap_err();
        assert!(
            message.starts_with("the source bucket incoming is not versioned"),
            "{message}"
        );
        bench
            .objects
            .set_versioning("incoming", Versioning::Enabled)
            .await
            .unwrap();
        let message = run(&bench, &one).await.unwrap_err();
        assert_eq!(message, r#"bucket "incoming" has no object "site.zip""#);
        one.source_revision = Some(SourceRevisionOverride {
            action_name: "Take".to_owned(),
            revision_type: "S3_OBJECT_KEY".to_owned(),
            revision_value: "other.zip".to_owned(),
        });
        let message = run(&bench, &one).await.unwrap_err();
        assert!(
            message.ends_with("needs AllowOverrideForS3ObjectKey = true"),
            "{message}"
        );
        one.configuration
            .insert("AllowOverrideForS3ObjectKey".to_owned(), "true".to_owned());
        let message = run(&bench, &one).await.unwrap_err();
        assert_eq!(message, r#"bucket "incoming" has no object "other.zip""#);
    }
}
