//! Deploy/AWS/S3/1: an artifact into a bucket, as one object or file by file.

use std::path::Path;

use engine_plan::{
    effect::{ActionTask, ArtifactLocation},
    event::{ExecutionDetails, Outcome},
};
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::{
    Context, Provider, Trouble, artifact, chain, content_type::content_type, failed, required,
    workshop::Workshop,
};
use crate::store::objects::{Body, ObjectHeaders, PutOptions, StoreError};

/// The provider.
#[derive(Debug, Clone, Copy, Default)]
pub struct S3Deploy;

impl Provider for S3Deploy {
    fn perform(&self, task: ActionTask, context: Context) -> BoxFuture<'static, Option<Outcome>> {
        Box::pin(async move {
            let workshop = match Workshop::open(&task, &context) {
                Ok(workshop) => workshop,
                Err(error) => return Some(failed("JobFailed", error.to_string())),
            };
            Some(perform(&task, &workshop, &context.stop).await)
        })
    }
}

/// The action's configuration, checked.
#[derive(Debug, PartialEq, Eq)]
struct Plan {
    bucket: String,
    extract: bool,
    /// The object's key, or what precedes the files' names.
    key: String,
    cache_control: Option<String>,
    kms_key: Option<String>,
    notice: Option<String>,
}

async fn perform(task: &ActionTask, workshop: &Workshop, stop: &CancellationToken) -> Outcome {
    match deploy(task, workshop, stop).await {
        Ok(outcome) => outcome,
        Err(trouble) => {
            workshop.log(&trouble.message);
            trouble.outcome(ExecutionDetails::default())
        }
    }
}

async fn deploy(
    task: &ActionTask,
    workshop: &Workshop,
    stop: &CancellationToken,
) -> Result<Outcome, Trouble> {
    let plan = plan(task, workshop.clock.now())?;
    let [input] = task.inputs.as_slice() else {
        return Err(Trouble::configuration(
            "an S3 deploy action has exactly one input artifact",
        ));
    };
    if let Some(notice) = &plan.notice {
        workshop.log(notice);
    }
    let summary = if plan.extract {
        let Some(files) = put_files(&plan, input, workshop, stop).await? else {
            return Ok(Outcome::Stopped);
        };
        format!("Deployed {files} files to {}", plan.bucket)
    } else {
        let file = artifact::file(&workshop.objects, input).await?;
        put(&plan, &plan.key, "application/zip", &file, workshop).await?;
        format!("Deployed {} to {}", plan.key, plan.bucket)
    };
    workshop.log(&summary);
    Ok(Outcome::Succeeded {
        details: ExecutionDetails {
            summary: Some(summary),
            ..ExecutionDetails::default()
        },
        variables: Default::default(),
        revision: None,
    })
}

/// Answers how many; `None` when it was stopped meanwhile.
async fn put_files(
    plan: &Plan,
    input: &ArtifactLocation,
    workshop: &Workshop,
    stop: &CancellationToken,
) -> Result<Option<usize>, Trouble> {
    let folder = workshop.scratch("files");
    artifact::unpack(&workshop.objects, input, &folder).await?;
    let below = folder.clone();
    let files = tokio::task::spawn_blocking(move || shared::archive::files_below(&below))
        .await
        .map_err(|error| Trouble::job(error.to_string()))?
        .map_err(|error| Trouble::job(chain(&error)))?;
    let mut count = 0;
    for file in files {
        if stop.is_cancelled() {
            return Ok(None);
        }
        let path = folder.join(&file);
        let name = file.to_string_lossy();
        // A link leads to another file of the artifact, or is left out.
        if !path.is_file() {
            workshop.log(&format!(
                "{name} is a link to a folder or to nothing: left out"
            ));
            continue;
        }
        let key = format!("{}{name}", plan.key);
        put(plan, &key, content_type(&name), &path, workshop).await?;
        workshop.log(&key);
        count += 1;
    }
    Ok(Some(count))
}

async fn put(
    plan: &Plan,
    key: &str,
    content_type: &str,
    file: &Path,
    workshop: &Workshop,
) -> Result<(), Trouble> {
    let headers = ObjectHeaders {
        content_type: Some(content_type.to_owned()),
        cache_control: plan.cache_control.clone(),
        sse: plan.kms_key.as_ref().map(|_| "aws:kms".to_owned()),
        sse_kms_key: plan.kms_key.clone(),
        ..ObjectHeaders::default()
    };
    let options = PutOptions {
        headers,
        ..PutOptions::default()
    };
    let body = Body::File(file.to_owned());
    let bucket = &plan.bucket;
    match workshop.objects.put(bucket, key, options, body).await {
        Ok(_) => Ok(()),
        Err(StoreError::NoSuchBucket { .. }) => Err(Trouble::configuration(format!(
            "the bucket {bucket} does not exist: create it, or add [bucket.{bucket}] to stagewright.toml"
        ))),
        Err(error) => Err(Trouble::job(format!("{key}: {}", chain(&error)))),
    }
}

fn plan(task: &ActionTask, now: Timestamp) -> Result<Plan, Trouble> {
    let setting = |name: &str| {
        task.configuration
            .get(name)
            .filter(|value| !value.is_empty())
            .cloned()
    };
    let extract = match required(task, "Extract")?.as_str() {
        "true" => true,
        "false" => false,
        other => {
            return Err(Trouble::configuration(format!(
                "action {}: Extract is {other}, it must be true or false",
                task.action
            )));
        }
    };
    let key = match setting("ObjectKey") {
        Some(key) => expanded(&key, task, now),
        None if extract => String::new(),
        None => {
            return Err(Trouble::configuration(format!(
                "action {}: ObjectKey is needed when Extract is false",
                task.action
            )));
        }
    };
    let key = match (extract, key.trim_matches('/')) {
        (true, "") => String::new(),
        (true, prefix) => format!("{prefix}/"),
        (false, _) => key,
    };
    Ok(Plan {
        bucket: required(task, "BucketName")?,
        extract,
        key,
        cache_control: setting("CacheControl"),
        kms_key: setting("KMSEncryptionKeyARN"),
        notice: setting("CannedACL").map(|acl| format!("CannedACL {acl} has no effect here")),
    })
}

/// `{datetime}` and `{uuid}`; the latter is the action execution's id, so that a repeat writes the same key.
fn expanded(key: &str, task: &ActionTask, now: Timestamp) -> String {
    let time = now.strftime("%Y-%m-%d_%H-%M-%S").to_string();
    key.replace("{datetime}", &time)
        .replace("{uuid}", &task.action_execution)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        provider::workshop::tests::{Bench, task},
        store::objects::{BucketSettings, ListQuery},
    };

    async fn run(bench: &Bench, task: &ActionTask) -> Outcome {
        perform(task, &bench.workshop(task), &CancellationToken::new()).await
    }

    async fn keys(bench: &Bench) -> Vec<String> {
        let listing = bench
            .objects
            .list("live", ListQuery::default())
            .await
            .unwrap();
        listing
            .objects
            .into_iter()
            .map(|object| object.key)
            .collect()
    }

    #[tokio::test]
    async fn files_get_their_types_and_headers() {
        let bench = Bench::new().await;
        bench
            .objects
            .create_bucket("live", BucketSettings::default())
            .await
            .unwrap();
        bench
            .put_zip(
                "Built",
                &[
                    ("index.html", "<p>"),
                    ("js/app.js", "1"),
                    ("data.unknown", "?"),
                ],
            )
            .await;
        let settings = [
            ("BucketName", "live"),
            ("Extract", "true"),
            ("ObjectKey", "/v/{uuid}/"),
            ("CacheControl", "max-age=60,public"),
            ("CannedACL", "public-read"),
        ];
        let one = task("Put", &settings, &["Built"], &[]);
        assert!(matches!(run(&bench, &one).await, Outcome::Succeeded { .. }));
        let id = &one.action_execution;
        let expected: Vec<String> = ["data.unknown", "index.html", "js/app.js"]
            .iter()
            .map(|name| format!("v/{id}/{name}"))
            .collect();
        assert_eq!(keys(&bench).await, expected);
        for (name, content_type) in [
            ("index.html", "text/html"),
            ("js/app.js", "text/javascript"),
            ("data.unknown", "application/octet-stream"),
        ] {
            let object = bench
                .objects
                .head("live", &format!("v/{id}/{name}"), None)
                .await
                .unwrap();
            assert_eq!(object.headers.content_type.as_deref(), Some(content_type));
            assert_eq!(
                object.headers.cache_control.as_deref(),
                Some("max-age=60,public")
            );
        }
        assert!(
            bench
                .log(&one)
                .contains("CannedACL public-read has no effect here")
        );
    }

    #[tokio::test]
    async fn an_artifact_is_put_whole() {
        let bench = Bench::new().await;
        bench
            .objects
            .create_bucket("live", BucketSettings::default())
            .await
            .unwrap();
        bench.put("P/Built/abc", b"any bytes".to_vec()).await;
        let settings = [
            ("BucketName", "live"),
            ("Extract", "false"),
            ("ObjectKey", "out.zip"),
        ];
        assert!(matches!(
            run(&bench, &task("Put", &settings, &["Built"], &[])).await,
            Outcome::Succeeded { .. }
        ));
        let (_, path) = bench.objects.get("live", "out.zip", None).await.unwrap();
        assert_eq!(std::fs::read(path).unwrap(), b"any bytes");
    }

    #[tokio::test]
    async fn failures_name_their_cause() {
        let bench = Bench::new().await;
        bench.put("P/Built/abc", b"not a zip".to_vec()).await;
        let cases: [(&[&str], &str); 5] = [
            (
                &["BucketName=gone", "Extract=false", "ObjectKey=k"],
                "the bucket gone does not exist",
            ),
            (
                &["BucketName=artifacts", "Extract=true"],
                "artifact Built cannot be unpacked: it is not a zip archive",
            ),
            (
                &["BucketName=artifacts", "Extract=false"],
                "ObjectKey is needed when Extract is false",
            ),
            (
                &["BucketName=artifacts", "Extract=maybe"],
                "Extract is maybe, it must be true or false",
            ),
            (&["Extract=true"], "the setting BucketName is missing"),
        ];
        for (settings, expected) in cases {
            let pairs: Vec<_> = settings.iter().filter_map(|s| s.split_once('=')).collect();
            let outcome = run(&bench, &task("Put", &pairs, &["Built"], &[])).await;
            assert!(
                matches!(&outcome, Outcome::Failed { message, .. } if message.contains(expected)),
                "{outcome:?}"
            );
        }
    }

    #[test]
    fn keys_are_expanded() {
        let settings = [
            ("BucketName", "b"),
            ("Extract", "false"),
            ("ObjectKey", "a-{datetime}-{uuid}"),
        ];
        let one = task("Put", &settings, &["Built"], &[]);
        let key = plan(&one, "2024-01-02T03:04:05Z".parse().unwrap())
            .unwrap()
            .key;
        assert_eq!(
            key,
            format!("a-2024-01-02_03-04-05-{}", one.action_execution)
        );
    }
}
