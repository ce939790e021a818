//! Buckets of the configuration and of definitions.

use engine_plan::definition::PipelineDeclaration;

use super::StartError;
use crate::{app::App, config::BucketConfig, store::objects::BucketSettings};

/// Makes the artifact buckets of a definition that are not there: a run needs no account. Answers what was made.
///
/// # Errors
/// When the object store cannot be written.
pub async fn artifact_buckets(
    app: &App,
    definition: &PipelineDeclaration,
) -> Result<Vec<String>, StartError> {
    let stores = definition
        .artifact_store
        .iter()
        .chain(definition.artifact_stores.iter().flat_map(|m| m.values()));
    let mut notes = Vec::new();
    for store in stores {
        if make_bucket(app, &store.location, &BucketConfig::default()).await? {
            notes.push(format!("made the artifact bucket {}", store.location));
        }
    }
    Ok(notes)
}

/// Makes a bucket; whether it was not there.
pub(super) async fn make_bucket(
    app: &App,
    name: &str,
    config: &BucketConfig,
) -> Result<bool, StartError> {
    let settings = BucketSettings {
        versioned: config.versioned,
        website: config.website,
    };
    app.objects
        .create_bucket(name, settings)
        .await
        .map_err(|source| StartError::Bucket {
            name: name.to_owned(),
            source,
        })
}
