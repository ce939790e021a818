//! Artifacts between the store and a provider's scratch folder, always through files.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use engine_plan::{definition::EncryptionKey, effect::ArtifactLocation};
use shared::archive::{self, ArchiveError, Extracted, Limits, Packed};

use crate::store::objects::{Body, ObjectHeaders, ObjectStore, PutOptions, StoreError};

/// Why an artifact could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ArtifactError {
    /// The object or its bucket is not there; AWS's sentence, then ours.
    #[error(
        "The action failed because either the artifact or the Amazon S3 bucket could not be found. Name of artifact bucket: {bucket}. \
         Verify that this bucket exists. If it exists, check the life cycle policy, then try releasing a change. (Artifact {artifact}: {problem})"
    )]
    Missing {
        /// Which artifact.
        artifact: String,
        /// Its bucket.
        bucket: String,
        /// What the store said.
        problem: String,
    },
    /// The bytes are not what they should be.
    #[error("artifact {artifact} cannot be unpacked")]
    Unpack {
        /// Which artifact.
        artifact: String,
        /// Why.
        #[source]
        source: ArchiveError,
    },
    /// A folder cannot be made into an artifact.
    #[error("artifact {artifact} cannot be packed")]
    Pack {
        /// Which artifact.
        artifact: String,
        /// Why.
        #[source]
        source: ArchiveError,
    },
    /// The store failed.
    #[error("artifact {artifact} could not be stored or read")]
    Store {
        /// Which artifact.
        artifact: String,
        /// Why.
        #[source]
        source: StoreError,
    },
    /// A scratch file.
    #[error("a file of artifact {artifact} could not be used")]
    File {
        /// Which artifact.
        artifact: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// The file that holds an artifact's bytes; it stays readable for minutes whatever happens to the object.
///
/// # Errors
/// `Missing`, or the store itself.
pub async fn file(
    objects: &ObjectStore,
    artifact: &ArtifactLocation,
) -> Result<PathBuf, ArtifactError> {
    match objects.get(&artifact.bucket, &artifact.key, None).await {
        Ok((_, path)) => Ok(path),
        Err(error @ (StoreError::NoSuchBucket { .. } | StoreError::NoSuchKey { .. })) => {
            Err(ArtifactError::Missing {
                artifact: artifact.name.clone(),
                bucket: artifact.bucket.clone(),
                problem: error.to_string(),
            })
        }
        Err(source) => Err(ArtifactError::Store {
            artifact: artifact.name.clone(),
            source,
        }),
    }
}

/// Unpacks an artifact into a folder of its own, within the limits of [`Limits::DEFAULT`].
///
/// # Errors
/// `Missing`, `Unpack` with what is wrong with the archive, or the store itself.
pub async fn unpack(
    objects: &ObjectStore,
    artifact: &ArtifactLocation,
    to: &Path,
) -> Result<Extracted, ArtifactError> {
    let path = file(objects, artifact).await?;
    let to = to.to_owned();
    let name = artifact.name.clone();
    blocking(&artifact.name, move || {
        let open = fs::File::open(path).map_err(|source| ArtifactError::File {
            artifact: name.clone(),
            source,
        })?;
        archive::extract(io::BufReader::new(open), &to, &Limits::DEFAULT).map_err(|source| {
            ArtifactError::Unpack {
                artifact: name,
                source,
            }
        })
    })
    .await
}

/// Packs all files below `folder` into the new file `zip` and stores it as the artifact.
///
/// # Errors
/// `Pack`, or those of [`store`].
pub async fn pack(
    objects: &ObjectStore,
    artifact: &ArtifactLocation,
    key: Option<&EncryptionKey>,
    folder: &Path,
    zip: &Path,
) -> Result<Packed, ArtifactError> {
    let (folder, to, name) = (folder.to_owned(), zip.to_owned(), artifact.name.clone());
    let packed = blocking(&artifact.name, move || {
        let out = fs::File::create_new(&to).map_err(|source| ArtifactError::File {
            artifact: name.clone(),
            source,
        })?;
        archive::files_below(&folder)
            .and_then(|files| archive::pack(&folder, &files, out))
            .map_err(|source| ArtifactError::Pack {
                artifact: name,
                source,
            })
    })
    .await?;
    store(objects, artifact, key, zip).await?;
    Ok(packed)
}

/// Stores a file as the artifact.
///
/// # Errors
/// `Missing` when the bucket is not there, or the store itself.
pub async fn store(
    objects: &ObjectStore,
    artifact: &ArtifactLocation,
    key: Option<&EncryptionKey>,
    file: &Path,
) -> Result<(), ArtifactError> {
    let headers = ObjectHeaders {
        content_type: Some("application/zip".to_owned()),
        sse: Some("aws:kms".to_owned()),
        sse_kms_key: key.map(|key| key.id.clone()),
        ..ObjectHeaders::default()
    };
    let options = PutOptions {
        headers,
        ..PutOptions::default()
    };
    let body = Body::File(file.to_owned());
    match objects
        .put(&artifact.bucket, &artifact.key, options, body)
        .await
    {
        Ok(_) => Ok(()),
        Err(error @ StoreError::NoSuchBucket { .. }) => Err(ArtifactError::Missing {
            artifact: artifact.name.clone(),
            bucket: artifact.bucket.clone(),
            problem: error.to_string(),
        }),
        Err(source) => Err(ArtifactError::Store {
            artifact: artifact.name.clone(),
            source,
        }),
    }
}

async fn blocking<T: Send + 'static>(
    artifact: &str,
    work: impl FnOnce() -> Result<T, ArtifactError> + Send + 'static,
) -> Result<T, ArtifactError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| {
            Err(ArtifactError::File {
                artifact: artifact.to_owned(),
                source: io::Error::other(error),
            })
        })
}
