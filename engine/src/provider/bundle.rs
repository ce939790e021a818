//! The input artifact of a deployment where the service that deploys it can read it.

use engine_plan::effect::ArtifactLocation;

use super::{Context, Trouble, artifact, chain, workshop::Workshop};
use crate::cloud::Client;

/// Copies the artifact to S3 at its endpoint, under the same bucket and key; without one the engine's own S3 has it.
///
/// # Errors
/// It is larger than `most` bytes, cannot be read, or S3 refuses it.
pub async fn place(
    input: &ArtifactLocation,
    most: u64,
    region: &str,
    context: &Context,
    workshop: &Workshop,
) -> Result<(), Trouble> {
    let file = artifact::file(&workshop.objects, input).await?;
    let size = std::fs::metadata(&file).map_or(0, |about| about.len());
    if size > most {
        return Err(Trouble::job(format!(
            "the artifact {} has {size} bytes; at most {most} can be deployed",
            input.name
        )));
    }
    let name = format!("s3://{}/{}", input.bucket, input.key);
    let s3 = Client::configured(&context.app, "s3", region);
    match s3.map_err(|error| Trouble::job(chain(&error)))? {
        Some(s3) => {
            s3.put(&input.bucket, &input.key, &file).await?;
            workshop.log(&format!(
                "Copied the artifact to {name} at {}",
                s3.endpoint()
            ));
        }
        None => workshop.log(&format!(
            "The artifact is {name} in this engine's S3: no endpoint of s3 is named"
        )),
    }
    Ok(())
}
