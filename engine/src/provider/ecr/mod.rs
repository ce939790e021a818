//! Source/AWS/ECR/1: which image a tag stands for, as `imageDetail.json`.

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use engine_plan::{
    effect::ActionTask,
    event::{ExecutionDetails, Outcome, Revision},
};
use futures_util::future::BoxFuture;
use jiff::{Timestamp, tz::TimeZone};
use serde::Serialize;

use self::image::{Image, Reference};
use super::{Context, Provider, Trouble, artifact, failed, required, workshop::Workshop};
use crate::config::Config;

mod image;
mod layout;
mod registry;

/// What the artifact holds.
const FILE: &str = "imageDetail.json";
/// The tag when the action names none.
const LATEST: &str = "latest";
/// The kind of revision that StartPipelineExecution may give.
const REVISION_TYPE: &str = "IMAGE_DIGEST";

/// How often a tag is looked at that should have moved, and the pause in between: two seconds at most, less than a
/// registry waits for its notification to be taken.
const SETTLE_LOOKS: u32 = 40;
const SETTLE_PAUSE: Duration = Duration::from_millis(50);

/// The provider.
#[derive(Debug, Clone, Copy, Default)]
pub struct EcrSource;

impl Provider for EcrSource {
    fn perform(&self, task: ActionTask, context: Context) -> BoxFuture<'static, Option<Outcome>> {
        Box::pin(async move {
            let workshop = match Workshop::open(&task, &context) {
                Ok(workshop) => workshop,
                Err(error) => return Some(failed("JobFailed", error.to_string())),
            };
            let taken = tokio::select! {
                taken = take(&task, &workshop) => taken,
                () = context.stop.cancelled() => return Some(Outcome::Stopped),
            };
            Some(taken.unwrap_or_else(|trouble| {
                workshop.log(&trouble.message);
                trouble.outcome(ExecutionDetails::default())
            }))
        })
    }
}

/// `imageDetail.json` as AWS writes it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ImageDetail<'a> {
    image_size_in_bytes: String,
    image_digest: &'a str,
    version: &'static str,
    image_pushed_at: String,
    registry_id: &'a str,
    repository_name: &'a str,
    #[serde(rename = "ImageURI")]
    image_uri: &'a str,
    image_tags: [&'a str; 1],
}

async fn take(task: &ActionTask, workshop: &Workshop) -> Result<Outcome, Trouble> {
    let repository = required(task, "RepositoryName")?;
    let tag = task
        .configuration
        .get("ImageTag")
        .filter(|it| !it.is_empty());
    let tag = tag.map_or(LATEST, String::as_str);
    let [output] = task.outputs.as_slice() else {
        return Err(Trouble::configuration(
            "a source action has exactly one output artifact",
        ));
    };
    let reference = reference(task, tag)?;
    let image = find(task, workshop, &repository, &reference).await?;
    let settings = &workshop.config.engine;
    let account = &settings.account;
    let uri = format!(
        "{account}.dkr.ecr.{}.amazonaws.com/{repository}@{}",
        task.region, image.digest
    );
    let detail = ImageDetail {
        image_size_in_bytes: image.size.to_string(),
        image_digest: &image.digest,
        version: "1.0",
        image_pushed_at: image
            .pushed
            .to_zoned(TimeZone::UTC)
            .strftime("%a %b %d %H:%M:%S UTC %Y")
            .to_string(),
        registry_id: account,
        repository_name: &repository,
        image_uri: &uri,
        image_tags: [tag],
    };
    let text = serde_json::to_vec(&detail).map_err(|error| Trouble::job(error.to_string()))?;
    let (tree, zip) = (workshop.scratch("tree"), workshop.scratch("artifact.zip"));
    write(&tree, &text).map_err(|error| Trouble::job(error.to_string()))?;
    let key = task.encryption_key.as_ref();
    artifact::pack(&workshop.objects, output, key, &tree, &zip).await?;
    workshop.log(&format!("Image {repository}:{tag} is {}", image.digest));
    let variables = [
        ("RegistryId", account.as_str()),
        ("RepositoryName", repository.as_str()),
        ("ImageTag", tag),
        ("ImageDigest", image.digest.as_str()),
        ("ImageURI", uri.as_str()),
    ];
    let variables: BTreeMap<String, String> = variables
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    Ok(Outcome::Succeeded {
        details: ExecutionDetails {
            external_execution_id: Some(image.digest.clone()),
            ..ExecutionDetails::default()
        },
        variables,
        revision: Some(Revision {
            revision_id: image.digest,
            change_identifier: None,
            summary: None,
            url: None,
            created: Some(image.pushed),
        }),
    })
}

/// The digest that the start of the execution named, or the tag.
fn reference(task: &ActionTask, tag: &str) -> Result<Reference, Trouble> {
    let Some(revision) = &task.source_revision else {
        return Ok(Reference::Tag(tag.to_owned()));
    };
    if revision.revision_type != REVISION_TYPE {
        return Err(Trouble::configuration(format!(
            "action {}: the source revision is of type {}; an ECR source takes {REVISION_TYPE}",
            task.action, revision.revision_type
        )));
    }
    Ok(Reference::Digest(revision.revision_value.clone()))
}

async fn find(
    task: &ActionTask,
    workshop: &Workshop,
    repository: &str,
    reference: &Reference,
) -> Result<Image, Trouble> {
    let config = &workshop.config;
    if let Some(folder) = config.sources.get(&task.action) {
        return layout::find(folder, repository, reference);
    }
    let known = config.ecr.get(repository);
    let place = known.map(|it| (it.registry.as_deref(), it.layout.as_deref()));
    match place {
        Some((_, Some(folder))) => layout::find(&config.path(folder), repository, reference),
        Some((Some(address), None)) => {
            registry::find(address, repository, reference, workshop.clock.now()).await
        }
        _ => Err(Trouble::configuration(format!(
            "action {}: where the repository {repository} is, nobody said: add [ecr.\"{repository}\"] registry = \"http://…\" or layout = \"FOLDER\" to stagewright.toml, or --source {}=FOLDER with an OCI layout",
            task.action, task.action
        ))),
    }
}

/// Waits until the tag stands for this image at its registry, which tells of a push a moment before it moves the tag;
/// but not for ever: a newer push may have moved it on.
pub(crate) async fn settled(config: &Config, repository: &str, tag: &str, digest: &str) {
    let known = config.ecr.get(repository);
    let Some(address) = known.and_then(|it| it.registry.as_deref()) else {
        return;
    };
    let tag = Reference::Tag(tag.to_owned());
    for _ in 0..SETTLE_LOOKS {
        let found = registry::find(address, repository, &tag, Timestamp::UNIX_EPOCH).await;
        if found.is_ok_and(|image| image.digest == digest) {
            return;
        }
        tokio::time::sleep(SETTLE_PAUSE).await;
    }
}

fn write(tree: &Path, text: &[u8]) -> std::io::Result<()> {
    fs::create_dir_all(tree)?;
    fs::write(tree.join(FILE), text)
}

#[cfg(test)]
mod tests;
